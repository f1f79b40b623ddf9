//! What suppliers have to sell.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::side::{Names, Side};
use super::values::{Money, Quantity};
use super::{Entity, Extracted};

/// What a supplier has to sell. Required: `supplier`, `commodity`, `quantity`, `location`, `available_from`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// Who has it to sell.
    #[schema(example = "Patil Agro Producers")]
    pub supplier: String,
    /// What it is.
    #[schema(example = "Onion, Nashik red")]
    pub commodity: String,
    /// How much.
    pub quantity: Quantity,
    /// Where it lies.
    #[schema(example = "Lasalgaon, Maharashtra")]
    pub location: String,
    /// From when it can be had.
    #[schema(value_type = String, format = Date, example = "2026-12-01")]
    #[serde(deserialize_with = "days::one")]
    pub available_from: Date,
    /// Until when it can be had.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date, example = "2027-01-15")]
    pub available_until: Option<Date>,
    /// The grade.
    #[serde(default)]
    #[schema(example = "B")]
    pub grade: Option<String>,
    /// What one unit costs.
    #[serde(default)]
    pub price: Option<Money>,
    /// Anything else.
    #[serde(default)]
    pub notes: Option<String>,
}

const NAMES: Names = Names { party: ("Supplier", "/supplier"), price: ("Price", "/price"), place: "Location" };

impl Availability {
    fn side(&self) -> Side<'_> {
        Side {
            names: &NAMES,
            party: &self.supplier,
            commodity: &self.commodity,
            quantity: &self.quantity,
            location: &self.location,
            grade: self.grade.as_deref(),
            price: self.price.as_ref(),
            notes: self.notes.as_deref(),
            dates: vec![
                ("Available from", "available_from", Some(self.available_from)),
                ("Available until", "available_until", self.available_until),
            ],
        }
    }
}

impl Entity for Availability {
    fn check(&self, check: &mut Check) {
        self.side().check(check);
        check.in_order("/available_until", self.available_from, self.available_until, "first day");
    }

    fn write(&self) -> Result<Extracted> {
        Ok(self.side().write(&format!("Availability: {} from {}", self.commodity, self.supplier)))
    }
}
