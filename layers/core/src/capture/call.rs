//! What is kept of a call of a model: format 1, JSON lines.
//!
//! ```json
//! {"format":1,"tenant":"demo","user":"asha","request_id":"..","model_id":"mdl_..","version":3,"arm":"treatment",
//!  "stage":"production","at":"2026-11-21T09:50:00.123Z","latency_ms":1.25,"reference":"order-17",
//!  "row_count":2,"first_row":0,"rows":[{"features":{"moisture":11.5},"prediction":{"value":2150.0}}, ..]}
//! ```
//!
//! A call with more rows than a line has room for takes several lines, which differ in `first_row` and `rows`. A row is
//! known by `request_id` and its place, so that an outcome can be joined later; a row that was refused has null as its
//! prediction. In AWS `tenant` and `at` decide where the line lies.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::error::{Problem, Result};
use crate::identity::TenantId;
use crate::ids::ModelId;
use crate::ports::{CaptureLine, MAX_CAPTURE_LINE_BYTES};
use crate::time::Timestamp;

/// The version of the format.
const FORMAT: u32 = 1;
/// What `first_row`, `row_count`, commas and the end of a line may take beside the rest, in bytes.
const SLACK_BYTES: usize = 64;

/// Which side of a trial answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapturedArm {
    /// The version that answered before.
    Control,
    /// The version that is tried.
    Treatment,
    /// The version that is tried, whose answer nobody got.
    Shadow,
}

/// A row and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapturedRow {
    /// The features, redacted.
    pub features: Map<String, Value>,
    /// The prediction, as the caller got it without explanations; `None` where the row was refused.
    pub prediction: Option<Value>,
}

/// A call of a model, or the part of it that a line holds.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturedCall {
    /// Whose model.
    pub tenant: TenantId,
    /// Who asked.
    pub user: Option<String>,
    /// The call. The line of a shadow has the id of the call that it shadows.
    pub request_id: String,
    /// The model.
    pub model_id: ModelId,
    /// The version that answered.
    pub version: u32,
    /// The side of a trial, where there was one.
    pub arm: Option<CapturedArm>,
    /// The stage, where the version was not named.
    pub stage: Option<String>,
    /// When it was answered.
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub latency_ms: f64,
    /// What the caller knows the call by, to join an outcome later.
    pub reference: Option<String>,
    /// How many rows the call has.
    pub row_count: usize,
    /// The place of the first of `rows` in the call, from 0.
    pub first_row: usize,
    /// Its rows.
    pub rows: Vec<CapturedRow>,
}

/// The lines of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The model.
    pub model: ModelId,
    /// The lines.
    pub lines: Vec<CaptureLine>,
    /// How many rows are too long for a line of their own, and are in none.
    pub too_long: usize,
}

/// A line as it is written, over rows `R`.
#[derive(Serialize, Deserialize)]
struct Written<R> {
    format: u32,
    tenant: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    request_id: String,
    model_id: ModelId,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arm: Option<CapturedArm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    at: Timestamp,
    latency_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    row_count: usize,
    first_row: usize,
    rows: R,
}

/// A captured line that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("a captured line cannot be read: {0}")]
pub struct UnknownFormat(String);

impl CapturedCall {
    /// A time in milliseconds, to the microsecond.
    #[must_use]
    pub fn milliseconds(latency: Duration) -> f64 {
        (latency.as_secs_f64() * 1e6).round() / 1e3
    }

    /// The call as lines, each of at most [`MAX_CAPTURE_LINE_BYTES`].
    ///
    /// # Errors
    /// It cannot be written as JSON, or has no room for rows because its texts are too long.
    pub fn lines(&self) -> Result<Lines> {
        let head = serde_json::to_string(&self.written(0, Vec::<&RawValue>::new())).map_err(Problem::internal)?;
        let room = MAX_CAPTURE_LINE_BYTES.saturating_sub(head.len() + SLACK_BYTES);
        let (mut lines, mut too_long) = (Vec::new(), 0);
        let (mut part, mut part_bytes, mut first) = (Vec::<Box<RawValue>>::new(), 0, 0);
        for (place, row) in self.rows.iter().enumerate() {
            let row = to_raw_value(row).map_err(Problem::internal)?;
            let bytes = row.get().len() + 1;
            let fits = bytes <= room;
            if !part.is_empty() && (!fits || part_bytes + bytes > room) {
                lines.push(self.line(first, std::mem::take(&mut part))?);
                part_bytes = 0;
            }
            if !fits {
                too_long += 1;
                continue;
            }
            if part.is_empty() {
                first = place;
            }
            part_bytes += bytes;
            part.push(row);
        }
        if !part.is_empty() {
            lines.push(self.line(first, part)?);
        }
        Ok(Lines { model: self.model_id.clone(), lines, too_long })
    }

    fn line(&self, first: usize, rows: Vec<Box<RawValue>>) -> Result<CaptureLine> {
        let json = serde_json::to_string(&self.written(first, rows)).map_err(Problem::internal)?;
        CaptureLine::new(&self.tenant, &self.model_id, self.at, json).map_err(Problem::internal)
    }

    fn written<R>(&self, first: usize, rows: R) -> Written<R> {
        Written {
            format: FORMAT,
            tenant: self.tenant.as_str().to_owned(),
            user: self.user.clone(),
            request_id: self.request_id.clone(),
            model_id: self.model_id.clone(),
            version: self.version,
            arm: self.arm,
            stage: self.stage.clone(),
            at: self.at,
            latency_ms: self.latency_ms,
            reference: self.reference.clone(),
            row_count: self.row_count,
            first_row: self.first_row + first,
            rows,
        }
    }

    /// Reads a line. It must come from this platform's own store, since it names a tenant.
    ///
    /// # Errors
    /// It is something else, or of another format.
    pub fn from_stored(line: &str) -> Result<Self, UnknownFormat> {
        let written: Written<Vec<CapturedRow>> =
            serde_json::from_str(line).map_err(|error| UnknownFormat(error.to_string()))?;
        if written.format != FORMAT {
            let reason = format!("it has format {}, and this version reads {FORMAT}", written.format);
            return Err(UnknownFormat(reason));
        }
        let tenant = TenantId::from_stored(&written.tenant);
        Ok(Self {
            tenant: tenant.ok_or_else(|| UnknownFormat("it names no tenant".to_owned()))?,
            user: written.user,
            request_id: written.request_id,
            model_id: written.model_id,
            version: written.version,
            arm: written.arm,
            stage: written.stage,
            at: written.at,
            latency_ms: written.latency_ms,
            reference: written.reference,
            row_count: written.row_count,
            first_row: written.first_row,
            rows: written.rows,
        })
    }
}
