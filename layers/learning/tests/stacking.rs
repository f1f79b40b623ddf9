//! Stacked fusions against scikit-learn and SciPy, and fixed share against its bound.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::fusion::{
    Definition, Fused, Fusion, Hedge, Learning, Member, Method, Opinion, Opinions, Outcome, Truth,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Deserialize;

/// By `fixtures/fusion.py`.
#[derive(Deserialize)]
struct Fitted {
    penalty: f64,
    ridge: FittedRidge,
    logistic: FittedLogistic,
}

#[derive(Deserialize)]
struct FittedRidge {
    scores: Vec<[f64; 3]>,
    truth: Vec<f64>,
    intercept: f64,
    weights: [f64; 3],
    without_second: [f64; 3],
}

#[derive(Deserialize)]
struct FittedLogistic {
    probabilities: Vec<[f64; 3]>,
    happened: Vec<bool>,
    once: [f64; 4],
    in_two_batches: [f64; 4],
    without_third: [f64; 3],
}

fn fitted() -> Fitted {
    serde_json::from_str(include_str!("fixtures/fusion.json")).unwrap()
}

fn fusion(method: Method) -> Fusion {
    let members = ["a", "b", "c"].map(|name| Member { name: name.to_owned(), weight: 1.0 });
    Fusion::define(Definition::new(members.to_vec(), method).unwrap(), 0)
}

fn opinions(scores: &[f64]) -> Opinions {
    let score = |value: &f64| Opinion::Score { value: *value, confidence: None };
    ["a", "b", "c"].into_iter().zip(scores).map(|(name, value)| (name.to_owned(), score(value))).collect()
}

fn values(scores: &[[f64; 3]], truth: &[f64]) -> Vec<Outcome> {
    let one = |(scores, truth): (&[f64; 3], &f64)| Outcome { opinions: opinions(scores), truth: Truth::Value(*truth) };
    scores.iter().zip(truth).map(one).collect()
}

fn classes(scores: &[[f64; 3]], happened: &[bool]) -> Vec<Outcome> {
    let truth = |happened: bool| if happened { Truth::Positive } else { Truth::Negative };
    let one = |(scores, came): (&[f64; 3], &bool)| Outcome { opinions: opinions(scores), truth: truth(*came) };
    scores.iter().zip(happened).map(one).collect()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (one, other) in found.iter().zip(expected) {
        assert!((one - other).abs() <= tolerance * other.abs().max(1.0), "{found:?}, not {expected:?}");
    }
}

/// Both solve the same equations: tolerance 1e-9 relative.
#[test]
fn given_outcomes_when_a_ridge_is_fitted_then_it_is_that_of_scikit_learn_in_any_batches() {
    let Fitted { penalty, ridge, .. } = fitted();
    let outcomes = values(&ridge.scores, &ridge.truth);
    for batch in [outcomes.len(), 7, 1] {
        let start = fusion(Method::Ridge { penalty });
        let taught = outcomes.chunks(batch).fold(start, |fusion, batch| fusion.learn(batch, 1).unwrap().fusion);
        assert_near(taught.current().learned.weights(), &ridge.weights, 1e-9);
        let answer = taught.answer(&opinions(&[300.0, 240.0, 310.0])).unwrap();
        let expected = ridge.intercept + 300.0 * ridge.weights[0] + 240.0 * ridge.weights[1] + 310.0 * ridge.weights[2];
        assert_near(&[answer.base], &[ridge.intercept], 1e-9);
        let Fused::Value(found) = answer.fused else { panic!("{answer:?}") };
        assert_near(&[found], &[expected], 1e-9);
        // The first member says most about the truth, the third nothing.
        assert!(answer.contributions[0].confidence > 0.9 && answer.contributions[2].confidence < 0.2);
    }
}

