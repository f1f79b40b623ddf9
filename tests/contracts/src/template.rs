//! The routes of `infra/template.yaml`.
//!
//! CloudFormation's short tags make it YAML that general readers refuse, so this reads just the lines between
//! `paths:` and the next resource; a line of another form is a fault.

use std::collections::BTreeMap;

use crate::{METHODS, Route};

/// Reads the routes with the logical id of the function that each goes to.
///
/// # Panics
/// When a line under `paths:` has another form than a path, or a method with its integration.
#[must_use]
pub fn routes(template: &str) -> BTreeMap<Route, String> {
    let mut lines = template.lines().skip_while(|line| line.trim() != "paths:").skip(1).peekable();
    let mut routes = BTreeMap::new();
    let mut path = "";
    while let Some(line) = lines.next_if(|line| line.starts_with("          ")) {
        let entry = line.trim();
        if let Some(name) = entry.strip_suffix(':').filter(|name| name.starts_with('/')) {
            path = name;
            continue;
        }
        let (method, integration) = entry.split_once(": ").unwrap_or_else(|| panic!("not a route: {line}"));
        assert!(METHODS.contains(&method), "not a method: {line}");
        for part in
            ["type: aws_proxy", "httpMethod: POST", "responseTransferMode: STREAM", "/response-streaming-invocations"]
        {
            assert!(integration.contains(part), "{method} {path} lacks `{part}`");
        }
        let function = integration.split_once("functions/${").and_then(|(_, rest)| rest.split_once(".Arn}"));
        let function = function.map(|(function, _)| function).unwrap_or_else(|| panic!("no function: {line}"));
        let replaced = routes.insert((method.to_owned(), path.to_owned()), function.to_owned());
        assert!(replaced.is_none(), "{method} {path} is there twice");
    }
    routes
}
