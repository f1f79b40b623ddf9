//! Results in any format, by the same calls.

use std::io::Write;

use super::{ParquetFile, ParquetPart, PartWriter, ResultLayout, TextFormat};
use crate::batch::Column;
use crate::error::TableError;
use crate::inspect::Format;
use crate::range::{Input, RangeReader};

/// One part of results, in any format. The same rows in the same calls give the same bytes.
pub enum ResultPart<W: Write + Send> {
    /// CSV or JSON Lines.
    Text(PartWriter<W>),
    /// Parquet.
    Parquet(Box<ParquetPart<W>>),
}

impl<W: Write + Send> ResultPart<W> {
    /// Begins a part.
    ///
    /// # Errors
    /// The sink does not take the first bytes.
    pub fn new(sink: W, format: Format, layout: ResultLayout) -> Result<Self, TableError> {
        Ok(match TextFormat::of(format) {
            Some(format) => Self::Text(PartWriter::new(sink, format, layout)),
            None => Self::Parquet(Box::new(ParquetPart::new(sink, layout)?)),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The columns are not those of the layout, have different lengths, or the sink does not take them.
    pub fn write(&mut self, columns: &[&Column]) -> Result<(), TableError> {
        match self {
            Self::Text(part) => part.write(columns),
            Self::Parquet(part) => part.write(columns),
        }
    }

    /// Ends the part.
    ///
    /// # Errors
    /// The sink does not take the last bytes.
    pub fn finish(self) -> Result<W, TableError> {
        match self {
            Self::Text(part) => part.finish(),
            Self::Parquet(part) => part.finish(),
        }
    }
}

/// One file of parts, which are added in the order of their rows. A part is copied as it is read, and never held whole.
pub enum ResultFile<W: Write + Send> {
    /// CSV or JSON Lines.
    Text(W),
    /// Parquet.
    Parquet(Box<ParquetFile<W>>),
}

impl<W: Write + Send> ResultFile<W> {
    /// Begins a file: for CSV with its header.
    ///
    /// # Errors
    /// The sink does not take the first bytes.
    pub fn new(mut sink: W, format: Format, layout: &ResultLayout) -> Result<Self, TableError> {
        match TextFormat::of(format) {
            Some(format) => {
                sink.write_all(&layout.head(format)).map_err(TableError::Write)?;
                Ok(Self::Text(sink))
            }
            None => Ok(Self::Parquet(Box::new(ParquetFile::new(sink, layout)?))),
        }
    }

    /// Adds a part.
    ///
    /// # Errors
    /// The part cannot be read, is of another format or layout, or the sink does not take it.
    pub fn append(&mut self, part: &Input) -> Result<(), TableError> {
        match self {
            Self::Text(sink) => {
                let mut reader = RangeReader::new(part, 0, part.len());
                while let Some(chunk) = reader.next_chunk().map_err(TableError::from_reader)? {
                    sink.write_all(&chunk).map_err(TableError::Write)?;
                }
                Ok(())
            }
            Self::Parquet(file) => file.append(part).map(drop),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The sink does not take the last bytes.
    pub fn finish(self) -> Result<W, TableError> {
        match self {
            Self::Text(mut sink) => {
                sink.flush().map_err(TableError::Write)?;
                Ok(sink)
            }
            Self::Parquet(file) => file.finish(),
        }
    }
}
