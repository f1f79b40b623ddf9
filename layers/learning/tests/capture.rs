//! Which calls are captured.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::capture::CapturePolicy;
use mandi_learning::rollout::Percent;
use serde_json::{from_value, json, to_value};

const MODEL: &str = "mdl_0199f0c0aaaa7000800000000000000f";

fn percentage(basis_points: u16) -> CapturePolicy {
    CapturePolicy::Percentage { percent: Percent::from_basis_points(basis_points).unwrap() }
}

fn captured(policy: CapturePolicy, requests: u32) -> Vec<u32> {
    (0..requests).filter(|request| policy.captures(MODEL, &format!("req_{request}"))).collect()
}

#[test]
fn given_off_or_nought_then_no_request_is_captured_and_given_all_or_a_hundred_then_each() {
    for policy in [CapturePolicy::Off, percentage(0)] {
        assert!(captured(policy, 1_000).is_empty());
    }
    for policy in [CapturePolicy::All, percentage(10_000)] {
        assert_eq!(captured(policy, 1_000).len(), 1_000);
    }
}

/// The standard deviation of the number of captured requests is sqrt(40,000 * 0.125 * 0.875) = 66; four of them.
#[test]
fn given_a_percentage_then_that_share_of_requests_is_captured() {
    let count = captured(percentage(1_250), 40_000).len();
    assert!(count.abs_diff(5_000) <= 265, "{count}");
}

#[test]
fn given_a_higher_percentage_then_no_request_that_was_captured_is_left_out() {
    let (few, many) = (captured(percentage(500), 5_000), captured(percentage(2_000), 5_000));
    assert!(few.iter().all(|request| many.contains(request)) && few.len() < many.len());
}

#[test]
fn given_two_models_then_their_requests_are_chosen_independently() {
    let policy = percentage(5_000);
    let same = (0..2_000).filter(|request| {
        let request = format!("req_{request}");
        policy.captures(MODEL, &request) == policy.captures("mdl_other", &request)
    });
    // Half of 2,000, with a standard deviation of 22; four of them.
    let same = same.count();
    assert!(same.abs_diff(1_000) <= 90, "{same}");
}

/// Computed with Python: `int.from_bytes(sha256(b"capture\0" + model + b"\0" + request).digest()[:8], "big") * 10_000 >> 64`
/// is 8_689, 8_832 and 7_435 for the requests req_1 to req_3.
#[test]
fn given_a_request_then_its_bucket_is_the_one_of_the_definition() {
    for (request, bucket) in [("req_1", 8_689), ("req_2", 8_832), ("req_3", 7_435)] {
        assert!(!percentage(bucket).captures(MODEL, request) && percentage(bucket + 1).captures(MODEL, request));
    }
}

#[test]
fn given_stored_policies_when_they_are_read_and_written_then_they_are_as_they_were() {
    for stored in [json!({"mode": "off"}), json!({"mode": "percentage", "percent": 12.5}), json!({"mode": "all"})] {
        assert_eq!(to_value(from_value::<CapturePolicy>(stored.clone()).unwrap()).unwrap(), stored);
    }
}

#[test]
fn given_a_policy_that_is_none_when_it_is_read_then_it_is_refused() {
    for bad in [
        json!({"mode": "some"}),
        json!({"mode": "percentage"}),
        json!({"mode": "percentage", "percent": 101}),
        json!({"mode": "percentage", "percent": 10, "rows": 5}),
    ] {
        assert!(from_value::<CapturePolicy>(bad.clone()).is_err(), "{bad}");
    }
}
