//! Filters are applied inside the index, and mean what the evaluator of `mandi-retrieval` says.

use std::collections::BTreeSet;

use mandi_core::ProblemKind;
use mandi_retrieval::filter::{FieldName, FieldRange, FieldValue, FieldValues};
use mandi_retrieval::{Filter, Metadata, Scalar};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::fixture::{DIMENSIONS, Fixture, Hit, direction, document_with, ids, key, keyword, nearest};

fn text(value: &str) -> Scalar {
    Scalar::Text(value.to_owned())
}

fn equals(field: &str, value: Scalar) -> Filter {
    Filter::Equals(FieldValue { field: field.to_owned(), value })
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// Values that meet one another often enough, with those that quoting and ordering could get wrong.
fn value(field: &str, random: &mut StdRng) -> Scalar {
    const TEXTS: [&str; 9] = ["", "a", "b", "O'Brien", "\\", "\"x\" -- y", "தமிழ்", "😀", "a' OR '1'='1"];
    const NUMBERS: [f64; 7] = [-1.5, -0.0, 0.0, 1.0, 1e300, 9_007_199_254_740_992.0, 0.1];
    match field {
        "text" | "other_text" => text(TEXTS.choose(random).unwrap()),
        "number" => Scalar::Number(*NUMBERS.choose(random).unwrap()),
        _ => Scalar::Bool(random.random_bool(0.5)),
    }
}

const FIELDS: [&str; 4] = ["text", "other_text", "number", "flag"];

fn random_metadata(random: &mut StdRng) -> Metadata {
    let present: Vec<&str> = FIELDS.into_iter().filter(|_| random.random_bool(0.6)).collect();
    present.into_iter().map(|field| (field.to_owned(), value(field, random))).collect()
}

fn random_filter(random: &mut StdRng, depth: usize) -> Filter {
    let field = *FIELDS.choose(random).unwrap();
    match random.random_range(0..if depth == 0 { 5 } else { 8 }) {
        0 => equals(field, value(field, random)),
        1 => {
            let values = (0..random.random_range(1..4)).map(|_| value(field, random)).collect();
            Filter::In(FieldValues { field: field.to_owned(), values })
        }
        2 if field != "flag" => {
            let mut bound = |of: f64| random.random_bool(of).then(|| value(field, random));
            let (gte, lt) = (bound(0.5), bound(0.5));
            let (gt, lte) =
                (if gte.is_none() { bound(0.7) } else { None }, if lt.is_none() { bound(0.3) } else { None });
            Filter::Range(FieldRange { field: field.to_owned(), gt, gte, lt, lte })
        }
        2 | 3 => Filter::Exists(FieldName { field: field.to_owned() }),
        4 => {
            let ids = (0..random.random_range(1..30)).map(|_| format!("d{}", random.random_range(0..100)));
            Filter::Documents(ids.map(|id| key(&id)).collect())
        }
        5 => Filter::And((0..random.random_range(1..4)).map(|_| random_filter(random, depth - 1)).collect()),
        6 => Filter::Or((0..random.random_range(1..4)).map(|_| random_filter(random, depth - 1)).collect()),
        _ => not(random_filter(random, depth - 1)),
    }
}

fn found(hits: &[Hit]) -> BTreeSet<&str> {
    ids(hits).into_iter().collect()
}

#[tokio::test]
async fn any_filter_finds_exactly_what_the_evaluator_passes() {
    let fixture = Fixture::new().await;
    let mut random = StdRng::seed_from_u64(20_261_121);
    let rows: Vec<(String, Metadata)> = (0..80).map(|n| (format!("d{n}"), random_metadata(&mut random))).collect();
    fixture.upsert(rows.iter().map(|(id, metadata)| document_with(id, &["the words"], metadata)).collect()).await;

    let query = direction(&mut random, DIMENSIONS);
    for _ in 0..150 {
        let filter = random_filter(&mut random, 3);
        let passes = |(id, metadata): &&(String, Metadata)| filter.matches(&key(id), metadata);
        let expected: BTreeSet<&str> = rows.iter().filter(passes).map(|(id, _)| id.as_str()).collect();
        let nearest = nearest(&fixture.index, &fixture.table, &query, 100, Some(&filter)).await.unwrap();
        assert_eq!(found(&nearest), expected, "by vector, of {filter:?}");
        let keyword = keyword(&fixture.index, &fixture.table, "words", 100, Some(&filter)).await.unwrap();
        assert_eq!(found(&keyword), expected, "by keyword, of {filter:?}");
    }
}

#[tokio::test]
async fn the_filter_comes_before_the_k_best_are_taken() {
    let fixture = Fixture::new().await;
    let grade = |grade: &str| Metadata::from([("grade".to_owned(), text(grade))]);
    let mut documents: Vec<_> =
        (0..200).map(|n| document_with(&format!("b{n}"), &["rice rice rice"], &grade("B"))).collect();
    documents.push(document_with("a", &["rice and much else that makes it a worse match"], &grade("A")));
    fixture.upsert(documents).await;

    let filter = equals("grade", text("A"));
    let mut random = StdRng::seed_from_u64(1);
    let vector = direction(&mut random, DIMENSIONS);
    assert_eq!(ids(&keyword(&fixture.index, &fixture.table, "rice", 1, Some(&filter)).await.unwrap()), ["a"]);
    assert_eq!(ids(&nearest(&fixture.index, &fixture.table, &vector, 1, Some(&filter)).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_field_that_no_document_has_is_named_with_those_that_they_have() {
    let fixture = Fixture::new().await;
    let metadata = Metadata::from([("grade".to_owned(), text("A")), ("open".to_owned(), Scalar::Bool(true))]);
    fixture.upsert(vec![document_with("a", &["one"], &metadata)]).await;

    let filter = Filter::And(vec![equals("grade", text("A")), not(equals("colour", text("red")))]);
    let problem = keyword(&fixture.index, &fixture.table, "one", 5, Some(&filter)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::InvalidRequest);
    assert_eq!(problem.errors[0].pointer, "/filter/and/1/not/equals/field");
    assert!(problem.detail.contains("`grade` (text), `open` (true or false)"), "{}", problem.detail);
}

#[tokio::test]
async fn a_value_of_another_type_than_the_field_is_refused_at_its_place() {
    let fixture = Fixture::new().await;
    let metadata = Metadata::from([("total".to_owned(), Scalar::Number(1.0)), ("open".to_owned(), Scalar::Bool(true))]);
    fixture.upsert(vec![document_with("a", &["one"], &metadata)]).await;
    let range =
        |field: &str, gt| Filter::Range(FieldRange { field: field.to_owned(), gt, gte: None, lt: None, lte: None });
    let cases = [
        (equals("total", text("1")), "/filter/equals/value"),
        (
            Filter::In(FieldValues { field: "total".to_owned(), values: vec![Scalar::Number(1.0), text("1")] }),
            "/filter/in/values/1",
        ),
        (range("total", Some(text("1"))), "/filter/range/gt"),
        (range("open", Some(Scalar::Bool(false))), "/filter/range/field"),
    ];
    for (filter, pointer) in cases {
        let problem = nearest(&fixture.index, &fixture.table, &[1.0; DIMENSIONS], 5, Some(&filter)).await.unwrap_err();
        assert_eq!((problem.kind, problem.errors[0].pointer.as_str()), (ProblemKind::InvalidRequest, pointer));
    }
}
