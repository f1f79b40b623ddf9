#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use serde_json::json;

use super::*;

fn metadata() -> Metadata {
    Metadata::from([
        ("party".to_owned(), Scalar::Text("Sharma Traders".to_owned())),
        ("total".to_owned(), Scalar::Number(1250.5)),
        ("date".to_owned(), Scalar::Text("2026-11-21".to_owned())),
        ("open".to_owned(), Scalar::Bool(true)),
    ])
}

fn passes(filter: &serde_json::Value) -> bool {
    let document = DocumentKey { entity_type: "invoice".to_owned(), entity_id: "INV-1".to_owned() };
    Filter::parse(filter, "/filter").unwrap().matches(&document, &metadata())
}

fn pointers(filter: &serde_json::Value) -> Vec<String> {
    let problem = Filter::parse(filter, "/filter").unwrap_err();
    problem.errors.into_iter().map(|error| error.pointer).collect()
}

#[test]
fn each_condition_means_what_it_says() {
    assert!(passes(&json!({"equals": {"field": "party", "value": "Sharma Traders"}})));
    assert!(!passes(&json!({"equals": {"field": "party", "value": "sharma traders"}})));
    assert!(passes(&json!({"equals": {"field": "open", "value": true}})));
    assert!(passes(&json!({"in": {"field": "total", "values": [1, 1250.5]}})));
    assert!(passes(&json!({"range": {"field": "total", "gte": 1250.5, "lt": 2000}})));
    assert!(!passes(&json!({"range": {"field": "total", "gt": 1250.5}})));
    assert!(passes(&json!({"range": {"field": "date", "gte": "2026-11-01", "lte": "2026-11-30"}})));
    assert!(passes(&json!({"exists": {"field": "date"}})));
    assert!(passes(&json!({"and": [{"exists": {"field": "date"}}, {"not": {"exists": {"field": "grade"}}}]})));
    assert!(passes(&json!({"or": [{"exists": {"field": "grade"}}, {"exists": {"field": "date"}}]})));
}

#[test]
fn documents_are_named_by_type_and_id() {
    let document = |kind: &str, id: &str| json!({"entity_type": kind, "entity_id": id});
    assert!(passes(&json!({"documents": [document("invoice", "INV-2"), document("invoice", "INV-1")]})));
    assert!(!passes(&json!({"documents": [document("contract", "INV-1")]})));
    assert!(passes(&json!({"not": {"documents": [document("contract", "INV-1")]}})));
    assert_eq!(pointers(&json!({"documents": []})), ["/filter/documents"]);
}

#[test]
fn an_absent_field_or_one_of_another_type_meets_no_condition_and_so_its_negation_holds() {
    let absent = json!({"equals": {"field": "grade", "value": "A"}});
    let other_type = json!({"range": {"field": "total", "gt": "0"}});
    for condition in [absent, other_type] {
        assert!(!passes(&condition));
        assert!(passes(&json!({"not": condition})));
    }
}

#[test]
fn what_is_wrong_is_named_by_a_pointer() {
    assert_eq!(pointers(&json!({"equals": {"field": "A b", "value": 1}})), ["/filter/equals/field"]);
    assert_eq!(pointers(&json!({"in": {"field": "a", "values": []}})), ["/filter/in/values"]);
    assert_eq!(pointers(&json!({"in": {"field": "a", "values": [1, "x"]}})), ["/filter/in/values/1"]);
    assert_eq!(pointers(&json!({"range": {"field": "a"}})), ["/filter/range"]);
    assert_eq!(pointers(&json!({"range": {"field": "a", "gt": 1, "lt": "x"}})), ["/filter/range/lt"]);
    assert_eq!(pointers(&json!({"range": {"field": "a", "gt": 1, "gte": 1}})), ["/filter/range/gt"]);
    assert_eq!(pointers(&json!({"range": {"field": "a", "gt": true}})), ["/filter/range/gt"]);
    assert_eq!(pointers(&json!({"and": [{"exists": {"field": "a"}}, {"or": []}]})), ["/filter/and/1/or"]);
    assert_eq!(pointers(&json!({"equals": {"field": "a", "value": 1, "vlaue": 2}})), ["/filter/equals/vlaue"]);
    assert_eq!(pointers(&json!({"equal": {"field": "a"}})), ["/filter/equal"]);
    assert_eq!(pointers(&json!({"equals": {"field": "a"}})), ["/filter/equals/value"]);
    assert_eq!(pointers(&json!("x")), ["/filter"]);
}

#[test]
fn depth_and_size_are_bounded() {
    let leaf = || json!({"exists": {"field": "a"}});
    let deep = (0..8).fold(leaf(), |inner, _| json!({"not": inner}));
    assert!(pointers(&deep).contains(&"/filter".to_owned()));
    let fits = (0..7).fold(leaf(), |inner, _| json!({"not": inner}));
    assert!(Filter::parse(&fits, "/filter").is_ok());
    let wide = json!({"or": vec![leaf(); 64]});
    assert_eq!(pointers(&wide), ["/filter"]);
    let many = json!({"in": {"field": "a", "values": vec![1; 101]}});
    assert_eq!(pointers(&many), ["/filter/in/values"]);
}
