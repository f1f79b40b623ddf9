//! Distributions, agreement and the report of two arms.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::agreement::Agreement;
use mandi_learning::arm::{ArmCounters, Report};
use mandi_learning::distribution::{Histogram, Labels, MAX_LABELS, RELATIVE_ERROR, label_stability, stability};
use mandi_learning::metric::{Judged, Metric};
use mandi_learning::rollout::Arm;
use mandi_learning::sequential::{Alpha, Rate, Verdict};
use rand::{RngExt, SeedableRng, rngs::StdRng};

fn histogram(values: &[f64]) -> Histogram {
    let mut histogram = Histogram::default();
    values.iter().for_each(|value| histogram.add(*value));
    histogram
}

/// About log-normal, from microseconds to hours.
fn latencies(seed: u64, count: usize) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count).map(|_| ((0..12).map(|_| random.random::<f64>()).sum::<f64>() * 2.0 - 9.0).exp()).collect()
}

fn normal(random: &mut StdRng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

/// Nearest rank of the sorted values.
fn exact_quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil().max(1.0) as usize;
    sorted[rank - 1]
}

#[test]
fn given_values_when_quantiles_are_estimated_then_each_is_within_the_stated_error() {
    let mut random = StdRng::seed_from_u64(5);
    let signed: Vec<f64> = (0..5_000).map(|_| normal(&mut random) * 1e6).collect();
    for values in [latencies(1, 5_000), signed, vec![3.0], vec![0.0, 0.0, 1.0], (1..=100).map(f64::from).collect()] {
        let histogram = histogram(&values);
        for share in [0.0, 0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let (found, exact) = (histogram.quantile(share).unwrap(), exact_quantile(&values, share));
            assert!((found - exact).abs() <= RELATIVE_ERROR * exact.abs(), "{share}: {found}, not {exact}");
        }
    }
}

#[test]
fn given_histograms_of_instances_when_they_are_merged_then_they_are_that_of_all_values() {
    let values = latencies(2, 3_000);
    let parts = values.chunks(700).map(histogram).collect::<Vec<_>>();
    let merged = parts.iter().rev().fold(Histogram::default(), Histogram::merged);
    assert_eq!(merged, histogram(&values));
    let stored = serde_json::to_string(&merged).unwrap();
    assert_eq!(serde_json::from_str::<Histogram>(&stored).unwrap(), merged);
}

#[test]
fn given_a_limit_when_slower_values_are_counted_then_never_too_many_and_at_most_a_bucket_too_few() {
    let values = latencies(3, 5_000);
    let histogram = histogram(&values);
    for limit in [0.5, 1.0, 8.0, 30.0, 33.3] {
        let at_least = |limit: f64| values.iter().filter(|value| **value >= limit).count() as u64;
        let found = histogram.at_least(limit).hits;
        assert!(found <= at_least(limit) && found >= at_least(limit * (1.0 + 1.0 / 32.0)), "{found} from {limit} on");
    }
}

#[test]
fn given_what_is_no_number_or_has_no_end_when_it_is_added_then_nothing_breaks() {
    let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, -0.0];
    let histogram = histogram(&strange);
    assert_eq!((histogram.count(), histogram.not_numbers()), (5, 1));
    assert!(histogram.quantile(0.0).unwrap() < -1e17 && histogram.quantile(1.0).unwrap() > 1e17);
    assert!(histogram.quantile(0.5).unwrap().abs() < 1e-12);
    assert_eq!(Histogram::default().quantile(0.5), None);
    let hostile: Histogram = serde_json::from_str(r#"{"buckets":{"32767":18446744073709551615,"-32768":9}}"#).unwrap();
    assert!(hostile.quantile(0.01).is_some() && stability(&hostile, &histogram).is_some());
    assert!(hostile.at_least(1.0).hits > 0);
}

/// By hand: bins of 50 and 50 against 90 and 10, each share (count + 1/2) / (100 + 1).
#[test]
fn given_labels_when_their_shares_move_then_the_index_is_that_of_the_formula() {
    let labels = |one: usize, other: usize| {
        let mut labels = Labels::default();
        (0..one).for_each(|_| labels.add("fresh"));
        (0..other).for_each(|_| labels.add("stale"));
        labels
    };
    let found = label_stability(&labels(50, 50), &labels(90, 10)).unwrap();
    let (p, q, r) = (90.5 / 101.0, 50.5 / 101.0, 10.5 / 101.0);
    let expected: f64 = (p - q) * f64::ln(p / q) + (r - q) * f64::ln(r / q);
    assert!((found.psi - expected).abs() < 1e-12, "{} not {expected}", found.psi);
    assert!((found.expected_by_chance - 0.02).abs() < 1e-12 && found.bins == 2);
    assert!(label_stability(&labels(50, 50), &labels(50, 50)).unwrap().psi.abs() < 1e-12);
    assert_eq!(label_stability(&labels(0, 0), &labels(1, 1)), None);
}

