//! Reading a filter that came from outside, and saying what is wrong with it, by field.

use mandi_core::{Problem, Result};
use serde_json::Value;

use super::{FieldRange, Filter, Scalar};
use crate::problems::Problems;

/// How deep conditions may nest.
pub const MAX_DEPTH: usize = 8;
/// How many conditions a filter may hold, `and`, `or` and `not` included.
pub const MAX_CONDITIONS: usize = 64;
/// How many values `in` may list.
pub const MAX_VALUES: usize = 100;
/// The longest text value, in bytes.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The rule of field names, in words.
const NAME_RULE: &str = "a field's name is 1 to 64 of `a-z`, `0-9`, `_`, and begins with a letter";

/// Whether a name is one that metadata may have.
#[must_use]
pub fn is_field_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= 64 && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase()) && name.bytes().all(inner)
}

impl Filter {
    /// Reads and checks a filter; `pointer` is where it stands in the body, such as `/filter`.
    ///
    /// # Errors
    /// `invalid-request`, with a pointer to each field that is wrong.
    pub fn parse(value: &Value, pointer: &str) -> Result<Self> {
        let filter = crate::problems::read::<Self>(value, pointer)?;
        filter.validate(pointer)?;
        Ok(filter)
    }

    /// Checks names, values, bounds, depth and size.
    ///
    /// # Errors
    /// `invalid-request`, with a pointer to each field that is wrong.
    pub fn validate(&self, pointer: &str) -> Result<()> {
        let (depth, conditions) = self.measure(1);
        if depth > MAX_DEPTH {
            return Err(Problem::field(pointer, format!("conditions nest {depth} deep; at most {MAX_DEPTH}")));
        }
        if conditions > MAX_CONDITIONS {
            let detail = format!("the filter has {conditions} conditions; at most {MAX_CONDITIONS}");
            return Err(Problem::field(pointer, detail));
        }
        let mut problems = Problems::default();
        self.check(pointer, &mut problems);
        problems.into_result()
    }

    fn measure(&self, depth: usize) -> (usize, usize) {
        let within = |filters: &[Self]| {
            filters
                .iter()
                .map(|filter| filter.measure(depth + 1))
                .fold((depth, 1), |(deep, many), (depth, count)| (deep.max(depth), many + count))
        };
        match self {
            Self::And(filters) | Self::Or(filters) => within(filters),
            Self::Not(filter) => within(std::slice::from_ref(&**filter)),
            Self::Equals(_) | Self::In(_) | Self::Range(_) | Self::Exists(_) | Self::Documents(_) => (depth, 1),
        }
    }

    fn check(&self, pointer: &str, problems: &mut Problems) {
        match self {
            Self::Equals(condition) => {
                check_name(&condition.field, &format!("{pointer}/equals"), problems);
                check_value(&condition.value, &format!("{pointer}/equals/value"), problems);
            }
            Self::In(condition) => {
                check_name(&condition.field, &format!("{pointer}/in"), problems);
                check_values(&condition.values, &format!("{pointer}/in/values"), problems);
            }
            Self::Range(condition) => {
                check_name(&condition.field, &format!("{pointer}/range"), problems);
                check_range(condition, &format!("{pointer}/range"), problems);
            }
            Self::Exists(condition) => check_name(&condition.field, &format!("{pointer}/exists"), problems),
            Self::Documents(documents) => {
                if documents.is_empty() || documents.len() > MAX_VALUES {
                    let detail = format!("{} documents; give 1 to {MAX_VALUES}", documents.len());
                    problems.add(format!("{pointer}/documents"), detail);
                }
            }
            Self::And(filters) => check_all(filters, &format!("{pointer}/and"), problems),
            Self::Or(filters) => check_all(filters, &format!("{pointer}/or"), problems),
            Self::Not(filter) => filter.check(&format!("{pointer}/not"), problems),
        }
    }
}

fn check_all(filters: &[Filter], pointer: &str, problems: &mut Problems) {
    if filters.is_empty() {
        problems.add(pointer, "give at least one condition");
    }
    for (place, filter) in filters.iter().enumerate() {
        filter.check(&format!("{pointer}/{place}"), problems);
    }
}

fn check_name(name: &str, pointer: &str, problems: &mut Problems) {
    if !is_field_name(name) {
        problems.add(format!("{pointer}/field"), NAME_RULE);
    }
}

fn check_value(value: &Scalar, pointer: &str, problems: &mut Problems) {
    match value {
        Scalar::Number(number) if !number.is_finite() => problems.add(pointer, "the number is not finite"),
        Scalar::Text(text) if text.len() > MAX_TEXT_BYTES => {
            problems.add(pointer, format!("the text has {} bytes; at most {MAX_TEXT_BYTES}", text.len()));
        }
        Scalar::Text(text) if text.contains('\0') => problems.add(pointer, "the text holds a NUL character"),
        _ => {}
    }
}

fn check_values(values: &[Scalar], pointer: &str, problems: &mut Problems) {
    if values.is_empty() || values.len() > MAX_VALUES {
        problems.add(pointer, format!("{} values; give 1 to {MAX_VALUES}", values.len()));
    }
    for (place, value) in values.iter().take(MAX_VALUES).enumerate() {
        check_value(value, &format!("{pointer}/{place}"), problems);
        if std::mem::discriminant(value) != std::mem::discriminant(&values[0]) {
            problems.add(format!("{pointer}/{place}"), "all values must be of one type: text, number or boolean");
        }
    }
}

fn check_range(range: &FieldRange, pointer: &str, problems: &mut Problems) {
    let bounds: Vec<(&str, &Scalar)> = [("gt", &range.gt), ("gte", &range.gte), ("lt", &range.lt), ("lte", &range.lte)]
        .into_iter()
        .filter_map(|(name, bound)| bound.as_ref().map(|bound| (name, bound)))
        .collect();
    let Some((_, first)) = bounds.first() else {
        problems.add(pointer, "give at least one of `gt`, `gte`, `lt`, `lte`");
        return;
    };
    for (name, bound) in &bounds {
        check_value(bound, &format!("{pointer}/{name}"), problems);
        if matches!(bound, Scalar::Bool(_)) {
            problems.add(format!("{pointer}/{name}"), "a bound is a number or a text (dates are ISO 8601 text)");
        } else if std::mem::discriminant(*bound) != std::mem::discriminant(*first) {
            problems.add(format!("{pointer}/{name}"), "all bounds must be of one type: number or text");
        }
    }
    for (one, other) in [("gt", "gte"), ("lt", "lte")] {
        if bounds.iter().any(|(name, _)| *name == one) && bounds.iter().any(|(name, _)| *name == other) {
            problems.add(format!("{pointer}/{one}"), format!("give `{one}` or `{other}`, not both"));
        }
    }
}
