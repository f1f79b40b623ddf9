//! Results in parts of CSV or JSON Lines, which are one file when they stand one behind the other.

use std::collections::HashSet;
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::batch::Column;
use crate::error::TableError;
use crate::schema::Kind;
use crate::time;

/// A format whose parts can be joined byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextFormat {
    /// CSV in UTF-8: commas, double quotes, LF. The header is written once, before the first part.
    Csv,
    /// JSON Lines. NaN and infinities are null, because JSON has no such numbers.
    Jsonl,
}

/// A column of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
}

/// The columns of results in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultLayout {
    columns: Vec<ResultColumn>,
}

impl ResultLayout {
    /// These columns: usually those that are copied from the input, then the prediction, its interval, and so on.
    ///
    /// # Errors
    /// Two have the same name, or there is none ([`TableError::Results`]).
    pub fn new(columns: Vec<ResultColumn>) -> Result<Self, TableError> {
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !names.insert(column.name.as_str())) {
            let reason = format!("two columns are named `{}`; leave the input's column out or rename it", twice.name);
            return Err(TableError::Results(reason));
        }
        if columns.is_empty() {
            Err(TableError::Results("there are no columns".to_owned()))
        } else {
            Ok(Self { columns })
        }
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[ResultColumn] {
        &self.columns
    }

    /// What comes before the first part: the header of CSV, nothing for JSON Lines.
    #[must_use]
    pub fn head(&self, format: TextFormat) -> Vec<u8> {
        let mut head = Vec::new();
        if format == TextFormat::Csv {
            for (place, column) in self.columns.iter().enumerate() {
                if place > 0 {
                    head.push(b',');
                }
                push_csv_text(&mut head, &column.name);
            }
            head.push(b'\n');
        }
        head
    }
}

