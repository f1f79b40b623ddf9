//! Conformal calibration, against MAPIE and against its promise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::conformal::{
    Absolute, Calibration, Classes, Coverage, HeldOut, HeldOutQuantiles, HeldOutScaled, Method, Normalised, Output,
    Quantiles,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Deserialize;

/// By `fixtures/conformal.py`. A row is value, lower, upper, outcome.
#[derive(Deserialize)]
struct Mapie {
    coverage: f64,
    rows: Vec<[f64; 4]>,
    absolute: [f64; 2],
    quantiles: [f64; 2],
    truth: Vec<f64>,
    probes: Vec<[f64; 3]>,
    sets: Vec<Vec<usize>>,
}

fn mapie() -> Vec<Mapie> {
    serde_json::from_str(include_str!("fixtures/conformal.json")).unwrap()
}

fn coverage(share: f64) -> Coverage {
    Coverage::try_from(share).unwrap()
}

/// Tolerance 1e-9: the same order statistic of the same numbers.
#[test]
fn given_held_out_rows_when_values_are_calibrated_then_the_interval_is_that_of_mapie() {
    for case in mapie() {
        let rows: Vec<_> =
            case.rows.iter().map(|[value, .., outcome]| HeldOut { value: *value, outcome: *outcome }).collect();
        let found = Absolute::fit(&rows, coverage(case.coverage)).unwrap().interval(5.0);
        assert!((found.lower - case.absolute[0]).abs() < 1e-9, "{found:?}, not {:?}", case.absolute);
        assert!((found.upper - case.absolute[1]).abs() < 1e-9, "{found:?}, not {:?}", case.absolute);
    }
}

#[test]
fn given_held_out_rows_when_quantiles_are_calibrated_then_the_interval_is_that_of_mapie() {
    for case in mapie() {
        let row = |[_, lower, upper, outcome]: &[f64; 4]| HeldOutQuantiles {
            lower: *lower,
            upper: *upper,
            outcome: *outcome,
        };
        let rows: Vec<_> = case.rows.iter().map(row).collect();
        let found = Quantiles::fit(&rows, coverage(case.coverage)).unwrap().interval(4.0, 6.5);
        assert!((found.lower - case.quantiles[0]).abs() < 1e-9, "{found:?}, not {:?}", case.quantiles);
        assert!((found.upper - case.quantiles[1]).abs() < 1e-9, "{found:?}, not {:?}", case.quantiles);
    }
}

#[test]
fn given_held_out_rows_when_classes_are_calibrated_then_the_sets_are_those_of_mapie() {
    for case in mapie() {
        let classes = Classes::fit(&case.truth, coverage(case.coverage)).unwrap();
        for (probe, set) in case.probes.iter().zip(&case.sets) {
            assert_eq!(&classes.set(probe), set, "{probe:?} from {}", classes.least_probability());
        }
    }
}

/// With 1 to 19 as residuals and a coverage of 0.9 the rank is ceil(20 * 0.9) = 18.
#[test]
fn given_residuals_when_the_half_width_is_chosen_then_the_rank_is_corrected_for_the_count() {
    let rows: Vec<_> = (1..=19).rev().map(|residual| HeldOut { value: 0.0, outcome: f64::from(residual) }).collect();
    assert_eq!(Absolute::fit(&rows, coverage(0.9)).unwrap().half_width(), 18.0);
    assert_eq!(Absolute::fit(&rows, coverage(0.95)).unwrap().half_width(), 19.0);
}

#[test]
fn given_too_few_rows_when_they_are_calibrated_then_the_refusal_says_how_many_are_needed() {
    let rows = vec![HeldOut { value: 0.0, outcome: 1.0 }; 18];
    let refusal = Absolute::fit(&rows, coverage(0.95)).unwrap_err().to_string();
    assert!(refusal.contains("18 held-out rows are too few") && refusal.contains("give 19 or more"), "{refusal}");
    let enough = vec![HeldOut { value: 0.0, outcome: 1.0 }; 19];
    assert!(Absolute::fit(&enough, coverage(0.95)).is_ok());
    assert!(Absolute::fit(&[], coverage(0.5)).is_err());
}

#[test]
fn given_a_row_without_an_outcome_when_it_is_calibrated_then_the_refusal_names_it() {
    let mut rows = vec![HeldOutScaled { value: 0.0, scale: 1.0, outcome: 1.0 }; 30];
    rows[7].outcome = f64::NAN;
    assert!(Normalised::fit(&rows, coverage(0.9)).unwrap_err().to_string().contains("row 7"));
    rows[7] = HeldOutScaled { scale: 0.0, ..rows[6] };
    assert!(Normalised::fit(&rows, coverage(0.9)).unwrap_err().to_string().contains("scales are above 0"));
    let gone = [HeldOutQuantiles { lower: f64::NAN, upper: 1.0, outcome: 0.0 }; 30];
    assert!(Quantiles::fit(&gone, coverage(0.9)).is_err());
}

