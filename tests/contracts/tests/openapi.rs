//! The OpenAPI document is valid, whole and by function, and says what the server takes.

use std::io::Write;
use std::process::{Command, Stdio};

use mandi_contracts::{FUNCTIONS, contract, python, routes_of};
use serde_json::Value;

#[test]
fn given_the_document_when_an_outside_validator_reads_it_then_it_is_openapi_3_1() {
    let parts = FUNCTIONS.map(|function| serde_json::to_value((function.openapi)()).ok());
    for document in [Some(contract())].into_iter().chain(parts).flatten() {
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
        let mut validator = Command::new(python());
        validator.args(["-m", "openapi_spec_validator", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = validator.spawn().unwrap_or_else(|error| panic!("{error}"));
        let mut input = running.stdin.take().unwrap_or_else(|| panic!("no input"));
        input.write_all(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        drop(input);
        let output = running.wait_with_output().unwrap_or_else(|error| panic!("{error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn given_a_post_when_read_in_the_contract_then_it_takes_an_idempotency_key() {
    let document = contract();
    let mut posts = 0;
    for (method, path) in routes_of(&document).into_iter().filter(|(method, _)| method == "post") {
        let parameters = document["paths"][&path][&method]["parameters"].as_array().cloned().unwrap_or_default();
        let named = |parameter: &Value| parameter["name"] == "idempotency-key" && parameter["in"] == "header";
        assert_eq!(parameters.iter().filter(|parameter| named(parameter)).count(), 1, "{path}");
        posts += 1;
    }
    assert!(posts > 0);
}

#[test]
fn given_documents_as_the_server_takes_them_then_the_contract_describes_just_these_two_forms() {
    let document = contract();
    let schemas = &document["components"]["schemas"];
    let forms = schemas["NewDocuments"]["oneOf"].as_array().cloned().unwrap_or_default();
    let required = |form: &Value| {
        let name = form["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
        schemas[name]["required"].clone()
    };
    let found: Vec<Value> = forms.iter().map(required).collect();
    assert_eq!(found, [serde_json::json!(["entity_type", "entity_id"]), serde_json::json!(["documents"])]);
}
