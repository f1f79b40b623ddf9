//! Ends an answer whose writer died: one error event, the message kept as incomplete, its tokens metered once.

use async_trait::async_trait;
use mandi_core::ids::MessageId;
use mandi_core::ports::Write;
use mandi_core::streams::{Orphan, OrphanHandler, StoredEvent};
use mandi_core::{Principal, Problem, ProblemKind, Result};

use mandi_retrieval::answer::tell::error_data;

use crate::answering::{cut_off, ended};
use crate::conversations::Conversation;
use crate::messages::{MessageStatus, Messages};

/// Ends the answers of one conversation.
#[derive(Debug)]
pub(crate) struct UnfinishedAnswer {
    pub(crate) messages: Messages,
    pub(crate) owner: Principal,
    pub(crate) conversation: Conversation,
    pub(crate) message: MessageId,
}

#[async_trait]
impl OrphanHandler for UnfinishedAnswer {
    async fn close(&self, orphan: &Orphan) -> Result<((String, String), Vec<Write>)> {
        let detail = "the process that wrote this answer stopped; what there is of it is incomplete: ask again";
        let problem = Problem::new(ProblemKind::StreamInterrupted, detail);
        let event = ("error".to_owned(), error_data(&problem)?);
        let unfinished = self.messages.unfinished(&self.owner, self.conversation.clone(), &self.message).await?;
        let Some(exchange) = unfinished else { return Ok((event, Vec::new())) };
        let text = told(&orphan.events);
        let calls: Vec<_> = cut_off(&exchange, &text).into_iter().collect();
        let message = ended(&exchange, text, MessageStatus::Incomplete, None);
        Ok((event, self.messages.end(&exchange, &message, &calls)?))
    }
}

/// The text that the stored events told.
fn told(events: &[StoredEvent]) -> String {
    let tokens = events.iter().filter(|event| event.event == "token");
    let texts = tokens.filter_map(|event| serde_json::from_str::<serde_json::Value>(&event.data).ok());
    texts.filter_map(|data| data.get("text")?.as_str().map(str::to_owned)).collect()
}
