//! Metrics of outcomes, and the verdict on two arms.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::metric::{Judged, Metric, Predicted, Truth};
use mandi_learning::rollout::Arm;
use mandi_learning::sequential::{Alpha, Verdict};
use rand::{RngExt, SeedableRng, rngs::StdRng};

const ALPHA: Alpha = Alpha::FIVE_PERCENT;

fn value(value: f64) -> Predicted {
    Predicted { value: Some(value), ..Predicted::default() }
}

fn label(label: &str) -> Predicted {
    Predicted { label: Some(label.to_owned()), ..Predicted::default() }
}

fn probabilities(classes: &[(&str, f64)]) -> Predicted {
    let classes = classes.iter().map(|(class, share)| ((*class).to_owned(), *share)).collect();
    Predicted { probabilities: Some(classes), ..Predicted::default() }
}

fn came(label: &str) -> Truth {
    Truth::Label(label.to_owned())
}

#[test]
fn given_a_label_when_it_came_then_accuracy_is_one_and_else_zero() {
    assert_eq!(Metric::Accuracy.judge(&label("A"), &came("A")), Ok(1.0));
    assert_eq!(Metric::Accuracy.judge(&label("A"), &came("B")), Ok(0.0));
    assert_eq!(Metric::Accuracy.judge(&label("3"), &Truth::Value(3.0)), Ok(1.0), "classes may be numbers");
}

/// By hand: ((0.7 - 1)^2 + 0.2^2 + 0.1^2) / 2 = 0.07; the binary score is (0.8 - 1)^2, as scikit-learn's
/// `brier_score_loss` has it.
#[test]
fn given_probabilities_then_the_brier_score_is_half_of_their_squared_distance_from_what_came() {
    let three = probabilities(&[("A", 0.7), ("B", 0.2), ("C", 0.1)]);
    assert!((Metric::BrierScore.judge(&three, &came("A")).unwrap() - 0.07).abs() < 1e-12);
    let two = probabilities(&[("no", 0.2), ("yes", 0.8)]);
    assert!((Metric::BrierScore.judge(&two, &came("yes")).unwrap() - 0.04).abs() < 1e-12);
    let refused = Metric::BrierScore.judge(&two, &came("perhaps")).unwrap_err().to_string();
    assert_eq!(refused, "the outcome is `perhaps`; the model's classes are `no`, `yes`");
}

#[test]
fn given_values_then_errors_are_bounded() {
    let error = Metric::AbsoluteError { at_most: 10.0 };
    assert_eq!(error.judge(&value(12.0), &Truth::Value(15.0)), Ok(3.0));
    assert_eq!(error.judge(&value(12.0), &Truth::Value(-1e300)), Ok(10.0));
    assert_eq!(Metric::Smape.judge(&value(110.0), &Truth::Value(90.0)), Ok(0.1));
    assert_eq!(Metric::Smape.judge(&value(0.0), &Truth::Value(0.0)), Ok(0.0));
    assert_eq!(Metric::Smape.judge(&value(f64::MAX), &Truth::Value(f64::MIN)), Ok(1.0));
}

#[test]
fn given_a_prediction_or_an_outcome_of_another_kind_then_the_reason_is_said() {
    let error = Metric::AbsoluteError { at_most: 10.0 };
    let said =
        |metric: Metric, predicted: &Predicted, came: &Truth| metric.judge(predicted, came).unwrap_err().to_string();
    assert_eq!(said(error, &value(1.0), &came("A")), "the outcome is `A`; a finite number is expected");
    assert_eq!(
        said(error, &label("A"), &Truth::Value(1.0)),
        "the prediction has no value, which the trial's metric is about"
    );
    assert_eq!(said(Metric::Smape, &value(f64::NAN), &Truth::Value(1.0)), "the prediction is NaN: it has no distance");
    assert!(Metric::AbsoluteError { at_most: 0.0 }.scale().is_err());
}

#[test]
fn given_outcomes_of_one_arm_alone_then_nothing_is_compared() {
    let mut judged = Judged::default();
    judged.add(Arm::Control, 1.0, Metric::Accuracy.scale().unwrap()).unwrap();
    assert!(judged.report(Metric::Accuracy, ALPHA).is_none());
}

/// A shadow that is better by a little on each row, on rows that differ much: the pairs tell, the arms alone do not.
#[test]
fn given_both_answers_to_the_same_rows_then_the_difference_of_pairs_is_compared() {
    let metric = Metric::AbsoluteError { at_most: 100.0 };
    let scale = metric.scale().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let (mut pairs, mut apart) = (Judged::default(), Judged::default());
    for _ in 0..2_000 {
        let control = 10.0 + 80.0 * random.random::<f64>();
        let treatment = control - 2.0;
        pairs.add_pair(control, treatment, scale).unwrap();
        apart.add(Arm::Control, control, scale).unwrap();
        apart.add(Arm::Treatment, treatment, scale).unwrap();
    }
    let pairs = pairs.report(metric, ALPHA).unwrap();
    assert_eq!(pairs.comparison.verdict, Verdict::Better);
    let known = pairs.comparison.interval;
    assert!(known.lower < -2.0 && -2.0 < known.upper && known.upper < 0.0, "{known:?}");
    assert!((pairs.comparison.estimate + 2.0).abs() < 1e-9);
    assert!(pairs.control.interval.lower < pairs.control.mean && pairs.control.mean < pairs.control.interval.upper);
    assert_eq!(apart.report(metric, ALPHA).unwrap().comparison.verdict, Verdict::NoDifferenceYet);
}

/// 400 runs of 300 pairs of equal arms that go together, looked at after each pair: at most 5 % may tell them apart. With
/// that share of false alarms 36 runs or more (5 % and 3.7 standard deviations) have a probability below 1e-3.
#[test]
fn given_equal_arms_that_answer_the_same_rows_when_each_pair_is_looked_at_then_few_runs_tell_them_apart() {
    let scale = Metric::Smape.scale().unwrap();
    let mut random = StdRng::seed_from_u64(8);
    let mut alarms = 0;
    for _ in 0..400 {
        let mut judged = Judged::default();
        let mut told = false;
        for _ in 0..300 {
            let row = random.random::<f64>();
            let mut answer = || if random.random_bool(0.5) { row / 2.0 } else { row };
            let (control, treatment) = (answer(), answer());
            judged.add_pair(control, treatment, scale).unwrap();
            let found = judged.report(Metric::Smape, ALPHA).unwrap().comparison;
            told |= found.verdict != Verdict::NoDifferenceYet;
        }
        alarms += u32::from(told);
    }
    assert!(alarms < 36, "{alarms} of 400");
}
