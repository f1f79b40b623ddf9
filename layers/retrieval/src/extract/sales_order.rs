//! Sales orders.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::values::{self, Party};
use super::writer::Writer;
use super::{Entity, Extracted};

/// A sales order. Required: `number`, `date`, `customer`, `currency`, `lines`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SalesOrder {
    /// Its number.
    #[schema(example = "SO-2026-118")]
    pub number: String,
    /// When it was placed.
    #[schema(value_type = String, format = Date, example = "2026-11-21")]
    #[serde(deserialize_with = "days::one")]
    pub date: Date,
    /// Who orders.
    pub customer: Party,
    /// The currency of all amounts, by ISO 4217 code.
    #[schema(example = "INR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// What is ordered, at least one line.
    pub lines: Vec<SalesOrderLine>,
    /// When it is to be delivered.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date, example = "2026-12-05")]
    pub delivery_date: Option<Date>,
    /// Where it is to be delivered.
    #[serde(default)]
    #[schema(example = "Vashi market yard, Navi Mumbai")]
    pub delivery_place: Option<String>,
    /// How it is delivered, such as an Incoterm.
    #[serde(default)]
    #[schema(example = "FOR destination")]
    pub delivery_terms: Option<String>,
    /// How it is to be paid.
    #[serde(default)]
    #[schema(example = "50 % in advance, the rest on delivery")]
    pub payment_terms: Option<String>,
    /// How far it is.
    #[serde(default)]
    #[schema(example = "confirmed")]
    pub status: Option<String>,
    /// Anything else.
    #[serde(default)]
    pub notes: Option<String>,
}

/// A line of a sales order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SalesOrderLine {
    /// What is ordered.
    #[schema(example = "Turmeric fingers, Nizamabad")]
    pub item: String,
    /// The code of the item.
    #[serde(default)]
    #[schema(example = "TUR-NZB")]
    pub item_code: Option<String>,
    /// How much, above zero, in `unit`.
    #[schema(example = 40)]
    pub quantity: f64,
    /// The unit of `quantity`.
    #[schema(example = "bag of 50 kg")]
    pub unit: String,
    /// The price of one unit, in units of the currency.
    #[schema(example = 6100)]
    pub unit_price: f64,
    /// The grade.
    #[serde(default)]
    #[schema(example = "A")]
    pub grade: Option<String>,
}

impl Entity for SalesOrder {
    fn check(&self, check: &mut Check) {
        check.filled("/number", &self.number);
        self.customer.check("/customer", check);
        check.currency("/currency", &self.currency);
        check.not_empty("/lines", &self.lines);
        for (place, line) in self.lines.iter().enumerate() {
            check.filled(&format!("/lines/{place}/item"), &line.item);
            check.positive(&format!("/lines/{place}/quantity"), line.quantity);
            check.filled(&format!("/lines/{place}/unit"), &line.unit);
            check.not_negative(&format!("/lines/{place}/unit_price"), line.unit_price);
        }
        check.in_order("/delivery_date", self.date, self.delivery_date, "date");
    }

    fn write(&self) -> Result<Extracted> {
        let money = |amount: f64| values::money(amount, &self.currency);
        let total: f64 = self.lines.iter().map(|line| line.quantity * line.unit_price).sum();
        let mut writer = Writer::titled(&format!("Sales order {}", self.number));
        writer.date("Order date", Some(self.date)).line("Customer", &self.customer.text());
        for (place, line) in self.lines.iter().enumerate() {
            let code = line.item_code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
            let grade = line.grade.as_ref().map_or_else(String::new, |grade| format!(", grade {grade}"));
            let text = format!(
                "{}{code}{grade}, {} at {} per {}",
                values::one_line(&line.item),
                values::quantity(line.quantity, &line.unit),
                money(line.unit_price),
                line.unit,
            );
            writer.line(&format!("Line {}", place + 1), &text);
        }
        writer
            .line("Order total", &money(total))
            .date("Delivery date", self.delivery_date)
            .optional("Delivery place", self.delivery_place.as_deref())
            .optional("Delivery terms", self.delivery_terms.as_deref())
            .optional("Payment terms", self.payment_terms.as_deref())
            .optional("Status", self.status.as_deref())
            .paragraph(self.notes.as_deref().unwrap_or_default())
            .meta("number", &self.number)
            .meta("party", &self.customer.name)
            .meta("currency", &self.currency)
            .meta_number("total", Some(total))
            .meta_date("date", Some(self.date))
            .meta_date("delivery_date", self.delivery_date)
            .meta_optional("status", self.status.as_deref());
        Ok(writer.finish())
    }
}
