//! Conversations as they are stored: one record each, in a partition of their user.

use std::sync::Arc;

use mandi_core::ids::{ConversationId, MessageId};
use mandi_core::ports::{Condition, Key, Order, Page, Partition, Query, Range, Record, Records, RecordsError, Update};
use mandi_core::{Clock, Language, Principal, Problem, Result, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod context;
mod erase;

pub(crate) use context::{ContextItem, ConversationContext};
pub(crate) use erase::EraseReceipt;

/// What the assistant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AssistantType {
    /// Buying and selling.
    Trade,
    /// Contracts and their terms.
    Contract,
    /// Quality of goods.
    Quality,
    /// Orders, stock, customers.
    Erp,
    /// Anything in the documents.
    General,
}

impl AssistantType {
    /// What the language model is told of it.
    pub(crate) const fn instructions(self) -> &'static str {
        match self {
            Self::Trade => "You help people who buy and sell commodities: offers, orders, prices, deliveries.",
            Self::Contract => "You help people who work with contracts: terms, dates, duties, penalties.",
            Self::Quality => "You help people who judge the quality of goods: grades, limits, tests.",
            Self::Erp => "You help people who run orders, stock, invoices and customers.",
            Self::General => "",
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::Contract => "contract",
            Self::Quality => "quality",
            Self::Erp => "erp",
            Self::General => "general",
        }
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Conversation {
    /// Its id.
    #[schema(value_type = String, example = "conv_019ab2c4d5e67f8091a2b3c4d5e6f708")]
    pub(crate) id: ConversationId,
    /// What the assistant is for.
    pub(crate) assistant_type: AssistantType,
    /// The language of the answers, by ISO 639-1 code.
    #[schema(value_type = String, example = "en")]
    pub(crate) language: Language,
    /// Its title: given, or made of the first message.
    pub(crate) title: Option<String>,
    /// When it was started.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// Messages, of both sides.
    pub(crate) total_messages: i64,
    /// Tokens of all model calls, in and out.
    pub(crate) total_tokens: i64,
    /// Cost of all model calls, in micro-dollars.
    pub(crate) total_cost_micro_usd: i64,
}

/// A new conversation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConversation {
    /// What the assistant is for.
    pub(crate) assistant_type: AssistantType,
    /// The language of the answers, by ISO 639-1 code; `en` when it is not given. A question in the script of
    /// another language is answered in that language.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "en")]
    pub(crate) language: Language,
    /// A title of at most 200 characters; made of the first message when it is not given.
    #[schema(max_length = 200)]
    pub(crate) title: Option<String>,
}

/// The longest title, in characters.
const MAX_TITLE_CHARACTERS: usize = 200;
/// The longest title that is made of a message, in characters.
const MADE_TITLE_CHARACTERS: usize = 60;

/// The field that names the message that is being answered.
pub(crate) const ACTIVE: &str = "active_message";
/// The field of a conversation that is being erased.
const ERASING: &str = "erasing";

/// The conversations of a store. A user sees their own, and those of nobody else.
#[derive(Clone, Debug)]
pub(crate) struct Conversations {
    pub(crate) records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
}

/// The key of a conversation's record.
pub(crate) fn key(owner: &Principal, id: &ConversationId) -> Key {
    Key::new(Partition::of(&owner.tenant, &["conversations", &owner.user]), id.as_str())
}

/// The partition of a conversation's messages and context.
pub(crate) fn partition(owner: &Principal, id: &ConversationId) -> Partition {
    Partition::of(&owner.tenant, &["conversation", &owner.user, id.as_str()])
}

