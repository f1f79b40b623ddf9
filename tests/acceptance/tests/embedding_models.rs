//! Embedding models of providers: in collections, in `/v1/embeddings`, in usage, and when they fail.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use mandi_acceptance::{Client, Setup};
use mandi_testkit::provider::{BedrockStub, Call, OpenAiStub, Script};
use serde_json::{Value, json};

const STUB: &str = "openai/stub-embed";

/// A server that is offered the stub's embedding model, of 8 dimensions, at 2 dollars for a million tokens.
fn with_stub(folder: &Path, stub: &OpenAiStub) -> Setup {
    let prices = folder.join("prices.json");
    let price = json!({STUB: {"input_micro_usd_per_million": 2_000_000, "output_micro_usd_per_million": 0}});
    std::fs::write(&prices, price.to_string()).unwrap();
    Setup::on(&folder.join("data"))
        .with("MANDI_OPENAI_BASE_URL", &stub.base_url())
        .with("MANDI_OPENAI_KEY", "sk-stub")
        .with("MANDI_EMBEDDING_MODELS", &format!("{STUB}=8"))
        .with("MANDI_PRICES", &prices.to_string_lossy())
}

fn with_bedrock(folder: &Path, stub: &BedrockStub) -> Setup {
    Setup::on(folder)
        .with("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &stub.endpoint_url())
        .with("AWS_REGION", "ap-south-1")
        .with("AWS_ACCESS_KEY_ID", "stub")
        .with("AWS_SECRET_ACCESS_KEY", "stub")
        .with("MANDI_PROVIDER", "bedrock")
}

fn document(id: &str, content: &str) -> Value {
    json!({"entity_type": "text", "entity_id": id, "content": content})
}

async fn collection_of(client: &Client, name: &str, model: &str) -> Value {
    client.put(&format!("/v1/collections/{name}"), &json!({"embedding_model": model})).await.expect(201)
}

fn norm(vector: &Value) -> f64 {
    let numbers = vector.as_array().unwrap().iter().map(|number| number.as_f64().unwrap());
    numbers.map(|number| number * number).sum::<f64>().sqrt()
}

#[tokio::test]
async fn given_a_collection_of_an_endpoints_model_then_documents_and_queries_are_embedded_there_and_metered() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::text("")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");

    let made = collection_of(&client, "notes", STUB).await;
    assert_eq!((&made["embedding_model"], &made["dimensions"]), (&json!(STUB), &json!(8)));
    client.post("/v1/collections/notes/documents", &document("n1", "Pepper lies in Kochi.")).await.expect(200);
    let search = json!({"query": "where is pepper", "mode": "vector"});
    let found = client.post("/v1/collections/notes/search", &search).await.expect(200);
    assert_eq!(found["results"][0]["document"]["entity_id"], "n1");

    let asked: Vec<Value> = stub.requests().into_iter().map(|call| call.body["input"].clone()).collect();
    assert_eq!(asked, [json!(["Pepper lies in Kochi."]), json!(["where is pepper"])]);
    assert_eq!(stub.requests()[0].authorization.as_deref(), Some("Bearer sk-stub"));
    assert!(!server.log().contains("sk-stub"), "the key must not be logged");
    let usage = client.get("/v1/usage/summary").await.expect(200);
    let model = &usage["by_model"][STUB];
    assert_eq!((&model["calls"], &model["input_tokens"], &model["cost_micro_usd"]), (&json!(2), &json!(7), &json!(14)));
    assert_eq!(usage["by_provider"]["openai"]["calls"], 2);
    let quality = client.get("/v1/collections/notes/quality").await.expect(200);
    assert_eq!((&quality["dimensions"], &quality["findings"]), (&json!(8), &json!([])));
}

#[tokio::test]
async fn given_a_models_name_then_embeddings_says_what_its_vectors_are_and_asks_once() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::text("")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    let body = json!({"model": STUB, "input": ["rice", "wheat ".repeat(800)]});
    for _ in 0..2 {
        let answer = client.post("/v1/embeddings", &body).await.expect(200);
        assert_eq!((&answer["model"], &answer["dimensions"]), (&json!(STUB), &json!(8)));
        assert_eq!((&answer["normalised"], &answer["max_tokens"]), (&json!(true), &json!(512)));
        assert_eq!(answer["truncated"], json!([1]));
        for vector in answer["embeddings"].as_array().unwrap() {
            assert!((norm(vector) - 1.0).abs() < 1e-5);
        }
    }
    assert_eq!(stub.calls(), 1, "the second answer is the cache's");
}

