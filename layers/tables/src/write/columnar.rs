//! Columns as Arrow arrays, and how results are stored in Parquet.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::ResultLayout;
use crate::batch::Column;
use crate::error::TableError;
use crate::schema::Kind;

/// The most rows of a row group.
const GROUP_ROWS: usize = 1 << 17;
/// About how large a row group becomes, in bytes; it is in memory until it is written.
const GROUP_BYTES: usize = 32 << 20;
/// About how large a page becomes, in bytes.
const PAGE_BYTES: usize = 256 << 10;
/// The writer by name, in the form that parquet-mr parses. Our own version here would change the bytes of a part that
/// is written again after an update.
const WRITER: &str = "mandi version 1 (build 1)";
/// The name of the schema.
pub(super) const ROOT: &str = "results";

/// The columns as Arrow names their types. Texts may be more than 2 GiB together.
pub(super) fn schema(layout: &ResultLayout) -> SchemaRef {
    let field = |(name, kind): (&str, Kind)| {
        let data_type = match kind {
            Kind::Number => DataType::Float64,
            Kind::Single => DataType::Float32,
            Kind::Integer => DataType::Int64,
            Kind::Boolean => DataType::Boolean,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
            Kind::String | Kind::Verbatim => DataType::LargeUtf8,
        };
        Field::new(name, data_type, true)
    };
    let columns = layout.columns().iter().map(|column| (column.name.as_str(), column.kind));
    Arc::new(Schema::new(columns.map(field).collect::<Vec<_>>()))
}

/// Nothing in them depends on time, place or the order of anything but rows, so that the same rows give the same bytes.
pub(super) fn properties(layout: &ResultLayout) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(WRITER.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    for column in layout.columns() {
        if matches!(column.kind, Kind::String | Kind::Verbatim) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.name.as_str()), true);
        }
    }
    properties.build()
}

/// Rows as Arrow holds them.
pub(super) fn records(schema: &SchemaRef, columns: &[&Column]) -> Result<RecordBatch, TableError> {
    let arrays = columns.iter().map(|column| array(column)).collect();
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|error| TableError::Results(error.to_string()))
}

fn array(column: &Column) -> ArrayRef {
    match column {
        Column::Number(cells) => Arc::new(cells.iter().collect::<Float64Array>()),
        Column::Single(cells) => Arc::new(cells.iter().collect::<Float32Array>()),
        Column::Integer(cells) => Arc::new(cells.iter().collect::<Int64Array>()),
        Column::Boolean(cells) => Arc::new(cells.iter().collect::<BooleanArray>()),
        Column::Timestamp(cells) => Arc::new(cells.iter().collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Column::String(strings) => Arc::new(strings.iter().collect::<LargeStringArray>()),
    }
}
