//! The rows of a shard of JSON Lines.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{LineBoundaries, object};
use crate::batch::{Batch, Column};
use crate::error::TableError;
use crate::fault::{Expected, Fault, RowFault, ValueClass};
use crate::matching::Projection;
use crate::records::{Record, Records};

pub(crate) struct JsonReader {
    records: Records<'static, LineBoundaries>,
    projection: Arc<Projection>,
    /// The columns of a batch that a name fills.
    places: HashMap<String, Vec<usize>>,
    next_row: u64,
}

impl JsonReader {
    pub(crate) fn new(records: Records<'static, LineBoundaries>, projection: Arc<Projection>, first_row: u64) -> Self {
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (column, name) in projection.names().iter().enumerate() {
            places.entry(name.clone()).or_default().push(column);
        }
        Self { records, projection, places, next_row: first_row }
    }

    /// Adds rows until the batch is full or the shard ends.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> Result<(), TableError> {
        let mut bytes = 0;
        for _ in 0..Batch::ROWS {
            let Some(record) = self.records.next()? else { break };
            let row = self.next_row;
            self.next_row += 1;
            let outcome = match record {
                Record::Whole(line) => {
                    bytes += line.len();
                    read_row(&self.places, &self.projection, line, &mut batch.columns, row)
                }
                Record::TooLong { start, record_bytes } => {
                    Err(Fault::new(ValueClass::Record, start, Expected::Within { record_bytes }).at(row, None))
                }
            };
            batch.end_row(row, outcome);
            if bytes > Batch::TEXT_BYTES {
                break;
            }
        }
        Ok(())
    }
}

/// Adds a cell to each column, or says why not. Of a name that comes twice the last value counts.
fn read_row(
    places: &HashMap<String, Vec<usize>>,
    projection: &Projection,
    line: &[u8],
    columns: &mut [Column],
    row: u64,
) -> Result<(), RowFault> {
    let mut values: Vec<Option<&RawValue>> = vec![None; columns.len()];
    let read = object::each_field(line, |name, raw| {
        for &place in places.get(name).map(Vec::as_slice).unwrap_or_default() {
            if let Some(value) = values.get_mut(place) {
                *value = Some(raw);
            }
        }
    });
    if read.is_err() {
        let found = if str::from_utf8(line).is_ok() { ValueClass::Record } else { ValueClass::Undecodable };
        return Err(Fault::new(found, line, Expected::JsonObject).at(row, None));
    }
    for (place, value) in values.into_iter().enumerate() {
        if let Some((column, rule)) = projection.column(columns, place) {
            let outcome = match value {
                Some(raw) => rule.push_json(column, raw),
                None => rule.push_missing(column, b""),
            };
            outcome.map_err(|fault| fault.at(row, projection.name(place)))?;
        }
    }
    Ok(())
}
