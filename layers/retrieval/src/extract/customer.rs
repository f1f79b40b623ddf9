//! Customers.

use jiff::civil::Date;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::values::Money;
use super::writer::Writer;
use super::{Entity, Extracted};

/// A customer. Required: `name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Its name.
    #[schema(example = "Sharma Traders Pvt Ltd")]
    pub name: String,
    /// What it does.
    #[serde(default)]
    #[schema(example = "wholesaler")]
    pub kind: Option<String>,
    /// Its address.
    #[serde(default)]
    pub address: Option<String>,
    /// Its city.
    #[serde(default)]
    #[schema(example = "Pune")]
    pub city: Option<String>,
    /// Its country.
    #[serde(default)]
    #[schema(example = "India")]
    pub country: Option<String>,
    /// Its tax number, such as a GSTIN.
    #[serde(default)]
    pub tax_id: Option<String>,
    /// How much it may owe.
    #[serde(default)]
    pub credit_limit: Option<Money>,
    /// How it pays.
    #[serde(default)]
    #[schema(example = "45 days from delivery")]
    pub payment_terms: Option<String>,
    /// Since when it is a customer.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = Date, example = "2019-04-01")]
    pub since: Option<Date>,
    /// Whether it may buy.
    #[serde(default)]
    #[schema(example = "active")]
    pub status: Option<String>,
    /// People to talk to.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Anything else.
    #[serde(default)]
    pub notes: Option<String>,
}

/// A person at a customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// The name.
    #[schema(example = "Asha Sharma")]
    pub name: String,
    /// What the person does.
    #[serde(default)]
    #[schema(example = "purchase manager")]
    pub role: Option<String>,
    /// The e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// The telephone number.
    #[serde(default)]
    pub phone: Option<String>,
}

impl Entity for Customer {
    fn check(&self, check: &mut Check) {
        check.filled("/name", &self.name);
        if let Some(limit) = &self.credit_limit {
            limit.check("/credit_limit", check);
        }
        for (place, contact) in self.contacts.iter().enumerate() {
            check.filled(&format!("/contacts/{place}/name"), &contact.name);
        }
    }

    fn write(&self) -> Result<Extracted> {
        let mut writer = Writer::titled(&format!("Customer {}", self.name));
        writer
            .optional("Kind", self.kind.as_deref())
            .optional("Address", self.address.as_deref())
            .optional("City", self.city.as_deref())
            .optional("Country", self.country.as_deref())
            .optional("Tax number", self.tax_id.as_deref())
            .money("Credit limit", self.credit_limit.as_ref())
            .optional("Payment terms", self.payment_terms.as_deref())
            .date("Customer since", self.since)
            .optional("Status", self.status.as_deref());
        for contact in &self.contacts {
            let parts = [Some(&contact.name), contact.role.as_ref(), contact.email.as_ref(), contact.phone.as_ref()];
            let text = parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ");
            writer.line("Contact", &text);
        }
        writer
            .paragraph(self.notes.as_deref().unwrap_or_default())
            .meta("party", &self.name)
            .meta_optional("kind", self.kind.as_deref())
            .meta_optional("city", self.city.as_deref())
            .meta_optional("country", self.country.as_deref())
            .meta_optional("status", self.status.as_deref())
            .meta_number("credit_limit", self.credit_limit.as_ref().map(|limit| limit.amount))
            .meta_optional("currency", self.credit_limit.as_ref().map(|limit| limit.currency.as_str()));
        Ok(writer.finish())
    }
}