#[test]
fn given_a_ridge_when_a_member_fails_then_the_answer_is_that_of_a_ridge_without_it() {
    let Fitted { penalty, ridge, .. } = fitted();
    let taught = fusion(Method::Ridge { penalty }).learn(&values(&ridge.scores, &ridge.truth), 1).unwrap().fusion;
    let mut said = opinions(&[300.0, 0.0, 310.0]);
    said.insert("b".to_owned(), Opinion::Failed { reason: "down".to_owned() });
    let answer = taught.answer(&said).unwrap();
    let weights: Vec<f64> = answer.contributions.iter().map(|one| one.weight).collect();
    assert_near(&[answer.base, weights[0], weights[1]], &ridge.without_second, 1e-9);
    assert_eq!((answer.left_out[0].member.as_str(), answer.left_out[0].reason.as_str()), ("b", "down"));
}

/// SciPy stops at a gradient of 1e-12: tolerance 1e-8.
#[test]
fn given_outcomes_when_a_logistic_is_fitted_then_it_is_that_of_scipy() {
    let Fitted { penalty, logistic, .. } = fitted();
    let outcomes = classes(&logistic.probabilities, &logistic.happened);
    let start = fusion(Method::Logistic { penalty });
    let (head, tail) = outcomes.split_at(50);
    let once = start.learn(&outcomes, 1).unwrap().fusion;
    let twice = start.learn(head, 1).unwrap().fusion.learn(tail, 2).unwrap().fusion;
    for (taught, expected) in [(once, logistic.once), (twice, logistic.in_two_batches)] {
        assert_near(taught.current().learned.weights(), &expected[1..], 1e-8);
        let answer = taught.answer(&opinions(&[0.9, 0.6, 0.2])).unwrap();
        let log_odds = answer.base + answer.contributions.iter().map(|one| one.contribution).sum::<f64>();
        let inputs = [1.0, f64::ln(9.0), f64::ln(1.5), f64::ln(0.25)];
        let by_scipy: f64 = inputs.iter().zip(expected).map(|(input, weight)| input * weight).sum();
        assert_near(&[answer.base, log_odds], &[expected[0], by_scipy], 1e-8);
        assert_eq!(answer.fused, Fused::Probability(1.0 / (1.0 + (-log_odds).exp())));
    }
}

#[test]
fn given_a_logistic_when_a_member_fails_then_its_score_is_what_the_others_lead_one_to_expect() {
    let Fitted { penalty, logistic, .. } = fitted();
    let outcomes = classes(&logistic.probabilities, &logistic.happened);
    let taught = fusion(Method::Logistic { penalty }).learn(&outcomes, 1).unwrap().fusion;
    let answer = taught.answer(&opinions(&[0.9, 0.6])).unwrap();
    let weights: Vec<f64> = answer.contributions.iter().map(|one| one.weight).collect();
    assert_near(&[answer.base, weights[0], weights[1]], &logistic.without_third, 1e-8);
}

#[test]
fn given_nothing_learned_when_a_stacked_fusion_answers_then_by_its_defined_weights() {
    let ridge = fusion(Method::Ridge { penalty: 1.0 }).answer(&opinions(&[1.0, 2.0, 6.0])).unwrap();
    assert_eq!(ridge.fused, Fused::Value(3.0));
    let logistic = fusion(Method::Logistic { penalty: 1.0 }).answer(&opinions(&[0.5, 0.9, 0.1])).unwrap();
    let Fused::Probability(half) = logistic.fused else { panic!("{logistic:?}") };
    assert_near(&[half], &[0.5], 1e-12);
    let alone = fusion(Method::Logistic { penalty: 1.0 }).answer(&opinions(&[0.8])).unwrap();
    let Fused::Probability(found) = alone.fused else { panic!("{alone:?}") };
    assert_near(&[found], &[0.8], 1e-12);
}

