//! The sequential comparison, as its user sees it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use mandi_learning::sequential::{
    Alpha, Comparison, Direction, Evidence, Moments, Rate, Scale, Verdict, compare, interval,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Deserialize;

const ALPHA: Alpha = Alpha::FIVE_PERCENT;

/// By `fixtures/sequential.py`.
#[derive(Deserialize)]
struct Published {
    mixtures: Vec<PublishedMixture>,
    bounds: Vec<PublishedBound>,
    rates: Vec<PublishedRate>,
}

#[derive(Deserialize)]
struct PublishedMixture {
    sum: f64,
    variation: f64,
    log_mixture: f64,
}

#[derive(Deserialize)]
struct PublishedBound {
    count: u64,
    mean: f64,
    variation: f64,
    lower: f64,
    upper: f64,
}

#[derive(Deserialize)]
struct PublishedRate {
    hits: u64,
    misses: u64,
    log_evidence_at_half: f64,
    lower: f64,
    upper: f64,
}

fn published() -> Published {
    serde_json::from_str(include_str!("fixtures/sequential.json")).unwrap()
}

/// Both sides of the mixture are compared: 1/2 M(S) + 1/2 M(-S), where confseq gives M. The grid's sum differs from
/// the integral by less than 1e-3 in the logarithm.
#[test]
fn given_sums_and_variations_when_the_evidence_is_computed_then_it_is_that_of_confseq() {
    let all = published().mixtures;
    let at = |sum: f64, variation: f64| {
        all.iter().find(|one| one.sum == sum && one.variation == variation).map(|one| one.log_mixture)
    };
    let mut compared = 0;
    for one in &all {
        let Some(mirrored) = at(-one.sum, one.variation) else { continue };
        let expected = (0.5 * (one.log_mixture.exp() + mirrored.exp())).ln();
        let moments = Moments { count: 1, sum: one.sum + 0.5, variation: one.variation };
        let found = moments.log_evidence(0.5);
        assert!((found - expected).abs() < 1e-3, "{} {}: {found}, not {expected}", one.sum, one.variation);
        compared += 1;
    }
    assert!(compared >= 10, "only {compared}");
}

/// confseq takes the union of two one-sided bounds at alpha / 2, we the mean of both martingales at alpha, which is
/// narrower by less than a part in a hundred of the half width.
#[test]
fn given_counters_when_the_interval_of_one_arm_is_computed_then_it_is_that_of_confseq() {
    for one in published().bounds {
        let moments = Moments { count: one.count, sum: one.mean * one.count as f64, variation: one.variation };
        let found = interval(&moments, ALPHA);
        let tolerance = 0.01 * (one.upper - one.lower) / 2.0;
        assert!((found.lower - one.lower).abs() < tolerance, "{} of {}: {found:?}", one.lower, one.count);
        assert!((found.upper - one.upper).abs() < tolerance, "{} of {}: {found:?}", one.upper, one.count);
    }
}

/// savvi's solver (CLARABEL) stops at about 1e-8; the tolerance is 1e-6.
#[test]
fn given_counts_when_the_interval_of_a_rate_is_computed_then_it_is_that_of_savvi() {
    for one in published().rates {
        let rate = Rate { hits: one.hits, misses: one.misses };
        let found = interval(&rate, ALPHA);
        assert!((rate.log_evidence(0.5) - one.log_evidence_at_half).abs() < 1e-9, "{}", one.hits);
        assert!((found.lower - one.lower).abs() < 1e-6, "{} not {}", found.lower, one.lower);
        assert!((found.upper - one.upper).abs() < 1e-6, "{} not {}", found.upper, one.upper);
    }
}

/// The pooled rate is where the evidence against equal rates is least, so that it has this closed form.
#[test]
fn given_two_rates_when_they_are_compared_then_the_p_value_is_that_of_the_pooled_rate() {
    let (control, treatment) = (Rate::of(30, 1_000), Rate::of(60, 900));
    let found = compare(&control, &treatment, ALPHA, Direction::LowerIsBetter);
    let pooled = 90.0 / 1_900.0;
    let expected = (-control.log_evidence(pooled) - treatment.log_evidence(pooled)).exp().min(1.0);
    assert!((found.p_value / expected - 1.0).abs() < 1e-6, "{} not {expected}", found.p_value);
}

