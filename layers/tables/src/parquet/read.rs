//! The rows of a shard of Parquet.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::expansion::Expansion;
use super::rows::Rows;
use super::source::Source;
use super::{directory, from_parquet, group_rows, guarded, malformed, options};
use crate::batch::{Batch, Column};
use crate::cell::CellRule;
use crate::error::TableError;
use crate::fault::{Expected, Fault, RowFault, ValueClass};
use crate::limits::Limits;
use crate::matching::Projection;
use crate::plan::Shard;
use crate::range::Input;
use crate::schema::Kind;
use crate::time;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const NO_ROW: &str = "a shard's first row is at least 1";

pub(crate) struct ParquetReader {
    batches: ParquetRecordBatchReader,
    projection: Arc<Projection>,
    /// The place of each target among the columns that are read.
    places: Vec<(usize, usize)>,
    current: Option<(RecordBatch, usize)>,
    next_row: u64,
    record_bytes: usize,
}

impl ParquetReader {
    pub(crate) fn open(
        input: &Input,
        shard: &Shard,
        projection: Arc<Projection>,
        limits: &Limits,
    ) -> Result<Self, TableError> {
        let first = shard.first_row.checked_sub(1).ok_or_else(|| TableError::Stated(NO_ROW.to_owned()))?;
        Self::open_rows(input, Rows { first, count: shard.rows }, projection, limits)
    }

    /// Begins to read some rows.
    pub(crate) fn open_rows(
        input: &Input,
        wanted: Rows,
        projection: Arc<Projection>,
        limits: &Limits,
    ) -> Result<Self, TableError> {
        let metadata = directory(input, limits)?;
        let mut roots: Vec<usize> = projection.targets().iter().map(|target| target.source).collect();
        roots.dedup();
        let place = |source: usize| roots.iter().position(|&root| root == source).unwrap_or_default();
        let places = projection.targets().iter().map(|target| (place(target.source), target.column)).collect();
        let (groups, offset) = wanted.groups(&group_rows(&metadata)?);
        let rows = usize::try_from(wanted.count).map_err(|_| malformed("a shard has too many rows"))?;
        // Texts are read as views, so that one long text that occurs often is in memory once.
        let views = metadata.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8View)),
            _ => Arc::clone(field),
        });
        let schema = Arc::new(Schema::new(views.collect::<Vec<_>>()));
        let source = Source::new(input, limits).guarding(Expansion::of(metadata.metadata()));
        let batches = guarded(|| {
            let parsed = Arc::clone(metadata.metadata());
            let metadata = ArrowReaderMetadata::try_new(parsed, options().with_schema(schema))?;
            let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.iter().copied());
            ParquetRecordBatchReaderBuilder::new_with_metadata(source, metadata)
                .with_row_groups(groups)
                .with_projection(mask)
                .with_batch_size(Batch::ROWS)
                .with_offset(offset)
                .with_limit(rows)
                .build()
        })?
        .map_err(from_parquet)?;
        let record_bytes = limits.record_bytes;
        Ok(Self { batches, projection, places, current: None, next_row: wanted.first.saturating_add(1), record_bytes })
    }

    /// Adds rows until the batch is full or the shard ends.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> Result<(), TableError> {
        if self.current.is_none() {
            let next = guarded(|| self.batches.next())?;
            let next = next.transpose().map_err(|error| match error {
                arrow_schema::ArrowError::ExternalError(source) => {
                    match source.downcast::<parquet::errors::ParquetError>() {
                        Ok(error) => from_parquet(*error),
                        Err(other) => malformed(other.to_string()),
                    }
                }
                other => malformed(other.to_string()),
            })?;
            self.current = next.map(|records| (records, 0));
        }
        let Some((records, first)) = self.current.take() else { return Ok(()) };
        let mut bytes = 0;
        for at in first..records.num_rows() {
            if bytes > Batch::TEXT_BYTES {
                self.current = Some((records, at));
                return Ok(());
            }
            let row = self.next_row;
            self.next_row += 1;
            let outcome = self.read_row(&records, at, &mut batch.columns, row, &mut bytes);
            batch.end_row(row, outcome);
        }
        Ok(())
    }

    fn read_row(
        &self,
        records: &RecordBatch,
        at: usize,
        columns: &mut [Column],
        row: u64,
        bytes: &mut usize,
    ) -> Result<(), RowFault> {
        for &(place, target) in &self.places {
            let cells = records.columns().get(place);
            if let (Some(cells), Some((column, rule))) = (cells, self.projection.column(columns, target)) {
                let taken = self.push(cells.as_ref(), at, column, rule);
                *bytes += taken.map_err(|fault| fault.at(row, self.projection.name(target)))?;
            }
        }
        self.projection.push_absent(columns, row)
    }

    /// Adds one cell; how many bytes of text it has.
    fn push(&self, cells: &dyn Array, at: usize, column: &mut Column, rule: &CellRule) -> Result<usize, Fault> {
        if cells.is_null(at) || *cells.data_type() == DataType::Null {
            return rule.push_missing(column, b"").map(|()| 0);
        }
        let value = value(cells, at);
        if let Value::Text(text) = &value
            && text.len() > self.record_bytes
        {
            let expected = Expected::Within { record_bytes: self.record_bytes };
            return Err(Fault::new(ValueClass::Text, text.as_bytes(), expected));
        }
        let is_copied = rule.kind() == Kind::Verbatim;
        match value {
            Value::Integer(value) if is_copied => rule.push_text(column, value.to_string().as_bytes()),
            Value::Number(value) if is_copied => rule.push_text(column, format!("{value:?}").as_bytes()),
            Value::Moment(value) if is_copied => {
                rule.push_text(column, time::print(value).unwrap_or_default().as_bytes())
            }
            Value::Integer(value) | Value::Moment(value) => rule.push_i64(column, value),
            Value::Number(value) => rule.push_f64(column, value),
            Value::Boolean(value) => rule.push_bool(column, value),
            Value::Digits(text) => rule.push_text(column, text.as_bytes()),
            Value::Text(text) => return rule.push_text(column, text.as_bytes()).map(|()| text.len()),
            Value::Beyond => Err(Fault::new(ValueClass::Timestamp, b"", Expected::Value(rule.kind()))),
        }
        .map(|()| 0)
    }
}

