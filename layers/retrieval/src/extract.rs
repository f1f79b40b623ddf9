//! Typed extractors: from a business document to text that keeps its sense, and metadata to filter by.
//!
//! An entity type names an extractor. Each business type has one typed input for its `fields`; every known type
//! also takes prose as `content` (a contract as it was signed), read as Markdown, HTML or plain text.

mod availability;
mod check;
mod clean;
mod commit;
mod contract;
mod customer;
mod days;
mod email;
mod file;
mod github_pull_request;
mod hidden;
mod inventory_item;
mod invoice;
mod jira_issue;
mod markup;
mod plain;
mod plain_decorator;
mod requirement;
mod sales_order;
mod side;
mod values;
mod writer;

use mandi_core::{Problem, ProblemKind, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use availability::Availability;
pub use check::Check;
pub use clean::clean;
pub use commit::Commit;
pub use contract::{Clause, Contract};
pub use customer::{Contact, Customer};
pub use email::without_quotes_and_signature;
pub use file::read_file;
pub use github_pull_request::{GithubPullRequest, ReviewComment};
pub use inventory_item::InventoryItem;
pub use invoice::{Invoice, InvoiceLine};
pub use jira_issue::{JiraComment, JiraIssue};
pub use markup::{html_to_text, markdown_to_text};
pub use plain::{Html, Markdown, Text};
pub use requirement::Requirement;
pub use sales_order::{SalesOrder, SalesOrderLine};
pub use values::{Money, Party, Quantity};

use crate::filter::Metadata;
use crate::problems;

/// What an extractor gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extracted {
    /// The title of the document, if it has one.
    pub title: Option<String>,
    /// Its text: NFC, without mark-up and control characters, one line for each labelled value.
    pub text: String,
    /// What searches filter by.
    pub metadata: Metadata,
}

/// How `content` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Plain text.
    Plain,
    /// Markdown (CommonMark with tables).
    Markdown,
    /// HTML.
    Html,
}

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Text, in the format of its entity type (`markdown`, `html`; plain for all others).
    Content(String),
    /// Text whose format is known, such as that of a file.
    Formatted(TextFormat, String),
    /// The fields of a typed entity, as a JSON object.
    Fields(Value),
}

/// A typed entity: its fields, what has to hold for them, and how it is written as text.
pub trait Entity: DeserializeOwned {
    /// Checks what the type alone does not say; adds each fault by field.
    fn check(&self, check: &mut Check);

    /// Writes it as text with metadata.
    ///
    /// # Errors
    /// A text within it cannot be used (NUL, mark-up that cannot be read).
    fn write(&self) -> Result<Extracted>;
}

macro_rules! entities {
    ($($name:literal => $entity:ty),+ $(,)?) => {
        /// The entity types that take `fields`.
        pub const ENTITY_TYPES: &[&str] = &[$($name),+];

        fn from_fields(entity_type: &str, fields: &Value, pointer: &str) -> Result<Extracted> {
            match entity_type {
                $($name => from_entity::<$entity>(fields, pointer),)+
                _ => Err(unknown_type(entity_type, pointer)),
            }
        }
    };
}

entities! {
    "invoice" => Invoice,
    "sales_order" => SalesOrder,
    "inventory_item" => InventoryItem,
    "customer" => Customer,
    "contract" => Contract,
    "availability" => Availability,
    "requirement" => Requirement,
    "jira_issue" => JiraIssue,
    "github_pull_request" => GithubPullRequest,
    "commit" => Commit,
    "markdown" => Markdown,
    "html" => Html,
    "text" => Text,
}

/// Extracts a document. `pointer` is where it stands in the body: empty, or such as `/documents/3`.
///
/// # Errors
/// `invalid-request` with a pointer for each field that is wrong, for an entity type that takes no fields, and
/// for a NUL character in the text; `unprocessable` when nothing is left to search in.
pub fn extract(entity_type: &str, source: &Source, pointer: &str) -> Result<Extracted> {
    let extracted = match source {
        Source::Fields(fields) => from_fields(entity_type, fields, pointer)?,
        Source::Content(content) => plain::from_content(format_of(entity_type), content, pointer)?,
        Source::Formatted(format, content) => plain::from_content(*format, content, pointer)?,
    };
    if extracted.text.chars().any(char::is_alphanumeric) {
        return Ok(extracted);
    }
    let given = match source {
        Source::Fields(_) => "fields",
        Source::Content(_) | Source::Formatted(..) => "content",
    };
    let detail = "it holds no text: no letters or digits are left after cleaning, so nothing could be found in it";
    Err(Problem::field(format!("{pointer}/{given}"), detail).of_kind(ProblemKind::Unprocessable))
}

fn format_of(entity_type: &str) -> TextFormat {
    match entity_type {
        "markdown" => TextFormat::Markdown,
        "html" => TextFormat::Html,
        _ => TextFormat::Plain,
    }
}

fn from_entity<T: Entity>(fields: &Value, pointer: &str) -> Result<Extracted> {
    let pointer = format!("{pointer}/fields");
    let entity = problems::read::<T>(fields, &pointer)?;
    let mut check = Check::at(&pointer);
    entity.check(&mut check);
    check.into_result()?;
    let mut extracted = entity.write().map_err(|problem| at_field(problem, &pointer))?;
    extracted.text = clean(&extracted.text).map_err(|reason| Problem::field(pointer.as_str(), reason))?;
    extracted.title = match extracted.title {
        Some(title) => Some(clean(&title).map_err(|reason| Problem::field(pointer.as_str(), reason))?),
        None => None,
    };
    Ok(extracted)
}

/// A fault of a text inside the entity, told with the place of the fields.
fn at_field(problem: Problem, pointer: &str) -> Problem {
    match problem.errors.first() {
        Some(error) => Problem::field(format!("{pointer}{}", error.pointer), error.detail.clone()),
        None => problem,
    }
}

fn unknown_type(entity_type: &str, pointer: &str) -> Problem {
    let detail = format!(
        "`{}` takes no `fields`; give `content`, or one of these types: {}",
        entity_type.chars().take(64).collect::<String>(),
        ENTITY_TYPES.join(", ")
    );
    Problem::field(format!("{pointer}/entity_type"), detail)
}

#[cfg(test)]
mod tests;
