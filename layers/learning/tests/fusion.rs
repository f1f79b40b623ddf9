//! Fusion, as its user sees it: answers and transitions.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_learning::fusion::{
    Answer, Cause, Definition, Fused, Fusion, FusionError, Mode, Opinion, Opinions, Outcome, Source, Truth,
};
use serde_json::{Value, from_value, json, to_string, to_value};

const TOLERANCE: f64 = 1e-12;

fn fusion(definition: Value) -> Fusion {
    Fusion::define(from_value::<Definition>(definition).unwrap(), 1_000)
}

fn sum(learning: &Value, weights: [f64; 2]) -> Fusion {
    let members = json!([{"name": "a", "weight": weights[0]}, {"name": "b", "weight": weights[1]}]);
    fusion(json!({"members": members, "method": {"method": "weighted_sum", "learning": learning, "loss_range": 10.0}}))
}

fn fixed() -> Value {
    json!({"rule": "fixed"})
}

fn share(step: f64, share: f64) -> Value {
    json!({"rule": "fixed_share", "step": step, "share": share})
}

fn vote(names: &[&str]) -> Fusion {
    let members: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    fusion(json!({"members": members, "method": {"method": "vote", "learning": share(1.0, 0.01)}}))
}

fn score(value: f64) -> Opinion {
    Opinion::Score { value, confidence: None }
}

fn label(label: &str) -> Opinion {
    Opinion::Label { label: label.to_owned(), confidence: None }
}

fn failed() -> Opinion {
    Opinion::Failed { reason: "it took longer than 200 ms".to_owned() }
}

fn opinions<const N: usize>(of: [(&str, Opinion); N]) -> Opinions {
    of.into_iter().map(|(name, opinion)| (name.to_owned(), opinion)).collect()
}

fn outcome<const N: usize>(of: [(&str, Opinion); N], value: f64) -> Outcome {
    Outcome { opinions: opinions(of), truth: Truth::Value(value) }
}

fn value(answer: &Answer) -> f64 {
    match answer.fused {
        Fused::Value(value) | Fused::Probability(value) => value,
        Fused::Label { .. } => f64::NAN,
    }
}

fn weights(fusion: &Fusion) -> Vec<f64> {
    fusion.current().learned.weights().to_vec()
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < TOLERANCE
}

#[test]
fn given_scores_when_they_are_summed_then_each_contributes_its_weight_times_its_score() {
    let answer = sum(&fixed(), [3.0, 1.0]).answer(&opinions([("a", score(100.0)), ("b", score(20.0))])).unwrap();
    assert!(near(value(&answer), 80.0));
    let parts: Vec<_> =
        answer.contributions.iter().map(|one| (one.member.as_str(), one.weight, one.contribution)).collect();
    assert_eq!(parts, [("a", 0.75, 75.0), ("b", 0.25, 5.0)]);
    assert_eq!((answer.left_out.len(), answer.version), (0, 1));
}

#[test]
fn given_a_member_that_failed_when_scores_are_summed_then_the_others_carry_on_and_it_is_named() {
    let fusion = sum(&fixed(), [3.0, 1.0]);
    let answer = fusion.answer(&opinions([("a", failed()), ("b", score(20.0))])).unwrap();
    assert!(near(value(&answer), 20.0) && near(answer.contributions[0].weight, 1.0));
    assert_eq!(answer.left_out[0].member, "a");
    assert_eq!(answer.left_out[0].reason, "it took longer than 200 ms");
}

#[test]
fn given_opinions_that_cannot_be_used_when_an_answer_is_made_then_each_is_left_out_with_its_reason() {
    let fusion = sum(&fixed(), [1.0, 1.0]);
    let reason = |opinion: Opinion| {
        let answer = fusion.answer(&opinions([("a", opinion), ("b", score(1.0))])).unwrap();
        answer.left_out[0].reason.clone()
    };
    assert_eq!(reason(score(f64::NAN)), "its score NaN is no number of a size up to 1e100");
    assert_eq!(reason(label("x")), "it gave a label where a score is needed");
    let sure = Opinion::Score { value: 1.0, confidence: Some(1.5) };
    assert_eq!(reason(sure), "its confidence 1.5 is not between 0 and 1");
    let silent = fusion.answer(&opinions([("b", score(1.0))])).unwrap();
    assert_eq!(silent.left_out[0].reason, "it gave no opinion");
}

