//! Reading results back, a page at a time.

use std::io::Read as _;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::text::{json_names, push_json_row};
use super::{ResultLayout, TextFormat};
use crate::batch::{Batch, Column};
use crate::csv::{CsvBoundaries, CsvReader, Delimiter, Fields, Quote};
use crate::error::TableError;
use crate::inspect::{Format, SourceColumn};
use crate::jsonl::LineBoundaries;
use crate::limits::Limits;
use crate::matching::{Projection, match_columns};
use crate::parquet::{ParquetReader, Rows};
use crate::range::{Input, RangeReader};
use crate::records::{Boundaries, Record, Records};
use crate::schema::{ColumnSpec, Missing, Schema};

/// The size of the rows, in bytes of JSON, at which a page ends early.
const PAGE_BYTES: usize = 4 << 20;
/// How many bytes of text are asked for at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// How many rows of CSV are read before the page's size is looked at.
const STEP_ROWS: usize = 256;

/// Some results.
#[derive(Debug, Clone)]
pub struct ResultPage {
    /// Each row as a JSON object with the layout's columns. Moments are RFC 3339; what is missing, NaN or infinite is
    /// null.
    pub rows: Vec<Box<RawValue>>,
    /// Where the next page begins; `None` at the end of the part.
    pub next: Option<u64>,
}

/// Reads a page of results from a part, or from the file of all parts.
///
/// `place` is 0 for the first page of a part (of a CSV file with a header: the header's length), and what
/// [`ResultPage::next`] says for the others. In CSV and JSON Lines it counts bytes, in Parquet rows. A page has at most
/// `rows` rows, and fewer when they have more than 4 MiB of JSON.
///
/// It reads what it needs: of text a little more than the page, in ranges of 64 KiB; of Parquet the directory and the row
/// groups that the page is in.
///
/// # Errors
/// The part cannot be read or does not have the layout, or `place` is not the beginning of a row
/// ([`TableError::Stated`]).
pub fn read_results(
    part: &Input,
    format: Format,
    layout: &ResultLayout,
    place: u64,
    rows: usize,
    limits: &Limits,
) -> Result<ResultPage, TableError> {
    match TextFormat::of(format) {
        Some(TextFormat::Csv) => of_csv(part, layout, place, rows, limits),
        Some(TextFormat::Jsonl) => of_jsonl(part, place, rows, limits),
        None => of_parquet(part, layout, place, rows, limits),
    }
}

fn of_csv(
    part: &Input,
    layout: &ResultLayout,
    place: u64,
    rows: usize,
    limits: &Limits,
) -> Result<ResultPage, TableError> {
    let schema = schema(layout, None);
    let sources: Vec<SourceColumn> =
        layout.columns().iter().map(|column| SourceColumn::of_text(column.name.as_str())).collect();
    let projection = Arc::new(match_columns(&schema, &sources).accept()?);
    let boundaries = CsvBoundaries::new(Delimiter::COMMA, Quote::Double);
    let records = records(part, place, boundaries, limits)?;
    let mut reader = CsvReader::new(records, Fields::new(Delimiter::COMMA, Quote::Double), projection, 1);
    let mut lines = Lines::new(layout);
    let mut batch = Batch::new(&schema);
    while lines.rows.len() < rows && lines.bytes < PAGE_BYTES {
        batch.clear();
        reader.fill(&mut batch, STEP_ROWS.min(rows - lines.rows.len()))?;
        refuse_faults(&batch, "CSV")?;
        if batch.rows.is_empty() {
            break;
        }
        lines.push(&batch, rows)?;
    }
    let next = place + reader.position();
    Ok(ResultPage { rows: lines.rows, next: Some(next).filter(|&next| next < part.len()) })
}

fn of_jsonl(part: &Input, place: u64, rows: usize, limits: &Limits) -> Result<ResultPage, TableError> {
    let mut records = records(part, place, LineBoundaries, limits)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let malformed = |reason: String| TableError::Malformed { format: "JSON Lines", reason };
    while found.len() < rows && bytes < PAGE_BYTES {
        let line = match records.next()? {
            None => break,
            Some(Record::Whole(line)) => line,
            Some(Record::TooLong { record_bytes, .. }) => {
                return Err(malformed(format!("a result is longer than {record_bytes} bytes")));
            }
        };
        let row: Box<RawValue> = serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        if !row.get().starts_with('{') {
            return Err(malformed("a result is no JSON object".to_owned()));
        }
        bytes += line.len();
        found.push(row);
    }
    let next = place + records.position();
    Ok(ResultPage { rows: found, next: Some(next).filter(|&next| next < part.len()) })
}

