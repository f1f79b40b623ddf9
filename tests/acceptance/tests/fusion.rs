//! Fusion: one answer of models and scores, and weights that learn from outcomes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::registry::{Grades, Platform, deploy, graded, grades, lot, platform, predict};
use mandi_acceptance::{Client, Setup};
use serde_json::{Value, json};

/// Sums of a few numbers in another order.
const ROUNDING: f64 = 1e-9;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Two brokers' prices, summed; an error of 10 is a loss of 1.
fn brokers() -> Value {
    json!({"members": [{"name": "near"}, {"name": "far"}], "method": "weighted_sum", "loss_range": 10.0,
           "learning": {"step": 1.0, "share": 0.05}})
}

async fn define(client: &Client, name: &str, definition: &Value) -> Value {
    client.put(&format!("/v1/fusion/{name}"), definition).await.expect(200)
}

async fn fuse(client: &Client, name: &str, body: &Value) -> Value {
    client.post(&format!("/v1/fusion/{name}"), body).await.expect(200)
}

async fn learn(client: &Client, name: &str, outcomes: Value) -> Value {
    client.post(&format!("/v1/fusion/{name}/outcomes"), &json!({"outcomes": outcomes})).await.expect(200)
}

async fn fusion(client: &Client, name: &str) -> Value {
    client.get(&format!("/v1/fusion/{name}")).await.expect(200)
}

/// What the members said, and that the truth was 100: a loss of 0.1 for `near` and of 1 for `far`.
fn outcome() -> Value {
    json!({"scores": {"near": 101.0, "far": 120.0}, "truth": 100.0})
}

#[tokio::test]
async fn given_scores_when_they_are_fused_then_contributions_and_base_make_the_value() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let answer =
        fuse(client, "price", &json!({"scores": {"near": 101.0, "far": {"score": 120.0, "confidence": 0.5}}})).await;
    assert_eq!((number(&answer["value"]), number(&answer["base"])), (110.5, 0.0));
    let members = answer["members"].as_array().unwrap();
    let sum: f64 = members.iter().map(|member| number(&member["contribution"])).sum();
    assert!((sum - 110.5).abs() < ROUNDING, "{answer}");
    let told: Vec<_> = members
        .iter()
        .map(|member| {
            (
                member["member"].as_str().unwrap(),
                number(&member["weight"]),
                member["confidence_source"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("near", 0.5, "earned"), ("far", 0.5, "stated")]);
    assert!(answer["kept_until"].is_string() && answer["version"] == 1, "{answer}");
}

#[tokio::test]
async fn given_outcomes_of_answers_then_weight_moves_to_the_better_member_by_the_stated_rule() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let answer = fuse(client, "price", &json!({"scores": {"near": 101.0, "far": 120.0}})).await;
    let learned = learn(client, "price", json!([{"answer": answer["id"], "truth": 100.0}])).await;
    assert_eq!((&learned["used"], &learned["version"], &learned["skipped"]), (&json!(1), &json!(2), &json!([])));
    // docs/rollout-and-fusion.md: losses 0.1 and 1, step 1, share 0.05, equal weights at the start.
    let kept = (-0.1_f64).exp() / ((-0.1_f64).exp() + (-1.0_f64).exp());
    let expected = 0.95 * kept + 0.05 * 0.5;
    assert!((number(&learned["weights"]["near"]) - expected).abs() < ROUNDING, "{learned}");
    let next = fuse(client, "price", &json!({"scores": {"near": 101.0, "far": 120.0}})).await;
    assert!((number(&next["value"]) - (expected * 101.0 + (1.0 - expected) * 120.0)).abs() < ROUNDING, "{next}");
}

#[tokio::test]
async fn given_an_answer_that_was_learned_from_then_it_counts_once() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let answer = fuse(client, "price", &json!({"scores": {"near": 101.0, "far": 120.0}})).await;
    let one = json!({"answer": answer["id"], "truth": 100.0});
    let learned = learn(client, "price", json!([one, one])).await;
    assert_eq!((&learned["used"], &learned["skipped"][0]["outcome"]), (&json!(1), &json!(1)));
    let again = learn(client, "price", json!([one])).await;
    assert_eq!((&again["used"], &again["version"]), (&json!(0), &json!(2)));
    assert_eq!(again["skipped"][0]["reason"], "this answer was learned from already");
}

