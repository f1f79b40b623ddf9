//! Rollout, as a caller sees it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use mandi_learning::rollout::{Arm, Choice, Pair, Percent, Policy, Rollout, Subject, bucket, number};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{from_value, json, to_value};

fn percent(basis_points: u16) -> Percent {
    Percent::from_basis_points(basis_points).unwrap()
}

fn versions() -> Pair<u32> {
    Pair::new(1, 2).unwrap()
}

fn rollout(policy: Policy<u32>) -> Rollout<u32> {
    Rollout::new("mdl_price".to_owned(), "rol_1".to_owned(), policy)
}

fn ab(basis_points: u16) -> Rollout<u32> {
    rollout(Policy::Ab { versions: versions(), percent: percent(basis_points) })
}

fn canary(basis_points: u16) -> Rollout<u32> {
    rollout(Policy::Canary { versions: versions(), percent: percent(basis_points) })
}

fn is_treated(rollout: &Rollout<u32>, key: &str) -> bool {
    matches!(rollout.choose(Subject::Key(key)), Choice::Compared(Arm::Treatment, 2))
}

fn keys() -> Vec<String> {
    (0..20_000).map(|index| format!("customer-{index}")).collect()
}

/// Expected buckets by Python: `int.from_bytes(hashlib.sha256(b"mdl_price\0rol_1\0" + key).digest()[:8], "big")`,
/// times 10,000, shifted right by 64.
#[test]
fn given_a_key_when_its_bucket_is_computed_elsewhere_then_it_is_the_same() {
    for (key, first, second) in BUCKETS {
        assert_eq!(bucket(number("mdl_price", "rol_1", key)), first, "{key}");
        assert_eq!(bucket(number("mdl_price", "rol_2", key)), second, "{key}");
    }
}

const BUCKETS: [(&str, u16, u16); 5] =
    [("farmer-1", 3824, 1526), ("farmer-2", 73, 9412), ("", 9704, 4687), ("किसान", 3754, 3021), ("a/b c", 4918, 2963)];

#[test]
fn given_a_percentage_that_grows_when_keys_are_assigned_then_none_leaves_the_treatment() {
    let steps = [0, 1, 100, 500, 1_000, 2_500, 5_000, 9_999, 10_000].map(ab);
    for pair in steps.windows(2) {
        for key in keys() {
            assert!(!is_treated(&pair[0], &key) || is_treated(&pair[1], &key), "{key} left");
        }
    }
}

#[test]
fn given_a_percentage_when_many_keys_are_assigned_then_that_share_of_them_is_treated() {
    for basis_points in [100, 1_000, 3_333, 5_000] {
        let rollout = ab(basis_points);
        let treated = keys().iter().filter(|key| is_treated(&rollout, key)).count();
        let (share, expected) = (treated as f64 / 20_000.0, f64::from(basis_points) / 10_000.0);
        let four_standard_errors = 4.0 * (expected * (1.0 - expected) / 20_000.0).sqrt();
        assert!((share - expected).abs() < four_standard_errors, "{share} of {expected}");
    }
}

#[test]
fn given_two_rollouts_of_one_model_when_keys_are_assigned_then_independently() {
    let (one, mut other) = (ab(5_000), ab(5_000));
    other.id = "rol_2".to_owned();
    let both = keys().iter().filter(|key| is_treated(&one, key) && is_treated(&other, key)).count();
    assert!((both as f64 / 20_000.0 - 0.25).abs() < 0.013, "{both}: 4 standard errors are 0.0122");
}

#[test]
fn given_0_or_100_percent_when_keys_are_assigned_then_none_or_all_are_treated() {
    assert!(keys().iter().all(|key| !is_treated(&ab(0), key) && is_treated(&ab(10_000), key)));
}

#[test]
fn given_a_canary_and_no_key_when_requests_come_then_the_number_drawn_for_each_decides() {
    let rollout = canary(1_000);
    let mut random = StdRng::seed_from_u64(7);
    let treated = (0..20_000).filter(|_| *rollout.choose(Subject::Drawn(random.random())).answers() == 2).count();
    assert!((treated as f64 / 20_000.0 - 0.1).abs() < 0.0085, "{treated}: 4 standard errors are 0.0085");
}

#[test]
fn given_a_canary_and_a_key_when_the_same_key_comes_again_then_it_gets_the_same_version() {
    let rollout = canary(5_000);
    let again: Rollout<u32> = from_value(to_value(&rollout).unwrap()).unwrap();
    for key in keys() {
        assert_eq!(rollout.choose(Subject::Key(&key)), again.choose(Subject::Key(&key)));
    }
}

#[test]
fn given_an_ab_test_and_no_key_when_a_request_comes_then_the_control_answers_and_it_is_not_compared() {
    assert_eq!(ab(10_000).choose(Subject::Drawn(0)), Choice::Alone(&1));
}

#[test]
fn given_a_shadow_when_requests_come_then_the_control_answers_all_and_the_shadow_runs_beside_its_share() {
    let rollout = rollout(Policy::Shadow { versions: versions(), percent: percent(5_000) });
    let mut choices = BTreeMap::new();
    for key in keys() {
        let choice = rollout.choose(Subject::Key(&key));
        assert_eq!(*choice.answers(), 1);
        *choices.entry(matches!(choice, Choice::Beside { shadow: 2, .. })).or_insert(0) += 1;
    }
    assert!(choices[&true] > 9_700 && choices[&false] > 9_700, "{choices:?}");
}

#[test]
fn given_a_rollout_when_it_ends_then_one_version_answers_all() {
    let promoted = canary(1_000).ended_with(Arm::Treatment);
    let rolled_back = canary(1_000).ended_with(Arm::Control);
    assert!(keys().iter().all(|key| promoted.choose(Subject::Key(key)) == Choice::Alone(&2)));
    assert!(keys().iter().all(|key| rolled_back.choose(Subject::Key(key)) == Choice::Alone(&1)));
}

#[test]
fn given_a_rollout_when_its_percentage_changes_then_its_salt_does_not() {
    assert_eq!(canary(1_000).at(percent(2_000)), canary(2_000));
}

#[test]
fn given_a_rollout_when_it_is_stored_then_it_is_read_back_and_its_form_is_this_one() {
    let stored = json!({
        "format": 1, "model": "mdl_price", "id": "rol_1",
        "policy": {"kind": "canary", "control": 1, "treatment": 2, "percent": 12.5},
    });
    assert_eq!(to_value(canary(1_250)).unwrap(), stored);
    assert_eq!(from_value::<Rollout<u32>>(stored).unwrap(), canary(1_250));
}

#[test]
fn given_a_rollout_that_cannot_be_when_it_is_read_then_it_is_refused_with_the_way_out() {
    let of = |format: u32, treatment: u32, percent: f64| {
        let policy = json!({"kind": "ab", "control": 1, "treatment": treatment, "percent": percent});
        let all = json!({"format": format, "model": "m", "id": "r", "policy": policy});
        from_value::<Rollout<u32>>(all).map_err(|error| error.to_string())
    };
    assert!(of(1, 2, 100.5).unwrap_err().contains("percent is 100.5"));
    assert!(of(1, 2, -1.0).unwrap_err().contains("percent is -1"));
    assert!(of(1, 2, 1.234).unwrap_err().contains("two decimals"));
    assert!(of(1, 1, 10.0).unwrap_err().contains("same version"));
    assert!(of(2, 2, 10.0).unwrap_err().contains("reads format 1"));
    assert!(of(1, 2, 10.0).is_ok());
}