#[test]
fn given_nobody_who_counts_or_a_stranger_when_an_answer_is_made_then_the_refusal_names_them() {
    let fusion = sum(&fixed(), [1.0, 1.0]);
    let nobody = fusion.answer(&opinions([("a", failed())])).unwrap_err().to_string();
    let expected = "no member gave an opinion that counts: a: it took longer than 200 ms; b: it gave no opinion";
    assert_eq!(nobody, expected);
    let stranger = fusion.answer(&opinions([("c", score(1.0))])).unwrap_err();
    assert_eq!(stranger, FusionError::UnknownMember("c".to_owned()));
}

#[test]
fn given_labels_when_they_are_voted_on_then_the_plurality_wins_and_its_share_is_the_confidence() {
    let fusion = vote(&["a", "b", "c"]);
    let answer =
        fusion.answer(&opinions([("a", label("fresh")), ("b", label("stale")), ("c", label("fresh"))])).unwrap();
    let Fused::Label { label: winner, shares } = &answer.fused else { panic!("{answer:?}") };
    assert_eq!(winner, "fresh");
    assert!(near(shares["stale"], 1.0 / 3.0) && near(answer.confidence, 2.0 / 3.0));
    let contributions: Vec<_> = answer.contributions.iter().map(|one| one.contribution > 0.0).collect();
    assert_eq!(contributions, [true, false, true]);
}

#[test]
fn given_a_tie_when_labels_are_voted_on_then_the_first_by_name_wins() {
    let answer = vote(&["a", "b"]).answer(&opinions([("a", label("y")), ("b", label("x"))])).unwrap();
    assert!(matches!(&answer.fused, Fused::Label { label, .. } if label == "x"));
}

#[test]
fn given_a_voter_that_is_always_right_when_outcomes_come_then_it_outvotes_two_that_are_wrong() {
    let fusion = vote(&["a", "b", "c"]);
    let said = opinions([("a", label("x")), ("b", label("y")), ("c", label("y"))]);
    let outcomes = vec![Outcome { opinions: said.clone(), truth: Truth::Label("x".to_owned()) }; 20];
    let taught = fusion.learn(&outcomes, 2_000).unwrap().fusion;
    let answer = taught.answer(&said).unwrap();
    assert!(matches!(&answer.fused, Fused::Label { label, .. } if label == "x"), "{answer:?}");
    assert!(answer.contributions[0].confidence > 0.9 && answer.contributions[1].confidence < 0.1);
}

/// By hand: losses 0.2 and 0.6, step 1, share 0.1, prior 3/4 and 1/4.
#[test]
fn given_an_outcome_when_weights_learn_then_by_the_documented_rule() {
    let taught =
        sum(&share(1.0, 0.1), [3.0, 1.0]).learn(&[outcome([("a", score(12.0)), ("b", score(4.0))], 10.0)], 5).unwrap();
    let (a, b) = (0.75 * f64::exp(-0.2), 0.25 * f64::exp(-0.6));
    let found = weights(&taught.fusion);
    assert!(near(found[0], 0.9 * a / (a + b) + 0.075), "{found:?}");
    assert!(near(found[1], 0.9 * b / (a + b) + 0.025), "{found:?}");
}

#[test]
fn given_a_member_that_slept_when_weights_learn_then_it_keeps_its_weight_but_for_the_guard() {
    let taught =
        sum(&share(1.0, 0.1), [3.0, 1.0]).learn(&[outcome([("a", score(12.0)), ("b", failed())], 10.0)], 5).unwrap();
    let found = weights(&taught.fusion);
    assert!(near(found[0], 0.75) && near(found[1], 0.25), "{found:?}");
}

