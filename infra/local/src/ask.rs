//! `mandi ask`: streams an answer to the terminal, then its citations and its cost.

use std::process::ExitCode;
use std::time::Instant;

use eventsource_stream::Eventsource;
use futures::StreamExt;
use mandi_core::settings::Settings;
use mandi_core::{Problem, ProblemKind, Result};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::answers::{Citation, Conversation, Done, Failure, Token, Usage};
use crate::client::Client;
use crate::commands::Ask;
use crate::terminal;

/// Asks, and prints what comes.
pub async fn run(settings: &Settings, ask: &Ask) -> Result<ExitCode> {
    let client = Client::of(settings, &ask.server)?;
    let conversation = match &ask.conversation {
        Some(id) => id.as_str().to_owned(),
        None => {
            let new = json!({"assistant_type": "general"});
            client.json::<Conversation>(client.request(Method::POST, &["conversations"]).json(&new)).await?.id
        }
    };
    let mut message = json!({"content": ask.question, "collections": ask.collection});
    if let Some(language) = &ask.language {
        message["language"] = json!(language);
    }
    let request = client.request(Method::POST, &["conversations", &conversation, "messages"]);
    let request = request.header("accept", "text/event-stream").json(&message);
    let started = Instant::now();
    let mut events = client.send(request).await?.bytes_stream().eventsource();
    let mut telling = Telling { started, citations: Vec::new(), usage: None };
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| cut_off().caused_by(error))?;
        if let Some(code) = telling.event(&event.event, &event.data)? {
            terminal::say(&format!("\nconversation {conversation}"));
            return Ok(code);
        }
        if !terminal::is_read() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    Err(cut_off())
}

fn cut_off() -> Problem {
    Problem::new(ProblemKind::StreamInterrupted, "the answer was cut off; ask again")
}

struct Telling {
    started: Instant,
    citations: Vec<Citation>,
    usage: Option<Usage>,
}

impl Telling {
    /// Takes an event. Returns the exit code when it was the last one.
    fn event(&mut self, name: &str, data: &str) -> Result<Option<ExitCode>> {
        match name {
            "token" => terminal::say_part(&read::<Token>(data)?.text),
            "citation" => self.citations.push(read(data)?),
            "usage" => self.usage = Some(read(data)?),
            "done" => {
                self.end(&read(data)?);
                return Ok(Some(ExitCode::SUCCESS));
            }
            "error" => {
                terminal::say("");
                terminal::complain(&format!("the answer is incomplete: {}", read::<Failure>(data)?.detail));
                return Ok(Some(ExitCode::FAILURE));
            }
            _ => {}
        }
        Ok(None)
    }

    fn end(&self, done: &Done) {
        terminal::say("\n");
        for citation in &self.citations {
            let Citation { n, document, quote, score } = citation;
            let quote = quote.split_whitespace().collect::<Vec<_>>().join(" ");
            terminal::say(&format!(
                "[{n}] {} {}  (score {score:.2})\n    “{quote}”",
                document.entity_type, document.entity_id
            ));
        }
        let seconds = self.started.elapsed().as_secs_f32();
        if let Some(usage) = &self.usage {
            let cost = usd(usage.cost_micro_usd);
            terminal::say(&format!(
                "\n{}/{}: {} tokens in, {} out, {cost}; {seconds:.1} s; confidence {:.2}",
                usage.provider, usage.model, usage.input_tokens, usage.output_tokens, done.confidence
            ));
        }
        if done.degraded {
            let reason = done.degraded_reason.as_deref().unwrap_or("no language model wrote it");
            terminal::say(&format!("degraded: {reason}"));
        }
    }
}

/// An amount in dollars, to the micro-dollar.
fn usd(micro_usd: i64) -> String {
    format!("${}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000)
}

fn read<T: DeserializeOwned>(data: &str) -> Result<T> {
    serde_json::from_str(data).map_err(Problem::internal)
}