/// A shift of a normal distribution by one standard deviation has an index of 1 without bins (the symmetric
/// Kullback-Leibler divergence); ten bins keep most of it.
#[test]
fn given_values_when_they_shift_then_the_index_tells_and_when_not_it_is_as_small_as_chance() {
    let mut random = StdRng::seed_from_u64(9);
    let mut sample = |mean: f64| histogram(&(0..20_000).map(|_| normal(&mut random) + mean).collect::<Vec<_>>());
    let (control, same, moved) = (sample(0.0), sample(0.0), sample(1.0));
    let unmoved = stability(&control, &same).unwrap();
    assert!((10..=12).contains(&unmoved.bins), "{}", unmoved.bins);
    assert!(unmoved.psi < 4.0 * unmoved.expected_by_chance, "{unmoved:?}");
    let shift = stability(&control, &moved).unwrap().psi;
    assert!((0.8..1.05).contains(&shift), "{shift}");
}

#[test]
fn given_endless_labels_when_they_are_counted_then_memory_is_bounded_and_none_is_lost() {
    let mut labels = Labels::default();
    (0..3 * MAX_LABELS).for_each(|index| labels.add(&index.to_string()));
    assert_eq!(labels.others(), 2 * MAX_LABELS as u64);
    assert_eq!(labels.count_of("5"), 1);
}

/// Expected values by two passes over the pairs; tolerance 1e-9. The offset of 1e8 would ruin plain sums of squares.
#[test]
fn given_pairs_of_values_when_they_are_merged_then_difference_and_correlation_are_exact() {
    let mut random = StdRng::seed_from_u64(11);
    let pairs: Vec<(f64, f64)> = (0..2_000)
        .map(|_| (normal(&mut random), normal(&mut random)))
        .map(|(one, other)| (1e8 + one, 1e8 + 0.6 * one + 0.8 * other))
        .collect();
    let count = |pairs: &[(f64, f64)]| {
        let mut agreement = Agreement::default();
        pairs.iter().for_each(|(control, treatment)| agreement.add_values(*control, *treatment, 0.5));
        agreement
    };
    let merged = pairs.chunks(300).map(count).fold(Agreement::default(), Agreement::merged);

    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).map(|value| value - 1e8).sum::<f64>() / 2_000.0 + 1e8;
    let (mean_one, mean_other) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| of(a - mean_one, b - mean_other)).sum::<f64>();
    let correlation = sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    let difference = pairs.iter().map(|(a, b)| (a - b).abs()).sum::<f64>() / 2_000.0;
    assert!((merged.values.correlation().unwrap() - correlation).abs() < 1e-7, "1e8 leaves 8 digits");
    assert!((merged.values.mean_absolute_difference().unwrap() - difference).abs() < 1e-9);
    let agree = pairs.iter().filter(|(a, b)| (a - b).abs() <= 0.5).count() as u64;
    assert_eq!(merged.same, Rate::of(agree, 2_000));
}

#[test]
fn given_answers_that_cannot_be_compared_when_they_are_added_then_they_disagree_and_spoil_nothing() {
    let mut agreement = Agreement::default();
    agreement.add_values(1.0, f64::NAN, 10.0);
    agreement.add_values(f64::INFINITY, f64::INFINITY, 10.0);
    agreement.add_values(1.0, 2.0, 10.0);
    agreement.add_labels("a", "b");
    assert_eq!(agreement.disagreement(), Rate::of(3, 4));
    assert_eq!(agreement.values.mean_absolute_difference(), Some(1.0));
    assert_eq!(agreement.values.correlation(), None);
}

#[test]
fn given_counters_of_two_arms_when_they_are_reported_then_each_part_is_there_in_its_units() {
    let mut random = StdRng::seed_from_u64(4);
    let mut arm = |errors: f64, error: f64| {
        let mut arm = ArmCounters::default();
        for _ in 0..4_000 {
            if random.random_bool(errors) {
                arm.errors.hit();
            } else {
                arm.errors.miss();
            }
            arm.latency_ms.add(10.0 + random.random::<f64>());
            arm.values.add(100.0 + error);
        }
        arm
    };
    let (control, treatment) = (arm(0.01, 40.0), arm(0.05, 20.0));
    let metric = Metric::AbsoluteError { at_most: 200.0 };
    let mut judged = Judged::default();
    for (arm, error) in [(Arm::Control, 40.0), (Arm::Treatment, 20.0)] {
        for _ in 0..4_000 {
            judged.add(arm, error * 2.0 * random.random::<f64>(), metric.scale().unwrap()).unwrap();
        }
    }
    let report = Report::of(&control, &treatment, &Agreement::default(), Some((metric, &judged)), Alpha::FIVE_PERCENT);
    assert_eq!(report.errors.verdict, Verdict::Worse);
    let metric = report.metric.unwrap();
    assert_eq!(metric.comparison.verdict, Verdict::Better);
    assert!((metric.comparison.estimate + 20.0).abs() < 2.0, "{metric:?}");
    assert!(metric.comparison.interval.lower < -20.0 && metric.comparison.interval.upper > -22.0, "{metric:?}");
    assert!((metric.control.mean - 40.0).abs() < 2.0 && (metric.treatment.mean - 20.0).abs() < 2.0);
    assert!((report.control.latency_ms.unwrap().p50 - 10.5).abs() < 0.2);
    assert!(report.stability.unwrap().psi > 0.25);
    assert_eq!(report.agreement, None);
    let merged = control.clone().merged(&treatment);
    assert_eq!(merged.latency_ms.count(), 8_000);
    let stored = serde_json::to_string(&merged).unwrap();
    assert_eq!(serde_json::from_str::<ArmCounters>(&stored).unwrap(), merged);
}
