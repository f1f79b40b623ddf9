//! What a filter means: the reference that every index agrees with.
//!
//! A field that is absent, or of another type than the condition's value, meets no condition; so `not` of such
//! a condition holds (unlike SQL, where it would be unknown). Text is compared byte by byte, in code point
//! order.

use std::cmp::Ordering;

use super::{FieldRange, Filter, Metadata, Scalar};
use crate::passage::DocumentKey;

impl Filter {
    /// Whether a document with this metadata passes.
    #[must_use]
    pub fn matches(&self, document: &DocumentKey, metadata: &Metadata) -> bool {
        match self {
            Self::Equals(condition) => metadata.get(&condition.field) == Some(&condition.value),
            Self::In(condition) => metadata.get(&condition.field).is_some_and(|value| condition.values.contains(value)),
            Self::Range(condition) => metadata.get(&condition.field).is_some_and(|value| condition.holds(value)),
            Self::Exists(condition) => metadata.contains_key(&condition.field),
            Self::Documents(documents) => documents.contains(document),
            Self::And(filters) => filters.iter().all(|filter| filter.matches(document, metadata)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(document, metadata)),
            Self::Not(filter) => !filter.matches(document, metadata),
        }
    }
}

impl FieldRange {
    fn holds(&self, value: &Scalar) -> bool {
        let bound = |bound: &Option<Scalar>, allowed: &[Ordering]| {
            bound.as_ref().is_none_or(|bound| compare(value, bound).is_some_and(|order| allowed.contains(&order)))
        };
        bound(&self.gt, &[Ordering::Greater])
            && bound(&self.gte, &[Ordering::Greater, Ordering::Equal])
            && bound(&self.lt, &[Ordering::Less])
            && bound(&self.lte, &[Ordering::Less, Ordering::Equal])
    }
}

fn compare(value: &Scalar, bound: &Scalar) -> Option<Ordering> {
    match (value, bound) {
        (Scalar::Number(value), Scalar::Number(bound)) => value.partial_cmp(bound),
        (Scalar::Text(value), Scalar::Text(bound)) => Some(value.cmp(bound)),
        _ => None,
    }
}
