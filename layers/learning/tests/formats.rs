//! Stored forms of format 1: what was written once has to be read for ever.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::agreement::Agreement;
use mandi_learning::arm::ArmCounters;
use mandi_learning::fusion::{Fused, Fusion, Opinion, Opinions};
use mandi_learning::guard::{Decision, Guard};
use mandi_learning::metric::{Judged, Metric};
use mandi_learning::sequential::Alpha;
use serde_json::{Value, from_value, json, to_value};

fn fused(stored: &Value) -> f64 {
    let fusion: Fusion = from_value(stored.clone()).unwrap();
    assert_eq!(&to_value(&fusion).unwrap(), stored, "what is read is written again as it was");
    let score = |value| Opinion::Score { value, confidence: None };
    let said: Opinions = [("a".to_owned(), score(0.75)), ("b".to_owned(), score(0.25))].into();
    match fusion.answer(&said).unwrap().fused {
        Fused::Value(value) | Fused::Probability(value) => value,
        Fused::Label { .. } => f64::NAN,
    }
}

fn fusion(method: &Value, learned: &Value) -> Value {
    json!({
        "format": 1,
        "definition": {"members": [{"name": "a", "weight": 1.0}, {"name": "b", "weight": 3.0}], "method": method},
        "mode": {"mode": "frozen", "since_ms": 1_790_000_000_000_i64},
        "current": {
            "format": 1,
            "version": 3,
            "at_ms": 1_780_000_000_000_i64,
            "cause": {"cause": "rolled_back", "to": 1},
            "learned": learned,
        },
    })
}

#[test]
fn given_a_stored_weighted_sum_when_it_is_read_then_it_answers_as_it_did() {
    let learning = json!({"rule": "fixed_share", "step": 0.5, "share": 0.125});
    let method = json!({"method": "weighted_sum", "learning": learning, "loss_range": 2.0});
    let records = json!([{"losses": 0.5, "outcomes": 2.0}, {"losses": 0.0, "outcomes": 0.0}]);
    let stored = fusion(&method, &json!({"kind": "weights", "weights": [0.5, 0.5], "records": records}));
    assert!((fused(&stored) - 0.5).abs() < 1e-12);
}

/// Two outcomes, (1, 0) to 1 and (0, 1) to 0: all products are 1/2 or -1/2. With a penalty of 1 the move from the prior
/// (1/4, 3/4) solves (1.5, -0.5; -0.5, 1.5) d = (0.75, -0.75), so that d = (3/8, -3/8), the weights are 5/8 and 3/8, and
/// the intercept is 1/2 - 1/2 = 0.
#[test]
fn given_a_stored_ridge_when_it_is_read_then_it_answers_as_it_did() {
    let moments = json!({"count": 2, "means": [0.5, 0.5, 0.5], "products": [0.5, -0.5, 0.5, 0.5, -0.5, 0.5]});
    let learned = json!({"kind": "ridge", "moments": moments, "intercept": 0.0, "weights": [0.625, 0.375]});
    let found = fused(&fusion(&json!({"method": "ridge", "penalty": 1.0}), &learned));
    assert!((found - (0.625 * 0.75 + 0.375 * 0.25)).abs() < 1e-12, "{found}");
}

/// By hand: the log-odds are ln 3 and -ln 3.
#[test]
fn given_a_stored_logistic_when_it_is_read_then_it_answers_as_it_did() {
    let moments = json!({"count": 0, "means": [0.0, 0.0, 0.0], "products": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]});
    let belief = json!({"mean": [0.5, 1.0, 0.5], "precision": [0.25, 0.0, 1.0, 0.0, 0.0, 1.0]});
    let learned = json!({"kind": "logistic", "moments": moments, "belief": belief});
    let found = fused(&fusion(&json!({"method": "logistic", "penalty": 1.0}), &learned));
    let log_odds = 0.5 + 0.5 * f64::ln(3.0);
    assert!((found - 1.0 / (1.0 + (-log_odds).exp())).abs() < 1e-12, "{found}");
}

#[test]
fn given_stored_counters_and_a_guard_when_they_are_read_then_the_decision_is_as_it_was() {
    let counters = json!({
        "format": 1,
        "errors": {"hits": 30, "misses": 70},
        "latency_ms": {"buckets": {"1385": 100}, "not_numbers": 0},
        "values": {"buckets": {}, "not_numbers": 2},
        "labels": {"counts": {"fresh": 98}, "others": 0},
    });
    let guard = json!({
        "format": 1,
        "min_calls": 50,
        "alpha": 0.05,
        "bounds": [{"bound": "error_rate", "at_most": 0.1}, {"bound": "latency", "quantile": "p95", "at_most_ms": 11.0}],
    });
    let arm: ArmCounters = from_value(counters.clone()).unwrap();
    assert_eq!(to_value(&arm).unwrap(), counters);
    let read: Guard = from_value(guard.clone()).unwrap();
    assert_eq!(to_value(&read).unwrap(), guard);
    let decision = read.look(&ArmCounters::default(), &arm, &Agreement::default());
    let Decision::RollBack { reason, findings } = decision else { panic!("{decision:?}") };
    assert_eq!(reason, "error rate is above 10.00 %, observed 30.00 % in 100 calls");
    assert!((findings[1].observed.unwrap() - 10.0).abs() < 10.0 / 32.0, "{findings:?}");
}

#[test]
fn given_stored_outcomes_when_they_are_read_then_the_metric_is_as_it_was() {
    let moments = |count, sum| json!({"count": count, "sum": sum, "variation": 0.25});
    let stored = json!({
        "format": 1,
        "control": moments(4, 1.5),
        "treatment": moments(2, 0.5),
        "differences": {"count": 0, "sum": 0.0, "variation": 0.0},
    });
    let judged: Judged = from_value(stored.clone()).unwrap();
    assert_eq!(to_value(judged).unwrap(), stored);
    let report = judged.report(Metric::AbsoluteError { at_most: 8.0 }, Alpha::FIVE_PERCENT).unwrap();
    assert_eq!((report.control.mean, report.treatment.mean, report.comparison.estimate), (3.0, 2.0, -1.0));
}
