//! What is kept of a fusion.

use mandi_core::Timestamp;
use mandi_core::ids::ModelId;
use mandi_learning::Format;
use mandi_learning::fusion::{Fusion, Opinion, Snapshot};
use mandi_registry::StageName;
use serde::{Deserialize, Serialize};

/// A fusion as it is kept, in one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    format: Format<1>,
    /// Where each member's opinion comes from, in the order of the definition.
    pub(crate) sources: Vec<Source>,
    /// How long a member may take, in milliseconds.
    pub(crate) timeout_ms: u64,
    /// For how many days an answer is kept, so that an outcome can name it; 0 keeps none.
    pub(crate) keep_days: u32,
    /// The first version of the weights under the present definition.
    pub(crate) first_version: u64,
    /// Definition and weights.
    pub(crate) fusion: Fusion,
}

/// Where a member's opinion comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Source {
    /// The caller gives it.
    Caller,
    /// A model of the registry is asked.
    Model {
        /// Which.
        model: ModelId,
        /// Which version or stage.
        serving: ServingOf,
        /// The class whose probability is the score; the predicted number when there is none.
        class: Option<String>,
    },
}

/// What of a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServingOf {
    /// A version.
    Version(u32),
    /// What serves at a stage, trials included.
    Stage(StageName),
}

/// The weights as they were at some time, in a record of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The members' names, in the order of the weights.
    pub(crate) members: Vec<String>,
    /// Who made them so.
    pub(crate) by: String,
    /// Them.
    pub(crate) snapshot: Snapshot,
}

impl Stored {
    /// A fusion with its sources, whose weights hold since `first_version`.
    pub(crate) const fn new(
        sources: Vec<Source>,
        (timeout_ms, keep_days): (u64, u32),
        first_version: u64,
        fusion: Fusion,
    ) -> Self {
        Self { format: Format, sources, timeout_ms, keep_days, first_version, fusion }
    }

    /// The same with other weights.
    pub(crate) fn with(&self, fusion: Fusion) -> Self {
        Self { fusion, ..self.clone() }
    }

    /// The members with their sources, in their order.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.fusion.definition().members().iter().map(|member| member.name.as_str()).zip(&self.sources)
    }

    /// The present weights as they are kept.
    pub(crate) fn kept(&self, by: &str) -> Kept {
        let members = self.members().map(|(name, _)| name.to_owned()).collect();
        Kept { members, by: by.to_owned(), snapshot: self.fusion.current().clone() }
    }

    /// Until when an answer of now is kept; none when it is not.
    pub(crate) fn kept_until(&self, now: Timestamp) -> Option<Timestamp> {
        const DAY_S: u64 = 24 * 60 * 60;
        (self.keep_days > 0).then(|| now.plus(std::time::Duration::from_secs(u64::from(self.keep_days) * DAY_S)))
    }
}

/// What a member said, and who it was.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// What it said.
    pub(crate) opinion: Opinion,
    /// The version that answered, of a model.
    pub(crate) version: Option<u32>,
}