#[tokio::test]
async fn given_bedrock_then_its_models_are_offered_and_cohere_is_told_queries_from_passages() {
    let folder = tempfile::tempdir().unwrap();
    let stub = BedrockStub::start(Script::text("")).await.unwrap();
    let server = with_bedrock(folder.path(), &stub).start().await;
    let client = server.client("demo");
    for (name, model) in
        [("titan", "bedrock/amazon.titan-embed-text-v2:0"), ("cohere", "bedrock/cohere.embed-multilingual-v3")]
    {
        assert_eq!(collection_of(&client, name, model).await["dimensions"], 1024);
        let sent = document("n1", "Pepper lies in Kochi.");
        client.post(&format!("/v1/collections/{name}/documents"), &sent).await.expect(200);
        let found = client.post(&format!("/v1/collections/{name}/search"), &json!({"query": "pepper"})).await;
        assert_eq!(found.expect(200)["results"][0]["document"]["entity_id"], "n1");
    }
    let bodies: Vec<Value> = stub.requests().into_iter().map(|call| call.body).collect();
    assert_eq!(bodies[0], json!({"inputText": "Pepper lies in Kochi.", "dimensions": 1024, "normalize": true}));
    assert_eq!(bodies[1]["inputText"], "pepper");
    assert_eq!(
        (&bodies[2]["input_type"], &bodies[3]["input_type"]),
        (&json!("search_document"), &json!("search_query"))
    );

    let query = json!({"model": "bedrock/cohere.embed-english-v3", "input": "pepper", "purpose": "query"});
    client.post("/v1/embeddings", &query).await.expect(200);
    assert_eq!(stub.requests()[4].body["input_type"], "search_query");
    let usage = client.get("/v1/usage/summary").await.expect(200);
    assert_eq!(usage["by_model"]["bedrock/amazon.titan-embed-text-v2:0"]["input_tokens"], 5);
    assert_eq!(usage["by_provider"]["bedrock"]["calls"], 5);
}

#[tokio::test]
async fn given_a_model_that_is_not_offered_then_those_that_are_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::text("")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    for (answer, pointer) in [
        (client.put("/v1/collections/notes", &json!({"embedding_model": "openai/other"})).await, "/embedding_model"),
        (client.post("/v1/embeddings", &json!({"input": "x", "model": "bedrock/titan"})).await, "/model"),
    ] {
        answer.expect_problem(422, "unprocessable", "`local/all-MiniLM-L6-v2`, `openai/stub-embed`");
        assert_eq!(answer.expect(422)["errors"][0]["pointer"], pointer);
    }
    client.get("/v1/collections/notes").await.expect_problem(404, "not-found", "notes");
}

#[tokio::test]
async fn given_a_collection_then_its_model_stays() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::text("")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    collection_of(&client, "notes", STUB).await;
    client.post("/v1/collections/notes/documents", &document("n1", "Pepper.")).await.expect(200);
    let other = json!({"embedding_model": "local/all-MiniLM-L6-v2"});
    client.put("/v1/collections/notes", &other).await.expect_problem(409, "conflict", "migration");
    client.put("/v1/collections/notes", &json!({"embedding_model": STUB})).await.expect(200);

    server.kill().await;
    let server = Setup::on(&folder.path().join("data")).start().await;
    let gone = server.client("demo").post("/v1/collections/notes/search", &json!({"query": "pepper"})).await;
    gone.expect_problem(409, "conflict", "is not offered any more");
}