#[test]
fn given_outcomes_that_the_scores_separate_when_a_logistic_is_fitted_then_it_stays_finite() {
    let rows: Vec<_> = (0..200).map(|row| if row % 2 == 0 { [1.0, 1.0, 1.0] } else { [0.0, 0.0, 0.0] }).collect();
    let came: Vec<_> = (0..200).map(|row| row % 2 == 0).collect();
    let taught = fusion(Method::Logistic { penalty: 1e-9 }).learn(&classes(&rows, &came), 1).unwrap().fusion;
    assert!(taught.current().learned.weights().iter().all(|weight| weight.is_finite()));
    let one_class = fusion(Method::Logistic { penalty: 1.0 }).learn(&classes(&rows, &[true; 200]), 1).unwrap().fusion;
    let Fused::Probability(found) = one_class.answer(&opinions(&[0.5, 0.5, 0.5])).unwrap().fused else { panic!() };
    assert!(found > 0.9 && found < 1.0, "{found}");
}

#[test]
fn given_members_that_say_the_same_or_beyond_all_scale_when_a_ridge_is_fitted_then_it_stays_finite() {
    for scale in [1.0, 1e99] {
        let rows: Vec<_> = (0..50).map(|row| [f64::from(row) * scale / 50.0; 3]).collect();
        let truth: Vec<_> = rows.iter().map(|row| row[0]).collect();
        let taught = fusion(Method::Ridge { penalty: 1e-6 }).learn(&values(&rows, &truth), 1).unwrap().fusion;
        let Fused::Value(found) = taught.answer(&opinions(&[scale / 2.0; 3])).unwrap().fused else { panic!() };
        assert!((found / (scale / 2.0) - 1.0).abs() < 1e-3, "{found} at {scale}");
    }
}

#[test]
fn given_a_row_with_a_missing_score_when_a_stack_learns_then_it_is_skipped_and_named() {
    let outcome = Outcome { opinions: opinions(&[1.0, 2.0]), truth: Truth::Value(1.0) };
    let step = fusion(Method::Ridge { penalty: 1.0 }).learn(&[outcome], 1).unwrap();
    assert_eq!(step.skipped[0].reason, "a stacked fusion learns from complete rows: c: it gave no opinion");
}

/// The documented bound on the loss of fixed share, for three members of which another one is best in each third of 900
/// outcomes, over 20 seeds. Losses are absolute errors on 0..1.
#[test]
fn given_a_best_member_that_changes_when_weights_learn_then_the_loss_keeps_the_bound() {
    let (rounds, changes) = (900_usize, 2.0);
    let hedge = Hedge::for_memory(300, 3);
    let (mut fused_losses, mut best_fixed_losses) = (0.0, 0.0);
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let learning = Learning::FixedShare(hedge);
        let mut fusion = fusion(Method::WeightedSum { learning, loss_range: 1.0 });
        let (mut loss, mut best_sequence, mut members) = (0.0, 0.0, [0.0; 3]);
        for round in 0..rounds {
            let truth: f64 = random.random();
            let mut said = [0.0; 3];
            for (member, value) in said.iter_mut().enumerate() {
                let noise = if member == round * 3 / rounds { 0.02 } else { 0.5 };
                *value = (truth + noise * (2.0 * random.random::<f64>() - 1.0)).clamp(0.0, 1.0);
                members[member] += (*value - truth).abs();
            }
            best_sequence += (said[round * 3 / rounds] - truth).abs();
            let answer = fusion.answer(&opinions(&said)).unwrap();
            let Fused::Value(found) = answer.fused else { panic!("{answer:?}") };
            loss += (found - truth).abs();
            fusion = fusion.learn(&values(&[said], &[truth]), 1).unwrap().fusion;
        }
        let (t, n) = (rounds as f64, 3.0_f64);
        let switching = changes * (n / hedge.share).ln() + (t - 1.0 - changes) * (1.0 / (1.0 - hedge.share)).ln();
        let bound = best_sequence + (n.ln() + switching) / hedge.step + hedge.step * t / 8.0;
        assert!(loss <= bound, "{loss}, not at most {bound}");
        fused_losses += loss;
        best_fixed_losses += members.into_iter().fold(f64::INFINITY, f64::min);
    }
    assert!(fused_losses < 0.6 * best_fixed_losses, "{fused_losses} against {best_fixed_losses} of the best member");
}
