//! Why a model cannot be loaded.

use std::path::{Path, PathBuf};

use mandi_core::{Problem, ProblemKind};

/// A file of a model is missing or is not what it should be. What helps in each case is to fetch the models again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the model file {} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was read, and is not a model of this kind.
    #[error("the model file {} is damaged or of another model: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        Self::new(ProblemKind::Unavailable, format!("{error}; fetch the models again with `make models`"))
            .caused_by(error)
    }
}

impl LoadError {
    /// The file that is missing or damaged.
    #[must_use]
    pub fn file(&self) -> &Path {
        match self {
            Self::Unreadable { file, .. } | Self::Damaged { file, .. } => file,
        }
    }

    pub(crate) fn unreadable(file: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), source }
    }

    pub(crate) fn damaged(file: &Path, reason: &impl ToString) -> Self {
        Self::Damaged { file: file.to_owned(), reason: reason.to_string() }
    }
}
