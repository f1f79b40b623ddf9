//! Invoices.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::values::{self, Party};
use super::writer::Writer;
use super::{Entity, Extracted};

/// An invoice. Required: `number`, `date`, `buyer`, `currency`, `lines`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// Its number.
    #[schema(example = "INV-2026-0042")]
    pub number: String,
    /// When it was issued.
    #[schema(value_type = String, format = Date, example = "2026-11-21")]
    #[serde(deserialize_with = "days::one")]
    pub date: Date,
    /// Who sells.
    #[serde(default)]
    pub seller: Option<Party>,
    /// Who buys.
    pub buyer: Party,
    /// The currency of all amounts, by ISO 4217 code.
    #[schema(example = "INR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// What is charged, at least one line.
    pub lines: Vec<InvoiceLine>,
    /// Tax, in units of the currency.
    #[serde(default)]
    pub tax: Option<f64>,
    /// The amount to pay, in units of the currency; the sum of lines and tax when it is absent.
    #[serde(default)]
    pub total: Option<f64>,
    /// Until when it is to be paid.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date, example = "2026-12-21")]
    pub due_date: Option<Date>,
    /// How it is to be paid.
    #[serde(default)]
    #[schema(example = "30 days net")]
    pub payment_terms: Option<String>,
    /// Whether it is paid.
    #[serde(default)]
    #[schema(example = "unpaid")]
    pub status: Option<String>,
    /// The contract or order that it is for.
    #[serde(default)]
    #[schema(example = "SHK6-170")]
    pub reference: Option<String>,
    /// Anything else.
    #[serde(default)]
    pub notes: Option<String>,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvoiceLine {
    /// What it is.
    #[schema(example = "Basmati rice, grade A")]
    pub description: String,
    /// The code of the item.
    #[serde(default)]
    #[schema(example = "RICE-BAS-A")]
    pub item_code: Option<String>,
    /// How much, above zero, in `unit`.
    #[schema(example = 120)]
    pub quantity: f64,
    /// The unit of `quantity`.
    #[schema(example = "quintal")]
    pub unit: String,
    /// The price of one unit, in units of the currency.
    #[schema(example = 4250.5)]
    pub unit_price: f64,
}

impl InvoiceLine {
    fn amount(&self) -> f64 {
        self.quantity * self.unit_price
    }
}

impl Entity for Invoice {
    fn check(&self, check: &mut Check) {
        check.filled("/number", &self.number);
        self.buyer.check("/buyer", check);
        if let Some(seller) = &self.seller {
            seller.check("/seller", check);
        }
        check.currency("/currency", &self.currency);
        check.not_empty("/lines", &self.lines);
        for (place, line) in self.lines.iter().enumerate() {
            check.filled(&format!("/lines/{place}/description"), &line.description);
            check.positive(&format!("/lines/{place}/quantity"), line.quantity);
            check.filled(&format!("/lines/{place}/unit"), &line.unit);
            check.not_negative(&format!("/lines/{place}/unit_price"), line.unit_price);
        }
        for (field, amount) in [("/tax", self.tax), ("/total", self.total)] {
            if let Some(amount) = amount {
                check.not_negative(field, amount);
            }
        }
        check.in_order("/due_date", self.date, self.due_date, "date");
    }

    fn write(&self) -> Result<Extracted> {
        let money = |amount: f64| values::money(amount, &self.currency);
        let sum: f64 = self.lines.iter().map(InvoiceLine::amount).sum();
        let total = self.total.unwrap_or(sum + self.tax.unwrap_or(0.0));
        let mut writer = Writer::titled(&format!("Invoice {}", self.number));
        writer
            .date("Invoice date", Some(self.date))
            .line("Seller", &self.seller.as_ref().map(Party::text).unwrap_or_default())
            .line("Buyer", &self.buyer.text())
            .optional("Reference", self.reference.as_deref());
        for (place, line) in self.lines.iter().enumerate() {
            let code = line.item_code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
            let text = format!(
                "{}{code}, {} at {} per {}, amount {}",
                values::one_line(&line.description),
                values::quantity(line.quantity, &line.unit),
                money(line.unit_price),
                line.unit,
                money(line.amount()),
            );
            writer.line(&format!("Line {}", place + 1), &text);
        }
        writer
            .line("Tax", &self.tax.map(money).unwrap_or_default())
            .line("Total amount", &money(total))
            .date("Payment due date", self.due_date)
            .optional("Payment terms", self.payment_terms.as_deref())
            .optional("Status", self.status.as_deref())
            .paragraph(self.notes.as_deref().unwrap_or_default())
            .meta("number", &self.number)
            .meta("party", &self.buyer.name)
            .meta_optional("seller", self.seller.as_ref().map(|seller| seller.name.as_str()))
            .meta("currency", &self.currency)
            .meta_number("total", Some(total))
            .meta_date("date", Some(self.date))
            .meta_date("due_date", self.due_date)
            .meta_optional("status", self.status.as_deref())
            .meta_optional("reference", self.reference.as_deref());
        Ok(writer.finish())
    }
}
