//! One side of a deal: what an availability and a requirement have in common.

use jiff::civil::Date;

use super::Extracted;
use super::check::Check;
use super::values::{Money, Quantity};
use super::writer::Writer;

/// What a side calls its parts: labels in the text, and pointers to the fields.
pub(super) struct Names {
    /// Who it is: `Supplier`, `/supplier`.
    pub(super) party: (&'static str, &'static str),
    /// The price of one unit.
    pub(super) price: (&'static str, &'static str),
    /// The label of the place; its field is `/location`.
    pub(super) place: &'static str,
}

/// One side of a deal.
pub(super) struct Side<'a> {
    pub(super) names: &'static Names,
    pub(super) party: &'a str,
    pub(super) commodity: &'a str,
    pub(super) quantity: &'a Quantity,
    pub(super) location: &'a str,
    pub(super) grade: Option<&'a str>,
    pub(super) price: Option<&'a Money>,
    pub(super) notes: Option<&'a str>,
    /// Its dates: label, name in the metadata, date.
    pub(super) dates: Vec<(&'static str, &'static str, Option<Date>)>,
}

impl Side<'_> {
    /// Adds what is wrong with it; the order of dates is for the entity to check.
    pub(super) fn check(&self, check: &mut Check) {
        check.filled(self.names.party.1, self.party);
        check.filled("/commodity", self.commodity);
        check.filled("/location", self.location);
        self.quantity.check("/quantity", check);
        if let Some(price) = self.price {
            price.check(self.names.price.1, check);
        }
    }

    /// Its text under a title, and its metadata.
    pub(super) fn write(&self, title: &str) -> Extracted {
        let price = self.price.map(|price| format!("{} per {}", price.text(), self.quantity.unit));
        let mut writer = Writer::titled(title);
        writer
            .line(self.names.party.0, self.party)
            .line("Commodity", self.commodity)
            .optional("Grade", self.grade)
            .quantity("Quantity", Some(self.quantity))
            .optional(self.names.price.0, price.as_deref())
            .line(self.names.place, self.location);
        for (label, name, date) in &self.dates {
            writer.date(label, *date).meta_date(name, *date);
        }
        writer
            .paragraph(self.notes.unwrap_or_default())
            .meta("party", self.party)
            .meta("commodity", self.commodity)
            .meta_optional("grade", self.grade)
            .meta_number("quantity", Some(self.quantity.value))
            .meta("unit", &self.quantity.unit)
            .meta("location", self.location)
            .meta_number("price", self.price.map(|price| price.amount))
            .meta_optional("currency", self.price.map(|price| price.currency.as_str()));
        writer.finish()
    }
}
