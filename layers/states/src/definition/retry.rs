//! `Retry` and `Catch`.

use serde_json::{Map, Value};

use super::read::Reading;
use super::templates::{Sees, assign, member, result_path};
use super::{Assign, ResultPath};
use crate::fault::names;
use crate::locate::step;
use crate::query::{Language, Template};

/// Whether waits are drawn by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Between nothing and the whole wait.
    Full,
    /// Not.
    None,
}

/// When a state is tried again.
#[derive(Clone, Debug)]
pub struct Retrier {
    /// The errors that it is for.
    pub error_equals: Vec<String>,
    /// The first wait, in seconds.
    pub interval_s: f64,
    /// The most retries; 0 is none.
    pub max_attempts: u64,
    /// What each wait is multiplied with.
    pub backoff_rate: f64,
    /// The longest wait, in seconds.
    pub max_delay_s: Option<f64>,
    /// Whether waits are drawn by chance.
    pub jitter: Jitter,
}

/// Where a state goes when it fails.
#[derive(Clone, Debug)]
pub struct Catcher {
    /// The errors that it is for.
    pub error_equals: Vec<String>,
    /// The state to go to.
    pub next: String,
    /// Where the error output goes in the input.
    pub result_path: ResultPath,
    /// `Output`.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Assign,
}

const RESERVED: &[&str] = &[
    names::ALL,
    names::NO_CHOICE_MATCHED,
    names::TIMEOUT,
    names::HEARTBEAT_TIMEOUT,
    names::TASK_FAILED,
    names::PERMISSIONS,
    names::RESULT_PATH_MATCH_FAILURE,
    names::PARAMETER_PATH_FAILURE,
    names::BRANCH_FAILED,
    names::INTRINSIC_FAILURE,
    names::EXCEED_TOLERATED_FAILURE_THRESHOLD,
    names::ITEM_READER_FAILED,
    names::RESULT_WRITER_FAILED,
    names::QUERY_EVALUATION_ERROR,
    names::DATA_LIMIT_EXCEEDED,
    names::RUNTIME,
    "States.Http.Socket",
];

/// `ErrorEquals`; `States.ALL` stands alone, and in the last entry.
fn error_equals(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    is_last: bool,
) -> Option<Vec<String>> {
    let place = step(pointer, "ErrorEquals");
    let Some(value) = object.get("ErrorEquals") else {
        reading.error(pointer, "the field `ErrorEquals` is missing");
        return None;
    };
    let items = reading.items(&place, value)?;
    let mut error_names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = step(&place, &index.to_string());
        let Some(name) = item.as_str() else {
            reading.error(&place, "the name of an error is needed, as a text");
            continue;
        };
        if name.starts_with("States.") && !RESERVED.contains(&name) {
            reading.error(&place, format!("`{name}` is not an error of the language; `States.` is reserved for those"));
        }
        error_names.push(name.to_owned());
    }
    if error_names.iter().any(|name| name == names::ALL) && (error_names.len() > 1 || !is_last) {
        reading.error(&place, "`States.ALL` has to stand alone, and in the last entry");
    }
    Some(error_names)
}

/// `Retry`.
pub(super) fn retriers(reading: &mut Reading, pointer: &str, object: &Map<String, Value>) -> Vec<Retrier> {
    let place = step(pointer, "Retry");
    let Some(value) = object.get("Retry") else { return Vec::new() };
    let Some(items) = value.as_array() else {
        reading.error(&place, "an array is needed here");
        return Vec::new();
    };
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = step(&place, &index.to_string());
        let Some(object) = reading.object(&place, item) else { continue };
        all.extend(retrier(reading, &place, object, index + 1 == items.len()));
    }
    all
}

fn retrier(reading: &mut Reading, pointer: &str, object: &Map<String, Value>, is_last: bool) -> Option<Retrier> {
    let fields = [
        "ErrorEquals",
        "IntervalSeconds",
        "MaxAttempts",
        "BackoffRate",
        "MaxDelaySeconds",
        "JitterStrategy",
        "Comment",
    ];
    reading.known(pointer, object, &fields, "a retrier");
    let error_equals = error_equals(reading, pointer, object, is_last);
    let interval_s = whole(reading, pointer, object, "IntervalSeconds", 1..=99_999_999).unwrap_or(1);
    let max_attempts = whole(reading, pointer, object, "MaxAttempts", 0..=99_999_999).unwrap_or(3);
    let max_delay_s = whole(reading, pointer, object, "MaxDelaySeconds", 1..=31_622_400);
    if max_delay_s.is_some_and(|delay| delay <= interval_s) {
        reading.error(&step(pointer, "MaxDelaySeconds"), "it has to be larger than `IntervalSeconds`");
    }
    let backoff_rate = match object.get("BackoffRate") {
        None => 2.0,
        Some(value) => value.as_f64().filter(|rate| *rate >= 1.0).unwrap_or_else(|| {
            reading.error(&step(pointer, "BackoffRate"), "it has to be a number of at least 1");
            2.0
        }),
    };
    let jitter = match reading.text(pointer, object, "JitterStrategy") {
        Some("FULL") => Jitter::Full,
        None | Some("NONE") => Jitter::None,
        Some(_) => {
            reading.error(&step(pointer, "JitterStrategy"), "it has to be \"FULL\" or \"NONE\"");
            Jitter::None
        }
    };
    Some(Retrier {
        error_equals: error_equals?,
        interval_s: seconds(interval_s),
        max_attempts,
        backoff_rate,
        max_delay_s: max_delay_s.map(seconds),
        jitter,
    })
}

#[expect(clippy::cast_precision_loss, reason = "the fields are at most 99,999,999")]
const fn seconds(whole: u64) -> f64 {
    whole as f64
}

/// A member that is a whole number in a range.
fn whole(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    name: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    let number = object.get(name)?.as_u64().filter(|number| range.contains(number));
    if number.is_none() {
        let message = format!("it has to be a whole number from {} to {}", range.start(), range.end());
        reading.error(&step(pointer, name), message);
    }
    number
}

/// `Catch`.
pub(super) fn catchers(
    reading: &mut Reading,
    pointer: &str,
    object: &Map<String, Value>,
    language: Language,
) -> Vec<Catcher> {
    let place = step(pointer, "Catch");
    let Some(value) = object.get("Catch") else { return Vec::new() };
    let Some(items) = value.as_array() else {
        reading.error(&place, "an array is needed here");
        return Vec::new();
    };
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let place = step(&place, &index.to_string());
        let Some(object) = reading.object(&place, item) else { continue };
        let fields: &[&str] = match language {
            Language::JsonPath => &["ErrorEquals", "Next", "Comment", "Assign", "ResultPath"],
            Language::Jsonata => &["ErrorEquals", "Next", "Comment", "Assign", "Output"],
        };
        reading.known(&place, object, fields, "a catcher of this query language");
        let error_equals = error_equals(reading, &place, object, index + 1 == items.len());
        let next = reading.needed(&place, object, "Next");
        let result_path = result_path(reading, &place, object);
        let output = member(reading, &place, object, "Output", language, Sees::Error);
        let assign = assign(reading, &place, object, language, Sees::Error);
        if let (Some(error_equals), Some(next)) = (error_equals, next) {
            all.push(Catcher { error_equals, next: next.to_owned(), result_path, output, assign });
        }
    }
    all
}
