//! Explanations of trees of all kinds against the definition of Shapley values. `tests/explain.rs` has real models
//! against `shap`.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;
use crate::explain::{Contributions, ExplainFault, Game, Rows, Space};
use crate::trees::samples::{FEATURES, ensemble, rows};
use crate::trees::{Aggregate, Branch, Comparison, Ensemble, Forest, Node, Test, Vote};

/// Tables hold 32-bit floats: of outputs of about 1, this is some hundred times their precision.
const TOLERANCE: f64 = 1e-5;
/// Room for all tables.
const AMPLE: usize = 1 << 30;

/// What the model gives for a row.
fn outputs(model: &TreeModel, row: &[f64]) -> Vec<f64> {
    let mut sums = model.base_values().to_vec();
    for root in model.ensemble().roots() {
        for vote in model.ensemble().leaf_of(*root, row) {
            sums[vote.target] += vote.weight * model.scale();
        }
    }
    sums
}

/// What the model gives when the features of a set are known, by the definition of each game.
fn value(model: &TreeModel, game: Game, row: &[f64], background: Rows<'_>, known: usize) -> Vec<f64> {
    let mut sums = vec![0.0; model.ensemble().targets()];
    match game {
        Game::Interventional => {
            for other in background.iter() {
                let pick = |feature: usize| if known >> feature & 1 == 1 { row[feature] } else { other[feature] };
                let mixed: Vec<f64> = (0..row.len()).map(pick).collect();
                let own = outputs(model, &mixed);
                sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own / background.len() as f64);
            }
        }
        Game::PathDependent => {
            sums.copy_from_slice(model.base_values());
            for root in model.ensemble().roots() {
                let here: Vec<&[f64]> = background.iter().collect();
                descend(model, *root, row, &here, known, model.scale(), &mut sums);
            }
        }
    }
    sums
}

fn descend(model: &TreeModel, place: usize, row: &[f64], here: &[&[f64]], known: usize, share: f64, sums: &mut [f64]) {
    match &model.ensemble().nodes()[place] {
        Node::Leaf(range) => {
            model.ensemble().votes()[range.clone()].iter().for_each(|vote| sums[vote.target] += share * vote.weight);
        }
        Node::Branch(branch) => {
            for next in [branch.when_true, branch.when_false] {
                let there: Vec<&[f64]> =
                    here.iter().copied().filter(|row| branch.next(row[branch.feature]) == next).collect();
                let of_rows = if here.is_empty() { 0.5 } else { there.len() as f64 / here.len() as f64 };
                let of_row = f64::from(u8::from(branch.next(row[branch.feature]) == next));
                let own = if known >> branch.feature & 1 == 1 { of_row } else { of_rows };
                if own > 0.0 {
                    descend(model, next, row, &there, known, share * own, sums);
                }
            }
        }
    }
}

/// Shapley values by their definition, target by target, feature by feature.
fn shapley(model: &TreeModel, game: Game, row: &[f64], background: Rows<'_>) -> Vec<f64> {
    let (features, targets) = (row.len(), model.ensemble().targets());
    let values: Vec<Vec<f64>> = (0..1 << features).map(|known| value(model, game, row, background, known)).collect();
    let factorial = |number: u32| (1..=number).map(f64::from).product::<f64>();
    let players = u32::try_from(features).unwrap();
    let mut found = vec![0.0; targets * features];
    for feature in 0..features {
        for known in (0..1_usize << features).filter(|known| known >> feature & 1 == 0) {
            let size = known.count_ones();
            let weight = factorial(size) * factorial(players - size - 1) / factorial(players);
            for target in 0..targets {
                let gain = values[known | 1 << feature][target] - values[known][target];
                found[target * features + feature] += weight * gain;
            }
        }
    }
    found
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < TOLERANCE, "{what}: value {place} is {found} and not {expected}");
    }
}

/// A model of trees of all kinds, with a background and rows.
fn sample(seed: u64, votes: usize, targets: usize) -> (TreeModel, Vec<f64>, Vec<f64>) {
    let mut random = StdRng::seed_from_u64(seed);
    let trees = ensemble(&mut random, 4, votes, targets);
    let base = (0_u32..).take(targets).map(|target| f64::from(target) + 0.5).collect();
    let aggregate = if seed.is_multiple_of(2) { Aggregate::Sum } else { Aggregate::Average };
    let model = TreeModel::new(trees, aggregate, base).unwrap();
    let background = rows(&mut random, 13);
    let mut shown = rows(&mut random, 40);
    shown[..FEATURES].copy_from_slice(&background[..FEATURES]);
    (model, background, shown)
}

fn explain(model: &TreeModel, game: Game, background: &[f64], shown: &[f64], bytes: usize) -> Contributions {
    let background = Rows::new(background, FEATURES).unwrap();
    let explainer = TreeExplainer::new(model, game, background, bytes).unwrap();
    assert!(explainer.table_bytes() <= bytes);
    explainer.explain(Rows::new(shown, FEATURES).unwrap()).unwrap()
}

