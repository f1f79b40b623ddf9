//! Names over the whole machine: of states, which are unique, and of variables with their scopes.
//! Source: "Passing data between states with variables" in the Step Functions developer guide.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Reading;
use super::{Assign, Graph, Kind, Mode, State};
use crate::locate::step;
use crate::query::{Query, Template};

/// A graph with its place and the names of the variables that the scopes around it assign.
struct Place<'g> {
    pointer: String,
    graph: &'g Graph,
    outer: BTreeSet<String>,
}

/// Says which names of states occur twice, which variables are assigned in an inner scope though an outer one has them,
/// and which variables nothing assigns.
pub(super) fn check(reading: &mut Reading, graph: &Graph) {
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    let mut open = vec![Place { pointer: String::new(), graph, outer: BTreeSet::new() }];
    while let Some(Place { pointer, graph, outer }) = open.pop() {
        let states = step(&pointer, "States");
        let own: BTreeSet<String> =
            graph.states.values().flat_map(assigned).map(|(name, _)| variable(&name).to_owned()).collect();
        let visible: BTreeSet<String> = outer.union(&own).cloned().collect();
        for (name, state) in &graph.states {
            let place = step(&states, name);
            if let Some(first) = seen.insert(name, place.clone()) {
                reading
                    .error(&place, format!("the name `{name}` is taken by {first}; names are unique over the machine"));
            }
            for (name, field) in assigned(state) {
                if outer.contains(variable(&name)) {
                    let message = format!(
                        "`{name}` is a variable of an outer scope; an inner scope can read it and not assign it"
                    );
                    reading.error(&format!("{place}{field}"), message);
                }
            }
            for name in referred(state).difference(&visible) {
                reading.warning(&place, format!("nothing assigns the variable `${name}`"));
            }
            match &state.kind {
                Kind::Parallel { branches } => {
                    for (index, graph) in branches.iter().enumerate() {
                        let pointer = format!("{place}/Branches/{index}");
                        open.push(Place { pointer, graph, outer: visible.clone() });
                    }
                }
                Kind::Map(map) => {
                    // A distributed map's executions are their own: they see no variable of the machine.
                    let outer = if map.mode == Mode::Inline { visible.clone() } else { BTreeSet::new() };
                    open.push(Place { pointer: format!("{place}/ItemProcessor"), graph: &map.processor, outer });
                }
                _ => {}
            }
        }
    }
}

fn variable(name: &str) -> &str {
    name.strip_suffix(".$").unwrap_or(name)
}

fn assigned(state: &State) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |assign: &Assign, field: &str| {
        all.extend(assign.iter().map(|(name, _)| (name.clone(), field.to_owned())));
    };
    add(&state.data.assign, "/Assign");
    for (index, catcher) in state.catch.iter().enumerate() {
        add(&catcher.assign, &format!("/Catch/{index}/Assign"));
    }
    if let Kind::Choice { rules, .. } = &state.kind {
        for (index, rule) in rules.iter().enumerate() {
            add(&rule.assign, &format!("/Choices/{index}/Assign"));
        }
    }
    all
}

/// The variables that a state's own fields refer to.
fn referred(state: &State) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut assigns: Vec<&Assign> = vec![&state.data.assign];
    let mut templates: Vec<&Template> =
        [&state.data.arguments, &state.data.result_selector, &state.data.output].into_iter().flatten().collect();
    for catcher in &state.catch {
        templates.extend(&catcher.output);
        assigns.push(&catcher.assign);
    }
    match &state.kind {
        Kind::Task(task) => templates.extend(task.timeout.iter().chain(&task.heartbeat)),
        Kind::Choice { rules, .. } => {
            for rule in rules {
                if let super::Condition::Expression(condition) = &rule.condition {
                    templates.push(condition);
                }
                templates.extend(&rule.output);
                assigns.push(&rule.assign);
            }
        }
        Kind::Wait(super::Wait::Seconds(value) | super::Wait::Timestamp(value)) => templates.push(value),
        Kind::Fail { error, cause } => templates.extend(error.iter().chain(cause)),
        Kind::Map(map) => {
            let fields =
                [&map.items, &map.selector, &map.max_concurrency, &map.tolerated_count, &map.tolerated_percentage];
            templates.extend(fields.into_iter().flatten());
            templates.extend(map.reader.iter().map(|reader| &reader.arguments));
            templates.extend(map.batcher.iter().filter_map(|batcher| batcher.batch_input.as_ref()));
            templates.extend(map.writer.iter().filter_map(|writer| writer.arguments.as_ref()));
        }
        Kind::Pass { .. } | Kind::Succeed | Kind::Parallel { .. } => {}
    }
    let assigned = assigns.into_iter().flatten().map(|(_, value)| value);
    for value in templates.into_iter().chain(assigned) {
        variables(value, &mut names);
    }
    names
}

fn variables(template: &Template, names: &mut BTreeSet<String>) {
    match template {
        Template::Literal(_) => {}
        Template::Query(Query::Jsonata(expression)) => names.extend(expression.variables().map(str::to_owned)),
        Template::Query(Query::Path(path)) => names.extend(path.variable().map(str::to_owned)),
        Template::Query(Query::Intrinsic(call)) => {
            names.extend(call.paths().into_iter().filter_map(|path| path.variable()).map(str::to_owned));
        }
        Template::Array(items) => items.iter().for_each(|item| variables(item, names)),
        Template::Object(members) => members.iter().for_each(|(_, member)| variables(member, names)),
    }
}
