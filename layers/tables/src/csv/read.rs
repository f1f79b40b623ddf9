//! The rows of a shard of CSV.

use std::sync::Arc;

use super::fields::Closed;
use super::{CsvBoundaries, Fields};
use crate::batch::{Batch, Column};
use crate::error::TableError;
use crate::fault::{Expected, Fault, RowFault, ValueClass};
use crate::matching::Projection;
use crate::records::{Record, Records};

pub(crate) struct CsvReader {
    records: Records<'static, CsvBoundaries>,
    fields: Fields,
    projection: Arc<Projection>,
    next_row: u64,
}

impl CsvReader {
    pub(crate) fn new(
        records: Records<'static, CsvBoundaries>,
        fields: Fields,
        projection: Arc<Projection>,
        first_row: u64,
    ) -> Self {
        Self { records, fields, projection, next_row: first_row }
    }

    /// Adds rows until the batch is full or the shard ends.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> Result<(), TableError> {
        let mut bytes = 0;
        for _ in 0..Batch::ROWS {
            let Some(record) = self.records.next()? else { break };
            let row = self.next_row;
            self.next_row += 1;
            let outcome = match record {
                Record::Whole(record) => {
                    bytes += record.len();
                    read_row(&mut self.fields, &self.projection, record, &mut batch.columns, row)
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

/// Adds a cell to each column, or says why not.
fn read_row(
    fields: &mut Fields,
    projection: &Projection,
    record: &[u8],
    columns: &mut [Column],
    row: u64,
) -> Result<(), RowFault> {
    let mut targets = projection.targets().iter().peekable();
    let mut outcome = Ok(());
    let mut found = 0;
    let closed = fields.each(record, |place, field| {
        found = place + 1;
        while let Some(target) = targets.next_if(|target| target.source == place) {
            if let (Ok(()), Some((column, rule))) = (&outcome, projection.column(columns, target.column)) {
                outcome = rule.push_text(column, field).map_err(|fault| (target.column, fault));
            }
        }
    });
    if closed == Closed::No {
        return Err(Fault::new(ValueClass::Record, record, Expected::ClosedQuote).at(row, None));
    }
    if found != projection.sources() {
        let expected = Expected::Fields { columns: projection.sources(), found };
        return Err(Fault::new(ValueClass::Record, record, expected).at(row, None));
    }
    outcome.map_err(|(column, fault)| fault.at(row, projection.name(column)))?;
    projection.push_absent(columns, row)
}