#[tokio::test]
async fn given_outcomes_that_cannot_be_used_then_each_is_named_and_the_others_count() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let learned = learn(
        client,
        "price",
        json!([
            {"answer": "fus_00000000000000000000000000000000", "truth": 1.0},
            outcome(),
            {"scores": {"near": 1.0}, "truth": "high"},
            {"scores": {"stranger": 1.0}, "truth": 1.0},
            {"answer": "../../other", "truth": 1.0},
        ]),
    )
    .await;
    assert_eq!(learned["used"], 1);
    let skipped: Vec<u64> =
        learned["skipped"].as_array().unwrap().iter().map(|one| one["outcome"].as_u64().unwrap()).collect();
    assert_eq!(skipped, [0, 2, 3, 4]);
    let path = "/v1/fusion/price/outcomes";
    let both = json!({"outcomes": [{"answer": "fus_1", "scores": {}, "truth": 1.0}]});
    client.post(path, &both).await.expect_problem(400, "invalid-request", "/outcomes/0");
    client.post(path, &json!({"outcomes": []})).await.expect_problem(400, "invalid-request", "/outcomes");
    let many = vec![json!({"answer": "fus_1", "truth": 1.0}); 91];
    client.post(path, &json!({"outcomes": many})).await.expect_problem(400, "invalid-request", "up to 90");
}

#[tokio::test]
async fn given_outcomes_that_come_at_the_same_time_then_each_is_learned_from() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { learn(&client, "price", json!([outcome()])).await["used"].clone() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 1);
    }
    let found = fusion(client, "price").await;
    assert_eq!(found["version"], 13);
    assert_eq!(found["history"].as_array().unwrap().len(), 13);
}

#[tokio::test]
async fn given_models_and_a_score_then_each_is_told_with_its_version_and_who_fails_is_left_out_and_named() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let definition = json!({
        "members": [
            {"name": "pinned", "model": model, "version": 2, "class": "A"},
            {"name": "served", "model": model, "class": "A"},
            {"name": "staged", "model": model, "stage": "staging", "class": "A"},
            {"name": "inspector", "weight": 2.0},
        ],
        "method": "weighted_sum", "loss_range": 1.0,
    });
    define(client, "grade", &definition).await;
    let answer = fuse(client, "grade", &json!({"row": lot(), "scores": {"inspector": 0.5}})).await;
    let single = predict(client, &model, &json!({"rows": [lot()]})).await.expect(200);
    let probability = number(&single["predictions"][0]["probabilities"]["A"]);
    let members = answer["members"].as_array().unwrap();
    let told: Vec<_> =
        members.iter().map(|member| (member["member"].as_str().unwrap(), &member["model_version"])).collect();
    assert_eq!(told, [("pinned", &json!(2)), ("served", &json!(1)), ("inspector", &Value::Null)]);
    assert!((number(&members[0]["score"]) - probability).abs() < ROUNDING, "{answer}");
    // Weights 1, 1 and 2 of those that are left.
    let expected = 0.25 * probability + 0.25 * probability + 0.5 * 0.5;
    assert!((number(&answer["value"]) - expected).abs() < ROUNDING, "{answer}");
    assert_eq!(answer["left_out"][0]["member"], "staged");
    assert!(answer["left_out"][0]["reason"].as_str().unwrap().contains("no version serves in staging"), "{answer}");
}

#[tokio::test]
async fn given_a_model_that_is_not_in_memory_and_a_time_limit_of_a_millisecond_then_it_is_left_out_as_too_slow() {
    let folder = tempfile::tempdir().unwrap();
    let first = Setup::on(folder.path()).start().await;
    let client = first.client("acme");
    let model = graded(&client).await;
    let members = json!([{"name": "model", "model": model, "class": "A"}, {"name": "inspector"}]);
    let definition = json!({"members": members, "method": "weighted_sum", "loss_range": 1.0, "timeout_ms": 1});
    define(&client, "grade", &definition).await;
    first.kill().await;
    let server = Setup::on(folder.path()).start().await;
    let answer = fuse(&server.client("acme"), "grade", &json!({"row": lot(), "scores": {"inspector": 0.5}})).await;
    assert_eq!(answer["left_out"], json!([{"member": "model", "reason": "it took longer than 1 ms"}]));
    assert_eq!(number(&answer["value"]), 0.5);
}

