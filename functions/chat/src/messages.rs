//! Messages as they are stored, and the two transactions that begin and end an answer.

use std::sync::Arc;

use mandi_core::ids::{ConversationId, MessageId};
use mandi_core::metering::{Meter, MeteredCall, merged, transact_contended};
use mandi_core::ports::{
    Condition, Key, ModelRef, Order, Query, Range, Record, Records, RecordsError, Role, Update, Write,
};
use mandi_core::streams::{StreamId, Streams, Writer};
use mandi_core::{Clock, Language, Principal, Problem, Result, Timestamp};
use mandi_retrieval::DocumentReference;
use mandi_retrieval::answer::{Citation, DegradedReason, Finish, ModelCall};
use mandi_retrieval::confidence::ConfidenceParts;
use mandi_retrieval::rewrite::Turn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::conversations::{self, ACTIVE, Conversation};

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageStatus {
    /// It is being written.
    Streaming,
    /// It is whole.
    Complete,
    /// It was cut off: what there is of it is not the whole answer.
    Incomplete,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Message {
    /// Its id.
    #[schema(value_type = String, example = "msg_019ab2c4d5e67f8091a2b3c4d5e6f708")]
    pub(crate) id: MessageId,
    /// Who said it: `user` or `assistant`.
    #[schema(value_type = String, example = "assistant")]
    pub(crate) role: Role,
    /// What was said.
    pub(crate) content: String,
    /// The documents that the answer was looked for in, where the user's message named some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attachments: Vec<DocumentReference>,
    /// Its language, by ISO 639-1 code.
    #[schema(value_type = String, example = "en")]
    pub(crate) language: Language,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// How far it has come.
    pub(crate) status: MessageStatus,
    /// How it came about; of an assistant's message that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<AnswerDetails>,
}

/// How an answer came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct AnswerDetails {
    /// The quotes that support it, each found verbatim in its source.
    pub(crate) citations: Vec<Citation>,
    /// 0 to 1.
    pub(crate) confidence: f32,
    /// The parts of the confidence.
    pub(crate) confidence_parts: ConfidenceParts,
    /// Whether something simpler than the language model wrote it.
    pub(crate) degraded: bool,
    /// Why it is degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) degraded_reason: Option<DegradedReason>,
    /// Why it ended; absent when it is incomplete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<Finish>,
    /// How many chunks the search gave.
    pub(crate) retrieved_chunks: usize,
    /// The questions that were searched for, where they differ from the one asked.
    pub(crate) query_rewrites: Vec<String>,
}

/// What a new pair of messages begins with.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) owner: Principal,
    pub(crate) conversation: Conversation,
    pub(crate) user: Message,
    pub(crate) assistant: MessageId,
    /// The model that is to write the answer.
    pub(crate) model: Option<ModelRef>,
}

/// What a user asks.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) content: String,
    pub(crate) attachments: Vec<DocumentReference>,
    pub(crate) language: Language,
    pub(crate) model: Option<ModelRef>,
}

/// The messages of a store.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    streams: Streams,
    meter: Meter,
}

fn key(owner: &Principal, conversation: &ConversationId, message: &MessageId) -> Key {
    Key::new(conversations::partition(owner, conversation), format!("message:{message}"))
}

/// The stream of a message.
pub(crate) fn stream_id(owner: &Principal, message: &MessageId) -> StreamId {
    StreamId { tenant: owner.tenant.clone(), name: message.as_str().to_owned() }
}

