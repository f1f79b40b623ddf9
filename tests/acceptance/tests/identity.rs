//! Who may do what: every route of the OpenAPI document, with a bad token, another tenant's, and one that lacks
//! the permission. New routes are covered by being in the document.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::batch::{lots, predicted};
use mandi_acceptance::registry::graded;
use mandi_acceptance::{Answer, Client, Setup};
use reqwest::Method;
use serde_json::{Value, json};

/// One operation of the document.
struct Operation {
    method: Method,
    path: String,
    permission: Option<String>,
    body: Option<Value>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let permission = operation["security"][0]["bearer"][0].as_str().map(str::to_owned);
            let body = operation
                .get("requestBody")
                .map(|body| example(document, &body["content"]["application/json"]["schema"]));
            operations.push(Operation { method, path: path.clone(), permission, body });
        }
    }
    operations
}

/// The smallest body that a schema takes.
fn example(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return example(document, document.pointer(&reference[1..]).unwrap());
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return example(document, &choices[0]);
    }
    if let Some(example) = schema.get("example").or_else(|| schema["enum"].get(0)) {
        return example.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let fields = required.iter().map(|name| {
                let name = name.as_str().unwrap();
                (name.to_owned(), example(document, &schema["properties"][name]))
            });
            Value::Object(fields.collect())
        }
        Some("array") if schema["minItems"].as_u64().is_some_and(|least| least > 0) => {
            json!([example(document, &schema["items"])])
        }
        Some("array") => json!([]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        _ => json!("x"),
    }
}

/// Calls an operation; `ids` say what stands in a path in place of what.
async fn call(client: &Client, operation: &Operation, ids: &[(&str, &str)]) -> Answer {
    let path = ids.iter().fold(operation.path.clone(), |path, (parameter, id)| path.replace(parameter, id));
    assert!(!path.contains('{'), "{path}: say in this test what its parameters stand for");
    let request = client.request(operation.method.clone(), &path);
    let request = match &operation.body {
        Some(body) => request.json(body),
        None => request,
    };
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_route_refuses_no_token_another_tenant_and_a_missing_permission() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let owner = server.client("demo");
    owner.collection_with("contracts", "C-1", "The buyer shall pay within 30 days.").await;
    let conversation = owner.conversation().await;
    let sent = owner
        .post(&format!("/v1/conversations/{conversation}/messages"), &json!({"content": "When must the buyer pay?"}))
        .await
        .expect(201);
    let many: Vec<Value> = (0..11)
        .map(|number| json!({"entity_type": "text", "entity_id": format!("{number}"), "content": "Rice."}))
        .collect();
    let job = owner.post("/v1/collections/contracts/documents", &json!({"documents": many})).await.expect(202);
    let job = job["job_id"].as_str().unwrap();
    owner.finished(job).await;
    let model = graded(&owner).await;
    let batch = predicted(&owner, &model, ("lots.csv", lots(2).into()), &json!({})).await;
    let batch = format!("/v1/predictions/{}", batch["job_id"].as_str().unwrap());
    let fused = json!({"members": [{"name": "a"}, {"name": "b"}], "method": "weighted_sum", "loss_range": 1.0});
    owner.put("/v1/fusion/blend", &fused).await.expect(200);
    let model = format!("/v1/models/{model}");
    let ids = [
        ("/v1/models/{id}", model.as_str()),
        ("/v1/predictions/{id}", batch.as_str()),
        ("{name}", "blend"),
        ("{version}", "1"),
        ("{id}", conversation.as_str()),
        ("{message_id}", sent["assistant"]["id"].as_str().unwrap()),
        ("{collection}", "contracts"),
        ("{entity_type}", "contract"),
        ("{entity_id}", "C-1"),
        ("{job_id}", job),
    ];
    let document = owner.get("/v1/openapi.json").await.expect(200);
    let operations = operations(&document);
    assert!(operations.len() >= 20, "{}", operations.len());

    let nobody = server.client_with("not.a.token".to_owned());
    let stranger = server.client("other");
    let powerless =
        server.client_with(server.token(&["--tenant", "demo", "--user", "temp", "--permission", "usage.read"]));
    let useless =
        server.client_with(server.token(&["--tenant", "demo", "--user", "temp", "--permission", "embeddings.create"]));
    for operation in &operations {
        let name = format!("{} {}", operation.method, operation.path);
        let Some(permission) = &operation.permission else {
            assert_eq!(call(&nobody, operation, &ids).await.status, 200, "{name} needs no token");
            continue;
        };
        call(&nobody, operation, &ids).await.expect_problem(401, "unauthorised", "JWT");
        let without = if permission == "usage.read" { &useless } else { &powerless };
        call(without, operation, &ids).await.expect_problem(403, "forbidden", permission);
        // Routes that name something of the owner's: to another tenant it is not there. Making a collection or a fusion
        // of the same name is another tenant's right, and touches nothing of the owner's.
        let makes = operation.method == Method::PUT
            && ["/v1/collections/{collection}", "/v1/fusion/{name}"].contains(&operation.path.as_str());
        if operation.path.contains('{') && !makes {
            let answer = call(&stranger, operation, &ids).await;
            assert_eq!(answer.status, 404, "{name}: {}", answer.text);
        }
    }
    owner.get("/v1/collections/contracts/documents/contract/C-1").await.expect(200);
}

#[tokio::test]
async fn the_reason_of_a_refusal_helps_and_leaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Setup::on(folder.path()).start().await;
    let nothing = reqwest::get(format!("{}/v1/conversations", server.base())).await.unwrap();
    Answer::of(nothing).await.expect_problem(401, "unauthorised", "Authorization: Bearer");
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ0ZW5hbnQiOiJkZW1vIiwic3ViIjoiYSJ9.";
    server.client_with(unsigned.to_owned()).get("/v1/conversations").await.expect_problem(401, "unauthorised", "JWT");
}
