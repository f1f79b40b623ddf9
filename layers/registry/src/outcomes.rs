//! Calls of a trial that wait for their outcomes, and what outcomes said, as records of the model.
//!
//! All counts of a trial are one record, replaced only as it was read, together with the marks of the rows that it was
//! changed by: an outcome counts once, however often and from how many sides it is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use mandi_core::ids::{CallId, ModelId, RolloutId};
use mandi_core::ports::{Condition, Key, Record, RecordsError, Update, Write};
use mandi_core::{Problem, Result, TenantId};
use mandi_learning::metric::{Judged, Predicted};
use mandi_learning::rollout::Arm;
use serde::{Deserialize, Serialize};

use crate::registry::Registry;
use crate::store::own;

/// For how long a call of a trial waits for its outcomes: 30 days.
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// An answer in a trial that waits for its outcomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitingAnswer {
    /// The trial.
    pub rollout: RolloutId,
    /// Which side answered.
    pub arm: Arm,
    /// What of each row's prediction the trial's metric looks at; nothing of a row that was wrong.
    pub predicted: Vec<Option<Predicted>>,
}

/// What is kept of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingCall {
    /// What the caller was answered.
    pub answer: WaitingAnswer,
    /// What the version in the shadow answered.
    pub shadow: Option<WaitingAnswer>,
    /// The rows whose outcomes are known.
    pub known: BTreeSet<usize>,
}

/// Who gave an answer that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// The version that the caller got.
    Caller,
    /// The one in the shadow.
    Shadow,
}

/// What outcomes said of a trial, as it was read: to be replaced if nobody else did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StoredJudged {
    /// It.
    pub judged: Judged,
    revision: Option<i64>,
}

/// Outcomes that are counted together.
#[derive(Clone, Debug)]
pub struct NewOutcomes {
    /// What was known before.
    pub before: StoredJudged,
    /// What is known with them.
    pub after: Judged,
    /// The calls that they are of, with all of the rows whose outcomes are known then.
    pub known: Vec<(CallId, BTreeSet<usize>)>,
}

fn call_key((tenant, model): (&TenantId, &ModelId), call: &CallId, answerer: Answerer) -> Key {
    let whose = match answerer {
        Answerer::Caller => "caller",
        Answerer::Shadow => "shadow",
    };
    Key::new(own(tenant, model), format!("call/{call}/{whose}"))
}

fn judged_key((tenant, model): (&TenantId, &ModelId), rollout: &RolloutId) -> Key {
    Key::new(own(tenant, model), format!("judged/{rollout}"))
}

impl Registry {
    /// Keeps an answer of a trial until its outcomes are known, for 30 days at most.
    pub async fn keep_answer(
        &self,
        of: (&TenantId, &ModelId),
        (call, answerer): (&CallId, Answerer),
        answer: &WaitingAnswer,
    ) -> Result<()> {
        let record = Record::new(call_key(of, call, answerer)).with_json("answer", answer)?;
        let record = record.expiring(self.clock.now().plus(KEEP));
        Ok(self.store.records.put(record, Condition::Absent).await?)
    }

    /// What is kept of a call; nothing when there is no such call of a trial, or no more.
    pub async fn waiting(&self, of: (&TenantId, &ModelId), call: &CallId) -> Result<Option<WaitingCall>> {
        let (caller, shadow) = (call_key(of, call, Answerer::Caller), call_key(of, call, Answerer::Shadow));
        let (caller, shadow) = tokio::join!(self.store.records.get(&caller), self.store.records.get(&shadow));
        let Some(caller) = caller? else { return Ok(None) };
        let known = if caller.text("known").is_some() { caller.json("known")? } else { BTreeSet::new() };
        let shadow = shadow?.map(|shadow| shadow.json("answer")).transpose()?;
        Ok(Some(WaitingCall { answer: caller.json("answer")?, shadow, known }))
    }

    /// What outcomes said of a trial.
    pub async fn judged(&self, of: (&TenantId, &ModelId), rollout: &RolloutId) -> Result<StoredJudged> {
        match self.store.records.get(&judged_key(of, rollout)).await? {
            None => Ok(StoredJudged::default()),
            Some(record) => Ok(StoredJudged { judged: record.json("judged")?, revision: record.int("revision") }),
        }
    }

    /// Counts outcomes of a trial, all or none of them: up to 98 calls. Returns whether it did; not when others were counted
    /// since what was known before was read.
    pub async fn judge(&self, of: (&TenantId, &ModelId), rollout: &RolloutId, outcomes: &NewOutcomes) -> Result<bool> {
        let condition = match outcomes.before.revision {
            None => Condition::Absent,
            Some(revision) => Condition::equals("revision", revision),
        };
        let revision = outcomes.before.revision.unwrap_or(0) + 1;
        let judged = Record::new(judged_key(of, rollout)).with_json("judged", &outcomes.after)?;
        let mut writes = vec![Write::Put(judged.with("revision", revision), condition)];
        for (call, rows) in &outcomes.known {
            let known = Update::new().set("known", serde_json::to_string(rows).map_err(Problem::internal)?);
            writes.push(Write::Update(call_key(of, call, Answerer::Caller), known, Condition::Present));
        }
        match self.store.records.transact(writes, None).await {
            Ok(()) => Ok(true),
            Err(RecordsError::ConditionFailed { .. } | RecordsError::Contended) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
