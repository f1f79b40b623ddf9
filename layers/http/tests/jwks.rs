//! An issuer's keys: fetched once, followed when they change, and not to be used for what they are not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mandi_core::identity::{Authenticator, Trust};
use mandi_core::{Problem, ProblemKind};
use mandi_http::jwks::{JwksKeys, JwksPolicy};
use serde_json::{Value, json};
use tokio::sync::Mutex;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "mandi";

/// Two keys of P-256 (PKCS #8), made for these tests.
const KEYS: [&str; 2] = [
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgp1ErJYEzElptF/9ehK8k6We1pPNpne1HMtqxkWtebSWhRANCAASjt9OClDO+DU/zXocyUlz3zg5fH9z3YhfORl3RGFht1j0g4/CqGPd87gu7ZaknwIOr9RdzW5Rqyu3L4st0X41W",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3XHv+ae8bxtWSifhC8wrgBjan6NzqSW3kjtqpKPfO+ihRANCAAQNxXCQnwPPMJYKuhnMOsgnTO6Ah0zNxlW2TC9Cp6nwTr0GKJx8x8zdRvlvZ3f++ZyEHyIN2NvB4b5/6peGH8I/",
];

fn private(number: usize) -> EncodingKey {
    EncodingKey::from_ec_der(&STANDARD.decode(KEYS[number]).unwrap())
}

fn public(number: usize) -> Value {
    let mut key = Jwk::from_encoding_key(&private(number), Algorithm::ES256).unwrap();
    key.common.key_id = Some(format!("key-{number}"));
    serde_json::to_value(key).unwrap()
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now + 600, "tenant": "demo", "sub": "asha", "roles": ["viewer"]})
}

fn signed(algorithm: Algorithm, kid: &str, key: &EncodingKey) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &claims(), key).unwrap()
}

/// A token that is signed with a key, under its own id.
fn token(number: usize) -> String {
    signed(Algorithm::ES256, &format!("key-{number}"), &private(number))
}

/// An issuer; while it has no keys it answers with an error.
#[derive(Clone, Default)]
struct Issuer {
    keys: Arc<Mutex<Option<Vec<usize>>>>,
    fetches: Arc<AtomicU64>,
}

impl Issuer {
    /// An issuer with the first key, and an authenticator that trusts it.
    async fn start(policy: JwksPolicy) -> (Self, Authenticator) {
        let issuer = Self::default();
        issuer.has(Some(vec![0])).await;
        let router = Router::new().route("/keys", get(Self::answer)).with_state(issuer.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (issuer, Authenticator::new(Trust::Issuer(Arc::new(JwksKeys::new(url, policy).unwrap())), ISSUER, AUDIENCE))
    }

    async fn answer(State(issuer): State<Self>) -> Result<String, StatusCode> {
        issuer.fetches.fetch_add(1, Ordering::SeqCst);
        let keys = issuer.keys.lock().await.clone().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        Ok(json!({"keys": keys.into_iter().map(public).collect::<Vec<_>>()}).to_string())
    }

    async fn has(&self, keys: Option<Vec<usize>>) {
        *self.keys.lock().await = keys;
    }

    fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }
}

const NEVER: Duration = Duration::ZERO;
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(600);

/// Keys hold long, and an unknown one may be looked for at once.
const EAGER: JwksPolicy =
    JwksPolicy { fresh_for: LONG, stale_for: LONG, fetch_at_most_every: NEVER, retry_after: NEVER };

async fn refused(authenticator: &Authenticator, token: &str) -> Problem {
    let problem = authenticator.verify(token).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unauthorised, "{problem}");
    problem
}

