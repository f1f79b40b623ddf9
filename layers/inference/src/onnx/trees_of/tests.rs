//! Explanations of real exports against `shap`: `tests/fixtures/shap_values.py` makes them.
//!
//! Values may differ by 1e-5 of the outputs' scale, which is how far the shown rows' outputs go from the base at most:
//! the files hold leaves as 32-bit floats, our tables and `shap`'s weights of the interventional game are such too.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use super::*;
use crate::explain::{Contributions, Game, Grouping, Rows, Space, TreeExplainer};
use crate::onnx::Tensor;
use crate::onnx::cases::Item;

const TOLERANCE: f64 = 1e-5;

/// What a file of `shap/` says.
#[derive(serde::Deserialize)]
struct Fixture {
    inputs: Vec<(String, Item)>,
    background: Vec<(String, Item)>,
    cases: Vec<Case>,
    groups: Option<Vec<usize>>,
}

#[derive(serde::Deserialize)]
struct Case {
    game: String,
    space: String,
    base: Vec<f64>,
    values: Item,
}

/// A model with its fixture.
struct Real {
    trees: Trees,
    fixture: Fixture,
}

fn real(name: &str) -> Real {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/shap");
    let trees = Trees::parse(&std::fs::read(folder.join(format!("{name}.onnx"))).unwrap()).unwrap();
    let fixture = serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap();
    Real { trees, fixture }
}

impl Real {
    fn columns(&self, inputs: &[(String, Item)]) -> (Vec<f64>, usize) {
        self.trees.columns(inputs.iter().map(|(name, item)| (name.clone(), item.value())).collect()).unwrap()
    }

    fn explain(&self, game: Game, space: Space, table_bytes: usize) -> Contributions {
        let (background, width) = self.columns(&self.fixture.background);
        let background = Rows::new(&background, width).unwrap();
        let explainer = match space {
            Space::Raw => TreeExplainer::new(&self.trees.model, game, background, table_bytes),
            Space::Probability => TreeExplainer::probability(&self.trees.model, background),
        };
        let (rows, width) = self.columns(&self.fixture.inputs);
        explainer.unwrap().explain(Rows::new(&rows, width).unwrap()).unwrap()
    }
}

/// The most that outputs go from their base.
fn scale(found: &Contributions) -> f64 {
    let places = (0..found.rows()).flat_map(|row| (0..found.targets()).map(move |target| (row, target)));
    places.map(|(row, target)| (found.output(row, target).unwrap() - found.base()[target]).abs()).fold(0.0, f64::max)
}

/// What differs from `shap`, if anything. Of two classes of a forest `shap` has both, and the trees the second.
fn difference(name: &str) -> Vec<String> {
    let real = real(name);
    let mut differences = Vec::new();
    for case in &real.fixture.cases {
        let game = if case.game == "interventional" { Game::Interventional } else { Game::PathDependent };
        let space = if case.space == "raw" { Space::Raw } else { Space::Probability };
        let Value::Tensor(Tensor::Float(values)) = case.values.value() else {
            panic!("{name}: values of another type")
        };
        for table_bytes in [1 << 30, 2000, 0] {
            let found = real.explain(game, space, table_bytes);
            let skipped = case.base.len() - found.targets();
            let expected = values.data.chunks_exact(found.features()).enumerate();
            let expected = expected.filter(|(place, _)| place % case.base.len() >= skipped);
            let expected = expected.flat_map(|(_, own)| own).map(|value| f64::from(*value));
            assert_eq!(values.data.len(), found.rows() * case.base.len() * found.features(), "{name}");
            let bases = found.base().iter().zip(&case.base[skipped..]).map(|(found, expected)| (*found, *expected));
            let values = found.values().iter().copied().zip(expected);
            let worst = values.chain(bases).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max);
            let relative = worst / scale(&found);
            if relative.is_nan() || relative > TOLERANCE {
                differences.push(format!("{name}, {game:?}, {space:?}, {table_bytes} bytes: {relative:e}"));
            }
        }
    }
    differences
}

const MODELS: [&str; 17] = [
    "gradient_boosting_regressor",
    "gradient_boosting_three",
    "gradient_boosting_two",
    "histogram_boosting_regressor",
    "histogram_boosting_three",
    "histogram_boosting_two",
    "lightgbm_regressor",
    "lightgbm_three",
    "lightgbm_two",
    "lightgbm_with_categories",
    "pipeline_of_numbers_and_words",
    "random_forest_regressor",
    "random_forest_three",
    "random_forest_two",
    "xgboost_regressor",
    "xgboost_three",
    "xgboost_two",
];

#[test]
fn given_real_models_when_they_are_explained_then_values_and_bases_are_those_of_shap() {
    let differences: Vec<String> = MODELS.iter().flat_map(|name| difference(name)).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn given_real_models_when_they_are_explained_then_base_and_contributions_make_the_scores_of_the_forest() {
    for name in MODELS {
        let real = real(name);
        let (rows, width) = real.columns(&real.fixture.inputs);
        let forest = crate::trees::Forest::<f64>::new(real.trees.model.ensemble(), Aggregate::Sum);
        let scores = forest.scores(&rows, width).scores;
        let base = real.trees.model.base_values().iter().cycle();
        let expected: Vec<f64> = scores.iter().zip(base).map(|(score, base)| score + base).collect();
        for game in [Game::Interventional, Game::PathDependent] {
            let found = real.explain(game, Space::Raw, 1 << 30);
            for (place, expected) in expected.iter().enumerate() {
                let made = found.output(place / found.targets(), place % found.targets()).unwrap();
                assert!((made - expected).abs() < TOLERANCE * scale(&found), "{name}, {game:?}: {made} and {expected}");
            }
        }
    }
}

#[test]
fn given_columns_made_of_words_then_their_contributions_are_summed_to_the_words_column() {
    let real = real("pipeline_of_numbers_and_words");
    let found = real.explain(Game::Interventional, Space::Raw, 1 << 30);
    let grouped = found.grouped(&Grouping::new(real.fixture.groups.clone().unwrap()).unwrap()).unwrap();
    assert_eq!(grouped.features(), 4);
    for row in 0..found.rows() {
        let (own, sums) = (found.of(row, 0).unwrap(), grouped.of(row, 0).unwrap());
        assert!((own[3..].iter().sum::<f64>() - sums[3]).abs() < 1e-12);
        assert!((found.output(row, 0).unwrap() - grouped.output(row, 0).unwrap()).abs() < 1e-12);
    }
}

#[test]
fn given_real_models_then_what_their_scores_are_is_told() {
    let told = |name: &str| {
        let trees = real(name).trees;
        (trees.scores, trees.post_transform, trees.model.ensemble().targets())
    };
    assert_eq!(told("xgboost_two"), (Scores::SecondClass, PostTransform::Logistic, 1));
    assert_eq!(told("random_forest_two"), (Scores::SecondClass, PostTransform::None, 1));
    assert_eq!(told("random_forest_three"), (Scores::Classes, PostTransform::None, 3));
    assert_eq!(told("lightgbm_three"), (Scores::Classes, PostTransform::Softmax, 3));
    assert_eq!(told("lightgbm_regressor"), (Scores::Values, PostTransform::None, 1));
}

#[test]
fn given_a_model_without_trees_or_with_many_then_the_fault_says_how_many() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exports");
    let fault = |name: &str| Trees::parse(&std::fs::read(folder.join(name)).unwrap()).unwrap_err();
    assert!(matches!(fault("ridge.onnx"), TreesFault::Ensembles(0)));
    assert!(matches!(fault("isolation_forest.onnx"), TreesFault::Ensembles(10)));
}
