//! Checks of values, collected by field.

use jiff::civil::Date;
use mandi_core::Result;

use crate::problems::Problems;

/// Collects what is wrong with the fields of an entity.
#[derive(Debug)]
pub struct Check {
    base: String,
    problems: Problems,
}

impl Check {
    /// A check of the fields at a JSON pointer.
    #[must_use]
    pub fn at(base: &str) -> Self {
        Self { base: base.to_owned(), problems: Problems::default() }
    }

    /// Adds a fault; `field` is a pointer from the entity on, such as `/lines/0/quantity`.
    pub fn fault(&mut self, field: &str, detail: impl Into<String>) {
        self.problems.add(format!("{}{field}", self.base), detail);
    }

    /// The text must have a letter or digit.
    pub fn filled(&mut self, field: &str, text: &str) {
        if !text.chars().any(char::is_alphanumeric) {
            self.fault(field, "give a text that is not blank");
        }
    }

    /// The list must have an entry.
    pub fn not_empty<T>(&mut self, field: &str, list: &[T]) {
        if list.is_empty() {
            self.fault(field, "give at least one");
        }
    }

    /// The number must be finite and above zero.
    pub fn positive(&mut self, field: &str, number: f64) {
        if !number.is_finite() || number <= 0.0 {
            self.fault(field, format!("{number} is not above zero"));
        }
    }

    /// The number must be finite and not below zero.
    pub fn not_negative(&mut self, field: &str, number: f64) {
        if !number.is_finite() || number < 0.0 {
            self.fault(field, format!("{number} is below zero"));
        }
    }

    /// The currency must be three capital letters.
    pub fn currency(&mut self, field: &str, currency: &str) {
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            self.fault(field, "give the ISO 4217 code of the currency: three capital letters, such as INR");
        }
    }

    /// The later date must not be before the earlier one.
    pub fn in_order(&mut self, field: &str, earlier: Date, later: Option<Date>, name_of_earlier: &str) {
        if let Some(later) = later.filter(|later| *later < earlier) {
            self.fault(field, format!("{later} is before the {name_of_earlier}, {earlier}"));
        }
    }

    /// One problem with all faults, or none.
    ///
    /// # Errors
    /// `invalid-request` with a pointer for each fault.
    pub fn into_result(self) -> Result<()> {
        self.problems.into_result()
    }
}
