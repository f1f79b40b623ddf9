//! Canned results of tasks, as `mandi machine run --mock FILE` and tests give them.
//!
//! The file is an object: the name of a state, or a resource, gives what its calls return:
//! `{"Return": value}` or `{"Throw": {"Error": "..", "Cause": ".."}}`, or an array of those for one call after the
//! other, the last of which stays. `"AfterSeconds"` lets a call take time, and `"HeartbeatSeconds"` has it send
//! heartbeats meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::Clock;
use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Callbacks, Heartbeat, TaskCall, TaskRunner, Timer};
use crate::fault::StateFault;

/// What a call does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// It returns this.
    #[serde(rename = "Return", default, deserialize_with = "given")]
    returns: Option<Value>,
    /// It fails so.
    #[serde(rename = "Throw")]
    throws: Option<Thrown>,
    /// It takes so long.
    #[serde(rename = "AfterSeconds", default)]
    after_s: f64,
    /// It sends a heartbeat so often.
    #[serde(rename = "HeartbeatSeconds")]
    heartbeat_s: Option<f64>,
}

/// `null` counts as given.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Thrown {
    #[serde(rename = "Error")]
    error: String,
    #[serde(rename = "Cause", default)]
    cause: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Replies {
    Each(Vec<Reply>),
    Same(Reply),
}

/// Tasks with canned results.
pub struct MockTasks {
    replies: HashMap<String, Replies>,
    calls: Mutex<Calls>,
    clock: Arc<dyn Clock>,
    timer: Arc<dyn Timer>,
}

#[derive(Debug, Default)]
struct Calls {
    counts: HashMap<String, usize>,
    made: Vec<(String, Value)>,
    tokens: HashMap<String, Reply>,
    missing: BTreeSet<String>,
}

impl fmt::Debug for MockTasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MockTasks").field("replies", &self.replies).finish_non_exhaustive()
    }
}

impl MockTasks {
    /// Reads canned results.
    ///
    /// # Errors
    /// The text is not JSON, or not of the form that this module describes.
    pub fn parse(text: &str, clock: Arc<dyn Clock>, timer: Arc<dyn Timer>) -> Result<Self, String> {
        let read: HashMap<String, Value> =
            serde_json::from_str(text).map_err(|error| format!("the canned results are no JSON object: {error}"))?;
        let reply = |(name, reply): (String, Value)| match serde_json::from_value(reply) {
            Ok(replies) => Ok((name, replies)),
            Err(_) => Err(format!(
                "the canned result of `{name}` is none: give {{\"Return\": ..}} or {{\"Throw\": {{\"Error\": \"..\"}}}}, or a list of \
                 those"
            )),
        };
        let replies: HashMap<String, Replies> = read.into_iter().map(reply).collect::<Result<_, _>>()?;
        for (name, replies) in &replies {
            let all = match replies {
                Replies::Each(all) => all.as_slice(),
                Replies::Same(one) => std::slice::from_ref(one),
            };
            let well_formed = |reply: &Reply| {
                let seconds = reply.heartbeat_s.unwrap_or(1.0);
                reply.returns.is_some() != reply.throws.is_some()
                    && (0.0..1e8).contains(&reply.after_s)
                    && (0.001..1e8).contains(&seconds)
            };
            if all.is_empty() || !all.iter().all(well_formed) {
                return Err(format!(
                    "the canned result of `{name}` needs either \"Return\" or \"Throw\", and times that are not negative"
                ));
            }
        }
        Ok(Self { replies, calls: Mutex::default(), clock, timer })
    }

    /// The calls so far: the state and what its task was called with.
    #[must_use]
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).made.clone()
    }

    /// The states whose tasks were called and have no canned result, in the order of their names.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).missing.iter().cloned().collect()
    }

    /// The canned results that no call took, in the order of their names.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = self.replies.keys().filter(|name| !calls.counts.contains_key(*name));
        unused.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn reply(&self, call: &TaskCall) -> Result<Reply, StateFault> {
        let named = [call.state.as_str(), call.resource.as_str()];
        let Some((name, replies)) = named.iter().find_map(|name| self.replies.get_key_value(*name)) else {
            let cause = format!(
                "there is no canned result for the state '{}' or the resource '{}'; give one with --mock FILE",
                call.state, call.resource
            );
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).missing.insert(call.state.clone());
            return Err(StateFault::new("Mandi.NoMock", cause));
        };
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.made.push((call.state.clone(), call.arguments.clone()));
        let count = calls.counts.entry(name.clone()).or_default();
        let reply = match replies {
            Replies::Same(reply) => Some(reply),
            Replies::Each(all) => all.get(*count).or_else(|| all.last()),
        };
        *count += 1;
        let reply = reply.cloned().ok_or_else(|| StateFault::new("Mandi.NoMock", "no canned result is left"))?;
        if let Some(token) = &call.token {
            calls.tokens.insert(token.clone(), reply.clone());
        }
        Ok(reply)
    }

    async fn perform(&self, reply: &Reply, heartbeat: &Heartbeat) -> Result<Value, StateFault> {
        let end = self.clock.now().plus(Duration::from_secs_f64(reply.after_s));
        if let Some(seconds) = reply.heartbeat_s {
            let mut next = self.clock.now().plus(Duration::from_secs_f64(seconds));
            while next < end {
                self.timer.until(next).await;
                heartbeat.beat();
                next = next.plus(Duration::from_secs_f64(seconds));
            }
        }
        if reply.after_s > 0.0 {
            self.timer.until(end).await;
        }
        match (&reply.returns, &reply.throws) {
            (_, Some(thrown)) => Err(StateFault::new(&thrown.error, &thrown.cause)),
            (returns, None) => Ok(returns.clone().unwrap_or_default()),
        }
    }
}

#[async_trait]
impl TaskRunner for MockTasks {
    async fn run(&self, call: TaskCall) -> Result<Value, StateFault> {
        let reply = self.reply(&call)?;
        // A task with a token is only handed over here; `outcome` tells its end.
        if call.token.is_some() { Ok(Value::Null) } else { self.perform(&reply, &call.heartbeat).await }
    }
}

#[async_trait]
impl Callbacks for MockTasks {
    async fn outcome(&self, token: &str, heartbeat: &Heartbeat) -> Result<Value, StateFault> {
        let reply = self.calls.lock().unwrap_or_else(PoisonError::into_inner).tokens.get(token).cloned();
        match reply {
            Some(reply) => self.perform(&reply, heartbeat).await,
            None => futures::future::pending().await,
        }
    }
}
