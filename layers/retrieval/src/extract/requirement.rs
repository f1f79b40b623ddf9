//! What buyers look for.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::values::{Money, Quantity};
use super::writer::Writer;
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

impl Entity for Requirement {
    fn check(&self, check: &mut Check) {
        check.filled("/buyer", &self.buyer);
        check.filled("/commodity", &self.commodity);
        check.filled("/location", &self.location);
        self.quantity.check("/quantity", check);
        if let Some(price) = &self.max_price {
            price.check("/max_price", check);
        }
    }

    fn write(&self) -> Result<Extracted> {
        let price = self.max_price.as_ref().map(|price| format!("{} per {}", price.text(), self.quantity.unit));
        let mut writer = Writer::titled(&format!("Requirement: {} for {}", self.commodity, self.buyer));
        writer
            .line("Buyer", &self.buyer)
            .line("Commodity", &self.commodity)
            .optional("Grade", self.grade.as_deref())
            .quantity("Quantity", Some(&self.quantity))
            .optional("Highest price", price.as_deref())
            .line("Delivery place", &self.location)
            .date("Needed by", Some(self.needed_by))
            .paragraph(self.notes.as_deref().unwrap_or_default())
            .meta("party", &self.buyer)
            .meta("commodity", &self.commodity)
            .meta_optional("grade", self.grade.as_deref())
            .meta_number("quantity", Some(self.quantity.value))
            .meta("unit", &self.quantity.unit)
            .meta("location", &self.location)
            .meta_number("price", self.max_price.as_ref().map(|price| price.amount))
            .meta_optional("currency", self.max_price.as_ref().map(|price| price.currency.as_str()))
            .meta_date("needed_by", Some(self.needed_by));
        Ok(writer.finish())
    }
}