fn rates_until(seed: u64, looks: u32, rates: [f64; 2]) -> Option<(u32, Comparison)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut arms = [Rate::default(); 2];
    let mut look = |number: u32| {
        let arm = usize::from(random.random_bool(0.3));
        if random.random_bool(rates[arm]) {
            arms[arm].hit();
        } else {
            arms[arm].miss();
        }
        // The p-value tells first, and is quick; `compare` has the same verdict.
        let pooled = (arms[0].hits + arms[1].hits) as f64 / f64::from(number);
        if arms[0].log_evidence(pooled) + arms[1].log_evidence(pooled) < (1.0 / ALPHA.get()).ln() {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break((number, compare(&arms[0], &arms[1], ALPHA, Direction::LowerIsBetter)))
    };
    match (1..=looks).try_for_each(&mut look) {
        ControlFlow::Break(found) => Some(found),
        ControlFlow::Continue(()) => None,
    }
}

/// 1,000 experiments with equal rates, 3,000 calls each, looked at after each call: at most 5 % may end in a verdict.
#[test]
fn given_equal_rates_when_it_is_looked_at_after_each_call_then_at_most_5_percent_of_experiments_alarm() {
    for rate in [0.01, 0.2] {
        let alarms = (0..1_000).filter(|seed| rates_until(*seed, 3_000, [rate, rate]).is_some()).count();
        assert!(alarms <= 50, "{alarms} of 1,000 at a rate of {rate}");
    }
}

/// For contrast: a z test for one look, used at each call, alarms in a quarter of all experiments and more.
#[test]
fn given_equal_rates_when_a_test_for_one_look_is_used_at_each_call_then_it_alarms_far_too_often() {
    let alarms = (0..300)
        .filter(|seed| {
            let mut random = StdRng::seed_from_u64(*seed);
            let mut arms = [Rate::default(); 2];
            (1..=3_000).any(|_| {
                let arm = &mut arms[usize::from(random.random_bool(0.3))];
                if random.random_bool(0.2) {
                    arm.hit();
                } else {
                    arm.miss();
                }
                let [n0, n1] = arms.map(|arm| arm.count() as f64);
                let pooled = (arms[0].hits + arms[1].hits) as f64 / (n0 + n1);
                let error = (pooled * (1.0 - pooled) * (1.0 / n0 + 1.0 / n1)).sqrt();
                n0 > 20.0 && n1 > 20.0 && ((arms[0].centre() - arms[1].centre()) / error).abs() > 1.96
            })
        })
        .count();
    assert!(alarms > 75, "{alarms} of 300");
}

#[test]
fn given_a_treatment_that_errs_more_often_when_calls_come_then_it_is_found_worse() {
    let found: Vec<_> = (0..100).map(|seed| rates_until(seed, 6_000, [0.02, 0.08])).collect();
    let calls: Vec<u32> = found.iter().flatten().map(|(calls, _)| *calls).collect();
    assert!(calls.len() >= 95, "only {} of 100", calls.len());
    assert!(found.iter().flatten().all(|(_, comparison)| comparison.verdict == Verdict::Worse));
}

#[test]
fn given_a_treatment_that_errs_less_often_when_calls_come_then_it_is_found_better() {
    let (_, found) = rates_until(3, 6_000, [0.2, 0.08]).unwrap();
    assert_eq!(found.verdict, Verdict::Better);
    assert!(found.interval.upper < 0.0 && found.p_value <= 0.05 && found.estimate < 0.0);
}

/// Skewed values in 0..1 with mean 1/(power + 1).
fn skewed(random: &mut StdRng, power: i32) -> f64 {
    random.random::<f64>().powi(power)
}

/// 200 experiments of 400 values with equal means and unlike distributions (uniform, and 0 or 1 by a coin).
#[test]
fn given_equal_means_when_it_is_looked_at_after_each_value_then_at_most_5_percent_of_experiments_alarm() {
    let alarms = (0..200)
        .filter(|seed| {
            let mut random = StdRng::seed_from_u64(*seed);
            let mut arms = [Moments::default(); 2];
            (1..=400).any(|_| {
                let arm = usize::from(random.random_bool(0.5));
                let value = if arm == 0 { random.random() } else { f64::from(u8::from(random.random_bool(0.5))) };
                arms[arm].add(value, Scale::UNIT).unwrap();
                let common = (arms[0].sum + arms[1].sum) / (arms[0].count + arms[1].count) as f64;
                // An upper bound of the evidence, to spare the search for its least where it says nothing.
                let at_most = arms[0].log_evidence(common) + arms[1].log_evidence(common);
                at_most >= 3.0 && compare(&arms[0], &arms[1], ALPHA, Direction::LowerIsBetter).p_value <= 0.05
            })
        })
        .count();
    assert!(alarms <= 10, "{alarms} of 200");
}

