//! The guard of a canary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::agreement::Agreement;
use mandi_learning::arm::ArmCounters;
use mandi_learning::guard::{Bound, Decision, Guard, State};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, from_value, json};

fn guard(min_calls: u64, bounds: &[Value]) -> Guard {
    from_value(json!({"format": 1, "min_calls": min_calls, "alpha": 0.05, "bounds": bounds})).unwrap()
}

fn arm(failed: u64, calls: u64, latency_ms: impl Fn(u64) -> f64) -> ArmCounters {
    let mut arm = ArmCounters::default();
    for call in 0..calls {
        if call < failed {
            arm.errors.hit();
        } else {
            arm.errors.miss();
        }
        arm.latency_ms.add(latency_ms(call));
    }
    arm
}

/// 1 to 100 ms in turn: a p95 of 95 ms.
fn steps(call: u64) -> f64 {
    (call % 100 + 1) as f64
}

fn none() -> Agreement {
    Agreement::default()
}

fn reason(decision: &Decision) -> Option<&str> {
    match decision {
        Decision::RollBack { reason, .. } => Some(reason),
        Decision::GoOn { .. } => None,
    }
}

fn states(decision: &Decision) -> Vec<State> {
    let (Decision::RollBack { findings, .. } | Decision::GoOn { findings }) = decision;
    findings.iter().map(|finding| finding.state).collect()
}

#[test]
fn given_a_canary_that_fails_often_when_the_guard_looks_then_it_goes_back_and_the_reason_says_why() {
    let guard = guard(100, &[json!({"bound": "error_rate", "at_most": 0.02})]);
    let decision = guard.look(&arm(0, 1_000, steps), &arm(60, 1_000, steps), &none());
    assert_eq!(reason(&decision), Some("error rate is above 2.00 %, observed 6.00 % in 1000 calls"));
}

#[test]
fn given_few_calls_when_the_guard_looks_then_it_waits_however_bad_they_are() {
    let guard = guard(100, &[json!({"bound": "error_rate", "at_most": 0.02})]);
    let decision = guard.look(&arm(0, 1_000, steps), &arm(99, 99, steps), &none());
    assert_eq!(states(&decision), [State::TooFewCalls]);
}

#[test]
fn given_a_bad_observation_that_proves_nothing_when_the_guard_looks_then_the_canary_goes_on() {
    let guard = guard(100, &[json!({"bound": "error_rate", "at_most": 0.02})]);
    let decision = guard.look(&arm(0, 1_000, steps), &arm(4, 120, steps), &none());
    assert_eq!(states(&decision), [State::NotBroken]);
}

#[test]
fn given_errors_that_both_arms_have_when_the_bound_is_against_the_control_then_the_canary_goes_on() {
    let bounds = [json!({"bound": "error_excess", "at_most": 0.01})];
    let guard = guard(100, &bounds);
    assert_eq!(reason(&guard.look(&arm(100, 1_000, steps), &arm(110, 1_000, steps), &none())), None);
    let worse = guard.look(&arm(100, 1_000, steps), &arm(200, 1_000, steps), &none());
    assert_eq!(
        reason(&worse),
        Some("error rate above the control's is above 1.00 points, observed 10.00 points in 1000 calls")
    );
}

#[test]
fn given_a_slow_canary_when_the_guard_looks_then_its_quantile_breaks_the_bound() {
    let bounds = |limit: f64| [json!({"bound": "latency", "quantile": "p95", "at_most_ms": limit})];
    let canary = arm(0, 5_000, steps);
    let broken = guard(100, &bounds(90.0)).look(&canary, &canary, &none());
    assert_eq!(reason(&broken), Some("latency p95 is above 90.0 ms, observed 95.0 ms in 5000 calls"));
    assert_eq!(reason(&guard(100, &bounds(100.0)).look(&canary, &canary, &none())), None);
}

#[test]
fn given_a_canary_slower_than_its_control_when_the_ratio_is_bound_then_it_goes_back() {
    let guard = guard(100, &[json!({"bound": "latency_ratio", "quantile": "p95", "at_most": 1.5})]);
    let control = arm(0, 5_000, steps);
    let slow = guard.look(&control, &arm(0, 5_000, |call| 2.0 * steps(call)), &none());
    assert!(
        reason(&slow).is_some_and(|reason| reason.starts_with("latency p95 over the control's is above 1.50 times"))
    );
    assert_eq!(reason(&guard.look(&control, &arm(0, 5_000, |call| 1.4 * steps(call)), &none())), None);
    assert_eq!(reason(&guard.look(&control, &control, &none())), None);
}

