//! Trials of a version beside the one that serves: who answers, what is reported, when it goes back.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use mandi_acceptance::registry::{Grades, Platform, deploy, graded, grades, lot, model, platform, predict, register};
use mandi_acceptance::webhook::Receiver;
use mandi_acceptance::{Client, Setup};
use serde_json::{Value, json};

/// A secret of 32 bytes, 1 to 32.
const SECRET: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

/// After so long a deployment holds, and counts are kept.
const SETTLED: Duration = Duration::from_millis(700);

async fn version_for(client: &Client, model: &str, key: Option<&str>) -> u64 {
    let mut asked = json!({"rows": [lot()]});
    if let Some(key) = key {
        asked["key"] = json!(key);
    }
    predict(client, model, &asked).await.expect(200)["version"].as_u64().unwrap()
}

/// The keys of 60 that get version 2.
async fn tried(client: &Client, model: &str) -> BTreeSet<String> {
    let mut tried = BTreeSet::new();
    for customer in 0..60 {
        let key = format!("customer-{customer}");
        if version_for(client, model, Some(&key)).await == 2 {
            tried.insert(key);
        }
    }
    tried
}

async fn report(client: &Client, model: &str) -> Value {
    client.get(&format!("/v1/models/{model}/rollout")).await.expect(200)
}

#[tokio::test]
async fn given_a_canary_when_its_percentage_grows_then_no_key_that_was_in_goes_out() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    deploy(client, &model, 2, &json!({"kind": "canary", "percent": 20, "guard": {"latency_ratio": 100.0}}))
        .await
        .expect(200);
    tokio::time::sleep(SETTLED).await;
    let few = tried(client, &model).await;
    assert_eq!(few, tried(client, &model).await, "a key changed its version");
    deploy(client, &model, 2, &json!({"kind": "canary", "percent": 60, "guard": {"latency_ratio": 100.0}}))
        .await
        .expect(200);
    tokio::time::sleep(SETTLED).await;
    let many = tried(client, &model).await;
    assert!(few.is_subset(&many) && few.len() < many.len(), "{few:?} and then {many:?}");
    let told = report(client, &model).await;
    let calls = |arm: &str| told["report"][arm]["calls"].as_u64().unwrap();
    assert_eq!(calls("control") + calls("treatment"), 180);
    assert_eq!(told["report"]["errors"]["verdict"], "no_difference_yet");
}

#[tokio::test]
async fn given_an_ab_test_when_a_call_has_no_key_then_the_version_that_serves_answers() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    deploy(client, &model, 2, &json!({"kind": "ab", "percent": 100})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    assert_eq!(version_for(client, &model, None).await, 1);
    assert_eq!(version_for(client, &model, Some("customer-1")).await, 2);
}

#[tokio::test]
async fn given_a_shadow_then_the_serving_version_answers_and_agreement_is_reported() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    deploy(client, &model, 2, &json!({"kind": "shadow"})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    for _ in 0..20 {
        assert_eq!(version_for(client, &model, None).await, 1);
    }
    // The shadow answers after the caller's answer is there.
    let mut told = report(client, &model).await;
    for _ in 0..20 {
        if told["report"]["treatment"]["calls"] == 20 {
            break;
        }
        tokio::time::sleep(SETTLED).await;
        told = report(client, &model).await;
    }
    assert_eq!((&told["report"]["control"]["calls"], &told["report"]["treatment"]["calls"]), (&json!(20), &json!(20)));
    assert_eq!(told["report"]["agreement"]["share"], 1.0);
}

