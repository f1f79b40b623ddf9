#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use serde_json::{Value, json};

use super::*;
use crate::filter::Scalar;

fn fields(entity_type: &str, fields: &Value) -> Extracted {
    extract(entity_type, &Source::Fields(fields.clone()), "").unwrap()
}

fn pointers(entity_type: &str, fields: &Value) -> Vec<String> {
    let problem = extract(entity_type, &Source::Fields(fields.clone()), "/documents/3").unwrap_err();
    problem.errors.into_iter().map(|error| error.pointer).collect()
}

fn text_of(extracted: &Extracted, name: &str) -> String {
    match &extracted.metadata[name] {
        Scalar::Text(text) => text.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

fn invoice() -> Value {
    json!({
        "number": "INV-42", "date": "2026-11-21", "buyer": {"name": "Sharma Traders", "address": "12 Market Road,\nPune"},
        "currency": "INR", "tax": 12200, "due_date": "2026-12-21", "status": "unpaid",
        "lines": [{"description": "Turmeric fingers", "quantity": 40, "unit": "bag", "unit_price": 6100}]
    })
}

/// The least that each type takes, and what its text must hold.
fn least() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let quantity = json!({"value": 120.5, "unit": "quintal"});
    vec![
        (
            "invoice",
            invoice(),
            vec![
                "Invoice INV-42",
                "21 November 2026",
                "40 bag at INR 6,100.00 per bag",
                "INR 2,56,200.00",
                "Buyer: Sharma Traders, 12 Market Road, Pune",
            ],
        ),
        (
            "sales_order",
            json!({"number": "SO-1", "date": "2026-11-21", "customer": {"name": "Rao"}, "currency": "USD", "lines": [{"item": "Rice", "quantity": 2, "unit": "t", "unit_price": 500}]}),
            vec!["Sales order SO-1", "Customer: Rao", "USD 1,000.00"],
        ),
        (
            "inventory_item",
            json!({"code": "R-1", "name": "Rice", "quantity": quantity, "warehouse": "Karnal", "grade": "A", "moisture_percent": 12.5}),
            vec!["R-1", "120.5 quintal", "Warehouse: Karnal", "Grade: A", "12.5 %"],
        ),
        (
            "customer",
            json!({"name": "Rao", "credit_limit": {"amount": 500000, "currency": "INR"}, "contacts": [{"name": "Asha", "role": "buyer"}]}),
            vec!["Customer Rao", "INR 5,00,000.00", "Contact: Asha, buyer"],
        ),
        (
            "contract",
            json!({"number": "SHK6-170", "date": "2026-11-21", "seller": {"name": "Patil"}, "buyer": {"name": "Rao"}, "commodity": "Rice", "clauses": [{"heading": "4. Payment", "text": "Within 30 days."}]}),
            vec!["Contract SHK6-170: Rice", "Seller: Patil", "4. Payment", "Within 30 days."],
        ),
        (
            "availability",
            json!({"supplier": "Patil", "commodity": "Onion", "quantity": quantity, "location": "Lasalgaon", "available_from": "2026-12-01", "price": {"amount": 1800, "currency": "INR"}}),
            vec!["Supplier: Patil", "INR 1,800.00 per quintal", "Available from: 1 December 2026"],
        ),
        (
            "requirement",
            json!({"buyer": "Rao", "commodity": "Onion", "quantity": quantity, "location": "Pune", "needed_by": "2026-12-05"}),
            vec!["Buyer: Rao", "Needed by: 5 December 2026"],
        ),
        (
            "jira_issue",
            json!({"key": "OPS-1", "summary": "Scale", "status": "Open", "comments": [{"author": "Asha", "body": "It reads high.\n\nRegards,\nAsha\n\nOn Monday, Ravi wrote:\n> Why?"}]}),
            vec!["OPS-1: Scale", "Status: Open", "It reads high."],
        ),
        (
            "github_pull_request",
            json!({"repository": "m/w", "number": 7, "title": "Fix", "state": "merged", "author": "asha", "body": "Reads **grams**."}),
            vec!["m/w#7: Fix", "Author: asha", "Reads grams."],
        ),
        (
            "commit",
            json!({"sha": "cacb09a", "author": "Asha", "date": "2026-11-21T09:30:00Z", "message": "Fix the scale\n\nIt read high.", "files": ["a.rs"]}),
            vec!["Fix the scale", "Commit: cacb09a", "It read high.", "Date: 2026-11-21"],
        ),
        ("markdown", json!({"content": "# Title\n\n**Text**"}), vec!["Title", "Text"]),
        ("html", json!({"content": "<p>Pay <b>now</b></p>"}), vec!["Pay now"]),
        ("text", json!({"content": "Pay now"}), vec!["Pay now"]),
    ]
}

#[test]
fn every_type_writes_its_business_sense() {
    let least = least();
    assert_eq!(least.len(), ENTITY_TYPES.len());
    for (entity_type, input, parts) in least {
        let extracted = fields(entity_type, &input);
        for part in parts {
            assert!(extracted.text.contains(part), "{entity_type} lacks `{part}`:\n{}", extracted.text);
        }
    }
}

#[test]
fn every_required_field_that_is_missing_is_named() {
    for (entity_type, input, _) in least() {
        let names: Vec<String> = input.as_object().unwrap().keys().cloned().collect();
        let mut required = 0;
        for name in names {
            let mut without = input.clone();
            without.as_object_mut().unwrap().remove(&name);
            if let Err(problem) = extract(entity_type, &Source::Fields(without), "") {
                assert_eq!(problem.errors[0].pointer, format!("/fields/{name}"), "{entity_type}");
                required += 1;
            }
        }
        assert!(required > 0, "{entity_type} requires nothing");
    }
}

#[test]
fn a_wrong_value_is_named_down_to_the_line() {
    let mut bad = invoice();
    bad["lines"][0]["quantity"] = json!(-1);
    bad["currency"] = json!("rupees");
    bad["due_date"] = json!("2026-11-01");
    assert_eq!(
        pointers("invoice", &bad),
        ["/documents/3/fields/currency", "/documents/3/fields/lines/0/quantity", "/documents/3/fields/due_date"]
    );
    bad["lines"][0]["quantity"] = json!("many");
    assert_eq!(pointers("invoice", &bad), ["/documents/3/fields/lines/0/quantity"]);
    bad["lines"][0] = json!({"description": "x", "unit": "kg", "unit_price": 1});
    assert_eq!(pointers("invoice", &bad), ["/documents/3/fields/lines/0/quantity"]);
    bad["lines"] = json!([]);
    assert!(pointers("invoice", &bad).contains(&"/documents/3/fields/lines".to_owned()));
    bad["date"] = json!("21/11/2026");
    assert_eq!(pointers("invoice", &bad), ["/documents/3/fields/date"]);
}

#[test]
fn an_unknown_field_is_named() {
    let mut bad = invoice();
    bad["buyer"]["nmae"] = json!("x");
    assert_eq!(pointers("invoice", &bad), ["/documents/3/fields/buyer/nmae"]);
    let mut bad = invoice();
    bad["totl"] = json!(1);
    assert_eq!(pointers("invoice", &bad), ["/documents/3/fields/totl"]);
}

#[test]
fn metadata_is_for_filters() {
    let extracted = fields("invoice", &invoice());
    assert_eq!(text_of(&extracted, "party"), "Sharma Traders");
    assert_eq!(text_of(&extracted, "due_date"), "2026-12-21");
    assert_eq!(extracted.metadata["total"], Scalar::Number(256_200.0));
    assert_eq!(extracted.title.as_deref(), Some("Invoice INV-42"));
    for (entity_type, input, _) in least() {
        for name in fields(entity_type, &input).metadata.keys() {
            assert!(crate::filter::is_field_name(name), "{entity_type}: {name}");
        }
    }
}

#[test]
fn quoted_mails_and_signatures_of_comments_are_cut() {
    let (_, input, _) = least().into_iter().find(|(name, ..)| *name == "jira_issue").unwrap();
    let text = fields("jira_issue", &input).text;
    for gone in ["Regards", "wrote", "Why?"] {
        assert!(!text.contains(gone), "{text}");
    }
}

#[test]
fn content_of_an_unknown_type_is_plain_text_and_its_fields_are_refused_with_the_known_types() {
    let extracted = extract("notice", &Source::Content("श्री\u{200D}मान  # not markdown".to_owned()), "").unwrap();
    assert_eq!(extracted.text, "श्री\u{200D}मान # not markdown");
    let problem = extract("notice", &Source::Fields(json!({})), "").unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/entity_type");
    assert!(problem.detail.contains("invoice") && problem.detail.contains("commit"));
}

#[test]
fn content_of_a_known_type_is_prose() {
    let extracted = extract("contract", &Source::Content("Supply contract\n\nThe buyer pays.".to_owned()), "").unwrap();
    assert_eq!(extracted.title.as_deref(), Some("Supply contract"));
    let extracted = extract("markdown", &Source::Content("# A\n\n*b*".to_owned()), "").unwrap();
    assert_eq!(extracted.text, "A\n\nb");
}

#[test]
fn a_text_without_letters_or_digits_is_unprocessable_with_the_reason() {
    for (entity_type, content) in [
        ("text", ""),
        ("text", " \n\t "),
        ("html", "<p></p><script>x()</script>"),
        ("markdown", "---\n"),
        ("text", "— … ।"),
    ] {
        let problem = extract(entity_type, &Source::Content(content.to_owned()), "").unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unprocessable, "{content:?}");
        assert!(problem.detail.contains("no text"));
    }
}

#[test]
fn a_nul_character_is_refused_by_field() {
    let problem = extract("text", &Source::Content("a\0b".to_owned()), "/documents/1").unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/documents/1/content");
    let mut bad = invoice();
    bad["notes"] = json!("a\u{0}b");
    assert_eq!(pointers("invoice", &bad), ["/documents/3/fields"]);
}
