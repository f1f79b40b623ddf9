//! The demo's documents are ones that the API takes, and its questions name documents that exist.

use std::collections::BTreeSet;

use mandi_contracts::{files_in, read_json};
use mandi_retrieval::CollectionName;
use mandi_retrieval::extract::{self, Source};
use serde_json::Value;

fn documents() -> Vec<Value> {
    files_in("demo/documents", ".json").iter().map(read_json).collect()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("`{field}` is missing in {value}"))
}

#[test]
fn given_a_demo_document_when_it_is_extracted_then_it_has_text() {
    for document in documents() {
        let id = text(&document, "entity_id");
        assert!(CollectionName::parse(text(&document, "collection")).is_some(), "{id}: bad collection");
        let source = match document.get("content").and_then(Value::as_str) {
            Some(content) => Source::Content(content.to_owned()),
            None => Source::Fields(document["fields"].clone()),
        };
        let extracted = extract::extract(text(&document, "entity_type"), &source, "");
        let extracted = extracted.unwrap_or_else(|problem| panic!("{id}: {problem}: {:?}", problem.errors));
        assert!(extracted.text.len() > 100, "{id} has little text: {}", extracted.text);
        assert!(extracted.title.is_some(), "{id} has no title");
    }
}

#[test]
fn given_the_demo_when_its_documents_are_counted_then_it_is_a_small_business() {
    let documents = documents();
    let types: BTreeSet<&str> = documents.iter().map(|document| text(document, "entity_type")).collect();
    assert!(documents.len() >= 12);
    for wanted in ["contract", "invoice", "customer", "inventory_item", "sales_order", "requirement", "availability"] {
        assert!(types.contains(wanted), "there is no {wanted}");
    }
    let ids: BTreeSet<&str> = documents.iter().map(|document| text(document, "entity_id")).collect();
    assert_eq!(ids.len(), documents.len(), "an id is there twice");
}

#[test]
fn given_a_demo_question_when_its_document_is_read_then_it_holds_the_expected_texts() {
    let documents = documents();
    let questions = read_json("demo/questions.json");
    let answered = questions["questions"].as_array().cloned().unwrap_or_default();
    assert_eq!(answered.len(), 10);
    for question in &answered {
        let id = text(question, "id");
        let cited = documents.iter().find(|document| document["entity_id"] == question["cited_document"]);
        let cited = cited.unwrap_or_else(|| panic!("{id}: the cited document does not exist"));
        let collections = question["collections"].as_array().cloned().unwrap_or_default();
        assert!(collections.contains(&cited["collection"]), "{id}: the document is in none of the collections");
        let source = match cited.get("content").and_then(Value::as_str) {
            Some(content) => Source::Content(content.to_owned()),
            None => Source::Fields(cited["fields"].clone()),
        };
        let held = extract::extract(text(cited, "entity_type"), &source, "")
            .map(|extracted| extracted.text)
            .unwrap_or_default();
        for expected in question["expected"].as_array().into_iter().flatten() {
            let expected = expected.as_str().unwrap_or_default();
            assert!(!expected.is_empty() && held.contains(expected), "{id}: `{expected}` is not in the cited document");
        }
    }
    let languages: BTreeSet<&str> = answered.iter().map(|question| text(question, "language")).collect();
    assert_eq!(languages, BTreeSet::from(["en", "hi", "ta"]));
    assert_eq!(questions["not_in_the_documents"].as_array().map(Vec::len), Some(3));
}
