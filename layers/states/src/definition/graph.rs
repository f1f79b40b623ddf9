//! Graphs: their states, and whether each can be reached and comes to an end.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::read::Reading;
use super::{Graph, Kind, Next, State, states};
use crate::locate::step;
use crate::query::Language;

/// The longest name of a state, in characters.
const MAX_NAME: usize = 80;

/// Reads `StartAt` and `States` of a machine, a branch or a processor.
pub(super) fn read(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    language: Language,
) -> Option<Graph> {
    let start_at = reading.needed(pointer, object, "StartAt");
    let Some(members) = object.get("States") else {
        reading.error(pointer, "the field `States` is missing");
        return None;
    };
    let place = step(pointer, "States");
    let members = reading.object(&place, members)?;
    if members.is_empty() {
        reading.error(&place, "at least one state is needed");
    }
    let mut states = IndexMap::new();
    for (name, value) in members {
        let place = step(&place, name);
        if name.is_empty() || name.chars().count() > MAX_NAME {
            reading.error(&place, format!("the name of a state has 1 to {MAX_NAME} characters"));
        }
        if let Some(state) = states::read(reading, &place, name, value, language) {
            states.insert(name.clone(), state);
        }
    }
    let start_at = start_at?;
    if !members.contains_key(start_at) {
        reading.error(&step(pointer, "StartAt"), format!("there is no state `{start_at}` here"));
    }
    let graph = Graph { start_at: start_at.to_owned(), states };
    // A state that could not be read has no known way on: what follows from the ways would only repeat its fault.
    if graph.states.len() == members.len() {
        follow(reading, &place, &graph);
    }
    Some(graph)
}

/// The ways on from a state, each with its place under the state.
pub(super) fn ways(state: &State) -> Vec<(String, &str)> {
    let mut ways = Vec::new();
    match &state.kind {
        Kind::Choice { rules, default } => {
            ways.extend(rules.iter().enumerate().map(|(at, rule)| (format!("/Choices/{at}/Next"), rule.next.as_str())));
            ways.extend(default.iter().map(|name| ("/Default".to_owned(), name.as_str())));
        }
        _ => {
            if let Next::State(name) = &state.next {
                ways.push(("/Next".to_owned(), name));
            }
        }
    }
    let catchers = state.catch.iter().enumerate();
    ways.extend(catchers.map(|(at, catcher)| (format!("/Catch/{at}/Next"), catcher.next.as_str())));
    ways
}

fn is_terminal(state: &State) -> bool {
    match state.kind {
        Kind::Succeed | Kind::Fail { .. } => true,
        Kind::Choice { .. } => false,
        _ => state.next == Next::End,
    }
}

fn follow(reading: &mut Reading, place: &str, graph: &Graph) {
    for (name, state) in &graph.states {
        for (field, target) in ways(state) {
            if !graph.states.contains_key(target) {
                let message = format!("there is no state `{target}` here; a state can only go to one of its own graph");
                reading.error(&format!("{}{field}", step(place, name)), message);
            }
        }
    }
    let mut reached = BTreeSet::new();
    let mut open = vec![graph.start_at.as_str()];
    while let Some(name) = open.pop() {
        if let Some(state) = graph.states.get(name)
            && reached.insert(name)
        {
            open.extend(ways(state).into_iter().map(|(_, target)| target));
        }
    }
    for name in graph.states.keys().filter(|name| !reached.contains(name.as_str())) {
        reading.error(&step(place, name), format!("the state `{name}` cannot be reached from `{}`", graph.start_at));
    }
    if !graph.states.values().any(is_terminal) {
        let message = "no state ends the graph: one needs `\"End\": true`, or the type Succeed or Fail";
        reading.error(place, message);
        return;
    }
    let mut ends: BTreeSet<&str> =
        graph.states.iter().filter(|(_, state)| is_terminal(state)).map(|(name, _)| name.as_str()).collect();
    loop {
        let before = ends.len();
        let leads = |state: &&State| ways(state).iter().any(|(_, target)| ends.contains(target));
        let more: Vec<&str> = graph.states.values().filter(leads).map(|state| state.name.as_str()).collect();
        ends.extend(more);
        if ends.len() == before {
            break;
        }
    }
    for name in graph.states.keys().filter(|name| !ends.contains(name.as_str())) {
        reading.warning(&step(place, name), format!("from the state `{name}` no end can be reached"));
    }
}
