//! What a conversation remembers: entities, preferences and facts, each with its confidence and source.

use mandi_core::ports::{Condition, Key, Record};
use mandi_core::{Principal, Problem, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Conversation, Conversations, partition};

/// The most items of one kind.
const MAX_ITEMS: usize = 100;
/// The longest name or value, in characters.
const MAX_CHARACTERS: usize = 1_000;

/// What a conversation remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConversationContext {
    /// Things that were talked about, such as a contract that an answer cited. At most 100.
    pub(crate) entities: Vec<ContextItem>,
    /// What the user prefers. At most 100.
    pub(crate) preferences: Vec<ContextItem>,
    /// What was established. At most 100.
    pub(crate) facts: Vec<ContextItem>,
}

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextItem {
    /// What it is, such as `contract`, at most 1,000 characters.
    #[schema(example = "contract")]
    pub(crate) name: String,
    /// Its value, at most 1,000 characters.
    #[schema(example = "SC-2026-014")]
    pub(crate) value: String,
    /// How sure it is, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) confidence: f64,
    /// Where it comes from: a message's id, or what the caller says.
    pub(crate) source: String,
}

impl ConversationContext {
    fn check(&self) -> Result<()> {
        for (list, items) in [("entities", &self.entities), ("preferences", &self.preferences), ("facts", &self.facts)]
        {
            if items.len() > MAX_ITEMS {
                return Err(Problem::field(format!("/{list}"), format!("at most {MAX_ITEMS} items are kept")));
            }
            for (number, item) in items.iter().enumerate() {
                item.check(&format!("/{list}/{number}"))?;
            }
        }
        Ok(())
    }

    /// Remembers an entity that an answer cited; the newest come first, the same one counts once.
    pub(crate) fn cited(&mut self, item: ContextItem) {
        self.entities.retain(|known| (&known.name, &known.value) != (&item.name, &item.value));
        self.entities.insert(0, item);
        self.entities.truncate(MAX_ITEMS);
    }
}

impl ContextItem {
    fn check(&self, pointer: &str) -> Result<()> {
        for (field, text) in [("name", &self.name), ("value", &self.value), ("source", &self.source)] {
            if text.trim().is_empty() || text.chars().count() > MAX_CHARACTERS {
                let rule = format!("it is 1 to {MAX_CHARACTERS} characters");
                return Err(Problem::field(format!("{pointer}/{field}"), rule));
            }
        }
        if (0.0..=1.0).contains(&self.confidence) {
            return Ok(());
        }
        Err(Problem::field(format!("{pointer}/confidence"), "it is 0 to 1"))
    }
}

fn key(owner: &Principal, conversation: &Conversation) -> Key {
    Key::new(partition(owner, &conversation.id), "context")
}

impl Conversations {
    /// What a conversation remembers; empty at first.
    pub(crate) async fn context(&self, owner: &Principal, conversation: &Conversation) -> Result<ConversationContext> {
        match self.records.get(&key(owner, conversation)).await? {
            Some(record) => record.json("context"),
            None => Ok(ConversationContext::default()),
        }
    }

    /// Replaces what a conversation remembers.
    pub(crate) async fn put_context(
        &self,
        owner: &Principal,
        conversation: &Conversation,
        context: &ConversationContext,
    ) -> Result<()> {
        context.check()?;
        let record = Record::new(key(owner, conversation)).with_json("context", context)?;
        Ok(self.records.put(record, Condition::Always).await?)
    }
}
