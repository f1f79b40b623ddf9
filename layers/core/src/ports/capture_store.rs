//! Where captured predictions are appended. The queue in front of it is [`Captures`](crate::capture::Captures).

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::identity::TenantId;
use crate::ids::ModelId;
use crate::time::Timestamp;

/// The longest line with its end, in bytes (1,000 KiB, the limit of a record of Amazon Data Firehose).
pub const MAX_CAPTURE_LINE_BYTES: usize = 1_000 * 1024;
/// The most lines that are appended at a time (the limit of `PutRecordBatch`).
pub const MAX_CAPTURE_BATCH_LINES: usize = 500;
/// The most bytes that are appended at a time (the limit of `PutRecordBatch`, 4 MiB).
pub const MAX_CAPTURE_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// One line of JSON with its end, of one tenant. Made by [`CapturedCall::lines`](crate::capture::CapturedCall::lines), so
/// that the line itself names the same tenant and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureLine {
    tenant: TenantId,
    model: ModelId,
    at: Timestamp,
    bytes: Bytes,
}

/// A line is over [`MAX_CAPTURE_LINE_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a captured line has {size_bytes} bytes; at most {MAX_CAPTURE_LINE_BYTES} are allowed")]
pub struct LineTooLong {
    /// Its size.
    pub size_bytes: usize,
}

impl CaptureLine {
    /// From JSON text without line breaks, as `serde_json` writes it.
    pub(crate) fn new(
        tenant: &TenantId,
        model: &ModelId,
        at: Timestamp,
        mut json: String,
    ) -> Result<Self, LineTooLong> {
        json.push('\n');
        if json.len() > MAX_CAPTURE_LINE_BYTES {
            return Err(LineTooLong { size_bytes: json.len() });
        }
        Ok(Self { tenant: tenant.clone(), model: model.clone(), at, bytes: json.into() })
    }

    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The model that was called.
    #[must_use]
    pub const fn model(&self) -> &ModelId {
        &self.model
    }

    /// When the call was answered.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The line with its end.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Why a line was not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The store asks to slow down, also after several tries.
    #[error("the store of captures asks to slow down")]
    Throttled,
    /// The disk is full.
    #[error("no space is left for captures")]
    Full,
    /// The store cannot be reached, is broken, or refuses the line.
    #[error("the store of captures is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A store that lines are only added to.
#[async_trait]
pub trait CaptureStore: Send + Sync + fmt::Debug {
    /// Appends lines, of any tenants: at most [`MAX_CAPTURE_BATCH_LINES`] and [`MAX_CAPTURE_BATCH_BYTES`] together. There
    /// is an outcome for each, in their order; a line that succeeded is durable. What fails for a passing reason was tried
    /// several times. A line may be there twice, where the store took it and its answer was lost; the lines of a tenant
    /// are in their order unless one was tried again.
    async fn append(&self, lines: &[CaptureLine]) -> Vec<Result<(), CaptureError>>;
}
