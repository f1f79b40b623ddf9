//! Intervals and sets of classes by the calibration that a version carries.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mandi_acceptance::Client;
use mandi_acceptance::batch::{lots, predicted, whole};
use mandi_acceptance::registry::{Grades, Platform, deploy, grades, model, platform, predict, register};
use serde_json::{Value, json};

/// price = 100 + 10 quality, spread = volatility, low and high = price - 2 and price + 2 (make.py beside it).
const PRICES: &[u8] = include_bytes!("../fixtures/intervals/prices.onnx");

/// How far a measured share may be from the stated coverage: four standard deviations of the difference, with 2,000
/// held-out and 2,000 fresh rows, at a coverage of 1/2, where it is largest: 4 sqrt(0.25 (1/2000 + 1/2000)).
const TOLERANCE: f64 = 0.064;

/// Numbers that look random, 0 to 1, the same each time: a multiplicative generator (Park and Miller, CACM 31, 1988).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        f64::from(u32::try_from(self.0).unwrap()) / 2_147_483_647.0
    }
}

/// Lots and what they were sold for: off the model's price by up to three times their volatility.
fn sold(count: usize, seed: u64) -> (Vec<Value>, Vec<f64>) {
    let mut random = Random(seed);
    let lot = |_| {
        let (quality, volatility) = (10.0 * random.next(), 1.0 + 4.0 * random.next());
        let noise = 3.0 * volatility * (random.next() - random.next());
        (json!({"quality": quality, "volatility": volatility}), 100.0 + 10.0 * quality + noise)
    };
    (0..count).map(lot).unzip()
}

fn prices(calibration: &Value) -> Value {
    let signature = json!({
        "inputs": [{"name": "quality"}, {"name": "volatility"}],
        "outputs": [
            {"name": "price", "role": "value"},
            {"name": "spread", "role": "other"},
            {"name": "low", "role": "lower", "coverage": 0.5},
            {"name": "high", "role": "upper", "coverage": 0.5},
        ],
    });
    let mut version = json!({"signature": signature});
    if !calibration.is_null() {
        version["calibration"] = calibration.clone();
    }
    version
}

/// The answers of version 1 for rows, by a thousand.
async fn answers(client: &Client, model: &str, rows: &[Value], interval: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for rows in rows.chunks(1_000) {
        let asked = json!({"rows": rows, "version": 1, "interval": interval});
        let answer = predict(client, model, &asked).await.expect(200);
        all.extend(answer["predictions"].as_array().unwrap().iter().cloned());
    }
    all
}

fn end(prediction: &Value, end: &str) -> f64 {
    prediction["interval"][end].as_f64().unwrap_or_else(|| panic!("{prediction} has no interval"))
}

fn share(hits: usize, of: usize) -> f64 {
    f64::from(u32::try_from(hits).unwrap()) / f64::from(u32::try_from(of).unwrap())
}

#[tokio::test]
async fn given_held_out_rows_when_fresh_ones_are_predicted_then_each_method_holds_the_stated_share_of_outcomes() {
    let Platform { client, .. } = &platform().await;
    let (held_out, outcomes) = sold(2_000, 7);
    let (fresh, came) = sold(2_000, 1_000_003);
    for method in ["absolute", "normalised", "quantiles"] {
        let model = model(client, method).await;
        let mut calibration =
            json!({"rows": held_out, "outcomes": outcomes, "coverages": [0.9, 0.5], "method": method});
        if method == "normalised" {
            calibration["scale"] = json!("spread");
        }
        let version = register(client, &model, PRICES, &prices(&calibration)).await.expect(201);
        let levels = version["calibration"]["levels"].as_array().unwrap();
        assert_eq!(version["calibration"]["source"], "rows");
        assert_eq!((&levels[0]["coverage"], &levels[0]["rows"]), (&json!(0.9), &json!(2_000)));
        for (asked, coverage) in [(json!(true), 0.9), (json!(0.5), 0.5)] {
            let found = answers(client, &model, &fresh, &asked).await;
            let holds = |(prediction, outcome): &(&Value, &f64)| {
                end(prediction, "lower") <= **outcome && **outcome <= end(prediction, "upper")
            };
            let measured = share(found.iter().zip(&came).filter(holds).count(), came.len());
            assert_eq!(found[0]["interval"]["coverage"], coverage);
            assert!((measured - coverage).abs() < TOLERANCE, "{method}: {measured} for {coverage}");
        }
    }
}

