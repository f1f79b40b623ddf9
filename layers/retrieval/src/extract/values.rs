//! Values that several entities share: money, quantities, parties; and how they are written.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;

/// An amount in a currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// The amount, in units of the currency (not in cents or paise).
    #[schema(example = 4250.5)]
    pub amount: f64,
    /// The currency, by ISO 4217 code.
    #[schema(example = "INR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// A quantity with its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// How much, above zero.
    #[schema(example = 120)]
    pub value: f64,
    /// The unit.
    #[schema(example = "quintal")]
    pub unit: String,
}

/// A party to a deal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its name.
    #[schema(example = "Sharma Traders Pvt Ltd")]
    pub name: String,
    /// Its address.
    #[serde(default)]
    pub address: Option<String>,
    /// Its tax number, such as a GSTIN.
    #[serde(default)]
    #[schema(example = "27AAPFU0939F1ZV")]
    pub tax_id: Option<String>,
}

impl Money {
    /// Adds what is wrong with it.
    pub fn check(&self, field: &str, check: &mut Check) {
        check.not_negative(&format!("{field}/amount"), self.amount);
        check.currency(&format!("{field}/currency"), &self.currency);
    }

    /// `INR 12,50,000.00`.
    #[must_use]
    pub fn text(&self) -> String {
        money(self.amount, &self.currency)
    }
}

impl Quantity {
    /// Adds what is wrong with it.
    pub fn check(&self, field: &str, check: &mut Check) {
        check.positive(&format!("{field}/value"), self.value);
        check.filled(&format!("{field}/unit"), &self.unit);
    }

    /// `120 quintal`.
    #[must_use]
    pub fn text(&self) -> String {
        quantity(self.value, &self.unit)
    }
}

impl Party {
    /// Adds what is wrong with it.
    pub fn check(&self, field: &str, check: &mut Check) {
        check.filled(&format!("{field}/name"), &self.name);
    }

    /// `Sharma Traders Pvt Ltd, 12 Market Road, Pune (tax number 27AAPFU0939F1ZV)`.
    #[must_use]
    pub fn text(&self) -> String {
        let address = self.address.as_deref().filter(|address| !address.trim().is_empty());
        let address = address.map_or_else(String::new, |address| format!(", {}", one_line(address)));
        let tax_id = self.tax_id.as_ref().map_or_else(String::new, |id| format!(" (tax number {id})"));
        format!("{}{address}{tax_id}", self.name)
    }
}

/// An amount with its currency, with two decimals; grouped by lakhs for rupees, by thousands for others.
pub(super) fn money(amount: f64, currency: &str) -> String {
    let fixed = format!("{amount:.2}");
    let (whole, decimals) = fixed.split_once('.').unwrap_or((&fixed, "00"));
    format!("{currency} {}.{decimals}", grouped(whole, currency == "INR"))
}

/// A number without ending zeros, with its unit.
pub(super) fn quantity(value: f64, unit: &str) -> String {
    let fixed = format!("{value:.3}");
    let (whole, decimals) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let decimals = decimals.trim_end_matches('0');
    let point = if decimals.is_empty() { "" } else { "." };
    format!("{}{point}{decimals} {}", grouped(whole, false), unit.trim()).trim_end().to_owned()
}

/// `12,50,000` (lakhs) or `1,250,000`.
fn grouped(whole: &str, lakhs: bool) -> String {
    let digits = whole.trim_start_matches('-');
    let mut grouped = String::with_capacity(whole.len() + 8);
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len() - place;
        let separates = if lakhs { left == 3 || (left > 3 && !left.is_multiple_of(2)) } else { left.is_multiple_of(3) };
        if place > 0 && separates {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if whole.starts_with('-') { format!("-{grouped}") } else { grouped }
}

/// `21 November 2026 (2026-11-21)`: as people ask for it, and as filters and forms have it.
pub(super) fn date(date: Date) -> String {
    date.strftime("%-d %B %Y (%Y-%m-%d)").to_string()
}

/// White space of every kind, line breaks too, as single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_grouped_by_lakhs_and_dollars_by_thousands() {
        assert_eq!(money(1_250_000.0, "INR"), "INR 12,50,000.00");
        assert_eq!(money(1_250_000.5, "USD"), "USD 1,250,000.50");
        assert_eq!(money(999.0, "INR"), "INR 999.00");
        assert_eq!(money(-1000.0, "INR"), "INR -1,000.00");
    }

    #[test]
    fn quantities_have_no_ending_zeros() {
        assert_eq!(quantity(120.0, "quintal"), "120 quintal");
        assert_eq!(quantity(1250.75, "kg"), "1,250.75 kg");
    }

    #[test]
    fn dates_are_written_for_people_and_for_forms() {
        assert_eq!(date(Date::constant(2026, 11, 5)), "5 November 2026 (2026-11-05)");
    }
}
