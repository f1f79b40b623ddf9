//! Whole models: exactly where they are trees, by estimates where they are not; always in the features of the signature.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value as Json, json};

use super::{Explanation, Found, ModelExplainer, Overall, Subject};
use crate::explain::{ExplainFault, Game, Space};
use crate::onnx::Model;
use crate::signature::{Bound, Draft, Row, Scalar};

/// How far base and contributions may be from the output: 32-bit scores.
const TOLERANCE: f64 = 1e-5;

struct Fixture {
    file: Vec<u8>,
    model: Model,
    bound: Bound,
}

fn fixture(path: &str) -> Fixture {
    let file = std::fs::read(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let model = Model::parse(&file).unwrap();
    let signature = Draft::default().complete(model.signature()).unwrap();
    let bound = Bound::new(signature, &model.signature().inputs).unwrap();
    Fixture { file, model, bound }
}

impl Fixture {
    fn row(&self, json: &Json) -> Row {
        self.bound.signature().read_row(json.as_object().unwrap()).unwrap()
    }

    fn answers(&self, rows: &[Row]) -> Vec<crate::signature::Prediction> {
        let outputs = self.model.run(self.bound.inputs(rows)).unwrap();
        self.bound.predictions(rows.len(), &outputs).unwrap()
    }
}

/// Lots of turmeric, of which the demo's forest knows the grade: four numbers and a text that is encoded one-hot.
fn lots(count: u32) -> Vec<Json> {
    let origins = ["Salem", "Nizamabad", "Sangli", "Erode"];
    let lot = |place: u32| {
        let step = |times: u32, most: u32| f64::from(place * times % most);
        json!({
            "moisture_percent": 6.0 + step(7, 80) / 10.0,
            "curcumin_percent": 1.5 + step(13, 45) / 10.0,
            "foreign_matter_percent": step(11, 30) / 10.0,
            "finger_length_mm": 20.0 + step(3, 50),
            "origin": origins[(place % 4) as usize],
        })
    };
    (0..count).map(lot).collect()
}

#[test]
fn given_a_forest_behind_a_one_hot_encoder_then_contributions_are_of_the_signatures_features_and_make_the_output() {
    let fixture = fixture("../../demo/models/turmeric-grade.onnx");
    let background: Vec<Row> = lots(60).iter().map(|lot| fixture.row(lot)).collect();
    let explainer =
        ModelExplainer::new(&fixture.file, &fixture.bound, background.clone(), Game::Interventional).unwrap();
    assert_eq!(explainer.found(), Found::Exactly);
    let rows: Vec<Row> = lots(100).iter().skip(60).map(|lot| fixture.row(lot)).collect();
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
    for (answer, explanation) in answers.iter().zip(explained) {
        let class = explanation.subject.class().unwrap().to_owned();
        let (_, output) = answer.probabilities.as_ref().unwrap().iter().find(|(name, _)| *name == class).unwrap();
        let sum = explanation.base + explanation.values.iter().sum::<f64>();
        assert!((sum - output).abs() < TOLERANCE, "{class}: {sum} is not {output}");
        assert_eq!((explanation.values.len(), explanation.space), (5, Space::Raw));
        assert!(explanation.values[1].abs() > 0.0, "curcumin says nothing");
    }
}

#[test]
fn given_an_origin_that_the_background_lacks_then_base_and_contributions_still_make_the_output() {
    let fixture = fixture("../../demo/models/turmeric-grade.onnx");
    let of_salem = |lot: &Json| {
        let mut lot = lot.clone();
        lot["origin"] = json!("Salem");
        fixture.row(&lot)
    };
    let background: Vec<Row> = lots(40).iter().map(of_salem).collect();
    let explainer = ModelExplainer::new(&fixture.file, &fixture.bound, background, Game::Interventional).unwrap();
    let rows: Vec<Row> = lots(8).iter().map(|lot| fixture.row(lot)).collect();
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
    for (answer, explanation) in answers.iter().zip(explained) {
        let label = answer.label.as_ref().unwrap().to_string();
        let (_, output) = answer.probabilities.as_ref().unwrap().iter().find(|(name, _)| *name == label).unwrap();
        let sum = explanation.base + explanation.values.iter().sum::<f64>();
        assert!((sum - output).abs() < TOLERANCE, "{sum} is not {output}");
    }
}

#[test]
fn given_boosted_trees_of_two_classes_then_the_margin_of_the_second_is_explained() {
    let fixture = fixture("tests/fixtures/exports/gradient_boosting_two.onnx");
    let row = |place: u32| {
        let step = |times: u32| f64::from(place * times % 17) / 4.0 - 2.0;
        fixture.row(&json!({"x0": step(3), "x1": step(5), "x2": step(7), "x3": step(11), "x4": step(13)}))
    };
    let background: Vec<Row> = (0..50).map(row).collect();
    let explainer = ModelExplainer::new(&fixture.file, &fixture.bound, background, Game::PathDependent).unwrap();
    let rows: Vec<Row> = (50..60).map(row).collect();
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
    for (answer, explanation) in answers.iter().zip(explained) {
        let margin = explanation.base + explanation.values.iter().sum::<f64>();
        let (name, output) = &answer.probabilities.as_ref().unwrap()[1];
        assert_eq!(explanation.subject.class(), Some(name.as_str()));
        let probability = 1.0 / (1.0 + (-margin).exp());
        assert!((probability - output).abs() < TOLERANCE, "{probability} is not {output}");
    }
}

/// Rows of the pipelines: three numbers and two words.
fn words(fixture: &Fixture, places: std::ops::Range<u32>) -> Vec<Row> {
    let words = ["rice", "wheat", "maize"];
    let row = |place: u32| {
        let step = |times: u32| f64::from(place * times % 17) / 4.0 - 2.0;
        let (kind, other) = (words[(place % 3) as usize], words[(place / 3 % 3) as usize]);
        fixture.row(&json!({"n0": step(3), "n1": step(5), "n2": step(7), "kind": kind, "place": other}))
    };
    places.map(row).collect()
}

/// Rows of five numbers.
fn numbers(fixture: &Fixture, places: std::ops::Range<u32>) -> Vec<Row> {
    let row = |place: u32| {
        let step = |times: u32| f64::from(place * times % 17) / 4.0 - 2.0;
        fixture.row(&json!({"x0": step(3), "x1": step(5), "x2": step(7), "x3": step(11), "x4": step(13)}))
    };
    places.map(row).collect()
}

/// In a sum of functions of one feature each, a feature's Shapley value is what the answer loses, in the mean, when the
/// feature's value is one of the background.
#[test]
fn given_a_linear_model_behind_a_one_hot_encoder_then_contributions_are_the_shapley_values_of_the_callers_features() {
    let fixture = fixture("tests/fixtures/exports/pipeline_one_hot_ridge.onnx");
    let background = words(&fixture, 0..20);
    let explainer =
        ModelExplainer::new(&fixture.file, &fixture.bound, background.clone(), Game::Interventional).unwrap();
    assert_eq!(explainer.found(), Found::Exactly);
    let rows = words(&fixture, 20..24);
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
    for ((row, answer), explanation) in rows.iter().zip(&answers).zip(explained) {
        let output = answer.value.unwrap();
        let sum = explanation.base + explanation.values.iter().sum::<f64>();
        assert!((sum - output).abs() < TOLERANCE * output.abs().max(1.0), "{sum} is not {output}");
        assert_eq!((explanation.errors, explanation.subject), (None, Subject::Value));
        for (feature, value) in explanation.values.iter().enumerate() {
            let exchanged = |other: &Row| {
                let mut row = row.clone();
                row[feature] = other[feature].clone();
                row
            };
            let exchanged: Vec<Row> = background.iter().map(exchanged).collect();
            let answers = fixture.answers(&exchanged);
            let lost: f64 = answers.iter().map(|answer| output - answer.value.unwrap()).sum::<f64>() / 20.0;
            assert!(
                (value - lost).abs() < TOLERANCE * output.abs().max(1.0),
                "feature {feature}: {value} is not {lost}"
            );
        }
    }
}

#[test]
fn given_a_logistic_regression_then_the_margin_of_the_class_that_is_given_is_explained() {
    let fixture = fixture("tests/fixtures/exports/pipeline_one_hot_logistic_two.onnx");
    let background = words(&fixture, 0..20);
    let explainer = ModelExplainer::new(&fixture.file, &fixture.bound, background, Game::PathDependent).unwrap();
    let rows = words(&fixture, 20..30);
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
    for (answer, explanation) in answers.iter().zip(explained) {
        let class = explanation.subject.class().unwrap();
        assert_eq!(Some(class.to_owned()), answer.label.as_ref().map(ToString::to_string));
        let (_, output) = answer.probabilities.as_ref().unwrap().iter().find(|(name, _)| name == class).unwrap();
        let margin = explanation.base + explanation.values.iter().sum::<f64>();
        let probability = 1.0 / (1.0 + (-margin).exp());
        assert!((probability - output).abs() < TOLERANCE, "{probability} is not {output}");
        assert_eq!((explanation.found, explanation.space), (Found::Exactly, Space::Raw));
    }
}

/// Of three classes, a class's share grows with its margin: differences of margins are logarithms of ratios of shares.
#[test]
fn given_a_linear_model_of_three_classes_then_margins_differ_as_the_shares_say() {
    let fixture = fixture("tests/fixtures/exports/logistic_regression_three.onnx");
    let explainer =
        ModelExplainer::new(&fixture.file, &fixture.bound, numbers(&fixture, 0..20), Game::Interventional).unwrap();
    let rows = numbers(&fixture, 20..24);
    let margin = |label: usize| -> Vec<f64> {
        let mut answers = fixture.answers(&rows);
        for answer in &mut answers {
            answer.label = answer.probabilities.as_ref().map(|classes| Scalar::Text(classes[label].0.clone()));
        }
        let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
        explained.iter().map(|one| one.base + one.values.iter().sum::<f64>()).collect()
    };
    let (first, second) = (margin(0), margin(1));
    for (row, answer) in fixture.answers(&rows).iter().enumerate() {
        let shares = answer.probabilities.as_ref().unwrap();
        let told = (shares[1].1 / shares[0].1).ln();
        assert!((second[row] - first[row] - told).abs() < 1e-4, "{} is not {told}", second[row] - first[row]);
    }
}

#[test]
fn given_a_forest_of_three_targets_then_the_one_that_is_asked_for_is_explained_and_others_are_refused() {
    let fixture = fixture("tests/fixtures/exports/forest_multi_output.onnx");
    let explainer =
        ModelExplainer::new(&fixture.file, &fixture.bound, numbers(&fixture, 0..20), Game::Interventional).unwrap();
    let rows = numbers(&fixture, 20..24);
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 1, &|| false).unwrap();
    for (answer, explanation) in answers.iter().zip(explained) {
        let output = answer.values.as_ref().unwrap()[1];
        let sum = explanation.base + explanation.values.iter().sum::<f64>();
        assert!((sum - output).abs() < TOLERANCE * output.abs().max(1.0), "{sum} is not {output}");
        assert_eq!(explanation.subject, Subject::Target(1));
    }
    let refused = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 3, &|| false).unwrap_err();
    assert_eq!(refused.to_string(), "`target` is 3, and the answers have 3 numbers, which count from 0");
}