#[tokio::test]
async fn given_a_scale_then_widths_are_in_proportion_to_it() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(200, 7);
    let calibration = json!({"rows": rows, "outcomes": outcomes, "method": "normalised", "scale": "spread"});
    register(client, &model, PRICES, &prices(&calibration)).await.expect(201);
    let rows = [json!({"quality": 5, "volatility": 1}), json!({"quality": 5, "volatility": 4})];
    let found = answers(client, &model, &rows, &json!(true)).await;
    let width = |place: usize| end(&found[place], "upper") - end(&found[place], "lower");
    // The model gives 32-bit floats.
    assert!((width(1) / width(0) - 4.0).abs() < 1e-4, "{} and {}", width(0), width(1));
}

#[tokio::test]
async fn given_no_wish_for_an_interval_then_the_answer_has_what_the_model_itself_gives() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(200, 7);
    let calibration = json!({"rows": rows, "outcomes": outcomes});
    register(client, &model, PRICES, &prices(&calibration)).await.expect(201);
    let row = json!({"quality": 5, "volatility": 1});
    let own = answers(client, &model, std::slice::from_ref(&row), &json!(false)).await;
    assert_eq!(own[0]["interval"], json!({"lower": 148.0, "upper": 152.0, "coverage": 0.5}));
    let calibrated = answers(client, &model, &[row], &json!(true)).await;
    assert_eq!(calibrated[0]["interval"]["coverage"], 0.95);
    assert!(end(&calibrated[0], "upper") > 152.0, "{calibrated:?}");
}

#[tokio::test]
async fn given_predictions_in_place_of_rows_then_the_thresholds_are_the_same_and_their_source_is_said() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(300, 7);
    register(client, &model, PRICES, &prices(&Value::Null)).await.expect(201);
    let told = answers(client, &model, &rows, &json!(false)).await;
    let predictions: Vec<Value> = told.iter().map(|told| json!({"value": told["value"]})).collect();
    let of_rows = json!({"rows": rows, "outcomes": outcomes, "method": "absolute"});
    let of_predictions = json!({"predictions": predictions, "outcomes": outcomes, "method": "absolute"});
    let one = register(client, &model, PRICES, &prices(&of_rows)).await.expect(201);
    let other = register(client, &model, PRICES, &prices(&of_predictions)).await.expect(201);
    assert_eq!(other["calibration"]["source"], "predictions");
    assert_eq!(one["calibration"]["levels"], other["calibration"]["levels"]);
    let kept = client.get(&format!("/v1/models/{model}/versions/3")).await.expect(200);
    assert_eq!(kept["calibration"], other["calibration"]);
}

/// Lots of turmeric as rows.
fn graded_lots(count: usize) -> Vec<Value> {
    let table = lots(count);
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |place: usize| cells[place].parse::<f64>().unwrap();
        json!({"moisture_percent": number(1), "curcumin_percent": number(2), "foreign_matter_percent": number(3),
               "finger_length_mm": number(4), "origin": cells[5]})
    };
    table.lines().skip(1).map(row).collect()
}

/// A class for each answer, drawn by its probabilities.
fn drawn(answers: &[Value], seed: u64) -> Vec<Value> {
    let mut random = Random(seed);
    let draw = |answer: &Value| {
        let mut left = random.next();
        let classes = answer["probabilities"].as_object().unwrap();
        let found = classes.iter().find(|(_, share)| {
            left -= share.as_f64().unwrap();
            left <= 0.0
        });
        json!(found.or_else(|| classes.iter().next_back()).unwrap().0)
    };
    answers.iter().map(draw).collect()
}