#[test]
fn given_answers_that_differ_when_disagreement_is_bound_then_pairs_are_counted_and_not_calls() {
    let guard = guard(50, &[json!({"bound": "disagreement", "at_most": 0.1})]);
    let mut agreement = none();
    (0..200).for_each(|index| agreement.add_labels("a", if index % 3 == 0 { "b" } else { "a" }));
    let arms = (arm(0, 1_000, steps), arm(0, 1_000, steps));
    assert!(reason(&guard.look(&arms.0, &arms.1, &agreement)).is_some());
    assert_eq!(states(&guard.look(&arms.0, &arms.1, &none())), [State::TooFewCalls]);
}

/// A canary exactly at its three bounds, looked at after each 10 of 2,000 calls, 300 times over.
#[test]
fn given_a_canary_that_keeps_its_bounds_when_the_guard_looks_again_and_again_then_it_rarely_goes_back() {
    let guard = guard(
        30,
        &[
            json!({"bound": "error_rate", "at_most": 0.05}),
            json!({"bound": "latency", "quantile": "p95", "at_most_ms": 64.0}),
            json!({"bound": "latency_ratio", "quantile": "p95", "at_most": 1.0}),
        ],
    );
    let sent_back = (0..300)
        .filter(|seed| {
            let mut random = StdRng::seed_from_u64(*seed);
            let mut arms = [ArmCounters::default(), ArmCounters::default()];
            (1..=2_000).any(|call| {
                let arm = &mut arms[usize::from(random.random_bool(0.5))];
                if random.random_bool(0.05) {
                    arm.errors.hit();
                } else {
                    arm.errors.miss();
                }
                // 5 % take 64 ms or longer.
                let latency = if random.random_bool(0.05) { 64.0 } else { 4.0 } * (1.0 + random.random::<f64>());
                arm.latency_ms.add(latency);
                call % 10 == 0 && reason(&guard.look(&arms[0], &arms[1], &none())).is_some()
            })
        })
        .count();
    assert!(sent_back <= 15, "{sent_back} of 300");
}

/// Errors of 15 % against a bound of 2 %: how many calls the guard needs, at the median over 100 seeds.
#[test]
fn given_a_canary_that_fails_badly_when_calls_come_then_it_goes_back_within_a_hundred_of_them() {
    let guard = guard(20, &[json!({"bound": "error_rate", "at_most": 0.02})]);
    let mut needed: Vec<u32> = (0..100)
        .map(|seed| {
            let mut random = StdRng::seed_from_u64(seed);
            let mut canary = ArmCounters::default();
            (1..=1_000)
                .find(|_| {
                    if random.random_bool(0.15) {
                        canary.errors.hit();
                    } else {
                        canary.errors.miss();
                    }
                    reason(&guard.look(&ArmCounters::default(), &canary, &none())).is_some()
                })
                .unwrap_or(1_001)
        })
        .collect();
    needed.sort_unstable();
    assert!(needed[50] <= 100, "{}", needed[50]);
    assert!(needed[99] <= 1_000);
}

#[test]
fn given_a_bound_that_means_nothing_when_it_is_read_then_it_is_refused_with_the_way_out() {
    let refusal = |bound: Value| from_value::<Bound>(bound).unwrap_err().to_string();
    assert!(refusal(json!({"bound": "error_rate", "at_most": 2.0})).contains("2 is no fraction"));
    assert!(refusal(json!({"bound": "latency", "quantile": "p95", "at_most_ms": 0.0})).contains("above 0"));
    assert!(refusal(json!({"bound": "latency_ratio", "quantile": "p99", "at_most": 0.5})).contains("1 or more"));
    assert!(refusal(json!({"bound": "error_rate", "at_most": 0.1, "quantile": "p95"})).contains("quantile"));
}

#[test]
fn given_a_guard_when_it_is_stored_then_it_is_read_back() {
    let guard = guard(
        30,
        &[
            json!({"bound": "error_excess", "at_most": 0.01}),
            json!({"bound": "latency_ratio", "quantile": "p99", "at_most": 2.0}),
        ],
    );
    let stored = serde_json::to_string(&guard).unwrap();
    assert_eq!(serde_json::from_str::<Guard>(&stored).unwrap(), guard);
}
