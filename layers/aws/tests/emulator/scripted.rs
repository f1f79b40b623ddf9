//! A server that gives the answers of a script, one for each call, as an AWS service that speaks JSON does.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::task::JoinHandle;

/// The server. It stops when it is dropped.
pub struct Scripted {
    url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scripted {
    /// Answers with these statuses and bodies, in order; a further call gets 404.
    pub async fn answering(script: Vec<(u16, Value)>) -> Self {
        let (script, bodies) = (Arc::new(Mutex::new(VecDeque::from(script))), Arc::new(Mutex::new(Vec::new())));
        let seen = bodies.clone();
        let answer = move |body: String| async move {
            seen.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            let (status, body) = script.lock().unwrap().pop_front().unwrap_or((404, Value::Null));
            let kind = (header::CONTENT_TYPE, "application/x-amz-json-1.1");
            let answer: Response = (StatusCode::from_u16(status).unwrap(), [kind], body.to_string()).into_response();
            answer
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(axum::routing::post(answer));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, bodies, task }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bodies of the calls, in order.
    pub fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}
