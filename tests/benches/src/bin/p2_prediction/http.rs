//! One row a request, on one connection that is kept.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mandi_acceptance::registry::{deploy, model, register};
use mandi_acceptance::{Client, Setup};
use mandi_benches::{Figure, Target, Unit, median, peer, quantile};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Failure, TURNS, WIDTH, check_answers, figure};

/// How many requests a turn has; the first ones of a side are not counted.
const REQUESTS: usize = 1_000;

/// Takes turns with the peer.
pub async fn figures(folder: &Path, rows: &[f32]) -> Result<Vec<Figure>, Failure> {
    let server = Setup::on(&folder.join("data")).with("MANDI_LOG", "warn").start().await;
    let admin = server.client("p2");
    let id = model(&admin, "p2").await;
    register(&admin, &id, &std::fs::read(folder.join("model.onnx"))?, &json!({})).await.expect(201);
    deploy(&admin, &id, 1, &json!({"kind": "all"})).await.expect(200);
    let peer = Peer::start(folder)?;

    let mut ours = Side::new(admin, format!("/v1/models/{id}/predict"));
    let mut peers = Side::new(Client::at(&peer.url, String::new()), "/predict".to_owned());
    let bodies: Vec<String> = rows.chunks_exact(WIDTH).take(REQUESTS).map(body).collect();
    for turn in 0..=TURNS {
        let (expected, found) = (peers.ask(&bodies).await?, ours.ask(&bodies).await?);
        check_answers(&found, &expected)?;
        if turn == 0 {
            // Both sides are warm from here on.
            (ours.times, peers.times) = (Times::default(), Times::default());
        }
    }
    let both = |of: fn(Times) -> Vec<f64>| (median(of(ours.times.clone())), median(of(peers.times.clone())));
    Ok(vec![
        figure(
            "one row over HTTP, p50; the peer: FastAPI, uvicorn, ONNX Runtime",
            Unit::Microseconds,
            both(|times| times.p50_us),
            Target::RatioAtMost(0.5),
        ),
        figure("one row over HTTP, p99", Unit::Microseconds, both(|times| times.p99_us), Target::AtMost(5_000.0)),
    ])
}

/// A row as a request, with the names that a version gets from its file.
fn body(row: &[f32]) -> String {
    let named = row.iter().enumerate().map(|(column, value)| (format!("x{column}"), json!(value)));
    json!({"rows": [Value::Object(named.collect::<Map<_, _>>())]}).to_string()
}

/// What the turns of a side have taken.
#[derive(Clone, Default)]
struct Times {
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// A server that is asked.
struct Side {
    client: Client,
    path: String,
    times: Times,
}

impl Side {
    fn new(client: Client, path: String) -> Self {
        Self { client, path, times: Times::default() }
    }

    /// A turn. Returns the answers.
    async fn ask(&mut self, bodies: &[String]) -> Result<Vec<f64>, Failure> {
        let (mut taken, mut answers) = (Vec::new(), Vec::new());
        for body in bodies {
            let request = self.client.request(Method::POST, &self.path).header("content-type", "application/json");
            let request = request.body(body.clone());
            let begun = Instant::now();
            let answer = request.send().await?.error_for_status()?.bytes().await?;
            taken.push(microseconds(begun.elapsed()));
            let answer: Value = serde_json::from_slice(&answer)?;
            let value = answer["predictions"][0]["value"].as_f64();
            answers.push(value.ok_or_else(|| format!("no prediction: {answer}"))?);
        }
        self.times.p50_us.push(quantile(taken.clone(), 0.5));
        self.times.p99_us.push(quantile(taken, 0.99));
        Ok(answers)
    }
}

fn microseconds(taken: Duration) -> f64 {
    taken.as_secs_f64() * 1e6
}

/// The peer's server; it ends when it is dropped.
struct Peer {
    child: Child,
    url: String,
}

impl Peer {
    fn start(folder: &Path) -> Result<Self, Failure> {
        let mut command = peer("p2_prediction.py");
        let mut child = command.args([OsStr::new("serve"), folder.as_os_str()]).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut url));
        let peer = Self { child, url: url.trim().to_owned() };
        match read {
            Some(Ok(count)) if count > 0 => Ok(peer),
            _ => Err("the peer's server does not start".into()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
