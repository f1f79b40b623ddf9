//! JSON Lines: one JSON object on each line (<https://jsonlines.org>).

mod object;
mod read;

use std::collections::HashMap;
use std::io::Read;

use memchr::memchr;

use crate::error::TableError;
use crate::inspect::SourceColumn;
use crate::limits::Limits;
use crate::records::{Boundaries, Record, Records};
use crate::schema::Kind;

pub(crate) use read::JsonReader;

/// How many rows are looked at for the names of columns.
const ROWS: usize = 1000;

/// A line is a record; JSON has no ends of lines within strings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LineBoundaries;

impl Boundaries for LineBoundaries {
    fn blanks(&self, bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | b' ' | b'\t')).count()
    }

    fn begin(&mut self) {}

    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        memchr(b'\n', bytes).map(|place| place + 1)
    }
}

/// The names in the first rows, in the order in which they come, each with the kind by which it is copied. A row that
/// cannot be read says nothing.
pub(crate) fn columns(sample: impl Read + Send + 'static, limits: &Limits) -> Result<Vec<SourceColumn>, TableError> {
    let mut records = Records::new(Box::new(sample), LineBoundaries, limits.record_bytes);
    let mut names: Vec<String> = Vec::new();
    let mut kinds: HashMap<String, Option<Kind>> = HashMap::new();
    for _ in 0..ROWS {
        let Some(record) = records.next()? else { break };
        let Record::Whole(line) = record else { continue };
        // The last line of a sample may be cut off; what comes before its fault counts.
        let _ = object::each_field(line, |name, raw| {
            let kind = kind_of(raw.get());
            match kinds.get_mut(name) {
                // One more than allowed, so that the caller sees that there are too many.
                None if names.len() > limits.columns => {}
                None => {
                    names.push(name.to_owned());
                    kinds.insert(name.to_owned(), kind);
                }
                Some(known) => {
                    *known = if known.is_none() || kind.is_none() { known.or(kind) } else { merged(*known, kind) }
                }
            }
        });
    }
    let copied = |name: &String| kinds.get(name).copied().flatten().unwrap_or(Kind::Verbatim);
    Ok(names.into_iter().map(|name| SourceColumn { copied: copied(&name), stored: None, name }).collect())
}

/// The kind that keeps a value as it is; `None` for null.
fn kind_of(raw: &str) -> Option<Kind> {
    match raw.as_bytes().first() {
        Some(b'n') | None => None,
        Some(b't' | b'f') => Some(Kind::Boolean),
        Some(b'"') => Some(Kind::String),
        Some(b'-' | b'0'..=b'9') if raw.parse::<i64>().is_ok() => Some(Kind::Integer),
        Some(b'-' | b'0'..=b'9') => Some(Kind::Number),
        Some(_) => Some(Kind::Verbatim),
    }
}

fn merged(one: Option<Kind>, other: Option<Kind>) -> Option<Kind> {
    match (one, other) {
        (one, other) if one == other => one,
        (Some(Kind::Integer | Kind::Number), Some(Kind::Integer | Kind::Number)) => Some(Kind::Number),
        _ => Some(Kind::Verbatim),
    }
}
