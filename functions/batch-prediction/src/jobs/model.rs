//! What is kept of a job.

use mandi_core::Timestamp;
use mandi_core::ids::{JobId, ModelId, UploadId};
use mandi_core::ports::ObjectKey;
use mandi_inference::explain::Game;
use mandi_tables::{Compression, Delimiter, Format, Header, Kind, Quote, Stated, TableError, TextEncoding};
use serde::{Deserialize, Serialize};

/// A job, as it was asked for. It never changes; its counts and its state are in [`super::Progress`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Its id.
    pub(crate) id: JobId,
    /// The model.
    pub(crate) model: ModelId,
    /// The version, chosen when the job was asked for.
    pub(crate) version: u32,
    /// The table.
    pub(crate) input: Input,
    /// What is written.
    pub(crate) output: Output,
    /// How many rows a shard has.
    pub(crate) shard_rows: u64,
    /// The share of rows that may fail before the job does, 0 to 1.
    pub(crate) max_failed_share: f64,
    /// Who asked for it.
    pub(crate) created_by: String,
    /// When.
    pub(crate) created_at: Timestamp,
}

/// The table of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    /// Its name in the store.
    pub(crate) object: String,
    /// The upload that brought it, where one did.
    pub(crate) upload: Option<UploadId>,
    /// How it is called.
    pub(crate) filename: String,
    /// How long it was when the job was asked for, in bytes.
    pub(crate) size_bytes: u64,
    /// What its owner says of it.
    pub(crate) stated: StatedForm,
}

impl Input {
    /// Its key.
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::from_listed(self.object.clone())
    }
}

/// What the caller says of a table; what is left open is looked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StatedForm {
    pub(crate) format: Option<Format>,
    pub(crate) compression: Option<Compression>,
    pub(crate) encoding: Option<String>,
    pub(crate) delimiter: Option<char>,
    pub(crate) quote: Option<Quote>,
    pub(crate) header: Option<Header>,
    pub(crate) names: Option<Vec<String>>,
}

impl StatedForm {
    /// The same for the reader. `wanted` are the columns that the model takes.
    ///
    /// # Errors
    /// The delimiter or the encoding is none.
    pub(crate) fn stated(&self, wanted: Vec<String>) -> Result<Stated, TableError> {
        Ok(Stated {
            format: self.format,
            compression: self.compression,
            encoding: self.encoding.as_deref().map(TextEncoding::parse).transpose()?,
            delimiter: self.delimiter.map(Delimiter::new).transpose()?,
            quote: self.quote,
            header: self.header,
            names: self.names.clone(),
            wanted,
        })
    }
}

/// What a job writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Output {
    /// In which format.
    pub(crate) format: Format,
    /// The columns of the input that are copied.
    pub(crate) copied: Vec<CopiedColumn>,
    /// Whether answers are explained, and by which game.
    pub(crate) explained: Option<Explained>,
    /// Of several numbers the one that is explained, from 0.
    #[serde(default)]
    pub(crate) target: usize,
}

/// A column that is copied to the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CopiedColumn {
    /// Its name.
    pub(crate) name: String,
    /// As what it is copied.
    pub(crate) kind: Kind,
}

/// By which game answers are explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Explained {
    /// Against the rows of the background.
    Interventional,
    /// Down the trees.
    PathDependent,
}

impl From<Explained> for Game {
    fn from(explained: Explained) -> Self {
        match explained {
            Explained::Interventional => Self::Interventional,
            Explained::PathDependent => Self::PathDependent,
        }
    }
}