#[tokio::test]
async fn given_a_provider_that_throttles_then_the_caller_is_told_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::status(429, "rate_limit_exceeded").retry_after("7")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    collection_of(&client, "notes", STUB).await;
    let conversation = client.new_messages_path().await;
    for answer in [
        client.post("/v1/embeddings", &json!({"input": "x", "model": STUB})).await,
        client.post("/v1/collections/notes/documents", &document("n1", "Pepper.")).await,
        client.post("/v1/collections/notes/search", &json!({"query": "pepper"})).await,
        client.post("/v1/answers", &json!({"query": "Where is pepper?", "collections": ["notes"]})).await,
        client.post(&conversation, &json!({"content": "Where is pepper?", "collections": ["notes"]})).await,
    ] {
        answer.expect_problem(429, "throttled", "try again");
        assert_eq!(answer.headers["retry-after"], "7", "{}", answer.text);
    }
    let usage = client.get("/v1/usage/summary").await.expect(200);
    assert_eq!((&usage["total"]["calls"], &usage["total"]["failed"]), (&json!(5), &json!(5)));
}

#[tokio::test]
async fn given_a_provider_that_throttles_a_job_then_the_job_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let script = |call: &Call| match call.number {
        0 | 1 => Script::status(429, "rate_limit_exceeded").retry_after("1"),
        _ => Script::text(""),
    };
    let stub = OpenAiStub::start_with(script).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    collection_of(&client, "notes", STUB).await;
    let documents: Vec<Value> =
        (0..12).map(|number| document(&format!("n{number}"), &format!("Lot {number}."))).collect();
    let sent = client.post("/v1/collections/notes/documents", &json!({"documents": documents})).await.expect(202);
    let job = client.finished(sent["job_id"].as_str().unwrap()).await;
    assert_eq!((&job["completed"], &job["failed"]), (&json!(12), &json!(0)));
    assert_eq!(stub.calls(), 3);
}

#[tokio::test]
async fn given_a_model_whose_cosines_are_all_high_then_a_question_that_the_documents_do_not_answer_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::text("")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    collection_of(&client, "notes", STUB).await;
    let pepper = document("pepper", "The price of black pepper from Kochi is INR 640 per kg.");
    client.post("/v1/collections/notes/documents", &pepper).await.expect(200);

    let unrelated = "How many goals decided the football final in Madrid?";
    let found = client.post("/v1/collections/notes/search", &json!({"query": unrelated})).await.expect(200);
    let scores = &found["results"][0]["scores"];
    assert!(scores["vector"].as_f64().unwrap() > 0.8, "{scores}");
    assert_eq!((&scores["cosine_scale"], &scores["rerank"]), (&Value::Null, &Value::Null));
    let conversation = client.new_messages_path().await;
    for (question, citations) in [(unrelated, 0), ("What is the price of black pepper?", 1)] {
        let answer = client.post("/v1/answers", &json!({"query": question})).await.expect(200);
        assert_eq!(answer["citations"].as_array().unwrap().len(), citations, "{answer}");
        let message = client.post(&conversation, &json!({"content": question})).await.expect(201);
        let answer = &message["assistant"]["answer"];
        assert_eq!(answer["citations"].as_array().unwrap().len(), citations, "{message}");
    }
}

#[tokio::test]
async fn given_collections_of_different_models_then_one_question_searches_them_all() {
    let folder = tempfile::tempdir().unwrap();
    let stub = OpenAiStub::start(Script::text("")).await.unwrap();
    let server = with_stub(folder.path(), &stub).start().await;
    let client = server.client("demo");
    collection_of(&client, "remote", STUB).await;
    collection_of(&client, "near", "local/all-MiniLM-L6-v2").await;
    let pepper = document("pepper", "The price of black pepper is INR 640 per kg.");
    let rice = document("rice", "The price of basmati rice is INR 92 per kg.");
    client.post("/v1/collections/remote/documents", &pepper).await.expect(200);
    client.post("/v1/collections/near/documents", &rice).await.expect(200);

    let conversation = client.new_messages_path().await;
    for (question, document) in
        [("What is the price of black pepper?", "pepper"), ("What is the price of basmati rice?", "rice")]
    {
        let answer = client.post("/v1/answers", &json!({"query": question})).await.expect(200);
        assert_eq!(answer["citations"][0]["document"]["entity_id"], document, "{answer}");
        assert_eq!(answer["retrieved_chunks"], 2);
        let message = client.post(&conversation, &json!({"content": question})).await.expect(201);
        let citation = &message["assistant"]["answer"]["citations"][0];
        assert_eq!(citation["document"]["entity_id"], document, "{message}");
    }
}
