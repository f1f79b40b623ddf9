//! What a task calls.

use std::fmt;

/// How a task's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// By the answer of the call.
    RequestResponse,
    /// By the answer of the call, which the runner waits for (`.sync`, `.sync:2`).
    Sync,
    /// By somebody who has the task's token (`.waitForTaskToken`), or by the worker of an activity.
    Callback,
}

/// What a task calls: a resource's ARN, or a name that the task runner knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    text: String,
    pattern: Pattern,
}

impl Resource {
    /// From the text of a definition.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pattern = match text.rsplit_once('.') {
            Some((_, "waitForTaskToken")) => Pattern::Callback,
            Some((_, "sync" | "sync:2")) => Pattern::Sync,
            _ => Pattern::RequestResponse,
        };
        Self { text: text.to_owned(), pattern }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How the task's end is told.
    #[must_use]
    pub const fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// Whether it is a function of Lambda itself, whose events have names of their own.
    #[must_use]
    pub fn is_function(&self) -> bool {
        self.text.starts_with("arn:") && self.text.split(':').nth(2) == Some("lambda")
    }

    /// The service and the action of an integration: `arn:aws:states:::SERVICE:ACTION`.
    #[must_use]
    pub fn integration(&self) -> (&str, &str) {
        match self.text.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::")) {
            Some((_, rest)) => rest.rsplit_once(':').map_or((rest, rest), |(service, action)| {
                // `.sync:2` holds a colon of its own.
                if action == "2" { rest.split_once(':').unwrap_or((service, action)) } else { (service, action) }
            }),
            None => (&self.text, &self.text),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
