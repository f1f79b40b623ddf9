//! What every model call took: one record for each call, and sums by day that are right under concurrency.
//!
//! Fields carry the names of OpenTelemetry's GenAI conventions, in the store and in the log.

mod tally;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::identity::TenantId;
use crate::ids::CallId;
use crate::language::Language;
use crate::money::{MicroUsd, TokenPrice};
use crate::ports::{
    Condition, Key, ModelRef, Order, Partition, Query, Range, Record, Records, RecordsError, TokenUsage, Update, Write,
};
use crate::time::Timestamp;

pub use tally::Tally;

/// What a call was for: `gen_ai.operation.name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// An answer in a conversation, or to a single question.
    Chat,
    /// A question made to stand alone.
    Rewrite,
    /// Vectors of texts.
    Embeddings,
    /// Passages ordered by a cross-encoder.
    Rerank,
}

impl Task {
    /// Its name in the store and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Rewrite => "rewrite",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// With all that was asked for.
    Ok,
    /// Before its end, by us or by the client.
    Cancelled,
    /// By an error.
    Failed,
}

impl CallStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// One call of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct MeteredCall {
    /// Its id: a call that is recorded twice counts once.
    pub id: CallId,
    /// When it ended.
    pub at: Timestamp,
    /// Which model.
    pub model: ModelRef,
    /// What for.
    pub task: Task,
    /// Its tokens.
    pub usage: TokenUsage,
    /// From request to end.
    pub latency_ms: u64,
    /// From request to the first token, for streams.
    pub first_token_ms: Option<u64>,
    /// How it ended.
    pub status: CallStatus,
    /// Whether a cache answered, and no model ran.
    pub cache_hit: bool,
    /// For whom within the tenant.
    pub user: String,
    /// The type of assistant, in a conversation.
    pub assistant: Option<String>,
    /// The language of the answer.
    pub language: Option<Language>,
}

/// What models cost.
pub trait PriceList: Send + Sync + std::fmt::Debug {
    /// The price of a model; zero when it is not known.
    fn price(&self, model: &ModelRef) -> TokenPrice;
}

/// Records calls and reads their sums.
#[derive(Clone, Debug)]
pub struct Meter {
    records: Arc<dyn Records>,
    prices: Arc<dyn PriceList>,
}

/// The sums of the calls that share a day, a model, a task, an assistant and a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// The UTC day.
    pub day: String,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The task.
    pub task: String,
    /// The type of assistant; empty outside conversations.
    pub assistant: String,
    /// The language; empty where there is none.
    pub language: String,
    /// Calls.
    pub calls: i64,
    /// Calls that failed.
    pub failed: i64,
    /// Calls that a cache answered.
    pub cache_hits: i64,
    /// Input tokens.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// Cost.
    pub cost: MicroUsd,
    /// Sum of latencies.
    pub latency_ms: i64,
}

/// How often a contended write is tried.
const ATTEMPTS: u32 = 8;

impl Meter {
    /// A meter over a store, with prices.
    #[must_use]
    pub const fn new(records: Arc<dyn Records>, prices: Arc<dyn PriceList>) -> Self {
        Self { records, prices }
    }

    /// What a call costs.
    #[must_use]
    pub fn cost(&self, model: &ModelRef, usage: TokenUsage) -> MicroUsd {
        self.prices.price(model).cost(usage.input_tokens, usage.output_tokens)
    }

    /// The writes that record a call: put them into the transaction that ends the work, so that the call is
    /// counted exactly when the work is done.
    #[must_use]
    pub fn writes(&self, tenant: &TenantId, call: &MeteredCall) -> Vec<Write> {
        let cost = self.cost(&call.model, call.usage);
        log(tenant, call, cost);
        Tally::add(&call.model, cost);
        vec![
            Write::Put(call_record(tenant, call, cost), Condition::Absent),
            Write::Update(day_key(tenant, call), sums(call, cost), Condition::Always),
        ]
    }

