//! Contracts.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::values::{Money, Party, Quantity};
use super::writer::Writer;
use super::{Entity, Extracted};

/// A supply contract. Required: `number`, `date`, `seller`, `buyer`, `commodity`, and `clauses` (may be empty only
/// when terms are given by the other fields).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its number.
    #[schema(example = "SHK6-170")]
    pub number: String,
    /// When it was signed.
    #[schema(value_type = String, format = Date, example = "2026-11-21")]
    #[serde(deserialize_with = "days::one")]
    pub date: Date,
    /// Who sells.
    pub seller: Party,
    /// Who buys.
    pub buyer: Party,
    /// What is sold.
    #[schema(example = "Basmati rice 1121, grade A")]
    pub commodity: String,
    /// How much of it.
    #[serde(default)]
    pub quantity: Option<Quantity>,
    /// The price of one unit of `quantity`.
    #[serde(default)]
    pub price: Option<Money>,
    /// When it begins to hold.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    pub effective_date: Option<Date>,
    /// When it ends.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    pub expiry_date: Option<Date>,
    /// When and how the buyer pays.
    #[serde(default)]
    #[schema(example = "within 30 days of the date of the bill of lading")]
    pub payment_terms: Option<String>,
    /// When, where and how the seller delivers.
    #[serde(default)]
    #[schema(example = "FOB Mundra, by 15 December 2026")]
    pub delivery_terms: Option<String>,
    /// What the goods must be like.
    #[serde(default)]
    #[schema(example = "moisture at most 12 %")]
    pub quality: Option<String>,
    /// Whose law holds.
    #[serde(default)]
    #[schema(example = "India")]
    pub governing_law: Option<String>,
    /// Whether it is signed, in force, ended.
    #[serde(default)]
    #[schema(example = "in force")]
    pub status: Option<String>,
    /// Its clauses.
    pub clauses: Vec<Clause>,
}

/// A clause of a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Its heading.
    #[serde(default)]
    #[schema(example = "7. Force majeure")]
    pub heading: Option<String>,
    /// Its text.
    pub text: String,
}

impl Entity for Contract {
    fn check(&self, check: &mut Check) {
        check.filled("/number", &self.number);
        self.seller.check("/seller", check);
        self.buyer.check("/buyer", check);
        check.filled("/commodity", &self.commodity);
        if let Some(quantity) = &self.quantity {
            quantity.check("/quantity", check);
        }
        if let Some(price) = &self.price {
            price.check("/price", check);
        }
        if let Some(effective) = self.effective_date {
            check.in_order("/expiry_date", effective, self.expiry_date, "effective date");
        }
        for (place, clause) in self.clauses.iter().enumerate() {
            check.filled(&format!("/clauses/{place}/text"), &clause.text);
        }
        let terms = [&self.payment_terms, &self.delivery_terms, &self.quality];
        if self.clauses.is_empty() && terms.into_iter().all(Option::is_none) {
            check.fault("/clauses", "give at least one clause, or payment, delivery or quality terms");
        }
    }

    fn write(&self) -> Result<Extracted> {
        let unit = self.quantity.as_ref().map_or_else(String::new, |quantity| format!(" per {}", quantity.unit));
        let price = self.price.as_ref().map(|price| format!("{}{unit}", price.text()));
        let mut writer = Writer::titled(&format!("Contract {}: {}", self.number, self.commodity));
        writer
            .date("Contract date", Some(self.date))
            .line("Seller", &self.seller.text())
            .line("Buyer", &self.buyer.text())
            .line("Commodity", &self.commodity)
            .quantity("Quantity", self.quantity.as_ref())
            .optional("Price", price.as_deref())
            .date("Effective date", self.effective_date)
            .date("Expiry date", self.expiry_date)
            .optional("Payment terms", self.payment_terms.as_deref())
            .optional("Delivery terms", self.delivery_terms.as_deref())
            .optional("Quality", self.quality.as_deref())
            .optional("Governing law", self.governing_law.as_deref())
            .optional("Status", self.status.as_deref());
        for clause in &self.clauses {
            writer.paragraph(clause.heading.as_deref().unwrap_or_default());
            writer.paragraph(&clause.text);
        }
        writer
            .meta("number", &self.number)
            .meta("party", &self.buyer.name)
            .meta("seller", &self.seller.name)
            .meta("commodity", &self.commodity)
            .meta_date("date", Some(self.date))
            .meta_date("expiry_date", self.expiry_date)
            .meta_number("price", self.price.as_ref().map(|price| price.amount))
            .meta_optional("currency", self.price.as_ref().map(|price| price.currency.as_str()))
            .meta_number("quantity", self.quantity.as_ref().map(|quantity| quantity.value))
            .meta_optional("status", self.status.as_deref());
        Ok(writer.finish())
    }
}