enum Value<'a> {
    Integer(i64),
    Number(f64),
    Boolean(bool),
    /// Microseconds since 1970.
    Moment(i64),
    /// A decimal number as text, so that it is rounded once.
    Digits(String),
    Text(&'a str),
    /// A moment that no 64 bits of microseconds hold.
    Beyond,
}

fn value(cells: &dyn Array, at: usize) -> Value<'_> {
    let moment = |value: Option<i64>| value.map_or(Value::Beyond, Value::Moment);
    match cells.data_type() {
        DataType::Int8 => Value::Integer(cells.as_primitive::<Int8Type>().value(at).into()),
        DataType::Int16 => Value::Integer(cells.as_primitive::<Int16Type>().value(at).into()),
        DataType::Int32 => Value::Integer(cells.as_primitive::<Int32Type>().value(at).into()),
        DataType::Int64 => Value::Integer(cells.as_primitive::<Int64Type>().value(at)),
        DataType::UInt8 => Value::Integer(cells.as_primitive::<UInt8Type>().value(at).into()),
        DataType::UInt16 => Value::Integer(cells.as_primitive::<UInt16Type>().value(at).into()),
        DataType::UInt32 => Value::Integer(cells.as_primitive::<UInt32Type>().value(at).into()),
        DataType::UInt64 => {
            let value = cells.as_primitive::<UInt64Type>().value(at);
            i64::try_from(value).map_or_else(|_| Value::Digits(value.to_string()), Value::Integer)
        }
        DataType::Float16 => Value::Number(cells.as_primitive::<Float16Type>().value(at).to_f64()),
        DataType::Float32 => Value::Number(cells.as_primitive::<Float32Type>().value(at).into()),
        DataType::Float64 => Value::Number(cells.as_primitive::<Float64Type>().value(at)),
        DataType::Boolean => Value::Boolean(cells.as_boolean().value(at)),
        DataType::Decimal32(..) => Value::Digits(cells.as_primitive::<Decimal32Type>().value_as_string(at)),
        DataType::Decimal64(..) => Value::Digits(cells.as_primitive::<Decimal64Type>().value_as_string(at)),
        DataType::Decimal128(..) => Value::Digits(cells.as_primitive::<Decimal128Type>().value_as_string(at)),
        DataType::Decimal256(..) => Value::Digits(cells.as_primitive::<Decimal256Type>().value_as_string(at)),
        DataType::Date32 => moment(i64::from(cells.as_primitive::<Date32Type>().value(at)).checked_mul(DAY)),
        DataType::Timestamp(TimeUnit::Second, _) => {
            moment(cells.as_primitive::<TimestampSecondType>().value(at).checked_mul(SECOND))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            moment(cells.as_primitive::<TimestampMillisecondType>().value(at).checked_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Value::Moment(cells.as_primitive::<TimestampMicrosecondType>().value(at))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            Value::Moment(cells.as_primitive::<TimestampNanosecondType>().value(at).div_euclid(1000))
        }
        DataType::Utf8View => Value::Text(cells.as_string_view().value(at)),
        // Matching lets no other type through.
        _ => Value::Beyond,
    }
}
