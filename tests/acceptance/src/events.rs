//! Server-sent events as a client reads them.

use futures::StreamExt;
use reqwest::Response;
use serde_json::Value;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its block of lines, byte for byte.
    pub bytes: Vec<u8>,
}

impl Event {
    /// Its data.
    ///
    /// # Panics
    /// It is not JSON.
    #[must_use]
    pub fn data(&self) -> Value {
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        serde_json::from_str(line).unwrap()
    }
}

/// Reads events to the end, or up to a number of them; comments are left out.
///
/// # Panics
/// The stream breaks in the middle of an event.
pub async fn read(response: Response, at_most: usize) -> Vec<Event> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut bytes = response.bytes_stream();
    let mut buffer = Vec::new();
    let mut events = Vec::new();
    while events.len() < at_most {
        let Some(Ok(chunk)) = bytes.next().await else { break };
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.windows(2).position(|window| window == b"\n\n") {
            let block: Vec<u8> = buffer.drain(..end + 2).collect();
            if !block.starts_with(b":") && events.len() < at_most {
                events.push(parse(block));
            }
        }
    }
    events
}

fn parse(bytes: Vec<u8>) -> Event {
    let text = std::str::from_utf8(&bytes).unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    Event { id: field("id: ").parse().unwrap(), name: field("event: "), bytes }
}

/// The text that the tokens of a stream tell.
#[must_use]
pub fn told(events: &[Event]) -> String {
    let tokens = events.iter().filter(|event| event.name == "token");
    tokens.map(|event| event.data()["text"].as_str().unwrap_or_default().to_owned()).collect()
}
