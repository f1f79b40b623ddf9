//! Jira issues.

use jiff::Timestamp;
use mandi_core::Result;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::days;
use super::email::without_quotes_and_signature;
use super::writer::Writer;
use super::{Entity, Extracted};

/// A Jira issue. Required: `key`, `summary`, `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JiraIssue {
    /// Its key.
    #[schema(example = "OPS-418")]
    pub key: String,
    /// Its summary.
    #[schema(example = "Weighbridge at Karnal reads 2 % high")]
    pub summary: String,
    /// Its status.
    #[schema(example = "In progress")]
    pub status: String,
    /// Its type.
    #[serde(default)]
    #[schema(example = "Bug")]
    pub issue_type: Option<String>,
    /// Its priority.
    #[serde(default)]
    #[schema(example = "High")]
    pub priority: Option<String>,
    /// Who works on it.
    #[serde(default)]
    pub assignee: Option<String>,
    /// Who reported it.
    #[serde(default)]
    pub reporter: Option<String>,
    /// When it was made, RFC 3339.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created: Option<Timestamp>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What it is about; quoted mails and signatures in it are cut.
    #[serde(default)]
    pub description: Option<String>,
    /// What was said about it, oldest first.
    #[serde(default)]
    pub comments: Vec<JiraComment>,
}

/// A comment on an issue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JiraComment {
    /// Who says it.
    pub author: String,
    /// When, RFC 3339.
    #[serde(default, deserialize_with = "days::optional")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created: Option<Timestamp>,
    /// What; quoted mails and signatures in it are cut.
    pub body: String,
}

impl Entity for JiraIssue {
    fn check(&self, check: &mut Check) {
        check.filled("/key", &self.key);
        check.filled("/summary", &self.summary);
        check.filled("/status", &self.status);
        for (place, comment) in self.comments.iter().enumerate() {
            check.filled(&format!("/comments/{place}/author"), &comment.author);
        }
    }

    fn write(&self) -> Result<Extracted> {
        let day = |moment: Option<Timestamp>| moment.map(|moment| moment.strftime("%Y-%m-%d").to_string());
        let mut writer = Writer::titled(&format!("{}: {}", self.key, self.summary));
        writer
            .optional("Type", self.issue_type.as_deref())
            .line("Status", &self.status)
            .optional("Priority", self.priority.as_deref())
            .optional("Assignee", self.assignee.as_deref())
            .optional("Reporter", self.reporter.as_deref())
            .optional("Created", day(self.created).as_deref())
            .line("Labels", &self.labels.join(", "))
            .paragraph(&without_quotes_and_signature(self.description.as_deref().unwrap_or_default()));
        for comment in &self.comments {
            let when = day(comment.created).map_or_else(String::new, |day| format!(" on {day}"));
            let body = without_quotes_and_signature(&comment.body);
            if !body.trim().is_empty() {
                writer.paragraph(&format!("Comment by {}{when}:\n{}", comment.author, body.trim()));
            }
        }
        writer
            .meta("key", &self.key)
            .meta("status", &self.status)
            .meta_optional("issue_type", self.issue_type.as_deref())
            .meta_optional("priority", self.priority.as_deref())
            .meta_optional("assignee", self.assignee.as_deref())
            .meta_optional("reporter", self.reporter.as_deref())
            .meta_optional("date", day(self.created).as_deref());
        Ok(writer.finish())
    }
}
