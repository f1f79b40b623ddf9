//! What the tests of all adapters share.

use std::time::Duration;

use futures::StreamExt;
use mandi_core::ports::{ChatMessage, Delta, Generation, LanguageModel, ModelError, Role};
use mandi_llm::Timeouts;

/// Long enough for a busy machine, short enough for a test that hangs.
pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    first_token: Duration::from_secs(60),
    between_tokens: Duration::from_secs(30),
};

/// A question, greedy, of at most 32 tokens.
pub fn ask(question: &str) -> Generation {
    let message = ChatMessage { role: Role::User, content: question.to_owned() };
    Generation { messages: vec![message], max_tokens: 32, temperature: 0.0, stop: Vec::new() }
}

/// All that comes of a generation, and the error that ended it, if one did. Panics when anything comes after
/// the end.
pub async fn outcome(model: &dyn LanguageModel, generation: Generation) -> (Vec<Delta>, Option<ModelError>) {
    let mut stream = match model.generate(generation).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut deltas = Vec::new();
    let mut failed = None;
    while let Some(item) = stream.next().await {
        let finished = matches!(deltas.last(), Some(Delta::Finish { .. }));
        assert!(failed.is_none() && !finished, "{item:?} came after the end");
        match item {
            Ok(delta) => deltas.push(delta),
            Err(error) => failed = Some(error),
        }
    }
    (deltas, failed)
}

/// The text of the deltas.
pub fn text_of(deltas: &[Delta]) -> String {
    let text = |delta: &Delta| match delta {
        Delta::Text(text) => text.clone(),
        Delta::Finish { .. } => String::new(),
    };
    deltas.iter().map(text).collect()
}
