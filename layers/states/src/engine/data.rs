//! What goes into a state and what comes out of it.

use serde_json::{Map, Value};

use super::state::{Exit, check_sizes, next_of};
use crate::definition::{Assign, DataPath, ResultPath, State};
use crate::fault::{StateFault, names};
use crate::query::{Language, Path, Scope, Template};

/// The input after `InputPath`.
pub(super) fn effective_input(state: &State, scope: Scope<'_>) -> Result<Value, StateFault> {
    through(&state.data.input_path, scope, "InputPath")
}

fn through(path: &DataPath, scope: Scope<'_>, field: &str) -> Result<Value, StateFault> {
    match path {
        DataPath::Whole => Ok(scope.input.clone()),
        DataPath::Nothing => Ok(Value::Object(Map::new())),
        DataPath::At(path) => at(path, scope, field),
    }
}

/// What a path of the state itself finds.
pub(super) fn at(path: &Path, scope: Scope<'_>, field: &str) -> Result<Value, StateFault> {
    path.find(&scope).ok_or_else(|| {
        StateFault::runtime(format!("The JSONPath '{path}' of the field '{field}' finds nothing in its input"))
    })
}

/// A path that finds nothing in a field of the state itself, not in a template, ends the execution.
pub(super) fn in_the_state_itself(fault: StateFault) -> StateFault {
    if fault.error == names::PARAMETER_PATH_FAILURE { StateFault::runtime(fault.cause) } else { fault }
}

/// `Arguments` or `Parameters`; the input when there are none.
pub(super) fn arguments(state: &State, scope: Scope<'_>) -> Result<Value, StateFault> {
    match &state.data.arguments {
        None => Ok(scope.input.clone()),
        Some(template) => {
            let field = if state.language == Language::Jsonata { "Arguments" } else { "Parameters" };
            template.evaluate(&scope, field)
        }
    }
}

/// A value that is not what its field takes.
pub(super) fn wrong(state: &State, field: &str, needed: &str, found: &Value) -> StateFault {
    let found: String = found.to_string().chars().take(100).collect();
    let cause = format!("The field '{field}' of the state '{}' has to be {needed}, and is {found}", state.name);
    match state.language {
        Language::Jsonata => StateFault::query(cause),
        Language::JsonPath => StateFault::runtime(cause),
    }
}

/// A field that is a number.
pub(super) fn number(
    state: &State,
    template: &Template,
    scope: Scope<'_>,
    field: &str,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, StateFault> {
    let value = template.evaluate(&scope, field).map_err(in_the_state_itself)?;
    let number = value.as_f64().filter(|number| range.contains(number));
    let needed = || format!("a number from {} to {}", range.start(), range.end());
    number.ok_or_else(|| wrong(state, field, &needed(), &value))
}

/// A field that is a whole number, where it is given.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked by `number`")]
pub(super) fn whole(
    state: &State,
    template: Option<&Template>,
    scope: Scope<'_>,
    field: &str,
) -> Result<Option<u64>, StateFault> {
    template.map(|template| number(state, template, scope, field, 0.0..=1e9).map(|number| number as u64)).transpose()
}

/// Leaves a state that has a result, or passes its input on as one. `effective` is the input after `InputPath`.
pub(super) fn leave(
    state: &State,
    scope: Scope<'_>,
    effective: &Value,
    result: Option<&Value>,
) -> Result<Exit, StateFault> {
    let (output, assigned) = match state.language {
        Language::Jsonata => {
            let scope = Scope { result, ..scope };
            let output = match &state.data.output {
                Some(template) => template.evaluate(&scope, "Output")?,
                None => result.unwrap_or(effective).clone(),
            };
            (output, assign(&state.data.assign, scope)?)
        }
        Language::JsonPath => {
            let result = result.unwrap_or(effective);
            let assigned = assign(&state.data.assign, scope.of(result))?;
            let selected = match &state.data.result_selector {
                Some(template) => template.evaluate(&scope.of(result), "ResultSelector")?,
                None => result.clone(),
            };
            let placed = placed(&state.data.result_path, scope.input, selected)?;
            (through(&state.data.output_path, scope.of(&placed), "OutputPath")?, assigned)
        }
    };
    let exit = Exit { output, assigned, next: next_of(state) };
    check_sizes(state, &exit)?;
    Ok(exit)
}

/// Leaves a state that does nothing to its input but what `Output`, or `InputPath` and `OutputPath`, say.
pub(super) fn leave_as_it_is(state: &State, scope: Scope<'_>) -> Result<Exit, StateFault> {
    let effective = effective_input(state, scope)?;
    if state.language == Language::Jsonata {
        let exit = leave(state, scope, &effective, None)?;
        return Ok(exit);
    }
    let scope = scope.of(&effective);
    let assigned = assign(&state.data.assign, scope)?;
    let output = through(&state.data.output_path, scope, "OutputPath")?;
    let exit = Exit { output, assigned, next: next_of(state) };
    check_sizes(state, &exit)?;
    Ok(exit)
}

/// Puts a result into the input.
pub(super) fn placed(path: &ResultPath, input: &Value, result: Value) -> Result<Value, StateFault> {
    match path {
        ResultPath::Whole => Ok(result),
        ResultPath::Discard => Ok(input.clone()),
        ResultPath::At(path) => {
            let mut output = input.clone();
            path.put(&mut output, result).map_err(|cause| StateFault::new(names::RESULT_PATH_MATCH_FAILURE, cause))?;
            Ok(output)
        }
    }
}

/// The values of `Assign`, each computed with the variables as they were before.
pub(super) fn assign(assign: &Assign, scope: Scope<'_>) -> Result<Map<String, Value>, StateFault> {
    let mut assigned = Map::new();
    for (name, template) in assign {
        assigned.insert(name.clone(), template.evaluate(&scope, &format!("Assign/{name}"))?);
    }
    Ok(assigned)
}
