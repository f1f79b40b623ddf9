//! Results as Parquet: parts, and one file of them.

use std::io::{self, Read, Write};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;

use super::{ResultLayout, columnar};
use crate::batch::Column;
use crate::error::TableError;
use crate::parquet::{guarded, malformed};
use crate::range::{Input, RangeReader};

/// Writes one part as a Parquet file of its own. The same rows in the same calls give the same bytes. Memory: a row
/// group, some 32 MB.
pub struct ParquetPart<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    layout: ResultLayout,
}

impl<W: Write + Send> ParquetPart<W> {
    /// Begins a part.
    ///
    /// # Errors
    /// The sink does not take the first bytes.
    pub fn new(sink: W, layout: ResultLayout) -> Result<Self, TableError> {
        let schema = columnar::schema(&layout);
        let options = ArrowWriterOptions::new()
            .with_properties(columnar::properties(&layout))
            .with_schema_root(columnar::ROOT.to_owned())
            // Readers then see the types of Parquet itself.
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, Arc::clone(&schema), options).map_err(from_writer)?;
        Ok(Self { writer, schema, layout })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The columns are not those of the layout, have different lengths, or the sink does not take them.
    pub fn write(&mut self, columns: &[&Column]) -> Result<(), TableError> {
        self.layout.rows(columns)?;
        self.writer.write(&columnar::records(&self.schema, columns)?).map_err(from_writer)
    }

    /// Ends the part.
    ///
    /// # Errors
    /// The sink does not take the last bytes.
    pub fn finish(self) -> Result<W, TableError> {
        let mut sink = self.writer.into_inner().map_err(from_finish)?;
        sink.flush().map_err(TableError::Write)?;
        Ok(sink)
    }
}

/// One Parquet file of the row groups of parts, which are copied as they are. Memory: what the directory at the end of
/// the file says of each column of each row group, about 1 kB.
pub struct ParquetFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetFile<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// The sink does not take the first bytes.
    pub fn new(sink: W, layout: &ResultLayout) -> Result<Self, TableError> {
        let converter = ArrowSchemaConverter::new().schema_root(columnar::ROOT);
        let schema = converter.convert(&columnar::schema(layout)).map_err(from_writer)?;
        let properties = Arc::new(columnar::properties(layout));
        let writer = SerializedFileWriter::new(sink, schema.root_schema_ptr(), properties).map_err(from_writer)?;
        Ok(Self { writer })
    }

    /// Adds the rows of a part of the same layout; how many.
    ///
    /// # Errors
    /// The part cannot be read, is damaged or has another layout, or the sink does not take it.
    pub fn append(&mut self, part: &Input) -> Result<u64, TableError> {
        guarded(|| self.copy(&PartSource(Arc::clone(part))))?
    }

    fn copy(&mut self, part: &PartSource) -> Result<u64, TableError> {
        let directory = ParquetMetaDataReader::new().parse_and_finish(part).map_err(from_writer)?;
        let mut rows = 0;
        for group in directory.row_groups() {
            if group.schema_descr().root_schema() != self.writer.schema_descr().root_schema() {
                return Err(malformed("a part has other columns than the file that it is added to"));
            }
            self.copy_group(part, group).map_err(from_writer)?;
            rows += u64::try_from(group.num_rows()).map_err(|_| malformed("a part has a negative number of rows"))?;
        }
        Ok(rows)
    }

    fn copy_group(&mut self, part: &PartSource, group: &RowGroupMetaData) -> Result<(), ParquetError> {
        let mut writer = self.writer.next_row_group()?;
        for column in group.columns() {
            let copied = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size())?,
                rows_written: u64::try_from(group.num_rows())?,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            writer.append_column(part, copied)?;
        }
        writer.close().map(drop)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The sink does not take the last bytes.
    pub fn finish(self) -> Result<W, TableError> {
        let mut sink = self.writer.into_inner().map_err(from_finish)?;
        sink.flush().map_err(TableError::Write)?;
        Ok(sink)
    }
}

/// A part as the Parquet library wants it. Errors of reading are marked, so that they differ from those of the sink.
struct PartSource(Input);

impl Length for PartSource {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for PartSource {
    type T = MarkedReader;

    fn get_read(&self, start: u64) -> Result<MarkedReader, ParquetError> {
        Ok(MarkedReader(RangeReader::new(&self.0, start, u64::MAX)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.0.read(start, length).map_err(|error| ParquetError::External(Box::new(TableError::from_reader(error))))
    }
}

struct MarkedReader(RangeReader);

impl Read for MarkedReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| TableError::from_reader(error).into())
    }
}

/// An error of the library while it writes; what a source or the sink gave comes out as it was.
fn from_writer(error: ParquetError) -> TableError {
    let ParquetError::External(source) = error else { return TableError::Results(error.to_string()) };
    match source.downcast::<TableError>() {
        Ok(own) => *own,
        Err(other) => match other.downcast::<io::Error>() {
            Ok(error) => error.downcast::<TableError>().unwrap_or_else(TableError::Write),
            Err(other) => TableError::Results(other.to_string()),
        },
    }
}

/// An error at the end, when what is buffered is written; the library keeps only the text of the sink's error then.
fn from_finish(error: ParquetError) -> TableError {
    match from_writer(error) {
        TableError::Results(reason) => TableError::Write(io::Error::other(reason)),
        other => other,
    }
}