impl Conversations {
    pub(crate) const fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }

    /// Starts a conversation.
    pub(crate) async fn create(&self, owner: &Principal, new: NewConversation) -> Result<Conversation> {
        let conversation = Conversation {
            id: ConversationId::generate(),
            assistant_type: new.assistant_type,
            language: new.language,
            title: new.title.as_deref().map(checked_title).transpose()?,
            created_at: self.clock.now(),
            total_messages: 0,
            total_tokens: 0,
            total_cost_micro_usd: 0,
        };
        let mut record = Record::new(key(owner, &conversation.id))
            .with("assistant_type", conversation.assistant_type.name())
            .with("language", conversation.language.code())
            .with("created_at", conversation.created_at);
        if let Some(title) = &conversation.title {
            record = record.with("title", title.as_str());
        }
        self.records.put(record, Condition::Absent).await?;
        Ok(conversation)
    }

    /// A conversation of this user.
    pub(crate) async fn get(&self, owner: &Principal, id: &str) -> Result<Conversation> {
        let parsed = ConversationId::parse(id).ok_or_else(missing)?;
        let record = self.records.get(&key(owner, &parsed)).await?.ok_or_else(missing)?;
        if record.flag(ERASING) { Err(missing()) } else { read(&record) }
    }

    /// The user's conversations, newest first.
    pub(crate) async fn list(
        &self,
        owner: &Principal,
        limit: usize,
        after: Option<String>,
    ) -> Result<(Vec<Conversation>, Option<String>)> {
        let partition = Partition::of(&owner.tenant, &["conversations", &owner.user]);
        let query = Query { partition, range: Range::All, order: Order::Descending, limit, after };
        let Page { records, next } = self.records.query(query).await?;
        let visible = records.iter().filter(|record| !record.flag(ERASING));
        Ok((visible.map(read).collect::<Result<_>>()?, next))
    }

    /// Gives a conversation another title.
    pub(crate) async fn rename(&self, owner: &Principal, id: &str, title: &str) -> Result<Conversation> {
        let parsed = ConversationId::parse(id).ok_or_else(missing)?;
        let update = Update::new().set("title", checked_title(title)?);
        let there = Condition::All(vec![Condition::Present, Condition::FieldAbsent(ERASING.to_owned())]);
        match self.records.update(&key(owner, &parsed), update, there).await {
            Ok(record) => read(&record),
            Err(RecordsError::ConditionFailed { .. }) => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }

    /// The message that is being answered, if one is.
    pub(crate) async fn active_message(&self, owner: &Principal, id: &ConversationId) -> Result<Option<MessageId>> {
        let record = self.records.get(&key(owner, id)).await?.ok_or_else(missing)?;
        Ok(record.text(ACTIVE).and_then(MessageId::parse))
    }
}

/// What a caller is told of a conversation that is not there, is not theirs, or was erased.
pub(crate) fn missing() -> Problem {
    Problem::not_found("conversation")
}

/// A title made of a conversation's first message: its first line, cut at a word.
pub(crate) fn made_title(content: &str) -> String {
    let line = content.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.chars().count() <= MADE_TITLE_CHARACTERS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MADE_TITLE_CHARACTERS).collect();
    let words = cut.rsplit_once(char::is_whitespace).map_or(cut.as_str(), |(words, _)| words);
    format!("{}…", words.trim_end())
}

fn checked_title(title: &str) -> Result<String> {
    let trimmed = title.trim();
    if trimmed.is_empty() || trimmed.chars().count() > MAX_TITLE_CHARACTERS || trimmed.chars().any(char::is_control) {
        let rule = format!("a title is 1 to {MAX_TITLE_CHARACTERS} characters on one line");
        return Err(Problem::field("/title", rule));
    }
    Ok(trimmed.to_owned())
}

fn read(record: &Record) -> Result<Conversation> {
    let stored =
        |name: &str| record.text(name).ok_or_else(|| Problem::internal(format!("a conversation has no `{name}`")));
    let named = |name: &str| Ok::<_, Problem>(serde_json::Value::from(stored(name)?));
    Ok(Conversation {
        id: ConversationId::parse(&record.key.sort)
            .ok_or_else(|| Problem::internal("a conversation's id is not one"))?,
        assistant_type: serde_json::from_value(named("assistant_type")?).map_err(Problem::internal)?,
        language: serde_json::from_value(named("language")?).map_err(Problem::internal)?,
        title: record.text("title").map(str::to_owned),
        created_at: Timestamp::from_unix_ms(record.int("created_at").unwrap_or(0)),
        total_messages: record.int("total_messages").unwrap_or(0),
        total_tokens: record.int("total_tokens").unwrap_or(0),
        total_cost_micro_usd: record.int("total_cost_micro_usd").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_the_first_line_and_cut_at_a_word() {
        assert_eq!(made_title("\n  When must the buyer pay?\nAnd how?"), "When must the buyer pay?");
        let made = made_title(&"चावल का भुगतान ".repeat(20));
        assert!(made.chars().count() <= MADE_TITLE_CHARACTERS + 1);
        assert!(made.ends_with('…'));
    }
}