#[test]
fn given_trees_with_every_kind_of_test_when_they_are_explained_then_both_games_give_their_shapley_values() {
    for seed in 0..12 {
        let (model, background, shown) = sample(seed, 2, 1 + usize::try_from(seed % 3).unwrap());
        let reference = Rows::new(&background, FEATURES).unwrap();
        for game in [Game::Interventional, Game::PathDependent] {
            // All by tables, some, none.
            for bytes in [AMPLE, 3000, 0] {
                let found = explain(&model, game, &background, &shown, bytes);
                for (row, own) in
                    shown.chunks_exact(FEATURES).zip(found.values().chunks_exact(found.targets() * FEATURES))
                {
                    let what = format!("model {seed}, {game:?}, {bytes} bytes");
                    assert_close(own, &shapley(&model, game, row, reference), &what);
                }
            }
        }
    }
}

#[test]
fn given_any_trees_when_they_are_explained_then_base_and_contributions_make_the_output() {
    for seed in 20..32 {
        let (model, background, shown) = sample(seed, 3, 2);
        for game in [Game::Interventional, Game::PathDependent] {
            for bytes in [AMPLE, 0] {
                let found = explain(&model, game, &background, &shown, bytes);
                for (row, values) in shown.chunks_exact(FEATURES).enumerate() {
                    let made: Vec<f64> = (0..2).map(|target| found.output(row, target).unwrap()).collect();
                    assert_close(&made, &outputs(&model, values), &format!("model {seed}, {game:?}, row {row}"));
                }
            }
        }
    }
}

#[test]
fn given_leaves_about_a_great_number_when_they_are_explained_then_contributions_keep_their_precision() {
    let (model, background, shown) = sample(2, 1, 1);
    let plain = explain(&model, Game::Interventional, &background, &shown, AMPLE);
    let votes = model.ensemble().nodes().iter().filter(|node| matches!(node, Node::Leaf(range) if range.is_empty()));
    assert_eq!(votes.count(), 0);
    let far = model.ensemble().votes().iter().map(|vote| Vote { weight: vote.weight + 1e9, ..*vote }).collect();
    let moved = Ensemble::new(model.ensemble().nodes().to_vec(), model.ensemble().roots().to_vec(), far, 1).unwrap();
    let moved = TreeModel::new(moved, Aggregate::Sum, vec![0.5]).unwrap();
    let found = explain(&moved, Game::Interventional, &background, &shown, AMPLE);
    assert_close(found.values(), plain.values(), "leaves moved by 1e9");
}

#[test]
fn given_some_rows_when_they_are_explained_one_by_one_then_they_get_the_same() {
    let (model, background, shown) = sample(4, 2, 2);
    let together = explain(&model, Game::PathDependent, &background, &shown, AMPLE);
    let single = shown
        .chunks_exact(FEATURES)
        .flat_map(|row| explain(&model, Game::PathDependent, &background, row, AMPLE).values().to_vec());
    assert_eq!(together.values(), single.collect::<Vec<_>>());
}

/// A tree of which each branch asks another feature whether it is at most 0, and goes on when it is.
fn chain(features: usize) -> TreeModel {
    let (mut nodes, mut votes) = (Vec::new(), Vec::new());
    for feature in 0..features {
        let test = Test::Compare(Comparison::LessOrEqual, 0.0);
        let (when_true, when_false) = (2 * feature + 2, 2 * feature + 1);
        nodes.push(Node::Branch(Branch { feature, test, when_true, when_false, missing_is_true: false }));
        nodes.push(Node::Leaf(feature..feature + 1));
        votes.push(Vote { target: 0, weight: (feature as f64 * 1.7).sin() });
    }
    nodes.push(Node::Leaf(features..features + 1));
    votes.push(Vote { target: 0, weight: 3.0 });
    TreeModel::new(Ensemble::new(nodes, vec![0], votes, 1).unwrap(), Aggregate::Sum, vec![]).unwrap()
}

/// Rows of 0 and 1, mostly 0.
fn zeros_and_ones(seed: u64, rows: usize, features: usize) -> Vec<f64> {
    use rand::RngExt as _;
    let mut random = StdRng::seed_from_u64(seed);
    (0..rows * features).map(|_| f64::from(u8::from(random.random_bool(0.15)))).collect()
}

#[test]
fn given_a_path_of_twelve_features_then_both_games_give_their_shapley_values() {
    let model = chain(12);
    let (background, shown) = (zeros_and_ones(1, 7, 12), zeros_and_ones(2, 3, 12));
    let reference = Rows::new(&background, 12).unwrap();
    for game in [Game::Interventional, Game::PathDependent] {
        let explainer = TreeExplainer::new(&model, game, reference, AMPLE).unwrap();
        let found = explainer.explain(Rows::new(&shown, 12).unwrap()).unwrap();
        let expected = shown.chunks_exact(12).flat_map(|row| shapley(&model, game, row, reference));
        assert_close(found.values(), &expected.collect::<Vec<_>>(), &format!("{game:?}"));
    }
}

