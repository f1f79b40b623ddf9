//! The rows of a shard of CSV.

use std::ops::Range;
use std::sync::Arc;

use super::fields::Closed;
use super::{CsvBoundaries, Fields};
use crate::batch::Batch;
use crate::error::TableError;
use crate::fault::{Expected, Fault, ValueClass};
use crate::matching::Projection;
use crate::records::{Record, Records};

/// How many rows are split before their cells are read column by column: few, so that their text stays in the
/// processor's cache.
const BLOCK_ROWS: usize = 256;
/// The size of text at which a block is full.
const BLOCK_BYTES: usize = 1 << 17;

pub(crate) struct CsvReader {
    records: Records<'static, CsvBoundaries>,
    fields: Fields,
    projection: Arc<Projection>,
    next_row: u64,
    block: Block,
}

/// Rows that have as many fields as there are columns.
#[derive(Default)]
struct Block {
    text: Vec<u8>,
    /// Where the fields are in the text, row by row.
    spans: Vec<Range<usize>>,
}

impl CsvReader {
    pub(crate) fn new(
        records: Records<'static, CsvBoundaries>,
        fields: Fields,
        projection: Arc<Projection>,
        first_row: u64,
    ) -> Self {
        Self { records, fields, projection, next_row: first_row, block: Block::default() }
    }

    /// Where the next record begins: how many bytes come before it in the stream.
    pub(crate) fn position(&self) -> u64 {
        self.records.position()
    }

    /// Adds rows until the batch is full or the shard ends.
    pub(crate) fn fill(&mut self, batch: &mut Batch, most_rows: usize) -> Result<(), TableError> {
        // The bad rows by their place in the batch, and the column and the fault.
        let mut bad = Vec::new();
        let (mut seen, mut bytes) = (0, 0);
        while seen < most_rows && bytes <= Batch::TEXT_BYTES {
            let taken = self.fill_block(batch, BLOCK_ROWS.min(most_rows - seen))?;
            if taken == 0 {
                break;
            }
            seen += taken;
            bytes += self.block.text.len();
            self.push_block(batch, &mut bad);
        }
        batch.drop_rows(bad, &self.projection);
        Ok(())
    }

    /// Splits records; how many, also of those that are no rows.
    fn fill_block(&mut self, batch: &mut Batch, most_rows: usize) -> Result<usize, TableError> {
        let sources = self.projection.sources();
        self.block.text.clear();
        self.block.spans.clear();
        let mut taken = 0;
        while taken < most_rows && self.block.text.len() < BLOCK_BYTES {
            let Some(record) = self.records.next()? else { break };
            let row = self.next_row;
            self.next_row += 1;
            taken += 1;
            let (record, expected) = match record {
                Record::Whole(record) => {
                    let complete = self.block.spans.len();
                    let closed = self.fields.split(record, &mut self.block.text, &mut self.block.spans);
                    let found = self.block.spans.len() - complete;
                    if closed == Closed::Yes && found == sources {
                        batch.rows.push(row);
                        continue;
                    }
                    self.block.spans.truncate(complete);
                    let expected = match closed {
                        Closed::Yes => Expected::Fields { columns: sources, found },
                        Closed::No => Expected::ClosedQuote,
                    };
                    (record, expected)
                }
                Record::TooLong { start, record_bytes } => (start, Expected::Within { record_bytes }),
            };
            batch.faults.push(Fault::new(ValueClass::Record, record, expected).at(row, None));
        }
        Ok(taken)
    }

    /// Adds the block's cells column by column; those of bad rows stay blank.
    fn push_block(&self, batch: &mut Batch, bad: &mut Vec<(usize, usize, Fault)>) {
        let sources = self.projection.sources().max(1);
        let first = batch.rows.len() - self.block.spans.len() / sources;
        for target in self.projection.targets() {
            let Some((column, rule)) = self.projection.column(&mut batch.columns, target.column) else { continue };
            for (at, span) in self.block.spans.iter().skip(target.source).step_by(sources).enumerate() {
                let field = self.block.text.get(span.start..span.end).unwrap_or_default();
                if let Err(fault) = rule.push_text(column, field) {
                    column.push_missing();
                    bad.push((first + at, target.column, fault));
                }
            }
        }
        for &absent in self.projection.absent() {
            let Some((column, rule)) = self.projection.column(&mut batch.columns, absent) else { continue };
            for at in first..batch.rows.len() {
                if let Err(fault) = rule.push_missing(column, b"") {
                    column.push_missing();
                    bad.push((at, absent, fault));
                }
            }
        }
    }
}
