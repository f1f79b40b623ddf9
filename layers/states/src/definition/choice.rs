//! The rules of a `Choice` state.

use serde_json::{Map, Value};

use super::Assign;
use super::read::Reading;
use super::templates::{Sees, assign, member};
use crate::locate::step;
use crate::query::{Language, Path, Template};

/// A rule: where to go when its condition holds.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The condition.
    pub condition: Condition,
    /// The state to go to.
    pub next: String,
    /// `Assign` of the rule.
    pub assign: Assign,
    /// `Output` of the rule.
    pub output: Option<Template>,
}

/// When a rule holds.
#[derive(Clone, Debug)]
pub enum Condition {
    /// When this is true (JSONata).
    Expression(Template),
    /// When this test holds (JSONPath).
    Test(Test),
}

/// A test of a JSONPath rule.
#[derive(Clone, Debug)]
pub enum Test {
    /// All hold.
    And(Vec<Test>),
    /// One holds.
    Or(Vec<Test>),
    /// It does not hold.
    Not(Box<Test>),
    /// A comparison holds.
    Compare(Comparison),
}

/// A comparison of what a path finds.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What is compared.
    pub variable: Path,
    /// How.
    pub operator: Operator,
    /// With what.
    pub operand: Operand,
}

/// What a variable is compared with.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A value of the definition.
    Value(Value),
    /// What a path finds.
    Path(Path),
}

/// How two values stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The same.
    Equals,
    /// Smaller.
    LessThan,
    /// Smaller or the same.
    LessThanEquals,
    /// Larger.
    GreaterThan,
    /// Larger or the same.
    GreaterThanEquals,
}

/// An operator of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `String*`.
    String(Order),
    /// `Numeric*`.
    Numeric(Order),
    /// `Timestamp*`.
    Timestamp(Order),
    /// `BooleanEquals`.
    Boolean,
    /// `StringMatches`: `*` stands for any text.
    StringMatches,
    /// `IsNull`.
    IsNull,
    /// `IsPresent`.
    IsPresent,
    /// `IsNumeric`.
    IsNumeric,
    /// `IsString`.
    IsString,
    /// `IsBoolean`.
    IsBoolean,
    /// `IsTimestamp`.
    IsTimestamp,
}

/// What the value of the definition has to be for an operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Text,
    Number,
    Boolean,
    Timestamp,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        let order = |name: &str| {
            Some(match name {
                "Equals" => Order::Equals,
                "LessThan" => Order::LessThan,
                "LessThanEquals" => Order::LessThanEquals,
                "GreaterThan" => Order::GreaterThan,
                "GreaterThanEquals" => Order::GreaterThanEquals,
                _ => return None,
            })
        };
        Some(match name {
            "BooleanEquals" => Self::Boolean,
            "StringMatches" => Self::StringMatches,
            "IsNull" => Self::IsNull,
            "IsPresent" => Self::IsPresent,
            "IsNumeric" => Self::IsNumeric,
            "IsString" => Self::IsString,
            "IsBoolean" => Self::IsBoolean,
            "IsTimestamp" => Self::IsTimestamp,
            _ => {
                let of = |prefix: &str| name.strip_prefix(prefix).and_then(order);
                return of("String")
                    .map(Self::String)
                    .or_else(|| of("Numeric").map(Self::Numeric))
                    .or_else(|| of("Timestamp").map(Self::Timestamp));
            }
        })
    }

    const fn needs(self) -> Needs {
        match self {
            Self::String(_) | Self::StringMatches => Needs::Text,
            Self::Numeric(_) => Needs::Number,
            Self::Timestamp(_) => Needs::Timestamp,
            _ => Needs::Boolean,
        }
    }

    /// Whether the second value may come from a path.
    const fn takes_path(self) -> bool {
        matches!(self, Self::String(_) | Self::Numeric(_) | Self::Timestamp(_) | Self::Boolean)
    }
}

/// As deep as tests may be nested.
const MAX_DEPTH: usize = 64;

/// `Choices`.
pub(super) fn rules(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    language: Language,
) -> Option<Vec<Rule>> {
    let place = step(pointer, "Choices");
    let Some(value) = object.get("Choices") else {
        reading.error(pointer, "the field `Choices` is missing");
        return None;
    };
    let items = reading.items(&place, value)?;
    let mut all = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let place = step(&place, &index.to_string());
        let object = reading.object(&place, item);
        all.push(object.and_then(|object| rule(reading, &place, object, language)));
    }
    all.into_iter().collect()
}