#[tokio::test]
async fn given_a_vote_then_models_vote_for_their_labels_and_the_greatest_share_wins() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let label = predict(client, &model, &json!({"rows": [lot()]})).await.expect(200)["predictions"][0]["label"].clone();
    let members = json!([{"name": "one", "model": model, "version": 1}, {"name": "two", "model": model, "version": 2},
                         {"name": "inspector"}]);
    define(client, "grade", &json!({"members": members, "method": "vote"})).await;
    let answer = fuse(client, "grade", &json!({"row": lot(), "scores": {"inspector": "rejected"}})).await;
    assert_eq!(answer["label"], label);
    assert!((number(&answer["confidence"]) - 2.0 / 3.0).abs() < ROUNDING, "{answer}");
    assert!((number(&answer["shares"]["rejected"]) - 1.0 / 3.0).abs() < ROUNDING, "{answer}");
    let learned = learn(client, "grade", json!([{"answer": answer["id"], "truth": "rejected"}])).await;
    assert!(number(&learned["weights"]["inspector"]) > 1.0 / 3.0, "{learned}");
}

#[tokio::test]
async fn given_a_stacked_fusion_when_outcomes_are_a_line_of_the_scores_then_it_finds_the_line() {
    let Platform { client, .. } = &platform().await;
    let members = json!([{"name": "a"}, {"name": "b"}]);
    define(client, "stack", &json!({"members": members, "method": "ridge", "penalty": 1e-6})).await;
    let row = |place: u32| {
        let (a, b) = (f64::from(place % 7), f64::from(place * place % 5));
        json!({"scores": {"a": a, "b": b}, "truth": 3.0 + 2.0 * a - b})
    };
    learn(client, "stack", (0..200).map(row).collect()).await;
    let answer = fuse(client, "stack", &json!({"scores": {"a": 4.0, "b": 3.0}})).await;
    // The penalty draws by some 1e-6 of sums of squares of some hundreds.
    assert!((number(&answer["value"]) - 8.0).abs() < 1e-6 && (number(&answer["base"]) - 3.0).abs() < 1e-6, "{answer}");
    let members = json!([{"name": "a"}, {"name": "b"}]);
    define(client, "odds", &json!({"members": members, "method": "logistic"})).await;
    let row = |place: u32| {
        let came = place.is_multiple_of(2);
        json!({"scores": {"a": if came { 0.9 } else { 0.1 }, "b": 0.5}, "truth": came})
    };
    learn(client, "odds", (0..100).map(row).collect()).await;
    let answer = fuse(client, "odds", &json!({"scores": {"a": 0.9, "b": 0.5}})).await;
    assert!(number(&answer["probability"]) > 0.9, "{answer}");
}

#[tokio::test]
async fn given_a_frozen_fusion_then_outcomes_are_refused_until_it_is_thawed() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let frozen = client.put("/v1/fusion/price/frozen", &json!({"frozen": true})).await.expect(200);
    assert!(frozen["frozen"] == true && frozen["frozen_since"].is_string(), "{frozen}");
    let body = json!({"outcomes": [outcome()]});
    client.post("/v1/fusion/price/outcomes", &body).await.expect_problem(409, "conflict", "frozen");
    fuse(client, "price", &json!({"scores": {"near": 101.0}})).await;
    client.put("/v1/fusion/price/frozen", &json!({"frozen": false})).await.expect(200);
    assert_eq!(learn(client, "price", json!([outcome()])).await["used"], 1);
}