#[test]
fn given_a_path_of_sixty_features_then_base_and_contributions_make_the_output() {
    let model = chain(60);
    let (background, shown) = (zeros_and_ones(3, 200, 60), zeros_and_ones(4, 20, 60));
    for game in [Game::Interventional, Game::PathDependent] {
        let explainer = TreeExplainer::new(&model, game, Rows::new(&background, 60).unwrap(), AMPLE).unwrap();
        let found = explainer.explain(Rows::new(&shown, 60).unwrap()).unwrap();
        for (row, values) in shown.chunks_exact(60).enumerate() {
            assert_close(&[found.output(row, 0).unwrap()], &outputs(&model, values), &format!("{game:?}, row {row}"));
        }
    }
}

#[test]
fn given_too_many_features_on_a_path_then_it_is_refused() {
    let model = chain(65);
    let background = zeros_and_ones(3, 2, 65);
    let found = TreeExplainer::new(&model, Game::PathDependent, Rows::new(&background, 65).unwrap(), 0);
    assert_eq!(found.err(), Some(ExplainFault::Players(64)));
}

#[test]
fn given_a_logistic_margin_then_base_and_contributions_make_its_probability() {
    let (model, background, shown) = sample(6, 1, 1);
    let logistic = |margin: f64| 1.0 / (1.0 + (-margin).exp());
    let explainer = TreeExplainer::probability(&model, Rows::new(&background, FEATURES).unwrap()).unwrap();
    let found = explainer.explain(Rows::new(&shown, FEATURES).unwrap()).unwrap();
    assert_eq!(found.space(), Space::Probability);
    for (row, values) in shown.chunks_exact(FEATURES).enumerate() {
        let expected = logistic(outputs(&model, values)[0]);
        assert_close(&[found.output(row, 0).unwrap()], &[expected], &format!("row {row}"));
    }
}

#[test]
fn given_one_row_of_background_then_a_probability_is_explained_by_its_margin_in_proportion() {
    let (model, background, shown) = sample(6, 1, 1);
    let background = &background[..FEATURES];
    let explainer = TreeExplainer::probability(&model, Rows::new(background, FEATURES).unwrap()).unwrap();
    let found = explainer.explain(Rows::new(&shown, FEATURES).unwrap()).unwrap();
    let margins = explain(&model, Game::Interventional, background, &shown, AMPLE);
    for row in 0..margins.rows() {
        let size = margins.output(row, 0).unwrap() - margins.base()[0];
        let scale = if size == 0.0 { 0.0 } else { (found.output(row, 0).unwrap() - found.base()[0]) / size };
        if size.abs() > 1e-3 {
            let expected: Vec<f64> = margins.of(row, 0).unwrap().iter().map(|own| own * scale).collect();
            assert_close(found.of(row, 0).unwrap(), &expected, &format!("row {row}"));
        }
    }
}

#[test]
fn given_what_cannot_be_explained_exactly_then_the_fault_says_so() {
    let mut random = StdRng::seed_from_u64(1);
    let trees = ensemble(&mut random, 2, 1, 2);
    assert_eq!(TreeModel::new(trees.clone(), Aggregate::Max, vec![]), Err(ExplainFault::Aggregate));
    let model = TreeModel::new(trees, Aggregate::Sum, vec![]).unwrap();
    let values = vec![0.0; FEATURES * 1001];
    let fault = |rows: Rows<'_>| TreeExplainer::new(&model, Game::Interventional, rows, 0).err();
    let background = |found| Some(ExplainFault::Background { found, most: MAX_BACKGROUND });
    assert_eq!(fault(Rows::new(&values, FEATURES).unwrap()), background(1001));
    assert_eq!(fault(Rows::new(&[], FEATURES).unwrap()), background(0));
    let narrow = Some(ExplainFault::Width { what: "background", found: 1, expected: FEATURES });
    assert_eq!(fault(Rows::new(&values[..3], 1).unwrap()), narrow);
    let two = TreeExplainer::probability(&model, Rows::new(&values[..FEATURES], FEATURES).unwrap());
    assert_eq!(two.err(), Some(ExplainFault::Link(2)));
}

#[test]
fn given_a_forest_then_the_explained_output_is_its_score() {
    let (model, background, shown) = sample(8, 2, 3);
    let forest: Forest<f64> = Forest::new(model.ensemble(), Aggregate::Sum);
    let scores = forest.scores(&shown, FEATURES).scores;
    let found = explain(&model, Game::Interventional, &background, &shown, AMPLE);
    let made = (0..found.rows()).flat_map(|row| (0..3).map(move |target| (row, target)));
    let made: Vec<f64> = made.map(|(row, target)| found.output(row, target).unwrap()).collect();
    let scores = scores.iter().zip(model.base_values().iter().cycle()).map(|(score, base)| score + base);
    assert_close(&made, &scores.collect::<Vec<_>>(), "scores");
}
