//! The registry of models and predictions, as a caller meets them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::registry::{Grades, Platform, deploy, graded, grades, lot, model, platform, predict, register};
use serde_json::{Value, json};

#[tokio::test]
async fn given_a_pipeline_of_numbers_and_texts_then_it_is_registered_deployed_and_answers_as_its_exporter_says() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "turmeric-grade").await;
    let Grades { file, version: given } = grades();
    let version = register(client, &model, &file, &given).await.expect(201);
    assert_eq!(
        (&version["version"], &version["stage"], &version["sample"]["compared"]),
        (&json!(1), &json!("none"), &json!(5))
    );
    assert_eq!(version["signature"]["inputs"][4]["type"], "string");
    deploy(client, &model, 1, &json!({})).await.expect(200);
    let sample = &given["sample"];
    let answer = predict(client, &model, &json!({"rows": sample["rows"]})).await.expect(200);
    assert_eq!((&answer["version"], &answer["errors"]), (&json!(1), &json!([])));
    for (found, expected) in
        answer["predictions"].as_array().unwrap().iter().zip(sample["expected"].as_array().unwrap())
    {
        assert_eq!(found["label"], expected["label"]);
        for (class, share) in expected["probabilities"].as_object().unwrap() {
            let difference = (found["probabilities"][class].as_f64().unwrap() - share.as_f64().unwrap()).abs();
            // The sample's tolerance: both sides sum 32-bit floats.
            assert!(difference < 1e-5, "{class}: {found} is not {expected}");
        }
    }
}

#[tokio::test]
async fn given_good_and_bad_rows_then_the_good_ones_are_answered_and_each_fault_is_named() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let changed = |name: &str, value: Value| {
        let mut row = lot();
        row[name] = value;
        row
    };
    let mut incomplete = lot();
    incomplete.as_object_mut().unwrap().remove("moisture_percent");
    let rows = json!([
        lot(),
        changed("curcumin_percent", json!("high")),
        changed("moisture_percent", json!(140)),
        changed("origin", Value::Null),
        changed("Origin", json!("Salem")),
        incomplete,
        [1, 2, 3],
        changed("origin", json!("never seen")),
    ]);
    let answer = predict(client, &model, &json!({"rows": rows})).await.expect(200);
    let predictions = answer["predictions"].as_array().unwrap();
    let answered: Vec<bool> = predictions.iter().map(|prediction| !prediction.is_null()).collect();
    assert_eq!(answered, [true, false, false, false, false, false, false, true]);
    let told: Vec<String> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            format!("{} {} {}", error["row"], error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "1 /rows/1/curcumin_percent it holds the text `high`; a number from 0 to 100 is expected",
            "2 /rows/2/moisture_percent it holds the number 140; a number from 0 to 100 is expected",
            "3 /rows/3/origin it holds null; a text is expected",
            "4 /rows/4/Origin the model has no such feature; it takes moisture_percent, curcumin_percent, \
         foreign_matter_percent, finger_length_mm, origin",
            "5 /rows/5/moisture_percent it holds nothing; a number from 0 to 100 is expected",
            "6 /rows/6 a row is an object with a value by feature",
        ]
    );
}

#[tokio::test]
async fn given_no_good_row_then_the_answer_is_a_problem_with_each_fault() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let answer = predict(client, &model, &json!({"rows": [{"origin": "Salem"}]})).await;
    answer.expect_problem(422, "unprocessable", "/rows/0/finger_length_mm");
    predict(client, &model, &json!({"rows": []})).await.expect_problem(400, "invalid-request", "/rows");
    let many = vec![lot(); 1_001];
    predict(client, &model, &json!({"rows": many})).await.expect_problem(400, "invalid-request", "batch prediction");
}

#[tokio::test]
async fn given_two_versions_when_rolled_back_then_the_first_answers_within_a_second() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    deploy(client, &model, 2, &json!({})).await.expect(200);
    let answered_by = async || predict(client, &model, &json!({"rows": [lot()]})).await.expect(200)["version"].clone();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(answered_by().await, 2);
    let back = client.post(&format!("/v1/models/{model}/rollback"), &json!({})).await.expect(200);
    assert_eq!((&back["from"], &back["to"]), (&json!(2), &json!(1)));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(answered_by().await, 1);
    let again = client.post(&format!("/v1/models/{model}/rollback"), &json!({})).await;
    again.expect_problem(409, "conflict", "no earlier version");
    let version = client.get(&format!("/v1/models/{model}/versions/2")).await.expect(200);
    assert_eq!(version["stage"], "none");
}

