#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::trees::{Branch, Comparison, Test};

/// Numbers that splits, members and rows are drawn from, so that they often meet.
const NUMBERS: [f64; 12] = [
    f64::NEG_INFINITY,
    -3.5,
    -1.0,
    -0.0,
    0.0,
    1.401_298_464_324_817e-45,
    0.5,
    1.0,
    1.000_000_119_209_289_6,
    2.0,
    7.0,
    f64::INFINITY,
];
pub(crate) const FEATURES: usize = 5;

fn number(random: &mut StdRng) -> f64 {
    NUMBERS[random.random_range(0..NUMBERS.len())]
}

fn test(random: &mut StdRng) -> Test {
    const MODES: [Comparison; 6] = [
        Comparison::LessOrEqual,
        Comparison::Less,
        Comparison::GreaterOrEqual,
        Comparison::Greater,
        Comparison::Equal,
        Comparison::NotEqual,
    ];
    match random.random_range(0..MODES.len() + 1) {
        mode if mode < MODES.len() => Test::Compare(MODES[mode], number(random)),
        _ => Test::Member((0..random.random_range(0..6)).map(|_| number(random)).collect()),
    }
}

/// A tree with all modes mixed, of leaves with up to `most` votes.
fn tree(
    random: &mut StdRng,
    nodes: &mut Vec<Node>,
    votes: &mut Vec<Vote>,
    depth: usize,
    most: usize,
    targets: usize,
) -> usize {
    let place = nodes.len();
    if depth == 0 || random.random_bool(0.15) {
        let first = votes.len();
        for _ in 0..random.random_range(most.min(1)..=most) {
            votes.push(Vote { target: random.random_range(0..targets), weight: random.random_range(-1.0..1.0) });
        }
        nodes.push(Node::Leaf(first..votes.len()));
        return place;
    }
    nodes.push(Node::Leaf(0..0));
    let (feature, test, missing_is_true) = (random.random_range(0..FEATURES), test(random), random.random_bool(0.5));
    let when_true = tree(random, nodes, votes, depth - 1, most, targets);
    let when_false = tree(random, nodes, votes, depth - 1, most, targets);
    nodes[place] = Node::Branch(Branch { feature, test, when_true, when_false, missing_is_true });
    place
}

pub(crate) fn ensemble(random: &mut StdRng, trees: usize, most: usize, targets: usize) -> Ensemble {
    let (mut nodes, mut votes) = (Vec::new(), Vec::new());
    let roots = (0..trees).map(|_| tree(random, &mut nodes, &mut votes, 5, most, targets)).collect();
    Ensemble::new(nodes, roots, votes, targets).unwrap()
}

pub(crate) fn rows(random: &mut StdRng, count: usize) -> Vec<f64> {
    let value = |random: &mut StdRng| if random.random_bool(0.2) { f64::NAN } else { number(random) };
    (0..count * FEATURES).map(|_| value(random)).collect()
}

/// Branch by branch, as the operators are defined.
fn plain(ensemble: &Ensemble, aggregate: Aggregate, row: &[f64]) -> Vec<f64> {
    let mut votes = vec![Vec::new(); ensemble.targets()];
    for root in ensemble.roots() {
        ensemble.leaf_of(*root, row).iter().for_each(|vote| votes[vote.target].push(vote.weight));
    }
    let score = |votes: &Vec<f64>| match aggregate {
        _ if votes.is_empty() => 0.0,
        Aggregate::Sum => votes.iter().sum(),
        Aggregate::Average => votes.iter().sum::<f64>() / ensemble.roots().len() as f64,
        Aggregate::Min => votes.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregate::Max => votes.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    votes.iter().map(score).collect()
}

/// Runs rows at once, and one by one, and compares both with the plain meaning: within 1e-12.
fn assert_equal<V: Value>(ensemble: &Ensemble, aggregate: Aggregate, values: &[f64], convert: fn(f64) -> V) {
    let forest = Forest::<V>::new(ensemble, aggregate);
    let rows: Vec<V> = values.iter().map(|value| convert(*value)).collect();
    let together = forest.scores(&rows, FEATURES).scores;
    for (place, row) in values.chunks_exact(FEATURES).enumerate() {
        let expected = plain(ensemble, aggregate, row);
        let alone = forest.scores(&rows[place * FEATURES..(place + 1) * FEATURES], FEATURES).scores;
        let own = &together[place * ensemble.targets()..(place + 1) * ensemble.targets()];
        for (found, expected) in alone.iter().chain(own).zip(expected.iter().cycle()) {
            assert!((found - expected).abs() < 1e-12, "{found} for {expected}, row {row:?}");
        }
    }
}

#[test]
fn given_trees_of_all_modes_when_rows_are_run_then_they_get_the_votes_of_the_plain_walk() {
    let mut random = StdRng::seed_from_u64(7);
    for round in 0..60 {
        let (most, targets) = [(1, 1), (1, 3), (3, 3)][round % 3];
        let trees = random.random_range(1..30);
        let ensemble = ensemble(&mut random, trees, most, targets);
        let values = rows(&mut random, 21);
        for aggregate in [Aggregate::Sum, Aggregate::Average, Aggregate::Min, Aggregate::Max] {
            assert_equal::<f64>(&ensemble, aggregate, &values, |value| value);
            #[expect(clippy::cast_possible_truncation, reason = "the numbers are drawn so that f32 has them")]
            assert_equal::<f32>(&ensemble, aggregate, &values, |value| value as f32);
        }
    }
}

#[test]
fn given_splits_that_are_no_numbers_when_rows_are_run_then_comparisons_are_false_and_differences_true() {
    for (comparison, expected) in
        [(Comparison::LessOrEqual, 2.0), (Comparison::GreaterOrEqual, 2.0), (Comparison::NotEqual, 1.0)]
    {
        let test = Test::Compare(comparison, f64::NAN);
        let branch = Branch { feature: 0, test, when_true: 1, when_false: 2, missing_is_true: false };
        let votes = vec![Vote { target: 0, weight: 1.0 }, Vote { target: 0, weight: 2.0 }];
        let nodes = vec![Node::Branch(branch), Node::Leaf(0..1), Node::Leaf(1..2)];
        let ensemble = Ensemble::new(nodes, vec![0], votes, 1).unwrap();
        assert_eq!(Forest::<f32>::new(&ensemble, Aggregate::Sum).scores(&[0.0], 1).scores, [expected]);
    }
}

#[test]
fn given_no_rows_when_they_are_run_then_there_are_no_scores() {
    let ensemble = Ensemble::new(vec![Node::Leaf(0..0)], vec![0], Vec::new(), 2).unwrap();
    assert_eq!(Forest::<f32>::new(&ensemble, Aggregate::Sum).scores(&[], 4).scores, [0.0; 0]);
}
