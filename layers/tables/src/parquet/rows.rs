//! Some rows of a file, with few reads of the store.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::RowGroupMetaData;

use super::{directory, group_rows, types};
use crate::error::TableError;
use crate::inspect::SourceColumn;
use crate::limits::Limits;
use crate::range::{Input, RangeRead};

/// How much of the end of a file is read at once; the directory of most files is in it.
const TAIL_BYTES: u64 = 64 << 10;
/// The largest row group that is read at once, in bytes.
const GROUP_BYTES: u64 = 64 << 20;

/// How far the library looks for the end of a page's header, in bytes.
const HEADER_BYTES: u64 = 65 << 10;

/// Rows, one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    /// How many come before them in the file.
    pub(crate) first: u64,
    /// How many they are.
    pub(crate) count: u64,
}

impl Rows {
    /// The row groups that hold them, and how many rows of the first one come before them.
    pub(super) fn groups(self, sizes: &[u64]) -> (Vec<usize>, usize) {
        let end = self.first.saturating_add(self.count);
        let mut groups = Vec::new();
        let mut skipped = 0;
        let mut start = 0_u64;
        for (group, &rows) in sizes.iter().enumerate() {
            let next = start.saturating_add(rows);
            if next > self.first && start < end {
                if groups.is_empty() {
                    skipped = usize::try_from(self.first.saturating_sub(start)).unwrap_or(usize::MAX);
                }
                groups.push(group);
            }
            start = next;
        }
        (groups, skipped)
    }
}

/// What is known of a file of which some rows are wanted.
pub(crate) struct Opened {
    /// The file, of which the parts that those rows need are in memory.
    pub(crate) input: Input,
    /// How many rows it has.
    pub(crate) rows: u64,
    /// Its columns.
    pub(crate) columns: Vec<SourceColumn>,
}

/// Reads the directory, and the row groups that hold some rows.
pub(crate) fn open_rows(input: &Input, wanted: Rows, limits: &Limits) -> Result<Opened, TableError> {
    let mut held = Held { input: Arc::clone(input), parts: Vec::new() };
    held.load(input.len().saturating_sub(TAIL_BYTES)..input.len())?;
    let metadata = directory(&(Arc::new(held.clone()) as Input), limits)?;
    let sizes = group_rows(&metadata)?;
    for group in wanted.groups(&sizes).0 {
        let span = metadata.metadata().row_groups().get(group).and_then(span);
        if let Some(span) = span.filter(|span| span.end <= input.len() && span.end - span.start <= GROUP_BYTES) {
            held.load(span.start..(span.end + HEADER_BYTES).min(input.len()))?;
        }
    }
    let rows = sizes.iter().fold(0_u64, |sum, &rows| sum.saturating_add(rows));
    let columns = metadata.schema().fields().iter().map(|field| types::column(field)).collect();
    Ok(Opened { input: Arc::new(held), rows, columns })
}

/// Where a row group is, if its columns are where they may be.
fn span(group: &RowGroupMetaData) -> Option<Range<u64>> {
    let place = |column: &parquet::file::metadata::ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or(i64::MAX).min(column.data_page_offset());
        let start = u64::try_from(start).ok()?;
        Some(start..start.checked_add(u64::try_from(column.compressed_size()).ok()?)?)
    };
    let mut columns = group.columns().iter().map(place);
    let first = columns.next()??;
    columns.try_fold(first, |all, column| {
        let column = column?;
        Some(all.start.min(column.start)..all.end.max(column.end))
    })
}

/// An input, some of whose parts are in memory.
#[derive(Clone)]
struct Held {
    input: Input,
    parts: Vec<(u64, Bytes)>,
}

impl Held {
    fn load(&mut self, span: Range<u64>) -> Result<(), TableError> {
        let length = usize::try_from(span.end.saturating_sub(span.start)).map_err(|_| super::malformed("too large"))?;
        if self.part(span.start, length).is_none() {
            let bytes = self.input.read(span.start, length).map_err(TableError::from_reader)?;
            self.parts.push((span.start, bytes));
        }
        Ok(())
    }

    fn part(&self, offset: u64, length: usize) -> Option<Bytes> {
        self.parts.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
            let to = from.checked_add(length)?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        })
    }
}

impl RangeRead for Held {
    fn len(&self) -> u64 {
        self.input.len()
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.part(offset, length).map_or_else(|| self.input.read(offset, length), Ok)
    }
}