#[test]
fn given_a_model_without_trees_or_coefficients_then_features_are_permuted_and_the_standard_error_is_said() {
    let fixture = fixture("tests/fixtures/exports/svc_two.onnx");
    let explainer =
        ModelExplainer::new(&fixture.file, &fixture.bound, numbers(&fixture, 0..20), Game::Interventional).unwrap();
    let rows = numbers(&fixture, 20..23);
    let answers = fixture.answers(&rows);
    let explained = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| false).unwrap();
    for (answer, explanation) in answers.iter().zip(explained) {
        let label = answer.label.as_ref().unwrap().to_string();
        let (_, output) = answer.probabilities.as_ref().unwrap().iter().find(|(name, _)| *name == label).unwrap();
        let sum = explanation.base + explanation.values.iter().sum::<f64>();
        assert!((sum - output).abs() < TOLERANCE, "{sum} is not {output}");
        assert_eq!((explanation.found, explanation.space), (Found::Estimated, Space::Probability));
        assert_eq!(explanation.errors.unwrap().len(), 5);
    }
}

#[test]
fn given_that_nobody_waits_then_it_stops() {
    for name in ["svc_two", "forest_multi_output"] {
        let fixture = fixture(&format!("tests/fixtures/exports/{name}.onnx"));
        let explainer =
            ModelExplainer::new(&fixture.file, &fixture.bound, numbers(&fixture, 0..20), Game::Interventional).unwrap();
        let rows = numbers(&fixture, 20..21);
        let answers = fixture.answers(&rows);
        let stopped = explainer.explain((&fixture.model, &fixture.bound), (&rows, &answers), 0, &|| true);
        assert_eq!(stopped, Err(ExplainFault::Stopped), "{name}");
    }
}

fn explanation(values: [f64; 2], errors: Option<[f64; 2]>) -> Explanation {
    Explanation {
        found: if errors.is_some() { Found::Estimated } else { Found::Exactly },
        game: Game::Interventional,
        space: Space::Raw,
        subject: Subject::Value,
        base: 0.0,
        values: values.to_vec(),
        errors: errors.map(|errors| errors.to_vec()),
    }
}

#[test]
fn given_explanations_of_rows_then_importance_is_the_mean_size_and_its_error_the_mean_of_theirs() {
    let rows = [explanation([1.0, -4.0], Some([0.5, 0.25])), explanation([-3.0, 2.0], Some([0.25, 0.25]))];
    let overall = Overall::of(&rows).unwrap();
    assert_eq!((overall.importance, overall.errors), (vec![2.0, 3.0], Some(vec![0.375, 0.25])));
}

#[test]
fn given_exact_explanations_then_importance_has_no_error_and_of_no_rows_there_is_none() {
    assert_eq!(Overall::of(&[explanation([1.0, 2.0], None)]).unwrap().errors, None);
    assert_eq!(Overall::of(&[]), None);
}