#[tokio::test]
async fn given_a_hundred_requests_then_the_keys_are_fetched_once() {
    let (issuer, authenticator) = Issuer::start(JwksPolicy::default()).await;
    let (first, second) = (token(0), token(0));
    let (one, other) = tokio::join!(authenticator.verify(&first), authenticator.verify(&second));
    assert_eq!((one.unwrap().user, other.unwrap().user), ("asha".to_owned(), "asha".to_owned()));
    for _ in 0..100 {
        authenticator.verify(&token(0)).await.unwrap();
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn given_a_new_key_when_a_token_names_it_then_the_keys_are_fetched_once_more() {
    let (issuer, authenticator) = Issuer::start(EAGER).await;
    authenticator.verify(&token(0)).await.unwrap();
    issuer.has(Some(vec![0, 1])).await;
    for _ in 0..10 {
        authenticator.verify(&token(1)).await.unwrap();
        authenticator.verify(&token(0)).await.unwrap();
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn given_made_up_key_ids_then_the_issuer_is_not_asked_for_each() {
    let (issuer, authenticator) = Issuer::start(JwksPolicy::default()).await;
    authenticator.verify(&token(0)).await.unwrap();
    for number in 0..100 {
        let made_up = signed(Algorithm::ES256, &format!("made-up-{number}"), &private(1));
        assert!(refused(&authenticator, &made_up).await.detail.contains("kid"));
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn given_a_key_that_was_taken_back_when_the_cache_time_is_over_then_it_is_refused() {
    let policy = JwksPolicy { fresh_for: SHORT, stale_for: LONG, fetch_at_most_every: NEVER, retry_after: NEVER };
    let (issuer, authenticator) = Issuer::start(policy).await;
    authenticator.verify(&token(0)).await.unwrap();
    issuer.has(Some(vec![1])).await;
    tokio::time::sleep(SHORT * 2).await;
    refused(&authenticator, &token(0)).await;
    authenticator.verify(&token(1)).await.unwrap();
}

#[tokio::test]
async fn given_an_issuer_that_cannot_be_read_then_known_keys_hold_on_and_it_is_not_asked_for_each_request() {
    let policy = JwksPolicy { fresh_for: SHORT, stale_for: LONG, fetch_at_most_every: NEVER, retry_after: LONG };
    let (issuer, authenticator) = Issuer::start(policy).await;
    authenticator.verify(&token(0)).await.unwrap();
    issuer.has(None).await;
    tokio::time::sleep(SHORT * 2).await;
    for _ in 0..10 {
        authenticator.verify(&token(0)).await.unwrap();
    }
    assert_eq!(issuer.fetches(), 2, "the first, and one that failed");
}

#[tokio::test]
async fn given_an_issuer_that_could_not_be_read_for_too_long_then_its_keys_hold_no_longer() {
    let policy = JwksPolicy { fresh_for: SHORT, stale_for: SHORT, fetch_at_most_every: NEVER, retry_after: NEVER };
    let (issuer, authenticator) = Issuer::start(policy).await;
    authenticator.verify(&token(0)).await.unwrap();
    issuer.has(None).await;
    tokio::time::sleep(SHORT * 2).await;
    let problem = authenticator.verify(&token(0)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unavailable);
}

#[tokio::test]
async fn given_an_issuer_that_never_answered_then_the_error_says_so_and_when_to_try_again() {
    let (issuer, authenticator) = Issuer::start(JwksPolicy { retry_after: SHORT, ..EAGER }).await;
    issuer.has(None).await;
    let problem = authenticator.verify(&token(0)).await.unwrap_err();
    assert_eq!((problem.kind, problem.retry_after_s), (ProblemKind::Unavailable, Some(2)));
    assert!(problem.detail.contains("issuer"), "{problem}");
    assert_eq!(authenticator.verify(&token(0)).await.unwrap_err().kind, ProblemKind::Unavailable);
    assert_eq!(issuer.fetches(), 1, "it is not asked again at once");

    issuer.has(Some(vec![0])).await;
    tokio::time::sleep(SHORT * 2).await;
    authenticator.verify(&token(0)).await.unwrap();
}

#[tokio::test]
async fn given_a_token_without_a_signature_or_signed_with_the_public_key_as_a_secret_then_it_is_refused() {
    let (_issuer, authenticator) = Issuer::start(EAGER).await;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT", "kid": "key-0"})), part(&claims()));
    refused(&authenticator, &none).await;

    let key = public(0);
    let point = [&key["x"], &key["y"]].map(|part| URL_SAFE_NO_PAD.decode(part.as_str().unwrap()).unwrap()).concat();
    for secret in [key.to_string().into_bytes(), point] {
        let confused = signed(Algorithm::HS256, "key-0", &EncodingKey::from_secret(&secret));
        assert!(refused(&authenticator, &confused).await.detail.contains("another algorithm"));
    }
    let forged = signed(Algorithm::ES256, "key-0", &private(1));
    assert!(refused(&authenticator, &forged).await.detail.contains("signature"));
}
