//! Erasing a conversation: its record, messages, context and streams.

use mandi_core::ids::{ConversationId, MessageId};
use mandi_core::ports::{Condition, Key, Partition, Query, RecordsError, Update};
use mandi_core::{Principal, Problem, Result, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ACTIVE, Conversations, ERASING, key, missing, partition};

/// What was removed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EraseReceipt {
    /// The conversation.
    #[schema(value_type = String)]
    pub(crate) conversation: ConversationId,
    /// When it was finished.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) erased_at: Timestamp,
    /// How many records of each kind are gone.
    pub(crate) removed: Removed,
}

/// How many records of each kind are gone.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Removed {
    /// Messages.
    pub(crate) messages: u64,
    /// Context records.
    pub(crate) contexts: u64,
    /// Records of streams (their groups of events).
    pub(crate) stream_records: u64,
    /// Conversation records.
    pub(crate) conversations: u64,
}

impl Conversations {
    /// Erases a conversation. It is out of sight at once; an erasure that was cut off is finished by calling
    /// it again. While a message is being answered it is refused.
    pub(crate) async fn erase(&self, owner: &Principal, id: &str) -> Result<EraseReceipt> {
        let id = ConversationId::parse(id).ok_or_else(missing)?;
        let key = key(owner, &id);
        self.mark(&key).await?;
        let mut removed = Removed::default();
        let mut query = Query::all(partition(owner, &id));
        loop {
            let page = self.records.query(query.clone()).await?;
            for record in page.records {
                match record.key.sort.split(':').nth(1).and_then(MessageId::parse) {
                    Some(message) => {
                        let stream = Partition::of(&owner.tenant, &["stream", message.as_str()]);
                        removed.stream_records += self.remove_all(stream).await?;
                        removed.messages += 1;
                    }
                    None => removed.contexts += 1,
                }
                self.records.delete(&record.key, Condition::Always).await?;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        self.records.delete(&key, Condition::Always).await?;
        removed.conversations = 1;
        Ok(EraseReceipt { conversation: id, erased_at: self.clock.now(), removed })
    }

    async fn mark(&self, key: &Key) -> Result<()> {
        let idle = Condition::All(vec![Condition::Present, Condition::FieldAbsent(ACTIVE.to_owned())]);
        match self.records.update(key, Update::new().set(ERASING, true), idle).await {
            Ok(_) => Ok(()),
            Err(RecordsError::ConditionFailed { .. }) if self.records.get(key).await?.is_some() => {
                let detail =
                    "a message of this conversation is still being answered; delete it when the answer is there";
                Err(Problem::conflict(detail).retry_after(2))
            }
            Err(RecordsError::ConditionFailed { .. }) => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }

    async fn remove_all(&self, partition: Partition) -> Result<u64> {
        let mut removed = 0;
        let mut query = Query::all(partition);
        loop {
            let page = self.records.query(query.clone()).await?;
            for record in page.records {
                self.records.delete(&record.key, Condition::Always).await?;
                removed += 1;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(removed),
            }
        }
    }
}