/// Deploys a shadow that always disagrees, and calls the model until it has gone back; the model's id.
async fn sent_back(client: &Client) -> String {
    let model = model(client, "disagreeing").await;
    let Grades { file, version } = grades();
    register(client, &model, &file, &version).await.expect(201);
    // The same file with the classes in another order: its answers are other ones.
    let swapped = swap(&file, b"A", b"C");
    register(client, &model, &swapped, &json!({"signature": version["signature"]})).await.expect(201);
    deploy(client, &model, 1, &json!({})).await.expect(200);
    let guard = json!({"disagreement": 0.2, "min_calls": 20, "latency_ratio": 100.0});
    deploy(client, &model, 2, &json!({"kind": "shadow", "guard": guard})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    for _ in 0..12 {
        for _ in 0..20 {
            version_for(client, &model, None).await;
        }
        if report(client, &model).await.get("candidate").is_none() {
            break;
        }
        tokio::time::sleep(SETTLED).await;
    }
    let told = report(client, &model).await;
    assert!(told.get("candidate").is_none() && told["version"] == 1, "{told}");
    model
}

#[tokio::test]
async fn given_a_shadow_that_always_disagrees_then_it_goes_back_by_itself_with_an_entry_of_the_trail() {
    let Platform { client, .. } = &platform().await;
    let model = sent_back(client).await;
    let trail = client.get(&format!("/v1/audit?model_id={model}")).await.expect(200);
    let entry = &trail["entries"][0];
    assert_eq!((&entry["user"], &entry["action"]), (&json!("platform"), &json!("model.rollback")));
    assert!(entry["outcome"].as_str().unwrap().contains("disagree"), "{entry}");
}

#[tokio::test]
async fn given_a_trial_that_goes_back_then_an_alert_is_listed_for_its_tenant_and_delivered_to_the_webhook() {
    let mut receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::on(folder.path()).with("MANDI_WEBHOOK_URL", &receiver.url).with("MANDI_WEBHOOK_SECRET", SECRET);
    let server = setup.start().await;
    let client = &server.client("acme");
    let model = sent_back(client).await;
    let delivered = receiver.next().await;
    assert!(delivered.head.contains("webhook-signature: v1,"), "{}", delivered.head);
    let alerts = client.get("/v1/alerts").await.expect(200);
    assert_eq!(alerts["alerts"].as_array().map(Vec::len), Some(1), "{alerts}");
    let alert = &alerts["alerts"][0];
    assert_eq!((&alert["kind"], &alert["severity"]), (&json!("model.rolled-back"), &json!("critical")));
    assert_eq!((&alert["details"]["model_id"], &alert["details"]["version"]), (&json!(model), &json!(2)));
    assert!(alert["text"].as_str().unwrap().contains("disagree"), "{alert}");
    assert_eq!((&delivered.body["id"], &delivered.body["tenant"]), (&alert["id"], &json!("acme")));
    let others = server.client("other").get("/v1/alerts").await.expect(200);
    assert_eq!(others["alerts"], json!([]));
}

#[tokio::test]
async fn given_a_caller_without_the_right_then_alerts_are_refused() {
    let Platform { server, .. } = &platform().await;
    let viewer = server.client_with(server.token(&["--tenant", "acme", "--role", "viewer"]));
    viewer.get("/v1/alerts").await.expect_problem(403, "forbidden", "audit.read");
}

/// A version that answers well, and one with two of its classes exchanged; the model's id.
async fn exchanged(client: &Client, name: &str) -> String {
    let model = model(client, name).await;
    let Grades { file, version } = grades();
    register(client, &model, &file, &version).await.expect(201);
    let swapped = swap(&file, b"A", b"C");
    register(client, &model, &swapped, &json!({"signature": version["signature"]})).await.expect(201);
    deploy(client, &model, 1, &json!({})).await.expect(200);
    model
}

/// Waits for a trial to end by itself. Nobody calls the model meanwhile.
async fn gone_back(client: &Client, model: &str) -> Value {
    for _ in 0..20 {
        let told = report(client, model).await;
        if told.get("candidate").is_none() {
            return told;
        }
        tokio::time::sleep(SETTLED / 2).await;
    }
    panic!("the trial goes on: {}", report(client, model).await);
}

#[tokio::test]
async fn given_a_burst_of_calls_and_then_none_when_they_break_a_bound_then_the_trial_goes_back_all_the_same() {
    let Platform { client, .. } = &platform().await;
    let model = exchanged(client, "called in a burst").await;
    let guard = json!({"disagreement": 0.2, "min_calls": 20, "latency_ratio": 100.0});
    deploy(client, &model, 2, &json!({"kind": "shadow", "guard": guard})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    for _ in 0..60 {
        version_for(client, &model, None).await;
    }
    assert_eq!(gone_back(client, &model).await["version"], 1);
}

/// A canary answers alone: its answers are compared with what the other version says of the same rows.
#[tokio::test]
async fn given_a_canary_that_is_bound_to_agree_when_it_does_not_then_it_goes_back() {
    let Platform { client, .. } = &platform().await;
    let model = exchanged(client, "a disagreeing canary").await;
    let guard = json!({"disagreement": 0.2, "min_calls": 10, "latency_ratio": 100.0});
    deploy(client, &model, 2, &json!({"kind": "canary", "percent": 50, "guard": guard})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    for _ in 0..80 {
        version_for(client, &model, None).await;
    }
    gone_back(client, &model).await;
    let trail = client.get(&format!("/v1/audit?model_id={model}")).await.expect(200).to_string();
    assert!(trail.contains("sent back from production: ") && trail.contains("disagree"), "{trail}");
}

#[tokio::test]
async fn given_a_canary_whose_signature_refuses_rows_that_were_taken_then_it_is_said_at_once_and_the_canary_goes_back()
{
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let Grades { file, .. } = grades();
    let narrow = json!({"inputs": [{"name": "moisture_percent", "range": {"max": 1}}]});
    let narrow = register(client, &model, &file, &json!({"signature": narrow})).await.expect(201);
    let guard = json!({"min_calls": 10, "latency_ratio": 100.0});
    let version = u32::try_from(narrow["version"].as_u64().unwrap()).unwrap();
    let rollout = json!({"kind": "canary", "percent": 50, "guard": guard});
    let deployed = deploy(client, &model, version, &rollout).await.expect(200);
    assert!(
        deployed["warnings"][0].as_str().unwrap().contains("`moisture_percent` has a narrower range"),
        "{deployed}"
    );
    tokio::time::sleep(SETTLED).await;
    for _ in 0..80 {
        predict(client, &model, &json!({"rows": [lot()]})).await;
    }
    gone_back(client, &model).await;
    let trail = client.get(&format!("/v1/audit?model_id={model}")).await.expect(200).to_string();
    assert!(trail.contains("sent back from production: ") && trail.contains("error rate"), "{trail}");
}

/// Sends outcomes until the answers that they are of are kept, which is after they were sent.
async fn send(client: &Client, model: &str, outcomes: &Value) -> Value {
    for _ in 0..40 {
        let told =
            client.post(&format!("/v1/models/{model}/outcomes"), &json!({"outcomes": outcomes})).await.expect(200);
        if told["used"] != 0 {
            return told;
        }
        tokio::time::sleep(SETTLED / 4).await;
    }
    panic!("the outcomes {outcomes} were never counted");
}

#[tokio::test]
async fn given_a_shadow_with_a_metric_when_outcomes_are_sent_then_pairs_give_a_verdict_and_each_row_counts_once() {
    let Platform { client, .. } = &platform().await;
    let model = exchanged(client, "judged in the shadow").await;
    deploy(client, &model, 2, &json!({"kind": "shadow", "metric": {"kind": "accuracy"}})).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    let rows = vec![lot(); 40];
    let answer = predict(client, &model, &json!({"rows": rows})).await.expect(200);
    let truth = &answer["predictions"][0]["label"];
    let outcome = |row: usize| json!({"call": answer["id"], "row": row, "truth": truth});
    let told = send(client, &model, &(0..40).map(outcome).collect()).await;
    assert_eq!((&told["used"], &told["metric"]["control"]["mean"]), (&json!(40), &json!(1.0)), "{told}");
    assert_eq!(told["metric"]["comparison"]["verdict"], "worse", "{told}");
    let again = json!({"outcomes": [outcome(0), {"call": answer["id"], "row": 40, "truth": truth}]});
    let again = client.post(&format!("/v1/models/{model}/outcomes"), &again).await.expect(200);
    assert_eq!(again["used"], 0);
    assert_eq!(again["skipped"][0]["reason"], "its outcome is known already");
    assert_eq!(again["skipped"][1]["reason"], "the call has 40 rows; they count from 0");
    assert_eq!(report(client, &model).await["report"]["metric"]["treatment"]["count"], 40);
}

#[tokio::test]
async fn given_an_ab_test_with_a_metric_when_outcomes_are_sent_then_each_counts_for_the_version_that_answered() {
    let Platform { client, .. } = &platform().await;
    let model = exchanged(client, "judged side by side").await;
    let error = json!({"kind": "ab", "metric": {"kind": "brier_score"}});
    deploy(client, &model, 2, &error).await.expect(200);
    tokio::time::sleep(SETTLED).await;
    let mut counts = [0, 0];
    for customer in 0..12 {
        let asked = json!({"rows": [lot(), lot()], "key": format!("customer-{customer}")});
        let answer = predict(client, &model, &asked).await.expect(200);
        let outcomes = json!([{"call": answer["id"], "truth": "A"}, {"call": answer["id"], "row": 1, "truth": "A"}]);
        send(client, &model, &outcomes).await;
        counts[usize::from(answer["version"] == 2)] += 2;
    }
    let told = report(client, &model).await;
    let metric = &told["report"]["metric"];
    assert_eq!((&metric["control"]["count"], &metric["treatment"]["count"]), (&json!(counts[0]), &json!(counts[1])));
    let interval = &metric["comparison"]["interval"];
    let (lower, upper) = (interval["lower"].as_f64().unwrap(), interval["upper"].as_f64().unwrap());
    assert!((-1.0..1.0).contains(&lower) && lower < upper, "{metric}");
}

#[tokio::test]
async fn given_outcomes_that_nothing_can_be_learned_from_then_the_refusal_says_why() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    let path = format!("/v1/models/{model}/outcomes");
    let one = json!({"outcomes": [{"call": "call_1", "truth": "A"}]});
    client.post(&path, &one).await.expect_problem(409, "conflict", "no version is on trial");
    deploy(client, &model, 2, &json!({"kind": "canary"})).await.expect(200);
    client.post(&path, &one).await.expect_problem(409, "conflict", "rollout.metric");
    deploy(client, &model, 2, &json!({"kind": "canary", "metric": {"kind": "accuracy"}})).await.expect(200);
    client.post(&path, &json!({"outcomes": []})).await.expect_problem(400, "invalid-request", "/outcomes");
    let told = client.post(&path, &one).await.expect(200);
    assert_eq!((&told["used"], &told["skipped"][0]["outcome"]), (&json!(0), &json!(0)));
    let other = json!({"kind": "canary", "metric": {"kind": "brier_score"}});
    deploy(client, &model, 2, &other).await.expect_problem(409, "conflict", "another metric");
}

/// A model's file in which the names of two of its classes change places.
fn swap(file: &[u8], one: &[u8; 1], other: &[u8; 1]) -> Vec<u8> {
    let mut swapped = file.to_vec();
    // In the list of names each is a field of one byte: a tag, the length 1, the name.
    let tag = |place: usize| place >= 2 && file[place - 1] == 1 && file[place - 2] == 0x4a;
    for place in 0..file.len() {
        if tag(place) && file[place] == one[0] {
            swapped[place] = other[0];
        } else if tag(place) && file[place] == other[0] {
            swapped[place] = one[0];
        }
    }
    assert_ne!(swapped, file, "the names were not found");
    swapped
}

#[tokio::test]
async fn given_a_rollout_that_cannot_be_then_it_is_refused_with_the_field() {
    let Platform { client, .. } = &platform().await;
    let model = graded(client).await;
    for (rollout, named) in [
        (json!({"kind": "canary", "percent": 0}), "/rollout/percent"),
        (json!({"kind": "canary", "percent": 101}), "/rollout/percent"),
        (json!({"kind": "canary", "percent": 1.234}), "/rollout/percent"),
        (json!({"kind": "all", "percent": 10}), "/rollout/percent"),
        (json!({"kind": "all", "guard": {}}), "/rollout/guard"),
        (json!({"kind": "canary", "guard": {"error_excess": 2}}), "/rollout/guard/error_excess"),
        (json!({"kind": "canary", "guard": {"latency_ratio": 0.5}}), "/rollout/guard/latency_ratio"),
        (json!({"kind": "all", "metric": {"kind": "accuracy"}}), "/rollout/metric"),
        (json!({"kind": "ab", "metric": {"kind": "absolute_error"}}), "/rollout/metric/at_most"),
        (json!({"kind": "ab", "metric": {"kind": "f1"}}), "/rollout/metric/kind"),
        (json!({"kind": "blue-green"}), "/rollout/kind"),
    ] {
        deploy(client, &model, 2, &rollout).await.expect_problem(400, "invalid-request", named);
    }
    deploy(client, &model, 1, &json!({"kind": "canary"})).await.expect_problem(409, "conflict", "serves already");
    deploy(client, &model, 9, &json!({})).await.expect_problem(422, "unprocessable", "/version");
    let of_values = json!({"kind": "ab", "metric": {"kind": "smape"}});
    deploy(client, &model, 2, &of_values).await.expect_problem(422, "unprocessable", "/rollout/metric/kind");
}
