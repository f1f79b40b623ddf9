//! Items in stock.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::values::{Money, Quantity};
use super::writer::Writer;
use super::{Entity, Extracted};

/// An item in stock. Required: `code`, `name`, `quantity`, `warehouse`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryItem {
    /// Its code.
    #[schema(example = "RICE-BAS-A")]
    pub code: String,
    /// Its name.
    #[schema(example = "Basmati rice 1121")]
    pub name: String,
    /// How much is in stock; zero when it is sold out.
    pub quantity: Quantity,
    /// Where it lies.
    #[schema(example = "Karnal-2")]
    pub warehouse: String,
    /// The grade.
    #[serde(default)]
    #[schema(example = "A")]
    pub grade: Option<String>,
    /// The lot.
    #[serde(default)]
    #[schema(example = "L-2026-31")]
    pub lot: Option<String>,
    /// What one unit cost.
    #[serde(default)]
    pub unit_cost: Option<Money>,
    /// Below how much it is ordered again.
    #[serde(default)]
    pub reorder_level: Option<Quantity>,
    /// Moisture, in per cent of the weight.
    #[serde(default)]
    #[schema(example = 12.5)]
    pub moisture_percent: Option<f64>,
    /// When it expires.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date, example = "2027-05-31")]
    pub expiry_date: Option<Date>,
    /// When the stock was counted.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date, example = "2026-11-20")]
    pub as_of: Option<Date>,
    /// Anything else.
    #[serde(default)]
    pub description: Option<String>,
}

impl Entity for InventoryItem {
    fn check(&self, check: &mut Check) {
        check.filled("/code", &self.code);
        check.filled("/name", &self.name);
        check.filled("/warehouse", &self.warehouse);
        check.not_negative("/quantity/value", self.quantity.value);
        check.filled("/quantity/unit", &self.quantity.unit);
        if let Some(cost) = &self.unit_cost {
            cost.check("/unit_cost", check);
        }
        if let Some(level) = &self.reorder_level {
            level.check("/reorder_level", check);
        }
        if let Some(moisture) = self.moisture_percent.filter(|moisture| !(0.0..=100.0).contains(moisture)) {
            check.fault("/moisture_percent", format!("{moisture} is not between 0 and 100"));
        }
    }

    fn write(&self) -> Result<Extracted> {
        let unit_cost = self.unit_cost.as_ref().map(|cost| format!("{} per {}", cost.text(), self.quantity.unit));
        let moisture = self.moisture_percent.map(|moisture| format!("{moisture} %"));
        let mut writer = Writer::titled(&format!("Inventory item {}: {}", self.code, self.name));
        writer
            .quantity("Quantity in stock", Some(&self.quantity))
            .line("Warehouse", &self.warehouse)
            .optional("Grade", self.grade.as_deref())
            .optional("Lot", self.lot.as_deref())
            .optional("Unit cost", unit_cost.as_deref())
            .quantity("Reorder level", self.reorder_level.as_ref())
            .optional("Moisture", moisture.as_deref())
            .date("Expiry date", self.expiry_date)
            .date("Stock counted on", self.as_of)
            .paragraph(self.description.as_deref().unwrap_or_default())
            .meta("code", &self.code)
            .meta("name", &self.name)
            .meta("warehouse", &self.warehouse)
            .meta_number("quantity", Some(self.quantity.value))
            .meta("unit", &self.quantity.unit)
            .meta_optional("grade", self.grade.as_deref())
            .meta_optional("lot", self.lot.as_deref())
            .meta_number("unit_cost", self.unit_cost.as_ref().map(|cost| cost.amount))
            .meta_optional("currency", self.unit_cost.as_ref().map(|cost| cost.currency.as_str()))
            .meta_date("expiry_date", self.expiry_date);
        Ok(writer.finish())
    }
}
