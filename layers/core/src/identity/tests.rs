#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::time::{Clock, SystemClock};
use std::time::Duration;

const ISSUER: &str = "mandi-local";
const AUDIENCE: &str = "mandi";

fn secret() -> LocalSecret {
    LocalSecret::new(vec![7; 32]).unwrap()
}

fn authenticator() -> Authenticator {
    Authenticator::new(Trust::Secret(secret()), ISSUER, AUDIENCE)
}

fn grant() -> Grant<'static> {
    Grant {
        tenant: "demo",
        user: "asha",
        roles: vec!["viewer".to_owned()],
        permissions: vec!["usage.read".to_owned()],
        not_before: None,
        expires_at: SystemClock.now().plus(Duration::from_secs(600)),
    }
}

fn token(grant: &Grant<'_>) -> String {
    TokenIssuer::new(secret(), ISSUER, AUDIENCE).issue(grant).unwrap()
}

async fn refusal(token: &str) -> String {
    let problem = authenticator().verify(token).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unauthorised);
    problem.detail
}

fn signed(header: &Header, claims: &serde_json::Value) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(&[7; 32])).unwrap()
}

#[tokio::test]
async fn a_good_token_gives_tenant_user_and_permissions() {
    let caller = authenticator().verify(&token(&grant())).await.unwrap();
    assert_eq!((caller.tenant.as_str(), caller.user.as_str()), ("demo", "asha"));
    assert!(caller.may(Permission::UsageRead) && caller.may(Permission::KnowledgeRead));
    assert!(!caller.may(Permission::KnowledgeWrite));
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let caller = authenticator().verify(&token(&grant())).await.unwrap();
    let problem = caller.require(Permission::KnowledgeWrite).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Forbidden);
    assert!(problem.detail.contains("knowledge.write"));
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let past = Grant { expires_at: Timestamp::from_unix_ms(1_000_000), ..grant() };
    assert!(refusal(&token(&past)).await.contains("expired"));
}

#[tokio::test]
async fn a_token_that_does_not_hold_yet_says_so() {
    let future = Grant { not_before: Some(SystemClock.now().plus(Duration::from_secs(300))), ..grant() };
    assert!(refusal(&token(&future)).await.contains("nbf"));
}

#[tokio::test]
async fn times_may_have_fractions_and_must_be_numbers() {
    let with = |exp: serde_json::Value, nbf: serde_json::Value| {
        let claims =
            serde_json::json!({"tenant": "demo", "sub": "a", "iss": ISSUER, "aud": AUDIENCE, "exp": exp, "nbf": nbf});
        signed(&Header::new(Algorithm::HS256), &claims)
    };
    let later = 4_000_000_000.5_f64;
    authenticator().verify(&with(later.into(), 1_000.25.into())).await.unwrap();
    assert!(refusal(&with(1_000.5.into(), 1.into())).await.contains("expired"));
    assert!(refusal(&with(later.into(), later.into())).await.contains("nbf"));
    assert!(refusal(&with(later.into(), "1000".into())).await.contains("claims"));
}

#[tokio::test]
async fn another_issuer_audience_or_secret_is_refused() {
    let issue = |secret, issuer, audience| TokenIssuer::new(secret, issuer, audience).issue(&grant()).unwrap();
    assert!(refusal(&issue(secret(), "other", AUDIENCE)).await.contains("iss"));
    assert!(refusal(&issue(secret(), ISSUER, "other")).await.contains("aud"));
    let other = LocalSecret::new(vec![8; 32]).unwrap();
    assert!(refusal(&issue(other, ISSUER, AUDIENCE)).await.contains("signature"));
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    use base64::Engine;
    let part = |json: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    let unsigned = format!("{}.{}.", part(r#"{"alg":"none","typ":"JWT"}"#), part(r#"{"tenant":"demo"}"#));
    assert!(refusal(&unsigned).await.contains("not a signed JWT"));
}

#[tokio::test]
async fn another_algorithm_is_refused() {
    let claims =
        serde_json::json!({"tenant": "demo", "sub": "a", "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000_i64});
    assert!(refusal(&signed(&Header::new(Algorithm::HS512), &claims)).await.contains("algorithm"));
}

#[tokio::test]
async fn a_token_without_a_proper_tenant_is_refused() {
    for tenant in [serde_json::Value::Null, "".into(), "../other".into(), "Demo".into(), "a".repeat(65).into()] {
        let claims =
            serde_json::json!({"tenant": tenant, "sub": "a", "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000_i64});
        assert!(refusal(&signed(&Header::new(Algorithm::HS256), &claims)).await.contains("tenant"));
    }
}

#[test]
fn a_principal_does_not_show_its_token() {
    let caller = Principal {
        tenant: TenantId::new("demo").unwrap(),
        user: "asha".to_owned(),
        permissions: BTreeSet::new(),
        token: "secret-token".into(),
    };
    assert!(!format!("{caller:?}").contains("secret-token"));
}

#[test]
fn an_unknown_role_is_not_issued() {
    let unknown = Grant { roles: vec!["root".to_owned()], ..grant() };
    let problem = TokenIssuer::new(secret(), ISSUER, AUDIENCE).issue(&unknown).unwrap_err();
    assert!(problem.detail.contains("root"));
}