#[test]
fn given_a_member_that_is_always_worst_when_weights_learn_then_the_guard_keeps_its_share() {
    let outcomes = vec![outcome([("a", score(10.0)), ("b", score(1e6))], 10.0); 5_000];
    let taught = sum(&share(2.0, 0.02), [1.0, 1.0]).learn(&outcomes, 5).unwrap().fusion;
    let found = weights(&taught);
    assert!(found[1] >= 0.02 * 0.5 && found[1] < 0.02, "{found:?}");
    assert!(near(found[0] + found[1], 1.0));
}

#[test]
fn given_outcomes_when_they_come_at_once_or_one_by_one_then_the_weights_are_the_same() {
    let outcomes: Vec<_> = (0..50)
        .map(|round| f64::from(round % 7))
        .map(|truth| outcome([("a", score(truth + 1.0)), ("b", score(5.0 - truth))], truth))
        .collect();
    let start = sum(&share(0.5, 0.01), [1.0, 1.0]);
    let once = start.learn(&outcomes, 5).unwrap().fusion;
    let one_by_one =
        outcomes.iter().fold(start, |fusion, one| fusion.learn(std::slice::from_ref(one), 5).unwrap().fusion);
    assert_eq!(once.current().learned, one_by_one.current().learned);
    assert_eq!((once.current().version, one_by_one.current().version), (2, 51));
}

#[test]
fn given_an_outcome_that_cannot_be_used_when_weights_learn_then_it_is_skipped_and_named() {
    let good = outcome([("a", score(1.0)), ("b", score(2.0))], 1.0);
    let bad = Outcome { truth: Truth::Label("x".to_owned()), ..good.clone() };
    let gone = outcome([("a", failed())], 1.0);
    let stranger = outcome([("c", score(1.0))], 1.0);
    let fusion = sum(&share(1.0, 0.1), [1.0, 1.0]);
    let step = fusion.learn(&[bad.clone(), good, gone, stranger], 5).unwrap();
    assert_eq!(step.fusion.current().cause, Cause::Learned { outcomes: 1 });
    let skipped: Vec<_> = step.skipped.iter().map(|one| one.outcome).collect();
    assert_eq!(skipped, [0, 2, 3]);
    assert_eq!(step.skipped[0].reason, "its truth has to be a value");
    assert_eq!(fusion.learn(&[bad], 5).unwrap().fusion, fusion, "nothing learned is no new version");
}

#[test]
fn given_a_frozen_fusion_when_outcomes_come_then_it_refuses_until_it_is_thawed() {
    let outcomes = [outcome([("a", score(1.0)), ("b", score(2.0))], 1.0)];
    let frozen = sum(&share(1.0, 0.1), [1.0, 1.0]).frozen(7_000);
    assert_eq!(frozen.mode(), Mode::Frozen { since_ms: 7_000 });
    assert_eq!(frozen.frozen(9_000), frozen);
    assert_eq!(frozen.learn(&outcomes, 8_000), Err(FusionError::Frozen));
    assert!(frozen.answer(&outcomes[0].opinions).is_ok());
    assert_eq!(frozen.thawed().learn(&outcomes, 8_000).unwrap().fusion.current().version, 2);
    assert_eq!(sum(&fixed(), [1.0, 1.0]).learn(&outcomes, 8_000), Err(FusionError::Fixed));
}

#[test]
fn given_a_history_when_it_is_rolled_back_then_the_old_weights_come_back_as_a_new_version() {
    let first = sum(&share(1.0, 0.1), [1.0, 1.0]);
    let outcomes = [outcome([("a", score(1.0)), ("b", score(9.0))], 1.0)];
    let second = first.learn(&outcomes, 2_000).unwrap().fusion;
    let third = second.learn(&outcomes, 3_000).unwrap().fusion;
    let back = third.roll_back(second.current(), 4_000).unwrap();
    assert_eq!(back.current().learned, second.current().learned);
    assert_eq!((back.current().version, back.current().at_ms), (4, 4_000));
    assert_eq!(back.current().cause, Cause::RolledBack { to: 2 });
    assert_eq!(second.roll_back(third.current(), 5_000), Err(FusionError::WrongSnapshot(3)));
    let other = vote(&["a", "b", "c"]);
    assert!(third.roll_back(other.current(), 5_000).is_err());
}

