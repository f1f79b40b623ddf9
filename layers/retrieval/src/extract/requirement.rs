//! What buyers look for.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::side::{Names, Side};
use super::values::{Money, Quantity};
use super::{Entity, Extracted};

/// What a buyer looks for. Required: `buyer`, `commodity`, `quantity`, `location`, `needed_by`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Who wants it.
    #[schema(example = "Patil Agro Producers")]
    pub buyer: String,
    /// What it is.
    #[schema(example = "Onion, Nashik red")]
    pub commodity: String,
    /// How much.
    pub quantity: Quantity,
    /// Where it is wanted.
    #[schema(example = "Lasalgaon, Maharashtra")]
    pub location: String,
    /// By when it is wanted.
    #[schema(value_type = String, format = Date, example = "2026-12-01")]
    #[serde(deserialize_with = "days::one")]
    pub needed_by: Date,
    /// The grade.
    #[serde(default)]
    #[schema(example = "B")]
    pub grade: Option<String>,
    /// The most that one unit may cost.
    #[serde(default)]
    pub max_price: Option<Money>,
    /// Anything else.
    #[serde(default)]
    pub notes: Option<String>,
}

const NAMES: Names =
    Names { party: ("Buyer", "/buyer"), price: ("Highest price", "/max_price"), place: "Delivery place" };

impl Requirement {
    fn side(&self) -> Side<'_> {
        Side {
            names: &NAMES,
            party: &self.buyer,
            commodity: &self.commodity,
            quantity: &self.quantity,
            location: &self.location,
            grade: self.grade.as_deref(),
            price: self.max_price.as_ref(),
            notes: self.notes.as_deref(),
            dates: vec![("Needed by", "needed_by", Some(self.needed_by))],
        }
    }
}

impl Entity for Requirement {
    fn check(&self, check: &mut Check) {
        self.side().check(check);
    }

    fn write(&self) -> Result<Extracted> {
        Ok(self.side().write(&format!("Requirement: {} for {}", self.commodity, self.buyer)))
    }
}
