#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn tenant(name: &str) -> TenantId {
    TenantId::from_stored(name).unwrap()
}

#[tokio::test]
async fn given_none_then_no_tenant_has_a_model() {
    let providers = Providers::from_settings(&settings(&[("MANDI_PROVIDER", "none")])).await.unwrap();
    assert!(providers.for_tenant(&tenant("demo")).is_none());
}

#[tokio::test]
async fn given_a_tenant_of_its_own_then_it_answers_there_and_the_default_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants.json");
    let json = r#"{"acme": {"provider": "openai", "base_url": "http://localhost:1/v1", "model": "own",
        "key_env": "ACME_KEY", "context_tokens": 1000}, "umbra": {"provider": "none"}}"#;
    std::fs::write(&file, json).unwrap();
    let pairs = [
        ("MANDI_PROVIDER", "openai"),
        ("MANDI_OPENAI_BASE_URL", "http://localhost:1/v1"),
        ("MANDI_OPENAI_MODEL", "shared"),
        ("MANDI_TENANT_PROVIDERS", file.to_str().unwrap()),
        ("ACME_KEY", "sk-acme"),
    ];

    let providers = Providers::from_settings(&settings(&pairs)).await.unwrap();

    let model =
        |name: &str| providers.for_tenant(&tenant(name)).map(|model| (model.model().model, model.context_tokens()));
    assert_eq!(model("acme"), Some(("own".to_owned(), 1000)));
    assert_eq!(model("umbra"), None);
    assert_eq!(model("demo"), Some(("shared".to_owned(), 8192)));
    assert!(!format!("{providers:?}").contains("sk-acme"), "the key must not be printed");

    let without_key = Providers::from_settings(&settings(&pairs[..4])).await.unwrap_err();
    assert_eq!(without_key.errors[0].pointer, "ACME_KEY");
}

#[tokio::test]
async fn given_a_key_in_the_file_then_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants.json");
    let json = r#"{"acme": {"provider": "openai", "base_url": "http://localhost:1/v1", "model": "m", "key": "sk"}}"#;
    std::fs::write(&file, json).unwrap();
    let settings = settings(&[("MANDI_PROVIDER", "none"), ("MANDI_TENANT_PROVIDERS", file.to_str().unwrap())]);
    let problem = Providers::from_settings(&settings).await.unwrap_err();
    assert!(problem.detail.contains("unknown field `key`"), "{}", problem.detail);
}

#[tokio::test]
async fn given_a_wrong_setting_then_it_is_named() {
    let wrong = [
        (vec![("MANDI_PROVIDER", "gpt")], "MANDI_PROVIDER"),
        (vec![("MANDI_PROVIDER", "openai")], "MANDI_OPENAI_BASE_URL"),
        (vec![("MANDI_PROVIDER", "none"), ("MANDI_CONTEXT_TOKENS", "many")], "MANDI_CONTEXT_TOKENS"),
        (vec![("MANDI_PROVIDER", "none"), ("MANDI_TENANT_PROVIDERS", "/nowhere.json")], "MANDI_TENANT_PROVIDERS"),
    ];
    for (pairs, name) in wrong {
        let problem = Providers::from_settings(&settings(&pairs)).await.unwrap_err();
        assert_eq!(problem.errors[0].pointer, name);
    }
}

fn offered(providers: &Providers, name: &str) -> Vec<(String, usize)> {
    let embedders = providers.embedders_for(&tenant(name)).iter();
    let named = embedders.map(|embedder| (embedder.model().model.model.clone(), embedder.model().dimensions));
    named.collect()
}

#[tokio::test]
async fn given_a_provider_then_its_known_embedding_models_are_offered_and_a_list_replaces_them() {
    let openai = [
        ("MANDI_PROVIDER", "openai"),
        ("MANDI_OPENAI_BASE_URL", "http://localhost:1/v1"),
        ("MANDI_OPENAI_MODEL", "shared"),
        ("MANDI_EMBEDDING_MODELS", "openai/nomic-embed-text=768, openai/text-embedding-3-large"),
    ];
    let known = Providers::from_settings(&settings(&openai[..3])).await.unwrap();
    let listed = Providers::from_settings(&settings(&openai)).await.unwrap();
    let pair = |name: &str, dimensions| (name.to_owned(), dimensions);
    assert_eq!(offered(&known, "demo"), [pair("text-embedding-3-small", 1536), pair("text-embedding-3-large", 3072)]);
    assert_eq!(offered(&listed, "demo"), [pair("nomic-embed-text", 768), pair("text-embedding-3-large", 3072)]);
}

#[tokio::test]
async fn given_a_tenant_of_its_own_then_it_is_offered_nothing_of_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants.json");
    let json = r#"{"acme": {"provider": "openai", "base_url": "http://localhost:1/v1", "model": "own",
        "embedding_models": ["openai/own-embed=64"]}, "umbra": {"provider": "none"}}"#;
    std::fs::write(&file, json).unwrap();
    let pairs = [
        ("MANDI_PROVIDER", "none"),
        ("MANDI_OPENAI_BASE_URL", "http://localhost:1/v1"),
        ("MANDI_EMBEDDING_MODELS", "openai/shared-embed=32"),
        ("MANDI_TENANT_PROVIDERS", file.to_str().unwrap()),
    ];
    let providers = Providers::from_settings(&settings(&pairs)).await.unwrap();
    assert_eq!(offered(&providers, "demo"), [("shared-embed".to_owned(), 32)]);
    assert_eq!(offered(&providers, "acme"), [("own-embed".to_owned(), 64)]);
    assert_eq!(offered(&providers, "umbra"), []);
}

#[tokio::test]
async fn given_an_embedding_model_that_cannot_be_reached_then_the_start_fails_and_names_it() {
    for (list, names) in [
        ("openai/x=8", "MANDI_OPENAI_BASE_URL"),
        ("azure/x", "azure/x"),
        ("bedrock/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("bedrock/amazon.titan-embed-text-v2:0=100", "100 dimensions"),
    ] {
        let pairs = [("MANDI_PROVIDER", "none"), ("MANDI_EMBEDDING_MODELS", list)];
        let problem = Providers::from_settings(&settings(&pairs)).await.unwrap_err();
        assert_eq!(problem.errors[0].pointer, "MANDI_EMBEDDING_MODELS");
        assert!(problem.detail.contains(names), "{}", problem.detail);
    }
}

#[cfg(feature = "gguf")]
#[tokio::test]
async fn given_no_model_file_then_the_start_fails_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&[("MANDI_MODELS", folder.path().to_str().unwrap())]);
    let problem = Providers::from_settings(&settings).await.unwrap_err();
    assert_eq!(problem.kind, mandi_core::ProblemKind::Unavailable);
    assert!(problem.detail.contains("mandi doctor"), "{}", problem.detail);
}
