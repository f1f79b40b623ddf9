//! Commits.

use jiff::Timestamp;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::writer::Writer;
use super::{Entity, Extracted};

/// A commit. Required: `sha`, `author`, `date`, `message`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Its hash, 7 to 64 hexadecimal digits.
    #[schema(example = "cacb09a", pattern = "^[0-9a-f]{7,64}$")]
    pub sha: String,
    /// Who made it.
    #[schema(example = "Asha Sharma")]
    pub author: String,
    /// When, RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    #[serde(deserialize_with = "days::one")]
    pub date: Timestamp,
    /// Its message; the first line is its title.
    #[schema(example = "Read the scale in grams\n\nIt was rounded to kilograms.")]
    pub message: String,
    /// The repository, with its owner.
    #[serde(default)]
    pub repository: Option<String>,
    /// The files that it changes.
    #[serde(default)]
    pub files: Vec<String>,
}

impl Entity for Commit {
    fn check(&self, check: &mut Check) {
        let hexadecimal = self.sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !hexadecimal || !(7..=64).contains(&self.sha.len()) {
            check.fault("/sha", "give 7 to 64 hexadecimal digits, in lower case");
        }
        check.filled("/author", &self.author);
        check.filled("/message", &self.message);
    }

    fn write(&self) -> Result<Extracted> {
        let day = self.date.strftime("%Y-%m-%d").to_string();
        let message = self.message.trim();
        let (title, rest) = message.split_once('\n').unwrap_or((message, ""));
        let mut writer = Writer::titled(title);
        writer
            .line("Commit", &self.sha)
            .optional("Repository", self.repository.as_deref())
            .line("Author", &self.author)
            .line("Date", &day)
            .paragraph(rest)
            .line("Files", &self.files.join(", "))
            .meta("sha", &self.sha)
            .meta("author", &self.author)
            .meta("date", &day)
            .meta_optional("repository", self.repository.as_deref());
        Ok(writer.finish())
    }
}