/// Writes one part. The same rows give the same bytes.
#[derive(Debug)]
pub struct PartWriter<W> {
    sink: W,
    format: TextFormat,
    layout: ResultLayout,
    /// For JSON Lines, what comes before each cell.
    names: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl<W: Write> PartWriter<W> {
    /// Begins a part.
    #[must_use]
    pub fn new(sink: W, format: TextFormat, layout: ResultLayout) -> Self {
        let name = |(place, column): (usize, &ResultColumn)| {
            let start = if place == 0 { "{" } else { "," };
            format!("{start}{}:", serde_json::Value::from(column.name.as_str())).into_bytes()
        };
        let names = layout.columns.iter().enumerate().map(name).collect();
        Self { sink, format, layout, names, buffer: Vec::new() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The columns are not those of the layout, have different lengths, or the sink does not take them.
    pub fn write(&mut self, columns: &[&Column]) -> Result<(), TableError> {
        self.check(columns)?;
        self.buffer.clear();
        for row in 0..columns.first().map_or(0, |column| column.len()) {
            match self.format {
                TextFormat::Csv => push_csv_row(&mut self.buffer, columns, row),
                TextFormat::Jsonl => push_json_row(&mut self.buffer, &self.names, columns, row),
            }
        }
        self.sink.write_all(&self.buffer).map_err(TableError::Write)
    }

    /// Ends the part.
    ///
    /// # Errors
    /// The sink does not take the last bytes.
    pub fn finish(mut self) -> Result<W, TableError> {
        self.sink.flush().map_err(TableError::Write)?;
        Ok(self.sink)
    }

    fn check(&self, columns: &[&Column]) -> Result<(), TableError> {
        let wanted = self.layout.columns.len();
        if columns.len() != wanted {
            return Err(TableError::Results(format!("{} columns are given for {wanted}", columns.len())));
        }
        let rows = columns.first().map_or(0, |column| column.len());
        for (column, given) in self.layout.columns.iter().zip(columns) {
            if std::mem::discriminant(*given) != std::mem::discriminant(&Column::new(column.kind)) {
                let reason =
                    format!("column `{}` is given as another kind than {}", column.name, column.kind.described());
                return Err(TableError::Results(reason));
            }
            if given.len() != rows {
                let reason = format!("column `{}` has {} rows, and the first one {rows}", column.name, given.len());
                return Err(TableError::Results(reason));
            }
        }
        Ok(())
    }
}

/// A line of CSV. A cell that is missing is empty; a row of one column that is missing is quoted, since a blank line is
/// no row.
fn push_csv_row(buffer: &mut Vec<u8>, columns: &[&Column], row: usize) {
    let start = buffer.len();
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            buffer.push(b',');
        }
        match column {
            Column::String(strings) => push_csv_text(buffer, strings.get(row).unwrap_or_default()),
            other => buffer.extend_from_slice(plain(other, row).unwrap_or_default().as_bytes()),
        }
    }
    if buffer.len() == start {
        buffer.extend_from_slice(b"\"\"");
    }
    buffer.push(b'\n');
}

fn push_csv_text(buffer: &mut Vec<u8>, text: &str) {
    if text.contains([',', '"', '\n', '\r']) {
        buffer.push(b'"');
        buffer.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        buffer.push(b'"');
    } else {
        buffer.extend_from_slice(text.as_bytes());
    }
}

fn push_json_row(buffer: &mut Vec<u8>, names: &[Vec<u8>], columns: &[&Column], row: usize) {
    for (name, column) in names.iter().zip(columns) {
        buffer.extend_from_slice(name);
        let is_number = match column {
            Column::Number(cells) => cells.get(row).is_some_and(f64::is_finite),
            Column::Single(cells) => cells.get(row).is_some_and(f32::is_finite),
            _ => true,
        };
        let text = match column {
            Column::String(strings) => strings.get(row).map(|text| serde_json::Value::from(text).to_string()),
            Column::Timestamp(_) => plain(column, row).map(|text| format!("\"{text}\"")),
            _ if is_number => plain(column, row),
            _ => None,
        };
        buffer.extend_from_slice(text.as_deref().unwrap_or("null").as_bytes());
    }
    buffer.extend_from_slice(b"}\n");
}

/// A cell that needs no quotes. Numbers have as few digits as give the same number when they are read.
fn plain(column: &Column, row: usize) -> Option<String> {
    match column {
        Column::Number(cells) => cells.get(row).map(|value| format!("{value:?}")),
        Column::Single(cells) => cells.get(row).map(|value| format!("{value:?}")),
        Column::Integer(cells) => cells.get(row).map(|value| value.to_string()),
        Column::Boolean(cells) => cells.get(row).map(|value| value.to_string()),
        Column::Timestamp(cells) => cells.get(row).and_then(time::print),
        Column::String(strings) => strings.get(row).map(str::to_owned),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use super::*;

    fn written(format: TextFormat) -> String {
        let column = |name: &str, kind| ResultColumn { name: name.to_owned(), kind };
        let layout = ResultLayout::new(vec![
            column("id", Kind::Verbatim),
            column("prediction", Kind::Single),
            column("seen", Kind::Timestamp),
        ]);
        let layout = layout.unwrap();
        let mut bytes = layout.head(format);
        let mut writer = PartWriter::new(&mut bytes, format, layout);
        let id = Column::String([Some("a,\"b\""), None].into_iter().collect());
        let prediction = Column::Single([Some(0.1), Some(f32::INFINITY)].into_iter().collect());
        let seen = Column::Timestamp([Some(0), None].into_iter().collect());
        writer.write(&[&id, &prediction, &seen]).unwrap();
        writer.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn given_results_when_they_are_written_as_csv_then_only_what_must_be_is_quoted() {
        assert_eq!(written(TextFormat::Csv), "id,prediction,seen\n\"a,\"\"b\"\"\",0.1,1970-01-01T00:00:00Z\n,inf,\n");
    }

    #[test]
    fn given_results_when_they_are_written_as_json_lines_then_what_json_cannot_hold_is_null() {
        assert_eq!(
            written(TextFormat::Jsonl),
            "{\"id\":\"a,\\\"b\\\"\",\"prediction\":0.1,\"seen\":\"1970-01-01T00:00:00Z\"}\n\
             {\"id\":null,\"prediction\":null,\"seen\":null}\n"
        );
    }

    #[test]
    fn given_two_columns_of_one_name_when_a_layout_is_made_then_it_is_refused() {
        let column = || ResultColumn { name: "prediction".to_owned(), kind: Kind::Number };
        assert!(matches!(ResultLayout::new(vec![column(), column()]), Err(TableError::Results(_))));
    }
}
