//! Writes labelled lines and metadata.

use jiff::civil::Date;

use super::Extracted;
use super::values::{self, Money, Quantity};
use crate::filter::Scalar;

/// The text and metadata of an entity as they are written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    extracted: Extracted,
}

impl Writer {
    /// A document with a title, which is also its first line.
    pub(super) fn titled(title: &str) -> Self {
        let title = values::one_line(title);
        let mut writer = Self::default();
        writer.push(&title);
        writer.extracted.title = Some(title);
        writer
    }

    fn push(&mut self, line: &str) {
        self.extracted.text.push_str(line);
        self.extracted.text.push('\n');
    }

    /// `Label: value`; nothing when the value is blank.
    pub(super) fn line(&mut self, label: &str, value: &str) -> &mut Self {
        let value = value.trim();
        if !value.is_empty() {
            self.push(&format!("{label}: {value}"));
        }
        self
    }

    /// [`Self::line`] for a value that may be absent.
    pub(super) fn optional(&mut self, label: &str, value: Option<&str>) -> &mut Self {
        self.line(label, &values::one_line(value.unwrap_or_default()))
    }

    /// A date for people and for forms.
    pub(super) fn date(&mut self, label: &str, date: Option<Date>) -> &mut Self {
        self.line(label, &date.map(values::date).unwrap_or_default())
    }

    /// An amount with its currency.
    pub(super) fn money(&mut self, label: &str, money: Option<&Money>) -> &mut Self {
        self.line(label, &money.map(Money::text).unwrap_or_default())
    }

    /// A quantity with its unit.
    pub(super) fn quantity(&mut self, label: &str, quantity: Option<&Quantity>) -> &mut Self {
        self.line(label, &quantity.map(Quantity::text).unwrap_or_default())
    }

    /// A paragraph of its own; nothing when it is blank.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        let text = text.trim();
        if !text.is_empty() {
            self.push("");
            self.push(text);
        }
        self
    }

    /// A text to filter by; nothing when it is blank.
    pub(super) fn meta(&mut self, name: &str, value: &str) -> &mut Self {
        let value = values::one_line(value);
        if !value.is_empty() {
            self.extracted.metadata.insert(name.to_owned(), Scalar::Text(value));
        }
        self
    }

    /// [`Self::meta`] for a value that may be absent.
    pub(super) fn meta_optional(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        self.meta(name, value.unwrap_or_default())
    }

    /// A date to filter by, as ISO 8601 text.
    pub(super) fn meta_date(&mut self, name: &str, date: Option<Date>) -> &mut Self {
        self.meta(name, &date.map(|date| date.to_string()).unwrap_or_default())
    }

    /// A number to filter by.
    pub(super) fn meta_number(&mut self, name: &str, value: Option<f64>) -> &mut Self {
        if let Some(value) = value {
            self.extracted.metadata.insert(name.to_owned(), Scalar::Number(value));
        }
        self
    }

    /// What was written.
    pub(super) fn finish(&mut self) -> Extracted {
        std::mem::take(&mut self.extracted)
    }
}
