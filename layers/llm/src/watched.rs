//! What every stream has in common, whoever the provider is: timeouts, exactly one end, nothing after it.

use std::pin::pin;

use futures::{Stream, StreamExt};
use mandi_core::ports::{Delta, FinishReason, GenerationStream, ModelError, TimeoutPhase, TokenUsage};
use tokio::time::{Instant, timeout_at};

use crate::timeouts::Timeouts;

/// What an adapter reads from its wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// More text, whole characters; may be empty.
    Text(String),
    /// A sign of life without text.
    Alive,
    /// The provider said that all is said.
    Finish(FinishReason, TokenUsage),
}

/// Makes the port's stream of an adapter's events.
///
/// The first text must come before `begun` plus the first-token timeout; after it, each event within the
/// timeout between tokens. An end without [`Event::Finish`] becomes [`ModelError::Truncated`]. Dropping the
/// stream drops `events`.
pub(crate) fn watched(
    events: impl Stream<Item = Result<Event, ModelError>> + Send + 'static,
    timeouts: Timeouts,
    begun: Instant,
) -> GenerationStream {
    let stream = async_stream::stream! {
        let mut events = pin!(events);
        let mut phase = TimeoutPhase::FirstToken;
        let mut deadline = begun + timeouts.first_token;
        loop {
            match timeout_at(deadline, events.next()).await {
                Err(_elapsed) => {
                    yield Err(ModelError::TimedOut(phase));
                    return;
                }
                Ok(None) => {
                    yield Err(ModelError::Truncated("it ended without saying that it was complete".to_owned()));
                    return;
                }
                Ok(Some(Err(error))) => {
                    yield Err(error);
                    return;
                }
                Ok(Some(Ok(Event::Finish(reason, usage)))) => {
                    yield Ok(Delta::Finish { reason, usage });
                    return;
                }
                Ok(Some(Ok(Event::Text(text)))) if !text.is_empty() => {
                    phase = TimeoutPhase::BetweenTokens;
                    yield Ok(Delta::Text(text));
                }
                Ok(Some(Ok(Event::Text(_) | Event::Alive))) => {}
            }
            if phase == TimeoutPhase::BetweenTokens {
                deadline = Instant::now() + timeouts.between_tokens;
            }
        }
    };
    stream.boxed()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use futures::stream;

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        connect: Duration::from_secs(1),
        first_token: Duration::from_millis(300),
        between_tokens: Duration::from_millis(60),
    };

    fn text(text: &str) -> Result<Event, ModelError> {
        Ok(Event::Text(text.to_owned()))
    }

    async fn collect(events: impl Stream<Item = Result<Event, ModelError>> + Send + 'static) -> Vec<String> {
        let stream = watched(events, TIMEOUTS, Instant::now());
        stream.map(|item| format!("{item:?}")).collect().await
    }

    #[tokio::test]
    async fn a_stream_that_ends_without_finish_is_truncated() {
        let seen = collect(stream::iter([text("a"), text("b")])).await;
        assert_eq!(seen.len(), 3);
        assert!(seen[2].contains("Truncated"), "{seen:?}");
    }

    #[tokio::test]
    async fn nothing_comes_after_finish_and_empty_text_is_left_out() {
        let finish = Ok(Event::Finish(FinishReason::Stop, TokenUsage::default()));
        let seen = collect(stream::iter([text(""), text("a"), finish, text("late")])).await;
        assert_eq!(seen.len(), 2);
        assert!(seen[1].contains("Finish"), "{seen:?}");
    }

    #[tokio::test]
    async fn given_no_text_when_the_first_token_is_late_then_signs_of_life_do_not_help() {
        let alive = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok(Event::Alive), ()))
        });
        let begun = Instant::now();
        let seen = collect(alive).await;
        assert_eq!(seen, ["Err(TimedOut(FirstToken))"]);
        assert!(begun.elapsed() >= TIMEOUTS.first_token);
    }

    #[tokio::test]
    async fn given_text_when_the_next_token_is_late_then_the_shorter_timeout_holds() {
        let begun = Instant::now();
        let seen = collect(stream::iter([text("a")]).chain(stream::pending())).await;
        assert_eq!(seen.last().unwrap(), "Err(TimedOut(BetweenTokens))");
        assert!(begun.elapsed() >= TIMEOUTS.between_tokens);
    }
}