/// The interval must hold the true difference (1/3 - 1/2) at all looks together in 95 % of experiments.
#[test]
fn given_different_means_when_looks_repeat_then_the_interval_holds_the_true_difference_and_leaves_0() {
    let experiments = 100;
    let (mut misses, mut found) = (0, 0);
    for seed in 0..experiments {
        let mut random = StdRng::seed_from_u64(seed);
        let mut arms = [Moments::default(); 2];
        let looks: Vec<_> = (1..=1_200)
            .filter_map(|number| {
                let arm = number % 2;
                arms[arm].add(skewed(&mut random, 1 + arm as i32), Scale::UNIT).unwrap();
                (number % 200 == 0).then(|| compare(&arms[0], &arms[1], ALPHA, Direction::LowerIsBetter))
            })
            .collect();
        let truth = 1.0 / 3.0 - 0.5;
        misses += usize::from(looks.iter().any(|look| look.interval.lower > truth || look.interval.upper < truth));
        found += usize::from(looks.last().is_some_and(|look| look.verdict == Verdict::Better));
    }
    assert!(misses <= 5, "{misses} of {experiments}");
    assert!(found >= 95, "{found} of {experiments}");
}

#[test]
fn given_counters_of_several_instances_when_they_are_merged_then_nothing_depends_on_who_counted() {
    let mut random = StdRng::seed_from_u64(1);
    let values: Vec<f64> = (0..3_000).map(|_| skewed(&mut random, 3)).collect();
    let mut whole = Moments::default();
    let mut parts = [Moments::default(); 3];
    for (index, value) in values.iter().enumerate() {
        let known = parts[0].merged(parts[1]).merged(parts[2]);
        whole.add(*value, Scale::UNIT).unwrap();
        parts[index % 3].add_beside(*value, Scale::UNIT, known).unwrap();
    }
    let merged = parts[2].merged(parts[0]).merged(parts[1]);
    assert_eq!(merged.count, whole.count);
    assert!((merged.sum - whole.sum).abs() < 1e-9 && (merged.variation - whole.variation).abs() < 1e-9);
}

#[test]
fn given_no_data_when_arms_are_compared_then_nothing_is_known() {
    for found in [
        compare(&Rate::default(), &Rate::default(), ALPHA, Direction::LowerIsBetter),
        compare(&Rate::default(), &Rate::of(0, 3), ALPHA, Direction::HigherIsBetter),
    ] {
        assert_eq!(found.verdict, Verdict::NoDifferenceYet);
        assert!((found.p_value - 1.0).abs() < 1e-9);
    }
    let found = compare(&Moments::default(), &Moments::default(), ALPHA, Direction::LowerIsBetter);
    assert!((found.interval.lower + 1.0).abs() < 1e-9 && (found.interval.upper - 1.0).abs() < 1e-9);
}

#[test]
fn given_huge_counts_when_arms_are_compared_then_the_answer_is_finite_and_right() {
    let (control, treatment) = (Rate::of(1_000_000_000, 10_000_000_000), Rate::of(1_001_000_000, 10_000_000_000));
    let found = compare(&control, &treatment, ALPHA, Direction::LowerIsBetter);
    assert_eq!(found.verdict, Verdict::Worse);
    assert!(found.interval.lower > 0.0 && found.interval.upper < 0.0002);
    let extreme = compare(&Rate::of(u64::MAX, u64::MAX), &Rate::of(0, u64::MAX), ALPHA, Direction::LowerIsBetter);
    assert_eq!(extreme.verdict, Verdict::Better);
}

#[test]
fn given_a_value_outside_the_scale_when_it_is_added_then_it_is_refused_and_nothing_changes() {
    let scale = Scale::new(0.0, 10.0).unwrap();
    let mut moments = Moments::default();
    let refusal = moments.add(11.0, scale).unwrap_err().to_string();
    assert_eq!(refusal, "the value 11 is outside 0 to 10: widen the metric's scale, or clip the metric itself");
    assert!(moments.add(f64::NAN, scale).is_err());
    assert_eq!(moments, Moments::default());
    assert!(Scale::new(1.0, 1.0).is_err() && Scale::new(0.0, f64::INFINITY).is_err());
}