/// A value whose noise grows with it; outcome, value, standard deviation.
fn noisy(random: &mut StdRng) -> (f64, f64, f64) {
    let value = 10.0 * random.random::<f64>();
    let deviation = 0.2 + value / 5.0;
    let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    (value + deviation * noise, value, deviation)
}

/// Mean coverage over 400 calibrations of 200 rows, each tried on 50 rows. It is between 0.9 and 0.9 + 1/201; four
/// standard errors are 0.006 (a calibration's coverage has a standard deviation of 0.021, its trial's 0.042).
#[test]
fn given_rows_like_those_held_out_when_intervals_are_made_then_they_hold_the_stated_share() {
    let mut random = StdRng::seed_from_u64(21);
    let mut held = [0_u32; 3];
    for _ in 0..400 {
        let rows: Vec<_> = (0..200).map(|_| noisy(&mut random)).collect();
        let plain: Vec<_> =
            rows.iter().map(|(outcome, value, _)| HeldOut { value: *value, outcome: *outcome }).collect();
        let scaled: Vec<_> = rows
            .iter()
            .map(|(outcome, value, scale)| HeldOutScaled { value: *value, scale: *scale, outcome: *outcome })
            .collect();
        let ends = |value: f64, scale: f64| (value - 0.7 * scale, value + 2.0 * scale);
        let pairs: Vec<_> = rows
            .iter()
            .map(|(outcome, value, scale)| {
                let (lower, upper) = ends(*value, *scale);
                HeldOutQuantiles { lower, upper, outcome: *outcome }
            })
            .collect();
        let absolute = Absolute::fit(&plain, coverage(0.9)).unwrap();
        let normalised = Normalised::fit(&scaled, coverage(0.9)).unwrap();
        let quantiles = Quantiles::fit(&pairs, coverage(0.9)).unwrap();
        for _ in 0..50 {
            let (outcome, value, scale) = noisy(&mut random);
            let (lower, upper) = ends(value, scale);
            let intervals = [
                absolute.interval(value),
                normalised.interval(value, scale).unwrap(),
                quantiles.interval(lower, upper),
            ];
            for (held, interval) in held.iter_mut().zip(intervals) {
                *held += u32::from((interval.lower..=interval.upper).contains(&outcome));
            }
        }
    }
    for held in held {
        let share = f64::from(held) / 20_000.0;
        assert!((0.894..0.911).contains(&share), "{share}");
    }
}

#[test]
fn given_quantiles_that_were_too_far_apart_when_the_margin_turns_them_round_then_both_ends_are_the_middle() {
    let rows = [HeldOutQuantiles { lower: -10.0, upper: 10.0, outcome: 0.0 }; 30];
    let calibrated = Quantiles::fit(&rows, coverage(0.9)).unwrap();
    let found = calibrated.interval(-1.0, 3.0);
    assert_eq!((found.lower, found.upper), (1.0, 1.0));
    let wide = calibrated.interval(-20.0, 20.0);
    assert_eq!((wide.lower, wide.upper), (-10.0, 10.0));
}

#[test]
fn given_a_calibration_when_it_is_stored_then_its_form_is_this_one_and_it_is_read_back() {
    let rows: Vec<_> = (1..=19).map(|residual| HeldOut { value: 0.0, outcome: f64::from(residual) }).collect();
    let calibration = Calibration::from(Method::Absolute(Absolute::fit(&rows, coverage(0.9)).unwrap()));
    let stored = serde_json::json!({
        "format": 1,
        "method": {"method": "absolute", "coverage": 0.9, "rows": 19, "threshold": 18.0},
    });
    assert_eq!(serde_json::to_value(calibration).unwrap(), stored);
    let read: Calibration = serde_json::from_value(stored).unwrap();
    let found = read.interval(Output::Value(100.0)).unwrap();
    assert_eq!((found.lower, found.upper, found.coverage), (82.0, 118.0, 0.9));
    assert_eq!((read.rows(), read.coverage()), (19, 0.9));
}

#[test]
fn given_a_calibration_of_another_output_when_an_interval_is_asked_then_the_refusal_says_so() {
    let rows: Vec<_> = (1..=19).map(|residual| HeldOut { value: 0.0, outcome: f64::from(residual) }).collect();
    let calibration = Calibration::from(Method::Absolute(Absolute::fit(&rows, coverage(0.9)).unwrap()));
    let refusal = calibration.interval(Output::Quantiles { lower: 0.0, upper: 1.0 }).unwrap_err().to_string();
    assert!(refusal.contains("made from values, and a pair of quantiles was given"), "{refusal}");
    for share in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(Coverage::try_from(share).is_err());
    }
}