fn of_parquet(
    part: &Input,
    layout: &ResultLayout,
    place: u64,
    rows: usize,
    limits: &Limits,
) -> Result<ResultPage, TableError> {
    let wanted = Rows { first: place, count: rows as u64 };
    let found = crate::parquet::open_rows(part, wanted, limits)?;
    if place > found.rows {
        return Err(misplaced(place));
    }
    let schema = schema(layout, Some(&[]));
    let matching = match_columns(&schema, &found.columns);
    if let Some(absent) = matching.absent.first() {
        let reason = format!("these are no results of the layout: there is no column `{}`", absent.name);
        return Err(TableError::Malformed { format: "Parquet", reason });
    }
    let projection: Projection = matching.accept()?;
    let mut reader = ParquetReader::open_rows(&found.input, wanted, Arc::new(projection), limits)?;
    let mut lines = Lines::new(layout);
    let mut batch = Batch::new(&schema);
    while lines.rows.len() < rows && lines.bytes < PAGE_BYTES {
        batch.clear();
        reader.fill(&mut batch)?;
        refuse_faults(&batch, "Parquet")?;
        if batch.rows.is_empty() {
            break;
        }
        lines.push(&batch, rows)?;
    }
    let next = place + lines.rows.len() as u64;
    Ok(ResultPage { rows: lines.rows, next: Some(next).filter(|&next| next < found.rows) })
}

/// The layout as what is wanted from a part.
fn schema(layout: &ResultLayout, tokens: Option<&[String]>) -> Schema {
    let columns = layout.columns().iter();
    let spec = |name: &str, kind| ColumnSpec {
        tokens: tokens.map(<[String]>::to_vec),
        ..ColumnSpec::new(name, kind, Missing::Allowed)
    };
    Schema::new(columns.map(|column| spec(&column.name, column.kind)).collect())
}

/// The records from a place on, which is the first one or behind the end of a line.
fn records<B: Boundaries>(
    part: &Input,
    place: u64,
    boundaries: B,
    limits: &Limits,
) -> Result<Records<'static, B>, TableError> {
    let before = place.checked_sub(1);
    let mut reader = RangeReader::new(part, before.unwrap_or(0), u64::MAX).in_chunks_of(CHUNK_BYTES);
    if before.is_some() {
        let mut end = [0];
        let count = reader.read(&mut end).map_err(TableError::from_reader)?;
        if count == 0 || end != *b"\n" {
            return Err(misplaced(place));
        }
    }
    Ok(Records::new(Box::new(reader), boundaries, limits.record_bytes))
}

fn misplaced(place: u64) -> TableError {
    TableError::Stated(format!("no row of the results begins at {place}; begin with the first page again"))
}

fn refuse_faults(batch: &Batch, format: &'static str) -> Result<(), TableError> {
    match batch.faults.first() {
        Some(fault) => {
            let reason = format!("these are no results of the layout: {fault}");
            Err(TableError::Malformed { format, reason })
        }
        None => Ok(()),
    }
}

/// Rows as JSON.
struct Lines {
    names: Vec<Vec<u8>>,
    line: Vec<u8>,
    rows: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Lines {
    fn new(layout: &ResultLayout) -> Self {
        let names = json_names(layout.columns().iter().map(|column| column.name.as_str()));
        Self { names, line: Vec::new(), rows: Vec::new(), bytes: 0 }
    }

    /// Adds a batch's rows, as long as there are fewer than `most` of them.
    fn push(&mut self, batch: &Batch, most: usize) -> Result<(), TableError> {
        let columns: Vec<&Column> = batch.columns.iter().collect();
        for row in 0..batch.rows.len().min(most - self.rows.len()) {
            self.line.clear();
            push_json_row(&mut self.line, &self.names, &columns, row).map_err(TableError::Write)?;
            let line = serde_json::from_slice(&self.line);
            self.rows.push(line.map_err(|error| TableError::Results(error.to_string()))?);
            self.bytes += self.line.len();
        }
        Ok(())
    }
}