    /// Records a call by itself.
    ///
    /// # Errors
    /// The store fails. A call that is recorded already is no error and counts once.
    pub async fn record(&self, tenant: &TenantId, call: &MeteredCall) -> Result<()> {
        let writes = self.writes(tenant, call);
        match transact_contended(self.records.as_ref(), writes).await {
            Ok(()) | Err(RecordsError::ConditionFailed { write: 0 }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The sums from one UTC day to another, both included (`YYYY-MM-DD`), in order of the day.
    ///
    /// # Errors
    /// The store fails.
    pub async fn usage(&self, tenant: &TenantId, from_day: &str, to_day: &str) -> Result<Vec<UsageRow>> {
        let mut query = Query {
            partition: Partition::of(tenant, &["usage-days"]),
            range: Range::Between(from_day.to_owned(), format!("{to_day}\u{1f}\u{10ffff}")),
            order: Order::Ascending,
            limit: 500,
            after: None,
        };
        let mut rows = Vec::new();
        loop {
            let page = self.records.query(query.clone()).await?;
            rows.extend(page.records.iter().map(usage_row));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(rows),
            }
        }
    }
}

/// Does a transaction whose records other writers touch too, trying again while they are in the way.
///
/// # Errors
/// A condition fails, or the store does, or it is still contended after several tries.
pub async fn transact_contended(records: &dyn Records, writes: Vec<Write>) -> Result<(), RecordsError> {
    let mut attempt = 0;
    loop {
        match records.transact(writes.clone(), None).await {
            Err(RecordsError::Contended | RecordsError::Throttled) if attempt < ATTEMPTS => {
                let ceiling_ms = 10_u64 << attempt;
                let wait_ms = rand::random_range(0..=ceiling_ms);
                tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Puts updates of the same record together: a transaction writes each record once.
#[must_use]
pub fn merged(writes: Vec<Write>) -> Vec<Write> {
    let mut kept: Vec<Write> = Vec::with_capacity(writes.len());
    for write in writes {
        let same = |other: &&mut Write| matches!((&write, other), (Write::Update(key, ..), Write::Update(known, ..)) if key == known);
        match kept.iter_mut().find(same) {
            Some(Write::Update(_, known, _)) => {
                if let Write::Update(_, update, _) = write {
                    for (name, amount) in update.add {
                        *known.add.entry(name).or_default() += amount;
                    }
                    known.set.extend(update.set);
                }
            }
            _ => kept.push(write),
        }
    }
    kept
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn call_record(tenant: &TenantId, call: &MeteredCall, cost: MicroUsd) -> Record {
    let key = Key::new(Partition::of(tenant, &["calls", &call.at.day()]), call.id.as_str());
    let record = Record::new(key)
        .with("at", call.at)
        .with("user", call.user.as_str())
        .with("gen_ai.provider.name", call.model.provider.as_str())
        .with("gen_ai.request.model", call.model.model.as_str())
        .with("gen_ai.operation.name", call.task.name())
        .with("gen_ai.usage.input_tokens", whole(call.usage.input_tokens))
        .with("gen_ai.usage.output_tokens", whole(call.usage.output_tokens))
        .with("cost_micro_usd", cost.0)
        .with("latency_ms", whole(call.latency_ms))
        .with("status", call.status.name())
        .with("cache_hit", call.cache_hit);
    match call.first_token_ms {
        Some(first_token_ms) => record.with("first_token_ms", whole(first_token_ms)),
        None => record,
    }
}

fn day_key(tenant: &TenantId, call: &MeteredCall) -> Key {
    let assistant = call.assistant.as_deref().unwrap_or_default();
    let language = call.language.map_or("", Language::code);
    let day = call.at.day();
    let parts = [&day, &call.model.provider, &call.model.model, call.task.name(), assistant, language];
    Key::new(Partition::of(tenant, &["usage-days"]), parts.join("\u{1f}"))
}

fn sums(call: &MeteredCall, cost: MicroUsd) -> Update {
    Update::new()
        .add("calls", 1)
        .add("failed", i64::from(call.status == CallStatus::Failed))
        .add("cache_hits", i64::from(call.cache_hit))
        .add("input_tokens", whole(call.usage.input_tokens))
        .add("output_tokens", whole(call.usage.output_tokens))
        .add("cost_micro_usd", cost.0)
        .add("latency_ms", whole(call.latency_ms))
}

fn usage_row(record: &Record) -> UsageRow {
    let mut parts = record.key.sort.split('\u{1f}').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let sum = |name| record.int(name).unwrap_or(0);
    UsageRow {
        day: part(),
        provider: part(),
        model: part(),
        task: part(),
        assistant: part(),
        language: part(),
        calls: sum("calls"),
        failed: sum("failed"),
        cache_hits: sum("cache_hits"),
        input_tokens: sum("input_tokens"),
        output_tokens: sum("output_tokens"),
        cost: MicroUsd(sum("cost_micro_usd")),
        latency_ms: sum("latency_ms"),
    }
}

fn log(tenant: &TenantId, call: &MeteredCall, cost: MicroUsd) {
    tracing::info!(
        tenant = %tenant,
        call_id = %call.id,
        gen_ai.provider.name = %call.model.provider,
        gen_ai.request.model = %call.model.model,
        gen_ai.operation.name = call.task.name(),
        gen_ai.usage.input_tokens = call.usage.input_tokens,
        gen_ai.usage.output_tokens = call.usage.output_tokens,
        cost_micro_usd = cost.0,
        latency_ms = call.latency_ms,
        first_token_ms = call.first_token_ms,
        status = call.status.name(),
        cache_hit = call.cache_hit,
        "model call"
    );
}
