//! A receiver of the runner's webhook.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How long a delivery may take.
const SOON: Duration = Duration::from_secs(30);

/// What was delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The head of the request, in lower case.
    pub head: String,
    /// Its body.
    pub body: Value,
}

/// A receiver, which takes all that comes.
#[derive(Debug)]
pub struct Receiver {
    /// Where it is.
    pub url: String,
    taken: mpsc::UnboundedReceiver<Delivery>,
}

impl Receiver {
    /// Receives on a free port.
    ///
    /// # Panics
    /// There is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, taken) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let Some(delivery) = receive(connection).await else { continue };
                if sender.send(delivery).is_err() {
                    return;
                }
            }
        });
        Self { url, taken }
    }

    /// The next delivery.
    ///
    /// # Panics
    /// None comes in time.
    pub async fn next(&mut self) -> Delivery {
        tokio::time::timeout(SOON, self.taken.recv()).await.unwrap().unwrap()
    }
}

/// Reads one request, and answers it.
async fn receive(mut connection: TcpStream) -> Option<Delivery> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = connection.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok())?;
        if body.len() < length {
            continue;
        }
        let body = serde_json::from_str(body).ok()?;
        connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await.ok()?;
        return Some(Delivery { head, body });
    }
}
