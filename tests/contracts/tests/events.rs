//! Every event is one that API Gateway could send to that function, and has its expected answer beside it.

use std::collections::BTreeSet;
use std::path::Path;

use lambda_http::RequestExt;
use lambda_http::aws_lambda_events::apigw::ApiGatewayProxyRequest;
use mandi_contracts::{FUNCTIONS, Function, files_in, read_json, routes_of};

const EXPECTED: &str = ".expected.json";

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn events(function: &str) -> Vec<std::path::PathBuf> {
    files_in(&format!("events/{function}"), ".json")
        .into_iter()
        .filter(|path| !name_of(path).ends_with(EXPECTED))
        .collect()
}

/// Whether an event is of a state machine or a schedule, and not of API Gateway.
fn is_task(path: &Path) -> bool {
    read_json(path).get("task").is_some()
}

#[test]
fn given_an_event_when_lambda_http_reads_it_then_it_is_a_request_to_a_route_of_that_function() {
    for Function { name: function, openapi, .. } in FUNCTIONS {
        let routes = routes_of(&serde_json::to_value(openapi()).unwrap_or_default());
        assert!(events(function).len() >= 6, "{function} has too few events");
        for path in events(function).into_iter().filter(|path| !is_task(path)) {
            let event = read_json(&path);
            let gateway: ApiGatewayProxyRequest = serde_json::from_value(event.clone())
                .unwrap_or_else(|error| panic!("{}: not an API Gateway event: {error}", path.display()));
            let route = (gateway.http_method.as_str().to_lowercase(), gateway.resource.unwrap_or_default());
            assert!(routes.contains(&route), "{}: {function} has no route {route:?}", path.display());
            let request = lambda_http::request::from_str(&event.to_string())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(request.raw_http_path(), event["path"], "{}", path.display());
        }
    }
}

#[test]
fn given_an_event_when_its_path_parameters_are_put_into_its_resource_then_the_path_results() {
    for Function { name: function, .. } in FUNCTIONS {
        for path in events(function).into_iter().filter(|path| !is_task(path)) {
            let event = read_json(&path);
            let resource = event["resource"].as_str().unwrap_or_default().to_owned();
            let parameters = event["pathParameters"].as_object().into_iter().flatten();
            let filled = parameters.fold(resource, |filled, (name, value)| {
                filled.replace(&format!("{{{name}}}"), &value.as_str().unwrap_or_default().replace('/', "%2F"))
            });
            assert_eq!(event["path"], filled, "{}", path.display());
        }
    }
}

#[test]
fn given_an_event_when_its_answer_is_looked_up_then_it_has_a_status_and_the_events_before_it_exist() {
    for Function { name: function, .. } in FUNCTIONS {
        for path in events(function) {
            let expected = read_json(path.with_extension("expected.json"));
            let status = expected["status"].as_u64().unwrap_or_default();
            assert!((200..600).contains(&status), "{}: no status is expected", path.display());
            for earlier in expected["after"].as_array().into_iter().flatten() {
                let earlier = path.parent().unwrap_or(&path).join(earlier.as_str().unwrap_or_default());
                assert!(earlier.is_file(), "{}: {} is not there", path.display(), earlier.display());
            }
        }
    }
}

#[test]
fn given_an_expected_answer_when_its_event_is_looked_up_then_it_exists() {
    for Function { name: function, .. } in FUNCTIONS {
        for path in files_in(&format!("events/{function}"), EXPECTED) {
            let event = path.with_file_name(name_of(&path).replace(EXPECTED, ".json"));
            assert!(event.is_file(), "{} is left over", path.display());
        }
    }
}

#[test]
fn given_the_events_of_a_function_when_their_answers_are_listed_then_there_are_good_and_bad_ones() {
    for Function { name: function, .. } in FUNCTIONS {
        let statuses: BTreeSet<u64> = events(function)
            .iter()
            .filter_map(|path| read_json(path.with_extension("expected.json"))["status"].as_u64())
            .collect();
        assert!(statuses.iter().any(|status| *status < 300), "{function} has no valid event");
        for status in [400, 403, 404] {
            assert!(statuses.contains(&status), "{function} has no event that gives {status}");
        }
    }
}
