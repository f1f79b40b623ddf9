//! Which features matter over a sample, and how their contributions depend on their values.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use mandi_acceptance::registry::{Grades, Platform, graded, grades, lot, model, platform, predict, register};
use mandi_acceptance::{Answer, Client};
use serde_json::{Value, json};

/// Five columns of scikit-learn's linear regression (layers/inference/tests/fixtures/exports.py).
const LINEAR: &[u8] = include_bytes!("../../../layers/inference/tests/fixtures/exports/linear_regression.onnx");

/// Sums of the same numbers in another order.
const ROUNDING: f64 = 1e-9;

async fn importance(client: &Client, model: &str, body: &Value) -> Answer {
    client.post(&format!("/v1/models/{model}/importance"), body).await
}

fn by_feature(answer: &Value) -> BTreeMap<String, f64> {
    let listed = answer["importance"].as_array().unwrap();
    listed
        .iter()
        .map(|one| (one["feature"].as_str().unwrap().to_owned(), one["importance"].as_f64().unwrap()))
        .collect()
}

fn sample() -> Vec<Value> {
    grades().version["sample"]["rows"].as_array().unwrap().clone()
}

/// What each row's features contribute, as single predictions tell it.
async fn contributions(client: &Client, model: &str) -> Vec<Value> {
    let answer = predict(client, model, &json!({"rows": sample(), "explain": true})).await.expect(200);
    answer["predictions"].as_array().unwrap().iter().map(|one| one["contributions"].clone()).collect()
}

#[tokio::test]
async fn given_a_sample_then_importance_is_the_mean_size_of_the_contributions_that_predictions_tell() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let told = contributions(client, &model).await;
    let answer = importance(client, &model, &json!({"rows": sample()})).await.expect(200);
    assert_eq!((&answer["rows"], &answer["method"], &answer["version"]), (&json!(5), &json!("exact"), &json!(1)));
    for (feature, found) in by_feature(&answer) {
        let sum: f64 = told.iter().map(|one| one["values"][&feature].as_f64().unwrap().abs()).sum();
        assert!((found - sum / 5.0).abs() < ROUNDING, "{feature}: {found} is not {}", sum / 5.0);
    }
    let listed: Vec<f64> =
        answer["importance"].as_array().unwrap().iter().map(|one| one["importance"].as_f64().unwrap()).collect();
    assert!(listed.is_sorted_by(|one, other| one >= other), "{listed:?}");
}

#[tokio::test]
async fn given_a_class_then_points_are_the_rows_values_with_what_they_contribute_to_that_class() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let told = contributions(client, &model).await;
    let class = told[0]["class"].clone();
    let asked = json!({"rows": sample(), "class": class, "features": ["origin", "curcumin_percent"]});
    let answer = importance(client, &model, &asked).await.expect(200);
    assert_eq!(answer["class"], class);
    for feature in ["origin", "curcumin_percent"] {
        let points = answer["dependence"][feature].as_array().unwrap();
        assert_eq!(points.len(), 5);
        for (point, (row, told)) in points.iter().zip(sample().iter().zip(&told)) {
            assert_eq!(point["value"], row[feature]);
            if told["class"] == class {
                let (found, expected) = (point["contribution"].as_f64(), told["values"][feature].as_f64());
                assert!((found.unwrap() - expected.unwrap()).abs() < ROUNDING, "{point} is not {told}");
            }
        }
    }
}

#[tokio::test]
async fn given_no_sample_then_the_versions_own_background_is_it() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let background = grades().version["background"]["rows"].as_array().unwrap().len();
    let answer = importance(client, &model, &json!({"game": "path-dependent"})).await.expect(200);
    assert_eq!((&answer["rows"], &answer["game"]), (&json!(background), &json!("path-dependent")));
}

#[tokio::test]
async fn given_a_linear_model_then_importance_is_that_of_its_coefficients_without_an_error() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "linear").await;
    let names = ["a", "b", "c", "d", "e"];
    let value = |row: usize, column: usize| f64::from(u32::try_from((row * (column + 3) * 7) % 11).unwrap()) - 5.0;
    let row = |at: usize| -> Value {
        names.iter().enumerate().map(|(column, name)| ((*name).to_owned(), json!(value(at, column)))).collect()
    };
    let rows: Vec<Value> = (1..=10).map(row).collect();
    let inputs: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let version = json!({"signature": {"inputs": inputs}, "background": {"rows": rows}});
    register(client, &model, LINEAR, &version).await.expect(201);
    // Of a linear model a feature contributes its coefficient times its distance from the background's mean.
    let at = |place: usize| {
        names
            .iter()
            .enumerate()
            .map(|(own, name)| ((*name).to_owned(), json!(u8::from(own == place))))
            .collect::<Value>()
    };
    let corners: Vec<Value> = (0..=names.len()).map(at).collect();
    let told = predict(client, &model, &json!({"rows": corners, "version": 1})).await.expect(200);
    let output = |place: usize| told["predictions"][place]["value"].as_f64().unwrap();
    let answer = importance(client, &model, &json!({"version": 1})).await.expect(200);
    assert_eq!(answer["method"], "exact");
    for (column, name) in names.iter().enumerate() {
        let coefficient = output(column) - output(names.len());
        let mean = (1..=10).map(|at| value(at, column)).sum::<f64>() / 10.0;
        let exact = (1..=10).map(|at| (coefficient * (value(at, column) - mean)).abs()).sum::<f64>() / 10.0;
        let listed = answer["importance"].as_array().unwrap();
        let found = listed.iter().find(|one| one["feature"] == *name).unwrap();
        let difference = (found["importance"].as_f64().unwrap() - exact).abs();
        // The model gives 32-bit floats.
        assert!(difference <= 1e-4 && found.get("standard_error").is_none(), "{name}: {found} is not {exact}");
    }
}

#[tokio::test]
async fn given_what_cannot_be_told_then_the_refusal_names_the_field() {
    let Platform { client, server, .. } = &platform().await;
    let model = graded(client).await;
    let mut wrong = lot();
    wrong["origin"] = Value::Null;
    for (status, body, named) in [
        (422, json!({"features": ["colour"]}), "/features/0"),
        (422, json!({"class": "Z"}), "/class"),
        (422, json!({"features": ["origin"]}), "/class"),
        (422, json!({"rows": [lot(), wrong]}), "/rows/1/origin"),
        (400, json!({"rows": []}), "/rows"),
        (400, json!({"rows": vec![lot(); 1_001]}), "/rows"),
        (400, json!({"version": 1, "stage": "production"}), "/stage"),
        (409, json!({"stage": "staging"}), "no version serves"),
        (404, json!({"version": 9}), "no such version"),
    ] {
        let kind = match status {
            400 => "invalid-request",
            404 => "not-found",
            409 => "conflict",
            _ => "unprocessable",
        };
        importance(client, &model, &body).await.expect_problem(status, kind, named);
    }
    let other = server.client("globex");
    importance(&other, &model, &json!({})).await.expect_problem(404, "not-found", "no such model");
}

#[tokio::test]
async fn given_a_version_without_a_background_then_it_says_what_importance_needs() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "unexplained").await;
    let Grades { file, .. } = grades();
    register(client, &model, &file, &json!({})).await.expect(201);
    let asked = json!({"rows": [lot()], "version": 1});
    importance(client, &model, &asked).await.expect_problem(422, "unprocessable", "`background`");
}