#[tokio::test]
async fn given_a_file_that_is_no_model_or_has_an_unknown_operator_then_it_is_refused_and_not_kept() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "refused").await;
    let nothing = json!({});
    let refused = register(client, &model, b"this is no model", &nothing).await;
    refused.expect_problem(422, "unprocessable", "/artifact");
    let (known, unknown) = (b"TreeEnsembleClassifier", b"UnknownTreeClassifiers");
    let mut file = grades().file;
    // The node's name and its operator.
    for place in 0..file.len() - known.len() {
        if file[place..].starts_with(known) {
            file[place..place + known.len()].copy_from_slice(unknown);
        }
    }
    let refused = register(client, &model, &file, &nothing).await;
    for part in ["UnknownTreeClassifiers", "ai.onnx.ml", "version 1"] {
        refused.expect_problem(422, "unprocessable", part);
    }
    let listed = client.get(&format!("/v1/models/{model}/versions")).await.expect(200);
    assert_eq!(listed["versions"], json!([]));
}

#[tokio::test]
async fn given_a_sample_whose_answer_differs_then_the_version_is_refused_with_the_row() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "refused").await;
    let Grades { file, version: mut given } = grades();
    given["sample"]["expected"][3]["probabilities"]["A"] = json!(0.5);
    let refused = register(client, &model, &file, &given).await;
    refused.expect_problem(422, "unprocessable", "/sample/expected/3");
    given["sample"]["expected"] = json!([{"label": "A"}]);
    register(client, &model, &file, &given).await.expect_problem(400, "invalid-request", "1 answers for 5 rows");
}

#[tokio::test]
async fn given_a_signature_that_does_not_fit_the_file_then_each_field_is_named() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "refused").await;
    let Grades { file, .. } = grades();
    for (signature, named) in [
        (json!({"inputs": [{"name": "colour"}]}), "/signature/inputs/0/name"),
        (json!({"inputs": [{"name": "origin", "type": "number"}]}), "/signature/inputs"),
        (json!({"inputs": [{"name": "origin", "range": {"min": 0}}]}), "/signature/inputs/0/range"),
        (json!({"inputs": [{"name": "moisture_percent", "range": {"min": 3, "max": 1}}]}), "/signature/inputs/0/range"),
        (json!({"inputs": [{"name": "moisture_percent", "default": "wet"}]}), "/signature/inputs/0/default"),
        (json!({"inputs": [{"name": "origin", "categories": ["Salem", "Salem"]}]}), "/signature/inputs/0/categories"),
        (json!({"outputs": [{"name": "colour"}]}), "/signature/outputs/0/name"),
        (json!({"outputs": [{"name": "output_label", "classes": ["A"]}]}), "/signature/outputs/0/classes"),
        (json!({"outputs": [{"name": "output_probability", "classes": ["A", "B"]}]}), "/signature/outputs/0/classes"),
    ] {
        let refused = register(client, &model, &file, &json!({"signature": signature})).await;
        refused.expect_problem(422, "unprocessable", named);
    }
    let orphan = register(client, &model, &file, &json!({"lineage": {"parent": 9}})).await;
    orphan.expect_problem(422, "unprocessable", "/lineage/parent");
}

#[tokio::test]
async fn given_an_upload_then_its_file_is_registered_and_the_upload_is_used_up() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "uploaded").await;
    let Grades { file, version: given } = grades();
    let announced = json!({"filename": "grade.onnx", "size_bytes": file.len()});
    let upload = client.post("/v1/uploads", &announced).await.expect(201);
    let mut version = given.clone();
    version["artifact"] = json!({"upload": upload["upload_id"]});
    let path = format!("/v1/models/{model}/versions");
    client.post(&path, &version).await.expect_problem(422, "unprocessable", "not sent yet");
    let sent = reqwest::Client::new().put(upload["url"].as_str().unwrap()).body(file).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    client.post(&path, &version).await.expect(201);
    client.post(&path, &version).await.expect_problem(422, "unprocessable", "no upload");
}

#[tokio::test]
async fn given_an_upload_when_its_bytes_or_its_url_are_changed_then_they_are_refused() {
    let Platform { client, server, .. } = &platform().await;
    let model = model(client, "uploaded").await;
    let wrong = "0".repeat(64);
    let announced = json!({"filename": "grade.onnx", "size_bytes": 4, "sha256": wrong});
    let upload = client.post("/v1/uploads", &announced).await.expect(201);
    let url = upload["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(server.base()));
    let put = async |url: String, body: &'static str| {
        reqwest::Client::new().put(url).body(body).send().await.unwrap().status()
    };
    assert_eq!(put(url.clone(), "12345").await, 400);
    assert_eq!(put(url.replace("acme", "globex"), "1234").await, 403);
    assert_eq!(put(url, "1234").await, 200);
    let version = json!({"artifact": {"upload": upload["upload_id"]}});
    let refused = client.post(&format!("/v1/models/{model}/versions"), &version).await;
    refused.expect_problem(422, "unprocessable", "SHA-256");
    let other = server.client("globex").post("/v1/models", &json!({"name": "x"})).await.expect(201);
    let path = format!("/v1/models/{}/versions", other["id"].as_str().unwrap());
    server.client("globex").post(&path, &version).await.expect_problem(422, "unprocessable", "no upload");
}

