//! The routes in the template are the routes of the functions, and each goes to the function that has it.

use std::collections::BTreeMap;

use mandi_contracts::{FUNCTIONS, Function, Route, contract, read, routes_of, template};

fn of_the_functions() -> BTreeMap<Route, String> {
    let mut routes = BTreeMap::new();
    for Function { logical_id, openapi, .. } in FUNCTIONS {
        let document = serde_json::to_value(openapi()).unwrap_or_default();
        for route in routes_of(&document) {
            let other = routes.insert(route.clone(), logical_id.to_owned());
            assert_eq!(other, None, "{route:?} is in two functions");
        }
    }
    routes
}

#[test]
fn given_the_template_when_compared_with_the_functions_then_both_have_the_same_routes() {
    let template = template::routes(&read("infra/template.yaml"));
    let functions = of_the_functions();
    let missing: Vec<_> =
        functions.iter().filter(|(route, function)| template.get(*route) != Some(*function)).collect();
    let extra: Vec<_> = template.iter().filter(|(route, function)| functions.get(*route) != Some(*function)).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "not in the template: {missing:#?}\nonly in the template: {extra:#?}"
    );
}

#[test]
fn given_an_operation_when_read_in_the_contract_then_it_says_who_may_call_it_and_what_problems_look_like() {
    let document = contract();
    for (method, path) in routes_of(&document) {
        let operation = &document["paths"][&path][&method];
        assert!(operation["security"].is_array(), "{method} {path} does not say its permission");
        let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
        assert!(problem.is_object(), "{method} {path} does not describe its problems");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
    }
}

#[test]
fn given_the_contract_when_it_refers_to_a_schema_then_the_schema_is_there() {
    let document = contract();
    let text = document.to_string();
    let dangling: Vec<&str> = text
        .split("\"#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| document["components"]["schemas"].get(name).is_none())
        .collect();
    assert!(dangling.is_empty(), "{dangling:?}");
}

#[test]
fn given_a_schema_of_a_function_when_read_in_the_contract_then_no_other_function_means_something_else_by_it() {
    let contract = contract();
    for Function { name, openapi, .. } in FUNCTIONS {
        let own = serde_json::to_value(openapi()).unwrap_or_default();
        for (schema, described) in own["components"]["schemas"].as_object().into_iter().flatten() {
            assert_eq!(&contract["components"]["schemas"][schema], described, "`{schema}` of {name} is another one");
        }
    }
}
