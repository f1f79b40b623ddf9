//! Parquet: its directory, its types, and the rows of a shard.

mod expansion;
mod read;
mod rows;
mod source;
mod types;

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Compression;
use parquet::file::metadata::RowGroupMetaData;

use crate::error::TableError;
use crate::inspect::SourceColumn;
use crate::limits::Limits;
use crate::plan::{Extent, Shard, too_many_shards};
use crate::range::Input;
use source::Source;

pub(crate) use read::ParquetReader;
pub(crate) use rows::{Rows, open_rows};

/// Whether a file that begins so is Parquet.
pub(crate) fn is_one(start: &[u8]) -> bool {
    start.starts_with(b"PAR1")
}

/// The rows that it says that it has, and its columns.
pub(crate) fn inspect(input: &Input, limits: &Limits) -> Result<(u64, Vec<SourceColumn>), TableError> {
    let metadata = directory(input, limits)?;
    check_compression(&metadata)?;
    let rows = group_rows(&metadata)?.iter().try_fold(0_u64, |sum, &rows| sum.checked_add(rows));
    let rows = rows.ok_or_else(|| malformed("its row counts overflow"))?;
    Ok((rows, metadata.schema().fields().iter().map(|field| types::column(field)).collect()))
}

/// Whether each column is compressed by what is read here.
fn check_compression(metadata: &ArrowReaderMetadata) -> Result<(), TableError> {
    let mut chunks = metadata.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns);
    let unread = chunks.find(|chunk| matches!(chunk.compression(), Compression::BROTLI(_) | Compression::LZO));
    match unread {
        None => Ok(()),
        Some(chunk) => {
            let (name, codec) = (chunk.column_path().string(), chunk.compression());
            let read = "zstd, snappy, gzip and lz4 are read";
            Err(malformed(format!("column `{name}` is compressed by {codec}; {read}, write the file by one of them")))
        }
    }
}

/// Row groups, cut where they have more rows than a shard, and joined where several have no more together.
pub(crate) fn shards(input: &Input, shard_rows: NonZeroU64, limits: &Limits) -> Result<Vec<Shard>, TableError> {
    let shard_rows = shard_rows.get();
    let mut sizes: Vec<u64> = Vec::new();
    // What of the last shard may be joined with the next row group.
    let mut open = 0;
    for rows in group_rows(&directory(input, limits)?)? {
        if rows == 0 {
            continue;
        }
        match sizes.last_mut() {
            Some(last) if open > 0 && rows <= shard_rows.saturating_sub(open) => {
                *last += rows;
                open += rows;
            }
            _ => {
                if rows.div_ceil(shard_rows) > (limits.shards - sizes.len()) as u64 {
                    return Err(too_many_shards(limits.shards));
                }
                let mut left = rows;
                while left > 0 {
                    sizes.push(left.min(shard_rows));
                    left -= left.min(shard_rows);
                }
                open = if rows <= shard_rows { rows } else { 0 };
            }
        }
    }
    let mut first_row = 1;
    let shard = |(index, rows)| {
        let shard = Shard { index, first_row, rows, extent: Extent::Rows };
        first_row += rows;
        shard
    };
    Ok(sizes.into_iter().enumerate().map(shard).collect())
}

/// The directory at the end of the file.
fn directory(input: &Input, limits: &Limits) -> Result<ArrowReaderMetadata, TableError> {
    let source = Source::new(input, limits);
    guarded(|| ArrowReaderMetadata::load(&source, options()))?.map_err(from_parquet)
}

/// Types are those of Parquet itself, not those that a writer wished for.
fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

fn group_rows(metadata: &ArrowReaderMetadata) -> Result<Vec<u64>, TableError> {
    let groups = metadata.metadata().row_groups().iter();
    let rows = groups.map(|group| u64::try_from(group.num_rows()));
    rows.collect::<Result<_, _>>().map_err(|_| malformed("a row group has a negative number of rows"))
}

pub(crate) fn malformed(reason: impl Into<String>) -> TableError {
    TableError::Malformed { format: "Parquet", reason: reason.into() }
}

/// The store's own errors come out as they were.
fn from_parquet(error: parquet::errors::ParquetError) -> TableError {
    match error {
        parquet::errors::ParquetError::External(source) => match source.downcast::<TableError>() {
            Ok(own) => *own,
            Err(other) => malformed(other.to_string()),
        },
        other => malformed(other.to_string()),
    }
}

/// A damaged file may make the decoder panic; that is an error of the file.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, TableError> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|_| malformed("it is damaged: its pages contradict its directory"))
}