#[test]
fn given_a_confidence_when_a_member_states_it_then_it_counts_before_what_was_earned() {
    let sure = Opinion::Score { value: 1.0, confidence: Some(0.9) };
    let answer = sum(&fixed(), [3.0, 1.0]).answer(&opinions([("a", sure), ("b", score(1.0))])).unwrap();
    let sources: Vec<_> = answer.contributions.iter().map(|one| (one.confidence, one.confidence_source)).collect();
    assert_eq!(sources, [(0.9, Source::Stated), (0.5, Source::Earned)]);
    assert!(near(answer.confidence, 0.75 * 0.9 + 0.25 * 0.5));
}

#[test]
fn given_a_definition_that_cannot_be_when_it_is_read_then_it_is_refused_with_the_way_out() {
    let refusal = |members: Value, method: Value| {
        from_value::<Definition>(json!({"members": members, "method": method})).unwrap_err().to_string()
    };
    let vote = json!({"method": "vote", "learning": fixed()});
    assert!(refusal(json!([]), vote.clone()).contains("there are 0; give 1 to 32"));
    assert!(refusal(json!([{"name": "a"}, {"name": "a"}]), vote.clone()).contains("\"a\" is empty or stands twice"));
    assert!(refusal(json!([{"name": "a", "weight": 0.0}]), vote).contains("members: weight is 0"));
    let one = json!([{"name": "a"}]);
    let learning = |step: f64, by: f64| json!({"method": "vote", "learning": share(step, by)});
    assert!(refusal(one.clone(), learning(0.0, 0.1)).contains("step is 0: it has to be above 0"));
    assert!(refusal(one.clone(), learning(1.0, 0.0)).contains("share is 0: it has to be between"));
    assert!(refusal(one, json!({"method": "ridge", "penalty": -1.0})).contains("penalty is -1"));
}

#[test]
fn given_a_fusion_when_it_is_stored_then_it_is_read_back_and_a_changed_one_is_refused() {
    for method in [
        json!({"method": "vote", "learning": share(1.0, 0.1)}),
        json!({"method": "ridge", "penalty": 1.0}),
        json!({"method": "logistic", "penalty": 1.0}),
    ] {
        let fusion = fusion(json!({"members": [{"name": "a"}, {"name": "b"}], "method": method}));
        let read: Fusion = serde_json::from_str(&to_string(&fusion).unwrap()).unwrap();
        assert_eq!(read, fusion);
        let mut changed = to_value(&fusion).unwrap();
        changed["definition"]["members"] = json!([{"name": "a"}, {"name": "b"}, {"name": "c"}]);
        assert!(from_value::<Fusion>(changed).unwrap_err().to_string().contains("does not fit this fusion's members"));
        let mut newer = to_value(&fusion).unwrap();
        newer["format"] = json!(2);
        assert!(from_value::<Fusion>(newer).is_err());
    }
}

#[test]
fn given_what_was_learned_when_a_fusion_is_defined_anew_then_it_begins_at_the_new_weights_and_versions_go_on() {
    let learned = sum(&share(1.0, 0.01), [1.0, 1.0]);
    let learned = learned.learn(&[outcome([("a", score(1.0)), ("b", score(9.0))], 1.0)], 2_000).unwrap().fusion;
    let other = sum(&share(1.0, 0.01), [3.0, 1.0]).definition().clone();
    let anew = learned.frozen(2_500).redefined(other, 3_000);
    assert_eq!((anew.current().version, anew.current().cause, anew.current().at_ms), (3, Cause::Defined, 3_000));
    assert_eq!(weights(&anew), [0.75, 0.25]);
    assert_eq!(anew.mode(), Mode::Frozen { since_ms: 2_500 });
}
