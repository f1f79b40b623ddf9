//! Trying again, and catching.

use std::time::Duration;

use mandi_core::Timestamp;
use serde_json::{Value, json};

use super::event::Event;
use super::frame::Frame;
use super::state::{Exit, Visit, check_sizes};
use super::{Engine, Halt, data};
use crate::definition::{Catcher, Jitter, Retrier, State};
use crate::fault::StateFault;
use crate::query::{Language, Random};

/// Tries a state until it is left: by its own end, or by a catcher.
pub(super) async fn until_left(
    engine: &Engine<'_>,
    state: &State,
    input: &Value,
    entered_at: Timestamp,
    frame: &mut Frame<'_>,
) -> Result<Exit, Halt> {
    let mut used = vec![0_u64; state.retry.len()];
    let mut retries = 0;
    loop {
        let context = engine.context(state, entered_at, retries, frame);
        let visit = Visit { state, input, entered_at, retries, context };
        let fault = match engine.attempt(&visit, frame).await {
            Err(Halt::Fault(fault)) => fault,
            other => return other,
        };
        if let Some(wait) = wait_before_retry(&state.retry, &mut used, &fault, engine.ports.random) {
            let until = engine.ports.clock.now().plus(wait);
            let is = |event: &Event| matches!(event, Event::Retrying { .. });
            if let Event::Retrying { until } = frame.branch.once(is, Event::Retrying { until }).await?.event {
                engine.ports.timer.until(until).await;
            }
            retries += 1;
            continue;
        }
        let matches = |catcher: &&Catcher| catcher.error_equals.iter().any(|name| fault.is_matched_by(name));
        let Some(catcher) = state.catch.iter().find(matches) else { return Err(Halt::Fault(fault)) };
        return frame.evaluate(state, |frame| caught(engine, &visit, catcher, &fault, frame)).await;
    }
}

/// How long to wait before the next attempt; `None` when there is to be none.
/// Source: "Error handling in Step Functions", retrying after an error.
fn wait_before_retry(
    retriers: &[Retrier],
    used: &mut [u64],
    fault: &StateFault,
    random: &dyn Random,
) -> Option<Duration> {
    let at = retriers.iter().position(|retrier| retrier.error_equals.iter().any(|name| fault.is_matched_by(name)))?;
    let (retrier, used) = (retriers.get(at)?, used.get_mut(at)?);
    if *used >= retrier.max_attempts {
        return None;
    }
    let exponent = i32::try_from(*used).unwrap_or(i32::MAX);
    *used += 1;
    let longest = retrier.max_delay_s.unwrap_or(31_622_400.0).min(31_622_400.0);
    let wait = (retrier.interval_s * retrier.backoff_rate.powi(exponent)).min(longest);
    let wait = match retrier.jitter {
        Jitter::None => wait,
        Jitter::Full => wait * crate::query::unit(random),
    };
    Some(Duration::from_secs_f64(wait))
}

/// Leaves a state through a catcher.
fn caught(
    engine: &Engine<'_>,
    visit: &Visit<'_>,
    catcher: &Catcher,
    fault: &StateFault,
    frame: &Frame<'_>,
) -> Result<Exit, StateFault> {
    let error_output = json!({ "Error": fault.error, "Cause": fault.cause });
    let scope = visit.scope(engine, frame).with_error_output(&error_output);
    let (output, assigned) = match visit.state.language {
        Language::Jsonata => {
            let output = match &catcher.output {
                Some(template) => template.evaluate(&scope, "Catch/Output")?,
                None => error_output.clone(),
            };
            (output, data::assign(&catcher.assign, scope)?)
        }
        Language::JsonPath => {
            let assigned = data::assign(&catcher.assign, scope.of(&error_output))?;
            (data::placed(&catcher.result_path, visit.input, error_output.clone())?, assigned)
        }
    };
    let exit = Exit { output, assigned, next: Some(catcher.next.clone()) };
    check_sizes(visit.state, &exit)?;
    Ok(exit)
}