#[tokio::test]
async fn given_a_history_when_rolled_back_then_older_weights_hold_as_a_new_version() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let second = learn(client, "price", json!([outcome()])).await;
    learn(client, "price", json!([outcome()])).await;
    let back = client.post("/v1/fusion/price/rollback", &json!({})).await.expect(200);
    assert_eq!((&back["version"], &back["members"][0]["learned_weight"]), (&json!(4), &second["weights"]["near"]));
    let first = client.post("/v1/fusion/price/rollback", &json!({"to": 1})).await.expect(200);
    assert_eq!((&first["version"], &first["members"][0]["learned_weight"]), (&json!(5), &json!(0.5)));
    let told = fusion(client, "price").await;
    let causes: Vec<_> = told["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (entry["version"].as_u64().unwrap(), entry["cause"].as_str().unwrap(), entry["by"].as_str().unwrap())
        })
        .collect();
    let by = |version, cause| (version, cause, "admin");
    let expected = [by(5, "rolled_back"), by(4, "rolled_back"), by(3, "learned"), by(2, "learned"), by(1, "defined")];
    assert_eq!(causes, expected);
    let path = "/v1/fusion/price/rollback";
    client.post(path, &json!({"to": 9})).await.expect_problem(422, "unprocessable", "/to");
    client.post(path, &json!({})).await.expect_problem(409, "conflict", "no weights to go back to");
    let page = client.get("/v1/fusion/price?limit=2").await.expect(200);
    let next = client.get(&format!("/v1/fusion/price?limit=2&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(next.expect(200)["history"][0]["version"], 3);
}

#[tokio::test]
async fn given_the_same_definition_again_then_nothing_is_lost_and_with_another_one_learning_begins_anew() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let learned = learn(client, "price", json!([outcome()])).await;
    let mut definition = brokers();
    definition["timeout_ms"] = json!(500);
    let same = define(client, "price", &definition).await;
    assert_eq!((&same["version"], &same["timeout_ms"]), (&json!(2), &json!(500)));
    assert_eq!(same["members"][0]["learned_weight"], learned["weights"]["near"]);
    definition["members"][1]["name"] = json!("farther");
    let other = define(client, "price", &definition).await;
    assert_eq!((&other["version"], &other["members"][0]["learned_weight"]), (&json!(3), &json!(0.5)));
    let refused = client.post("/v1/fusion/price/rollback", &json!({"to": 2})).await;
    refused.expect_problem(409, "conflict", "present definition");
}

#[tokio::test]
async fn given_a_question_that_does_not_fit_then_the_refusal_names_the_field() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let members = json!([{"name": "model", "model": model, "class": "A"}, {"name": "inspector"}]);
    define(client, "grade", &json!({"members": members, "method": "weighted_sum", "loss_range": 1.0})).await;
    let mut strange = lot();
    strange["colour"] = json!("yellow");
    for (body, named) in [
        (json!({"scores": {"inspector": 0.5}}), "/row"),
        (json!({"row": strange, "scores": {"inspector": 0.5}}), "/row/colour"),
        (json!({"row": lot(), "scores": {"model": 0.5}}), "/scores/model"),
        (json!({"row": lot(), "scores": {"stranger": 0.5}}), "/scores/stranger"),
        (json!({"row": lot(), "rows": {"inspector": lot()}}), "/rows/inspector"),
        (json!({"row": {}}), "no member gave an opinion that counts"),
    ] {
        client.post("/v1/fusion/grade", &body).await.expect_problem(422, "unprocessable", named);
    }
    let body = json!({"row": lot(), "scores": {"inspector": [1]}});
    client.post("/v1/fusion/grade", &body).await.expect_problem(400, "invalid-request", "/scores/inspector");
    let gone =
        json!({"members": [{"name": "model", "model": "mdl_00000000000000000000000000000000"}], "method": "vote"});
    client.put("/v1/fusion/other", &gone).await.expect_problem(422, "unprocessable", "/members/0/model");
    let gone = json!({"members": [{"name": "model", "model": model, "version": 9}], "method": "vote"});
    client.put("/v1/fusion/other", &gone).await.expect_problem(422, "unprocessable", "/members/0/version");
    client.put("/v1/fusion/a%20b", &brokers()).await.expect_problem(400, "invalid-request", "name");
}