impl Messages {
    pub(crate) const fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>, streams: Streams, meter: Meter) -> Self {
        Self { records, clock, streams, meter }
    }

    /// Stores the question, and an answer that is yet to be written, and begins its stream: all or nothing.
    ///
    /// # Errors
    /// `conflict` while another message of the conversation is being answered.
    pub(crate) async fn begin(
        &self,
        owner: &Principal,
        conversation: Conversation,
        question: Question,
    ) -> Result<(Exchange, Writer)> {
        let Question { content, attachments, language, model } = question;
        let now = self.clock.now();
        let user = Message {
            id: MessageId::generate(),
            role: Role::User,
            content,
            attachments,
            language,
            created_at: now,
            status: MessageStatus::Complete,
            answer: None,
        };
        let assistant = Message {
            id: MessageId::generate(),
            role: Role::Assistant,
            content: String::new(),
            attachments: Vec::new(),
            status: MessageStatus::Streaming,
            ..user.clone()
        };
        let mut update = Update::new().set(ACTIVE, assistant.id.as_str()).add("total_messages", 2);
        if conversation.title.is_none() {
            update = update.set("title", conversations::made_title(&user.content));
        }
        let idle = Condition::All(vec![Condition::Present, Condition::FieldAbsent(ACTIVE.to_owned())]);
        let (stream_writes, writer) = self.streams.begin(stream_id(owner, &assistant.id));
        let mut writes = vec![
            Write::Update(conversations::key(owner, &conversation.id), update, idle),
            Write::Put(record(owner, &conversation.id, &user)?, Condition::Absent),
            Write::Put(record(owner, &conversation.id, &assistant)?.with_json("model", &model)?, Condition::Absent),
        ];
        writes.extend(stream_writes);
        match transact_contended(self.records.as_ref(), writes).await {
            Ok(()) => {}
            Err(RecordsError::ConditionFailed { write: 0 }) => return Err(busy()),
            Err(error) => return Err(error.into()),
        }
        Ok((Exchange { owner: owner.clone(), conversation, user, assistant: assistant.id, model }, writer))
    }

    /// The writes that end an answer: the message as it is then, the conversation's totals, the metering.
    pub(crate) fn end(&self, exchange: &Exchange, assistant: &Message, calls: &[ModelCall]) -> Result<Vec<Write>> {
        let metered: Vec<MeteredCall> = calls.iter().map(|call| self.metered(exchange, call)).collect();
        let tokens = |call: &MeteredCall| call.usage.input_tokens + call.usage.output_tokens;
        let total_tokens: u64 = metered.iter().map(tokens).sum();
        let total_cost: i64 = metered.iter().map(|call| self.meter.cost(&call.model, call.usage).0).sum();
        let update = Update::new()
            .remove(ACTIVE)
            .add("total_tokens", i64::try_from(total_tokens).unwrap_or(i64::MAX))
            .add("total_cost_micro_usd", total_cost);
        let streaming = Condition::equals("status", "streaming");
        let mut writes = vec![
            Write::Put(record(&exchange.owner, &exchange.conversation.id, assistant)?, streaming),
            Write::Update(conversations::key(&exchange.owner, &exchange.conversation.id), update, Condition::Present),
        ];
        for call in &metered {
            writes.extend(self.meter.writes(&exchange.owner.tenant, call));
        }
        Ok(merged(writes))
    }

    fn metered(&self, exchange: &Exchange, call: &ModelCall) -> MeteredCall {
        MeteredCall {
            assistant: Some(exchange.conversation.assistant_type.name().to_owned()),
            language: Some(exchange.user.language),
            ..call.metered(&exchange.owner.user, self.clock.now())
        }
    }

    /// The exchange whose answer was left unfinished, with the conversation it belongs to; `None` when the
    /// answer has ended.
    pub(crate) async fn unfinished(
        &self,
        owner: &Principal,
        conversation: Conversation,
        id: &MessageId,
    ) -> Result<Option<Exchange>> {
        let Some(found) = self.records.get(&key(owner, &conversation.id, id)).await? else { return Ok(None) };
        let message: Message = found.json("message")?;
        if message.status != MessageStatus::Streaming {
            return Ok(None);
        }
        let model = found.json("model")?;
        Ok(Some(Exchange { owner: owner.clone(), conversation, user: message, assistant: id.clone(), model }))
    }

    /// A message.
    pub(crate) async fn get(&self, owner: &Principal, conversation: &ConversationId, id: &str) -> Result<Message> {
        let missing = || Problem::not_found("message in this conversation");
        let id = MessageId::parse(id).ok_or_else(missing)?;
        let record = self.records.get(&key(owner, conversation, &id)).await?.ok_or_else(missing)?;
        record.json("message")
    }

    /// The message before another one.
    pub(crate) async fn before(
        &self,
        owner: &Principal,
        conversation: &ConversationId,
        id: &MessageId,
    ) -> Result<Message> {
        let after = Some(key(owner, conversation, id).sort);
        let page = self.records.query(Self::query(owner, conversation, Order::Descending, 1, after)).await?;
        page.records.first().ok_or_else(|| Problem::not_found("message before this one"))?.json("message")
    }

    /// The messages of a conversation, oldest first.
    pub(crate) async fn list(
        &self,
        owner: &Principal,
        conversation: &ConversationId,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Message>, Option<String>)> {
        let page = self.records.query(Self::query(owner, conversation, Order::Ascending, limit, after)).await?;
        Ok((page.records.iter().map(|record| record.json("message")).collect::<Result<_>>()?, page.next))
    }

    /// The last whole exchanges of a conversation, oldest first.
    pub(crate) async fn turns(
        &self,
        owner: &Principal,
        conversation: &ConversationId,
        limit: usize,
    ) -> Result<Vec<Turn>> {
        let page = self.records.query(Self::query(owner, conversation, Order::Descending, 2 * limit, None)).await?;
        let messages: Vec<Message> =
            page.records.iter().rev().map(|record| record.json("message")).collect::<Result<_>>()?;
        let pairs = messages.windows(2).filter(|pair| {
            pair[0].role == Role::User && pair[1].role == Role::Assistant && pair[1].status == MessageStatus::Complete
        });
        let said = pairs.flatten().map(|message| Turn { role: message.role, text: message.content.clone() });
        Ok(said.collect())
    }

    fn query(
        owner: &Principal,
        conversation: &ConversationId,
        order: Order,
        limit: usize,
        after: Option<String>,
    ) -> Query {
        let partition = conversations::partition(owner, conversation);
        Query { partition, range: Range::Prefix("message:".to_owned()), order, limit, after }
    }
}

/// A message's record. Its status is a field of its own, for conditions.
fn record(owner: &Principal, conversation: &ConversationId, message: &Message) -> Result<Record> {
    let status = match message.status {
        MessageStatus::Streaming => "streaming",
        MessageStatus::Complete => "complete",
        MessageStatus::Incomplete => "incomplete",
    };
    Record::new(key(owner, conversation, &message.id)).with("status", status).with_json("message", message)
}

/// What a second message is told while the first is being answered.
pub(crate) fn busy() -> Problem {
    let detail =
        "another message of this conversation is still being answered; wait for its end, or start another conversation";
    Problem::conflict(detail).retry_after(2)
}