#[tokio::test]
async fn given_held_out_classes_when_fresh_rows_are_predicted_then_sets_hold_the_stated_share_of_them_in_batches_too() {
    let Platform { client, .. } = &platform().await;
    let Grades { file, version } = grades();
    let plain = model(client, "plain").await;
    register(client, &plain, &file, &version).await.expect(201);
    let rows = graded_lots(4_000);
    let outcomes = drawn(&answers(client, &plain, &rows, &json!(false)).await, 11);
    let (held_out, fresh) = rows.split_at(2_000);
    let (known, came) = outcomes.split_at(2_000);
    let calibrated = model(client, "calibrated").await;
    let mut version = version.clone();
    version["calibration"] = json!({"rows": held_out, "outcomes": known, "coverages": [0.8]});
    let registered = register(client, &calibrated, &file, &version).await.expect(201);
    assert_eq!(registered["calibration"]["levels"][0]["method"], "classes");
    let found = answers(client, &calibrated, fresh, &json!(true)).await;
    let holds = |(answer, came): &(&Value, &Value)| answer["set"]["classes"].as_array().unwrap().contains(came);
    let measured = share(found.iter().zip(came).filter(holds).count(), came.len());
    assert_eq!(found[0]["set"]["coverage"], 0.8);
    // Scores of a forest have ties, with which a set may hold more than it has to.
    assert!(measured > 0.8 - TOLERANCE, "{measured}");
    let table = lots(5);
    deploy(client, &calibrated, 1, &json!({})).await.expect(200);
    let job = predicted(client, &calibrated, ("lots.csv", table.into()), &json!({"output": {"format": "jsonl"}})).await;
    let file = String::from_utf8(whole(client, &job).await).unwrap();
    let first: Value = serde_json::from_str(file.lines().next().unwrap()).unwrap();
    let single = answers(client, &calibrated, &rows[..1], &json!(true)).await;
    assert_eq!(first["set"], single[0]["set"]["classes"].to_string());
    let all = found.iter().filter(|answer| answer["set"]["classes"].as_array().unwrap().len() > 2).count();
    assert!(share(all, found.len()) < 0.5, "sets of all classes say nothing");
}

#[tokio::test]
async fn given_a_version_without_intervals_then_the_refusal_says_the_way_out() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "plain").await;
    let Grades { file, version } = grades();
    register(client, &model, &file, &version).await.expect(201);
    let row = version["sample"]["rows"][0].clone();
    for interval in [json!(true), json!(0.9)] {
        let asked = json!({"rows": [row], "version": 1, "interval": interval});
        predict(client, &model, &asked).await.expect_problem(422, "unprocessable", "`calibration`");
    }
    for interval in [json!(1.5), json!(0), json!("wide")] {
        let asked = json!({"rows": [row], "version": 1, "interval": interval});
        predict(client, &model, &asked).await.expect_problem(400, "invalid-request", "/interval");
    }
}

#[tokio::test]
async fn given_a_coverage_that_a_version_does_not_have_then_the_refusal_names_those_that_it_has() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(200, 7);
    let calibration = json!({"rows": rows, "outcomes": outcomes, "coverages": [0.8, 0.9]});
    register(client, &model, PRICES, &prices(&calibration)).await.expect(201);
    let asked = json!({"rows": [{"quality": 5, "volatility": 1}], "version": 1, "interval": 0.99});
    predict(client, &model, &asked).await.expect_problem(422, "unprocessable", "it has 0.8, 0.9, 0.5");
}

