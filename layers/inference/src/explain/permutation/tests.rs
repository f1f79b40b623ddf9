#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use super::*;

const BACKGROUND: [f64; 12] = [0.5, -1.0, 2.0, 1.5, 0.0, -0.5, -2.0, 1.0, 0.25, 1.0, 3.0, -1.0];
const ROW: [f64; 3] = [2.0, -0.5, 1.0];

/// A product of all three, and the first and third apart.
fn model(rows: Rows<'_>) -> Result<Vec<f64>, ExplainFault> {
    Ok(rows.iter().flat_map(|row| [row[0] * row[1] * row[2], 3.0 * row[0] - row[2]]).collect())
}

fn background() -> Rows<'static> {
    Rows::new(&BACKGROUND, 3).unwrap()
}

fn estimate(grouping: &Grouping, evaluations: usize) -> Estimate {
    permutation(model, &ROW, background(), (grouping, 2), Budget { evaluations, seed: 7 }).unwrap()
}

/// The Shapley values of the product, by their definition.
fn of_product() -> Vec<f64> {
    let value = |known: usize| -> f64 {
        let product = |other: &[f64]| -> f64 {
            (0..3).map(|place| if known >> place & 1 == 1 { ROW[place] } else { other[place] }).product()
        };
        background().iter().map(product).sum::<f64>() / 4.0
    };
    let of = |player: usize| {
        let [one, two] = [(player + 1) % 3, (player + 2) % 3];
        let gain = |known: usize| value(known | 1 << player) - value(known);
        gain(0) / 3.0 + (gain(1 << one) + gain(1 << two)) / 6.0 + gain(1 << one | 1 << two) / 3.0
    };
    (0..3).map(of).collect()
}

#[test]
fn given_a_budget_then_estimates_are_as_near_as_their_standard_errors_say() {
    let found = estimate(&Grouping::single(3).unwrap(), 24_000);
    for (player, expected) in of_product().iter().enumerate() {
        let (own, error) = (found.contributions.values()[player], found.errors[player]);
        assert!(error > 0.0 && error < 0.05, "{error}");
        assert!((own - expected).abs() < 4.0 * error, "{own} +- {error}, and not {expected}");
    }
}

#[test]
fn given_four_times_the_budget_then_standard_errors_are_half() {
    let single = Grouping::single(3).unwrap();
    let (small, great) = (estimate(&single, 6_000), estimate(&single, 24_000));
    let ratio = small.errors[0] / great.errors[0];
    assert!((ratio - 2.0).abs() < 0.3, "{ratio}");
}

#[test]
fn given_a_sum_of_features_then_the_estimate_of_all_the_background_is_exact() {
    let found = estimate(&Grouping::single(3).unwrap(), 24);
    // The second target is 3 times the first feature less the third.
    let mean = |column: usize| background().iter().map(|row| row[column]).sum::<f64>() / 4.0;
    let expected = [3.0 * (ROW[0] - mean(0)), 0.0, mean(2) - ROW[2]];
    for (own, expected) in found.contributions.of(0, 1).unwrap().iter().zip(expected) {
        assert!((own - expected).abs() < 1e-12, "{own} and not {expected}");
    }
}

#[test]
fn given_any_budget_then_base_and_contributions_make_the_output_and_it_is_kept() {
    for evaluations in [12, 17, 24, 100, 20_001] {
        let found = estimate(&Grouping::single(3).unwrap(), evaluations);
        assert!(found.evaluations <= evaluations && found.evaluations == found.pairs * 6);
        for (target, expected) in [-1.0, 5.0].into_iter().enumerate() {
            let made = found.contributions.output(0, target).unwrap();
            assert!((made - expected).abs() < 1e-12, "{evaluations} evaluations: {made} and not {expected}");
        }
    }
}

#[test]
fn given_a_pair_for_each_row_of_the_background_then_the_base_is_its_mean() {
    let found = estimate(&Grouping::single(3).unwrap(), 24);
    let outputs = model(background()).unwrap();
    let mean = outputs.iter().step_by(2).sum::<f64>() / 4.0;
    assert!((found.contributions.base()[0] - mean).abs() < 1e-12);
}

#[test]
fn given_groups_then_each_is_one_player() {
    let found = estimate(&Grouping::new(vec![0, 1, 0]).unwrap(), 16_000);
    assert_eq!((found.contributions.features(), found.errors.len()), (2, 4));
    // The second target does not ask for the second group.
    assert_eq!(found.contributions.of(0, 1).unwrap()[1], 0.0);
}

#[test]
fn given_one_seed_then_estimates_are_equal() {
    let single = Grouping::single(3).unwrap();
    assert_eq!(estimate(&single, 120), estimate(&single, 120));
}

#[test]
fn given_what_cannot_be_estimated_then_the_fault_says_why() {
    let single = Grouping::single(3).unwrap();
    let budget = |evaluations| Budget { evaluations, seed: 1 };
    let few = permutation(model, &ROW, background(), (&single, 2), budget(11));
    assert_eq!(few, Err(ExplainFault::Evaluations { found: 11, least: 12 }));
    let narrow = permutation(model, &ROW[..2], background(), (&single, 2), budget(12));
    assert_eq!(narrow, Err(ExplainFault::Width { what: "row to explain", found: 2, expected: 3 }));
    let outputs = permutation(model, &ROW, background(), (&single, 1), budget(12));
    assert_eq!(outputs, Err(ExplainFault::Count { what: "outputs of the model", found: 24, expected: 12 }));
    let failing = permutation(
        |_| Err(ExplainFault::Predictor("no memory".to_owned())),
        &ROW,
        background(),
        (&single, 1),
        budget(12),
    );
    assert_eq!(failing, Err(ExplainFault::Predictor("no memory".to_owned())));
}
