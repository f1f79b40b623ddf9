//! The routes of `infra/template.yaml`.
//!
//! CloudFormation's short tags make it YAML that general readers refuse, so this reads just the integrations and the lines
//! between `paths:` and the next resource; a line of another form is a fault.

use std::collections::BTreeMap;

use crate::{METHODS, Route};

/// The logical id of the function that each integration calls, by the integration's name.
fn integrations(template: &str) -> BTreeMap<&str, &str> {
    let lines = template.lines().skip_while(|line| line.trim() != "Integrations:").skip(1);
    lines
        .take_while(|line| line.starts_with("    "))
        .map(|line| {
            for part in [
                "type: aws_proxy",
                "httpMethod: POST",
                "responseTransferMode: STREAM",
                "/response-streaming-invocations",
            ] {
                assert!(line.contains(part), "{line} lacks `{part}`");
            }
            let name = line.split_once('&').and_then(|(_, rest)| rest.split_once(' ')).map(|(name, _)| name);
            let function = line.split_once("functions/${").and_then(|(_, rest)| rest.split_once(".Arn}"));
            let function = function.map(|(function, _)| function);
            name.zip(function).unwrap_or_else(|| panic!("not an integration: {line}"))
        })
        .collect()
}

/// Reads the routes with the logical id of the function that each goes to.
///
/// # Panics
/// When a line under `paths:` has another form than a path with its methods and their integrations.
#[must_use]
pub fn routes(template: &str) -> BTreeMap<Route, String> {
    let integrations = integrations(template);
    let lines = template.lines().skip_while(|line| line.trim() != "paths:").skip(1);
    let mut routes = BTreeMap::new();
    for line in lines.take_while(|line| line.starts_with("          ")) {
        let (path, methods) = line.trim().split_once(": {").unwrap_or_else(|| panic!("not a path: {line}"));
        for entry in methods.trim_end_matches('}').split(", ") {
            let (method, name) = entry.split_once(": *").unwrap_or_else(|| panic!("not a route: {line}"));
            assert!(METHODS.contains(&method), "not a method: {line}");
            let function = integrations.get(name).unwrap_or_else(|| panic!("no integration `{name}`: {line}"));
            let replaced = routes.insert((method.to_owned(), path.to_owned()), (*function).to_owned());
            assert!(replaced.is_none(), "{method} {path} is there twice");
        }
    }
    routes
}