fn rule(reading: &mut Reading, pointer: &str, object: &Map<String, Value>, language: Language) -> Option<Rule> {
    let next = reading.needed(pointer, object, "Next");
    let assign = assign(reading, pointer, object, language, Sees::Input);
    let (condition, output) = match language {
        Language::Jsonata => {
            reading.known(pointer, object, &["Condition", "Next", "Assign", "Output", "Comment"], "a rule in JSONata");
            if !object.contains_key("Condition") {
                reading.error(pointer, "the field `Condition` is missing");
            }
            let condition = member(reading, pointer, object, "Condition", language, Sees::Input);
            if let Some(Template::Literal(value)) = &condition
                && !value.is_boolean()
            {
                reading
                    .error(&step(pointer, "Condition"), "an expression between `{%` and `%}`, or a boolean, is needed");
            }
            let output = member(reading, pointer, object, "Output", language, Sees::Input);
            (condition.map(Condition::Expression), output)
        }
        Language::JsonPath => (test(reading, pointer, object, 0).map(Condition::Test), None),
    };
    Some(Rule { condition: condition?, next: next?.to_owned(), assign, output })
}

fn test(reading: &mut Reading, pointer: &str, object: &Map<String, Value>, depth: usize) -> Option<Test> {
    if depth > MAX_DEPTH {
        reading.error(pointer, format!("tests are nested more than {MAX_DEPTH} deep"));
        return None;
    }
    if depth > 0 {
        for name in ["Next", "Assign"].into_iter().filter(|name| object.contains_key(*name)) {
            reading.error(&step(pointer, name), format!("`{name}` belongs to the rule, not to a test within it"));
        }
    }
    let operators: Vec<&String> =
        object.keys().filter(|name| !["Next", "Assign", "Comment", "Variable"].contains(&name.as_str())).collect();
    let &[operator] = operators.as_slice() else {
        reading.error(pointer, format!("a test has one operator, and this one has {}", operators.len()));
        return None;
    };
    let value = object.get(operator)?;
    let place = step(pointer, operator);
    match operator.as_str() {
        "And" | "Or" => {
            let mut tests = Vec::new();
            for (index, item) in reading.items(&place, value)?.iter().enumerate() {
                let place = step(&place, &index.to_string());
                let item = reading.object(&place, item)?;
                tests.push(test(reading, &place, item, depth + 1)?);
            }
            Some(if operator == "And" { Test::And(tests) } else { Test::Or(tests) })
        }
        "Not" => {
            let inner = reading.object(&place, value)?;
            test(reading, &place, inner, depth + 1).map(|inner| Test::Not(Box::new(inner)))
        }
        _ => comparison(reading, pointer, object, operator, value).map(Test::Compare),
    }
}

fn comparison(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    name: &str,
    value: &Value,
) -> Option<Comparison> {
    let place = step(pointer, name);
    let with_path = name.strip_suffix("Path").and_then(Operator::named).filter(|operator| operator.takes_path());
    let Some(operator) = with_path.or_else(|| Operator::named(name)) else {
        reading.error(&place, format!("there is no operator `{name}`"));
        return None;
    };
    let variable = reading.needed(pointer, object, "Variable")?;
    let variable = Path::parse(variable).map_err(|why| reading.error(&step(pointer, "Variable"), why)).ok()?;
    let operand = if with_path.is_some() {
        let path = value.as_str().ok_or_else(|| "a path is needed here, as a text".to_owned()).and_then(Path::parse);
        Operand::Path(path.map_err(|why| reading.error(&place, why)).ok()?)
    } else {
        let (fits, needed) = match operator.needs() {
            Needs::Text => (value.is_string(), "a text"),
            Needs::Number => (value.is_number(), "a number"),
            Needs::Boolean => (value.is_boolean(), "a boolean"),
            Needs::Timestamp => {
                (value.as_str().is_some_and(|text| mandi_core::Timestamp::parse(text).is_ok()), "a time as in RFC 3339")
            }
        };
        if !fits {
            reading.error(&place, format!("`{name}` compares with {needed}"));
            return None;
        }
        Operand::Value(value.clone())
    };
    Some(Comparison { variable, operator, operand })
}
