//! Choosing what comes next.

use std::cmp::Ordering;

use mandi_core::Timestamp;
use serde_json::Value;

use super::data;
use super::state::{Exit, check_sizes};
use crate::definition::{Comparison, Condition, Operand, Operator, Order, Rule, State, Test};
use crate::fault::{StateFault, names};
use crate::query::{Language, Scope};

/// Leaves a `Choice` state by the first rule that holds, or by `Default`.
pub(super) fn choose(
    state: &State,
    rules: &[Rule],
    default: Option<&str>,
    scope: Scope<'_>,
) -> Result<Exit, StateFault> {
    let effective = data::effective_input(state, scope)?;
    let inner = if state.language == Language::JsonPath { scope.of(&effective) } else { scope };
    for (index, rule) in rules.iter().enumerate() {
        if holds(state, &rule.condition, inner, index)? {
            let mut exit = data::leave_as_it_is(state, scope)?;
            exit.next = Some(rule.next.clone());
            if let Some(output) = &rule.output {
                exit.output = output.evaluate(&scope, &format!("Choices[{index}]/Output"))?;
            }
            // The variables of the state itself belong to `Default`.
            exit.assigned = data::assign(&rule.assign, inner)?;
            check_sizes(state, &exit)?;
            return Ok(exit);
        }
    }
    let Some(default) = default else {
        let cause = format!("No rule of the state '{}' holds, and it has no Default", state.name);
        return Err(StateFault::new(names::NO_CHOICE_MATCHED, cause));
    };
    let mut exit = data::leave_as_it_is(state, scope)?;
    exit.next = Some(default.to_owned());
    Ok(exit)
}

fn holds(state: &State, condition: &Condition, scope: Scope<'_>, index: usize) -> Result<bool, StateFault> {
    match condition {
        Condition::Expression(template) => {
            let field = format!("Choices[{index}]/Condition");
            let value = template.evaluate(&scope, &field)?;
            value.as_bool().ok_or_else(|| data::wrong(state, &field, "a boolean", &value))
        }
        Condition::Test(test) => test_holds(test, scope),
    }
}

fn test_holds(test: &Test, scope: Scope<'_>) -> Result<bool, StateFault> {
    match test {
        Test::And(tests) => {
            for test in tests {
                if !test_holds(test, scope)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Test::Or(tests) => {
            for test in tests {
                if test_holds(test, scope)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Test::Not(test) => test_holds(test, scope).map(|holds| !holds),
        Test::Compare(comparison) => compare(comparison, scope),
    }
}

fn compare(comparison: &Comparison, scope: Scope<'_>) -> Result<bool, StateFault> {
    let operand = match &comparison.operand {
        Operand::Value(value) => value.clone(),
        Operand::Path(path) => data::at(path, scope, "Choices")?,
    };
    let found = comparison.variable.find(&scope);
    if comparison.operator == Operator::IsPresent {
        return Ok(Value::Bool(found.is_some()) == operand);
    }
    let value = match found {
        Some(value) => value,
        None => data::at(&comparison.variable, scope, "Variable")?,
    };
    let is = |holds: bool| Value::Bool(holds) == operand;
    Ok(match comparison.operator {
        Operator::IsPresent => true,
        Operator::IsNull => is(value.is_null()),
        Operator::IsNumeric => is(value.is_number()),
        Operator::IsString => is(value.is_string()),
        Operator::IsBoolean => is(value.is_boolean()),
        Operator::IsTimestamp => is(timestamp(&value).is_some()),
        Operator::Boolean => value.is_boolean() && value == operand,
        Operator::StringMatches => match (value.as_str(), operand.as_str()) {
            (Some(text), Some(pattern)) => matches(text, pattern),
            _ => false,
        },
        Operator::String(order) => match (value.as_str(), operand.as_str()) {
            (Some(one), Some(other)) => fits(order, one.cmp(other)),
            _ => false,
        },
        Operator::Numeric(order) => match (value.as_f64(), operand.as_f64()) {
            (Some(one), Some(other)) => one.partial_cmp(&other).is_some_and(|found| fits(order, found)),
            _ => false,
        },
        Operator::Timestamp(order) => match (timestamp(&value), timestamp(&operand)) {
            (Some(one), Some(other)) => fits(order, one.cmp(&other)),
            _ => false,
        },
    })
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(|text| Timestamp::parse(text).ok())
}

const fn fits(order: Order, found: Ordering) -> bool {
    match order {
        Order::Equals => found.is_eq(),
        Order::LessThan => found.is_lt(),
        Order::LessThanEquals => found.is_le(),
        Order::GreaterThan => found.is_gt(),
        Order::GreaterThanEquals => found.is_ge(),
    }
}

/// Whether a pattern covers a whole text: `*` stands for any text, `\*` and `\\` for themselves. It takes time in
/// proportion to the product of the lengths at most.
fn matches(text: &str, pattern: &str) -> bool {
    let mut parts: Vec<Option<char>> = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '*' => None,
            '\\' => Some(letters.next().unwrap_or('\\')),
            letter => Some(letter),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(None) => {
                star = Some((part, at));
                part += 1;
            }
            Some(Some(letter)) if text.get(at) == Some(letter) => {
                at += 1;
                part += 1;
            }
            _ => match &mut star {
                Some((star_part, star_at)) => {
                    *star_at += 1;
                    (part, at) = (*star_part + 1, *star_at);
                }
                None => return false,
            },
        }
    }
    parts.get(part..).unwrap_or_default().iter().all(Option::is_none)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn given_stars_then_they_stand_for_any_text() {
        for (text, pattern, expected) in [
            ("log-2026.txt", "log-*.txt", true),
            ("log-2026.txt", "log-*.tx", false),
            ("", "*", true),
            ("a*b", "a\\*b", true),
            ("axb", "a\\*b", false),
            ("abab", "*ab", true),
            ("zebra.log", "*.log", true),
            ("foobar.zebra", "foo*.*", true),
        ] {
            assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
        }
    }
}