#[tokio::test]
async fn given_a_model_of_another_tenant_then_there_is_none() {
    let Platform { client, server, .. } = &platform().await;
    let model = graded(client).await;
    let other = server.client("globex");
    other.get(&format!("/v1/models/{model}")).await.expect_problem(404, "not-found", "no such model");
    predict(&other, &model, &json!({"rows": [lot()]})).await.expect_problem(404, "not-found", "no such model");
    other.delete(&format!("/v1/models/{model}")).await.expect_problem(404, "not-found", "no such model");
}

#[tokio::test]
async fn given_a_model_when_it_is_deleted_then_its_name_is_free_and_nothing_answers() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    client.post("/v1/models", &json!({"name": "turmeric-grade"})).await.expect_problem(409, "conflict", "already");
    client.delete(&format!("/v1/models/{model}")).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    predict(client, &model, &json!({"rows": [lot()]})).await.expect_problem(404, "not-found", "no such model");
    client.post("/v1/models", &json!({"name": "turmeric-grade"})).await.expect(201);
}

#[tokio::test]
async fn given_changes_of_a_model_then_the_audit_trail_has_each_with_its_user() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let trail = client.get(&format!("/v1/audit?model_id={model}")).await.expect(200);
    let told: Vec<String> = trail["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!("{} {} {}", entry["user"].as_str().unwrap(), entry["action"].as_str().unwrap(), entry["version"])
        })
        .collect();
    assert_eq!(
        told,
        ["admin model.deploy 1", "admin model.register 2", "admin model.register 1", "admin model.create null"]
    );
    assert_eq!(trail["entries"][1]["input_sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn given_an_editor_then_versions_are_registered_and_not_promoted() {
    let Platform { client, server, .. } = &platform().await;
    let model = graded(client).await;
    let editor = server.client_with(server.token(&["--tenant", "acme", "--role", "editor"]));
    let Grades { file, version: given } = grades();
    register(&editor, &model, &file, &given).await.expect(201);
    let body = json!({"version": 3, "stage": "production"});
    let refused = editor.post(&format!("/v1/models/{model}/deploy"), &body).await;
    refused.expect_problem(403, "forbidden", "models.promote");
    editor.delete(&format!("/v1/models/{model}")).await.expect_problem(403, "forbidden", "models.promote");
}

#[tokio::test]
async fn given_a_background_then_contributions_and_base_make_the_probability_of_the_label() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let rows = grades().version["sample"]["rows"].clone();
    for game in ["interventional", "path-dependent"] {
        let asked = json!({"rows": rows, "explain": true, "game": game});
        let answer = predict(client, &model, &asked).await.expect(200);
        for prediction in answer["predictions"].as_array().unwrap() {
            let found = &prediction["contributions"];
            assert_eq!(
                (&found["method"], &found["game"], &found["space"]),
                (&json!("exact"), &json!(game), &json!("raw"))
            );
            assert_eq!(found["class"], prediction["label"]);
            let values = found["values"].as_object().unwrap();
            assert!(values.contains_key("origin") && values.len() == 5, "{values:?}");
            let sum = found["base"].as_f64().unwrap() + values.values().filter_map(Value::as_f64).sum::<f64>();
            let output = prediction["probabilities"][found["class"].as_str().unwrap()].as_f64().unwrap();
            // The trees vote with probabilities, as 32-bit floats.
            assert!((sum - output).abs() < 1e-5, "{sum} is not {output}");
        }
    }
}

#[tokio::test]
async fn given_a_version_without_a_background_then_it_says_what_an_explanation_needs() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "unexplained").await;
    register(client, &model, &grades().file, &json!({})).await.expect(201);
    let asked = json!({"rows": [lot()], "version": 1, "explain": true});
    predict(client, &model, &asked).await.expect_problem(422, "unprocessable", "background");
    let many = json!({"rows": vec![lot(); 101], "version": 1, "explain": true});
    predict(client, &model, &many).await.expect_problem(400, "invalid-request", "/explain");
}
