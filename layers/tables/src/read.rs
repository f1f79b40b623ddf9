//! Reading one shard.

use std::sync::Arc;

use crate::batch::Batch;
use crate::csv::{CsvBoundaries, CsvReader, Fields};
use crate::encoding::{self, TextEncoding};
use crate::error::TableError;
use crate::jsonl::{JsonReader, LineBoundaries};
use crate::limits::Limits;
use crate::matching::Projection;
use crate::parquet::ParquetReader;
use crate::plan::{Extent, Form, Reading, Shard};
use crate::range::{Input, RangeReader};
use crate::records::{Boundaries, Records};

/// The rows of one shard, a batch at a time.
pub struct ShardReader {
    reader: Reader,
}

enum Reader {
    Csv(CsvReader),
    Json(JsonReader),
    Parquet(Box<ParquetReader>),
}

impl ShardReader {
    /// Begins to read. `input` is what [`Reading::place`] says: the input, or the copy of it.
    ///
    /// # Errors
    /// It is not the input that was planned, or Parquet's directory cannot be read.
    pub fn open(
        input: &Input,
        reading: &Reading,
        shard: &Shard,
        projection: &Arc<Projection>,
        limits: &Limits,
    ) -> Result<Self, TableError> {
        if input.len() != reading.size_bytes {
            return Err(TableError::Changed { planned_bytes: reading.size_bytes, found_bytes: input.len() });
        }
        let projection = Arc::clone(projection);
        let reader = match reading.form {
            Form::Csv { encoding, delimiter, quote, .. } => {
                let boundaries = CsvBoundaries::new(delimiter, quote);
                let records = records(input, shard, encoding, boundaries, limits);
                Reader::Csv(CsvReader::new(records, Fields::new(delimiter, quote), projection, shard.first_row))
            }
            Form::Jsonl { encoding, .. } => {
                let records = records(input, shard, encoding, LineBoundaries, limits);
                Reader::Json(JsonReader::new(records, projection, shard.first_row))
            }
            Form::Parquet => Reader::Parquet(Box::new(ParquetReader::open(input, shard, projection, limits)?)),
        };
        Ok(Self { reader })
    }

    /// Empties the batch and fills it with the next rows; false when there are none.
    ///
    /// # Errors
    /// The input cannot be read, or Parquet is damaged. A bad row is no error: the batch has its fault.
    pub fn read(&mut self, batch: &mut Batch) -> Result<bool, TableError> {
        batch.clear();
        match &mut self.reader {
            Reader::Csv(reader) => reader.fill(batch, Batch::ROWS)?,
            Reader::Json(reader) => reader.fill(batch)?,
            Reader::Parquet(reader) => reader.fill(batch)?,
        }
        Ok(!(batch.rows.is_empty() && batch.faults.is_empty()))
    }
}

fn records<B: Boundaries>(
    input: &Input,
    shard: &Shard,
    encoding: TextEncoding,
    boundaries: B,
    limits: &Limits,
) -> Records<'static, B> {
    let (offset, length) = match shard.extent {
        Extent::Bytes { offset, length } => (offset, length),
        Extent::Rows => (0, 0),
    };
    let text = encoding::as_utf8(RangeReader::new(input, offset, length), encoding);
    Records::new(text, boundaries, limits.record_bytes)
}