#[tokio::test]
async fn given_a_calibration_that_cannot_be_then_the_version_is_refused_with_the_field_and_not_kept() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(18, 7);
    let calibrated = |change: Value| {
        let mut calibration = json!({"rows": rows, "outcomes": outcomes, "coverages": [0.5]});
        calibration.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        calibration
    };
    let mut wrong_row = rows.clone();
    wrong_row[3]["quality"] = json!("high");
    let mut wrong_outcome: Vec<Value> = outcomes.iter().map(|outcome| json!(outcome)).collect();
    wrong_outcome[2] = json!("sold");
    for (status, change, named) in [
        (422, json!({"coverages": [0.5, 0.95]}), "/calibration/coverages/1"),
        (422, json!({"coverages": [0.95]}), "give 19 or more"),
        (422, json!({"rows": wrong_row}), "/calibration/rows/3/quality"),
        (422, json!({"outcomes": wrong_outcome}), "/calibration/outcomes/2"),
        (422, json!({"method": "classes"}), "/calibration/method"),
        (422, json!({"method": "normalised", "scale": "price"}), "it has [spread]"),
        (400, json!({"method": "normalised"}), "/calibration/scale"),
        (400, json!({"coverages": [1]}), "/calibration/coverages/0"),
        (400, json!({"coverages": [0.5, 0.5]}), "/calibration/coverages/1"),
        (400, json!({"outcomes": [1.0]}), "/calibration/rows"),
        (400, json!({"outcomes": []}), "/calibration/outcomes"),
        (400, json!({"predictions": []}), "/calibration"),
    ] {
        let refused = register(client, &model, PRICES, &prices(&calibrated(change))).await;
        let kind = if status == 400 { "invalid-request" } else { "unprocessable" };
        refused.expect_problem(status, kind, named);
    }
    let listed = client.get(&format!("/v1/models/{model}/versions")).await.expect(200);
    assert_eq!(listed["versions"], json!([]));
}

#[tokio::test]
async fn given_a_trial_whose_version_has_no_intervals_when_one_is_asked_for_then_that_is_no_failure_of_the_trial() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "turmeric").await;
    let Grades { file, version } = grades();
    for _ in 0..2 {
        register(client, &model, &file, &version).await.expect(201);
    }
    deploy(client, &model, 1, &json!({})).await.expect(200);
    deploy(client, &model, 2, &json!({"kind": "ab", "percent": 100})).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let row = version["sample"]["rows"][0].clone();
    let asked = json!({"rows": [row], "key": "customer-1", "interval": true});
    predict(client, &model, &asked).await.expect_problem(422, "unprocessable", "/interval");
    let told = client.get(&format!("/v1/models/{model}/rollout")).await.expect(200);
    assert_eq!(told["report"]["treatment"]["calls"], 0);
}

#[tokio::test]
async fn given_a_batch_over_a_calibrated_version_then_its_results_have_both_ends() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(200, 7);
    let calibration = json!({"rows": rows, "outcomes": outcomes});
    register(client, &model, PRICES, &prices(&calibration)).await.expect(201);
    deploy(client, &model, 1, &json!({})).await.expect(200);
    let table = "quality,volatility\n5,1\n6,2\n";
    let job = predicted(client, &model, ("lots.csv", table.into()), &json!({})).await;
    let file = String::from_utf8(whole(client, &job).await).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert!(lines[0].starts_with("row,prediction,lower,upper"), "{file}");
    let single = answers(client, &model, &[json!({"quality": 5, "volatility": 1})], &json!(true)).await;
    let cells: Vec<f64> = lines[1].split(',').take(4).map(|cell| cell.parse().unwrap()).collect();
    assert_eq!((cells[2], cells[3]), (end(&single[0], "lower"), end(&single[0], "upper")));
}

/// A scale of 0 gives no interval: the model does not say how uncertain it is of that row.
#[tokio::test]
async fn given_a_first_row_without_an_interval_when_a_batch_runs_then_the_others_have_theirs() {
    let Platform { client, .. } = &platform().await;
    let model = model(client, "prices").await;
    let (rows, outcomes) = sold(200, 7);
    let calibration = json!({"rows": rows, "outcomes": outcomes, "method": "normalised", "scale": "spread"});
    register(client, &model, PRICES, &prices(&calibration)).await.expect(201);
    deploy(client, &model, 1, &json!({})).await.expect(200);
    let table = b"quality,volatility\n5,0\n5,1\n".to_vec();
    let job = predicted(client, &model, ("lots.csv", table), &json!({})).await;
    let results = String::from_utf8(whole(client, &job).await).unwrap();
    let lines: Vec<&str> = results.lines().collect();
    assert_eq!(lines[0].split(',').take(4).collect::<Vec<_>>(), ["row", "prediction", "lower", "upper"]);
    let cells = |line: usize| lines[line].split(',').collect::<Vec<_>>();
    assert_eq!(cells(1)[2..4], ["", ""]);
    assert!(cells(2)[2].parse::<f64>().unwrap() < cells(2)[3].parse::<f64>().unwrap(), "{results}");
}