#[tokio::test]
async fn given_a_fusion_of_another_tenant_then_there_is_none() {
    let Platform { client, server, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let answer = fuse(client, "price", &json!({"scores": {"near": 1.0}})).await;
    let other = server.client("globex");
    for refused in [
        other.get("/v1/fusion/price").await,
        other.post("/v1/fusion/price", &json!({"scores": {"near": 1.0}})).await,
        other.post("/v1/fusion/price/outcomes", &json!({"outcomes": [outcome()]})).await,
        other.post("/v1/fusion/price/rollback", &json!({})).await,
        other.put("/v1/fusion/price/frozen", &json!({"frozen": true})).await,
        other.delete("/v1/fusion/price").await,
    ] {
        refused.expect_problem(404, "not-found", "no such fusion");
    }
    assert_eq!(other.get("/v1/fusion").await.expect(200)["fusions"], json!([]));
    define(&other, "price", &brokers()).await;
    let learned = learn(&other, "price", json!([{"answer": answer["id"], "truth": 1.0}])).await;
    assert_eq!((&learned["used"], learned["skipped"].as_array().unwrap().len()), (&json!(0), 1));
    let model = graded(client).await;
    let theirs = json!({"members": [{"name": "model", "model": model}], "method": "vote"});
    other.put("/v1/fusion/stolen", &theirs).await.expect_problem(422, "unprocessable", "/members/0/model");
}

#[tokio::test]
async fn given_a_viewer_then_it_fuses_and_changes_neither_weights_nor_definition() {
    let Platform { client, server, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    let viewer = server.client_with(server.token(&["--tenant", "acme", "--role", "viewer"]));
    fuse(&viewer, "price", &json!({"scores": {"near": 1.0}})).await;
    let outcomes = json!({"outcomes": [outcome()]});
    let refused = viewer.post("/v1/fusion/price/outcomes", &outcomes).await;
    refused.expect_problem(403, "forbidden", "outcomes.write");
    for refused in [
        viewer.put("/v1/fusion/price", &brokers()).await,
        viewer.post("/v1/fusion/price/rollback", &json!({})).await,
        viewer.put("/v1/fusion/price/frozen", &json!({"frozen": true})).await,
        viewer.delete("/v1/fusion/price").await,
    ] {
        refused.expect_problem(403, "forbidden", "models.write");
    }
}

#[tokio::test]
async fn given_changes_of_a_fusion_then_the_audit_trail_has_each_with_its_user_and_the_outcomes_fingerprint() {
    let Platform { client, .. } = &platform().await;
    define(client, "price", &brokers()).await;
    learn(client, "price", json!([outcome()])).await;
    client.put("/v1/fusion/price/frozen", &json!({"frozen": true})).await.expect(200);
    client.post("/v1/fusion/price/rollback", &json!({})).await.expect(200);
    client.delete("/v1/fusion/price").await.expect(200);
    client.get("/v1/fusion/price").await.expect_problem(404, "not-found", "no such fusion");
    let trail = client.get("/v1/audit").await.expect(200);
    let entries = trail["entries"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = ["fusion.delete", "fusion.rollback", "fusion.freeze", "fusion.learn", "fusion.define"];
    assert_eq!(actions, expected);
    assert_eq!(entries[3]["outcome"], "`price`, weights of version 2: learned from 1 outcomes");
    assert_eq!(entries[3]["input_sha256"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn given_a_trial_of_a_member_then_a_key_stays_with_its_version_in_fusions_too() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    deploy(client, &model, 2, &json!({"kind": "ab", "percent": 100})).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let members = json!([{"name": "model", "model": model, "class": "A"}]);
    define(client, "grade", &json!({"members": members, "method": "weighted_sum", "loss_range": 1.0})).await;
    let keyed = fuse(client, "grade", &json!({"row": lot(), "key": "customer-1"})).await;
    assert_eq!(keyed["members"][0]["model_version"], 2);
    let Grades { version, .. } = grades();
    let own = json!({"rows": {"model": version["sample"]["rows"][1]}});
    assert_eq!(fuse(client, "grade", &own).await["members"][0]["model_version"], 1);
}
