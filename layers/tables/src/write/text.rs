//! Cells as text.

use std::io;

use memchr::{memchr, memchr3};

use crate::batch::Column;
use crate::time;

/// A line of CSV. A cell that is missing is empty; a row of one column that is missing is quoted, since a blank line is
/// no row.
pub(crate) fn push_csv_row(buffer: &mut Vec<u8>, columns: &[&Column], row: usize) {
    let start = buffer.len();
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            buffer.push(b',');
        }
        match column {
            Column::String(strings) => push_csv_text(buffer, strings.get(row).unwrap_or_default()),
            other => {
                push_plain(buffer, other, row);
            }
        }
    }
    if buffer.len() == start {
        buffer.extend_from_slice(b"\"\"");
    }
    buffer.push(b'\n');
}

pub(crate) fn push_csv_text(buffer: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    if memchr3(b',', b'"', b'\n', bytes).is_none() && memchr(b'\r', bytes).is_none() {
        buffer.extend_from_slice(bytes);
    } else {
        buffer.push(b'"');
        buffer.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        buffer.push(b'"');
    }
}

/// A line of JSON; before each cell comes what `names` says.
pub(crate) fn push_json_row(
    buffer: &mut Vec<u8>,
    names: &[Vec<u8>],
    columns: &[&Column],
    row: usize,
) -> io::Result<()> {
    for (name, column) in names.iter().zip(columns) {
        buffer.extend_from_slice(name);
        let is_written = match column {
            Column::Number(cells) if !cells.get(row).is_some_and(f64::is_finite) => false,
            Column::Single(cells) if !cells.get(row).is_some_and(f32::is_finite) => false,
            Column::String(strings) => match strings.get(row) {
                Some(text) => serde_json::to_writer(&mut *buffer, text).map(|()| true)?,
                None => false,
            },
            Column::Timestamp(_) if column.is_valid(row) => {
                buffer.push(b'"');
                push_plain(buffer, column, row);
                buffer.push(b'"');
                true
            }
            other => push_plain(buffer, other, row),
        };
        if !is_written {
            buffer.extend_from_slice(b"null");
        }
    }
    buffer.extend_from_slice(b"}\n");
    Ok(())
}

/// What comes before each cell of a line of JSON.
pub(crate) fn json_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Vec<u8>> {
    let name = |(place, name): (usize, &str)| {
        let start = if place == 0 { "{" } else { "," };
        format!("{start}{}:", serde_json::Value::from(name)).into_bytes()
    };
    names.enumerate().map(name).collect()
}

/// A cell that needs no quotes, if there is one. Numbers have as few digits as give the same number when they are read.
fn push_plain(buffer: &mut Vec<u8>, column: &Column, row: usize) -> bool {
    match column {
        Column::Number(cells) => push(buffer, cells.get(row), |into, value| {
            into.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
        }),
        Column::Single(cells) => push(buffer, cells.get(row), |into, value| {
            into.extend_from_slice(zmij::Buffer::new().format(value).as_bytes());
        }),
        Column::Integer(cells) => push(buffer, cells.get(row), |into, value| {
            into.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        }),
        Column::Boolean(cells) => push(buffer, cells.get(row), |into, value| {
            into.extend_from_slice(if value { b"true" } else { b"false" });
        }),
        Column::Timestamp(cells) => push(buffer, cells.get(row).and_then(time::print), |into, value| {
            into.extend_from_slice(value.as_bytes());
        }),
        Column::String(strings) => push(buffer, strings.get(row), |into, value| {
            into.extend_from_slice(value.as_bytes());
        }),
    }
}

/// Whether there was something to write.
fn push<T>(buffer: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) -> bool {
    value.map(|value| write(buffer, value)).is_some()
}
