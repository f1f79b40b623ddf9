//! GitHub pull requests.

use jiff::Timestamp;
use mandi_core::{Problem, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::email::without_quotes_and_signature;
use super::markup::markdown_to_text;
use super::writer::Writer;
use super::{Entity, Extracted};

/// A pull request. Required: `repository`, `number`, `title`, `state`, `author`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubPullRequest {
    /// The repository, with its owner.
    #[schema(example = "mandi/weighbridge")]
    pub repository: String,
    /// Its number.
    #[schema(example = 170)]
    pub number: u64,
    /// Its title.
    #[schema(example = "Read the scale in grams")]
    pub title: String,
    /// `open`, `closed` or `merged`.
    #[schema(example = "merged")]
    pub state: String,
    /// Who made it.
    #[schema(example = "asha")]
    pub author: String,
    /// What it is about, as Markdown.
    #[serde(default)]
    pub body: Option<String>,
    /// When it was made, RFC 3339.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// When it was merged, RFC 3339.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub merged_at: Option<Timestamp>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What was said about it, oldest first.
    #[serde(default)]
    pub comments: Vec<ReviewComment>,
}

/// A comment on a pull request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewComment {
    /// Who says it.
    pub author: String,
    /// The file that it is about.
    #[serde(default)]
    pub path: Option<String>,
    /// What, as Markdown; quoted mails and signatures in it are cut.
    pub body: String,
}

impl Entity for GithubPullRequest {
    fn check(&self, check: &mut Check) {
        for (field, text) in [
            ("/repository", &self.repository),
            ("/title", &self.title),
            ("/state", &self.state),
            ("/author", &self.author),
        ] {
            check.filled(field, text);
        }
        for (place, comment) in self.comments.iter().enumerate() {
            check.filled(&format!("/comments/{place}/author"), &comment.author);
        }
    }

    fn write(&self) -> Result<Extracted> {
        let text = |markdown: &str, field: &str| {
            markdown_to_text(&without_quotes_and_signature(markdown)).map_err(|reason| Problem::field(field, reason))
        };
        let day = |moment: Option<Timestamp>| moment.map(|moment| moment.strftime("%Y-%m-%d").to_string());
        let mut writer = Writer::titled(&format!("{}#{}: {}", self.repository, self.number, self.title));
        writer
            .line("State", &self.state)
            .line("Author", &self.author)
            .optional("Created", day(self.created_at).as_deref())
            .optional("Merged", day(self.merged_at).as_deref())
            .line("Labels", &self.labels.join(", "))
            .paragraph(&text(self.body.as_deref().unwrap_or_default(), "/body")?);
        for (place, comment) in self.comments.iter().enumerate() {
            let path = comment.path.as_ref().map_or_else(String::new, |path| format!(" on {path}"));
            let body = text(&comment.body, &format!("/comments/{place}/body"))?;
            if !body.trim().is_empty() {
                writer.paragraph(&format!("Comment by {}{path}:\n{}", comment.author, body.trim()));
            }
        }
        writer
            .meta("repository", &self.repository)
            .meta("author", &self.author)
            .meta("status", &self.state)
            .meta_optional("date", day(self.created_at).as_deref())
            .meta_optional("merged", day(self.merged_at).as_deref());
        Ok(writer.finish())
    }
}
