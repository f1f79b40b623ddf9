//! What suppliers have to sell.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::values::{Money, Quantity};
use super::writer::Writer;
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
    pub available_from: Date,
    /// Until when it can be had.
    #[serde(default)]
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

impl Entity for Availability {
    fn check(&self, check: &mut Check) {
        check.filled("/supplier", &self.supplier);
        check.filled("/commodity", &self.commodity);
        check.filled("/location", &self.location);
        self.quantity.check("/quantity", check);
        if let Some(price) = &self.price {
            price.check("/price", check);
        }
        check.in_order("/available_until", self.available_from, self.available_until, "first day");
    }

    fn write(&self) -> Result<Extracted> {
        let price = self.price.as_ref().map(|price| format!("{} per {}", price.text(), self.quantity.unit));
        let mut writer = Writer::titled(&format!("Availability: {} from {}", self.commodity, self.supplier));
        writer
            .line("Supplier", &self.supplier)
            .line("Commodity", &self.commodity)
            .optional("Grade", self.grade.as_deref())
            .quantity("Quantity", Some(&self.quantity))
            .optional("Price", price.as_deref())
            .line("Location", &self.location)
            .date("Available from", Some(self.available_from))
            .date("Available until", self.available_until)
            .paragraph(self.notes.as_deref().unwrap_or_default())
            .meta("party", &self.supplier)
            .meta("commodity", &self.commodity)
            .meta_optional("grade", self.grade.as_deref())
            .meta_number("quantity", Some(self.quantity.value))
            .meta("unit", &self.quantity.unit)
            .meta("location", &self.location)
            .meta_number("price", self.price.as_ref().map(|price| price.amount))
            .meta_optional("currency", self.price.as_ref().map(|price| price.currency.as_str()))
            .meta_date("available_from", Some(self.available_from))
            .meta_date("available_until", self.available_until);
        Ok(writer.finish())
    }
}
