//! The one error type that crosses layers: what the caller can do about it, and what caused it.
//!
//! The name of a [`ProblemKind`] is part of the public interface: HTTP makes the problem `type` of it
//! (RFC 9457), and a state machine matches it in `ErrorEquals`.

use std::error::Error as StdError;
use std::fmt;

/// A result with a [`Problem`].
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// What went wrong, in the caller's terms. Each variant says what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The request is malformed: correct the named fields.
    InvalidRequest,
    /// No token, or one that does not hold: get another one.
    Unauthorised,
    /// The token is good and lacks a permission: ask the administrator for it.
    Forbidden,
    /// Nothing of that name belongs to this tenant.
    NotFound,
    /// The path does not take this method: use one that it takes.
    MethodNotAllowed,
    /// It exists already, changed meanwhile, or is busy: read it again.
    Conflict,
    /// The request is larger than a stated limit: split it.
    TooLarge,
    /// The file or content type is not one that we read.
    UnsupportedMediaType,
    /// It is well formed, but cannot be used: it is empty, or names what is not there.
    Unprocessable,
    /// Wait, then try again.
    Throttled,
    /// A language model or another upstream service failed.
    UpstreamFailed,
    /// A service we need cannot be reached now: try again later.
    Unavailable,
    /// The storage is full.
    StorageFull,
    /// The work was cut off before its end; what there is of it is incomplete.
    StreamInterrupted,
    /// Our fault.
    Internal,
}

impl ProblemKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 15] = [
        Self::InvalidRequest,
        Self::Unauthorised,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Unprocessable,
        Self::Throttled,
        Self::UpstreamFailed,
        Self::Unavailable,
        Self::StorageFull,
        Self::StreamInterrupted,
        Self::Internal,
    ];

    /// The stable name, in kebab case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid-request",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Unprocessable => "unprocessable",
            Self::Throttled => "throttled",
            Self::UpstreamFailed => "upstream-failed",
            Self::Unavailable => "unavailable",
            Self::StorageFull => "storage-full",
            Self::StreamInterrupted => "stream-interrupted",
            Self::Internal => "internal",
        }
    }

    /// A short sentence for people, the same for each occurrence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthorised => "A valid token is needed",
            Self::Forbidden => "The token lacks a permission",
            Self::NotFound => "There is no such thing",
            Self::MethodNotAllowed => "This path does not take the method",
            Self::Conflict => "The request conflicts with the present state",
            Self::TooLarge => "The request is too large",
            Self::UnsupportedMediaType => "This type of content is not supported",
            Self::Unprocessable => "The content cannot be used",
            Self::Throttled => "Too many requests",
            Self::UpstreamFailed => "A service that this answer needs failed",
            Self::Unavailable => "The service is not available now",
            Self::StorageFull => "The storage is full",
            Self::StreamInterrupted => "The stream was interrupted",
            Self::Internal => "Something went wrong on our side",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthorised => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Unprocessable => 422,
            Self::Throttled => 429,
            Self::UpstreamFailed => 502,
            Self::Unavailable => 503,
            Self::StorageFull => 507,
            Self::StreamInterrupted | Self::Internal => 500,
        }
    }
}

/// One field of the input that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) into the body, or the name of a query parameter or header.
    pub pointer: String,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

/// An error with what the caller may see (`kind`, `detail`, `errors`) and what only the log may (`source`).
#[derive(Debug)]
pub struct Problem {
    /// What it is to the caller.
    pub kind: ProblemKind,
    /// This occurrence, in words for the caller: the reason and the way out. No secrets, no document text.
    pub detail: String,
    /// The fields that are wrong, where the input was.
    pub errors: Vec<FieldError>,
    /// After how many seconds a retry makes sense.
    pub retry_after_s: Option<u32>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Problem {
    /// A problem of a kind, with its words.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after_s: None, source: None }
    }

    /// A bad field: `pointer` names it, `detail` says what would be right.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: pointer.into(), detail: detail.into() };
        // The empty pointer is the whole body.
        let words = match error.pointer.as_str() {
            "" => format!("the body: {}", error.detail),
            pointer => format!("`{pointer}`: {}", error.detail),
        };
        let mut problem = Self::new(ProblemKind::InvalidRequest, words);
        problem.errors.push(error);
        problem
    }

    /// Says what it is a problem of, before its own words.
    #[must_use]
    pub fn of_what(mut self, what: &str) -> Self {
        self.detail = format!("{what}: {}", self.detail);
        self
    }

    /// The same words as a problem of another kind.
    #[must_use]
    pub const fn of_kind(mut self, kind: ProblemKind) -> Self {
        self.kind = kind;
        self
    }

    /// Nothing of that name belongs to this tenant (or to anybody: the answer is the same).
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("there is no such {what}"))
    }

    /// The present state does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Conflict, detail)
    }

    /// Our fault; the cause goes to the log and not to the caller.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ProblemKind::Internal, "the cause is in the log, under this request's id").caused_by(source)
    }

    /// Keeps the cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// The chain of causes in one line, for the log.
    #[must_use]
    pub fn causes(&self) -> String {
        let mut line = String::new();
        let mut next = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(cause) = next {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause.to_string());
            next = cause.source();
        }
        line
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.name(), self.detail)
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
