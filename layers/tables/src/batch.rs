//! Rows in columns, with one allocation for many batches.

use crate::fault::{Fault, RowFault};
use crate::matching::Projection;
use crate::schema::{Kind, Schema};

/// The cells of a column that all take the same room. `values` and `valid` have the same length; the value of a missing
/// cell is NaN for numbers, and otherwise 0 or false.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cells<T> {
    values: Vec<T>,
    valid: Vec<bool>,
}

impl<T: Blank> Cells<T> {
    /// The values, one for each row.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Whether each row has a value.
    #[must_use]
    pub fn valid(&self) -> &[bool] {
        &self.valid
    }

    /// The cell of a row; `None` where it is missing, or where there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<T> {
        self.valid.get(row).copied().unwrap_or(false).then(|| self.values.get(row).copied()).flatten()
    }

    /// The cells from the first row to the last.
    pub fn iter(&self) -> impl Iterator<Item = Option<T>> {
        self.values.iter().zip(&self.valid).map(|(value, is_valid)| is_valid.then_some(*value))
    }

    /// One more row.
    pub fn push(&mut self, value: Option<T>) {
        self.valid.push(value.is_some());
        self.values.push(value.unwrap_or(T::BLANK));
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        self.valid.truncate(rows);
    }

    fn drop_rows(&mut self, rows: &[usize]) {
        drop_places(&mut self.values, rows);
        drop_places(&mut self.valid, rows);
    }
}

impl<T: Blank> FromIterator<Option<T>> for Cells<T> {
    fn from_iter<I: IntoIterator<Item = Option<T>>>(values: I) -> Self {
        let mut cells = Self { values: Vec::new(), valid: Vec::new() };
        values.into_iter().for_each(|value| cells.push(value));
        cells
    }
}

/// Leaves out what is at these places, which are sorted.
fn drop_places<T>(values: &mut Vec<T>, places: &[usize]) {
    let mut dropped = places.iter().peekable();
    let mut place = 0;
    values.retain(|_| {
        let is_kept = dropped.next_if(|&&drop| drop == place).is_none();
        place += 1;
        is_kept
    });
}

/// What stands in the place of a missing cell.
pub trait Blank: Copy {
    /// The value.
    const BLANK: Self;
}

impl Blank for f64 {
    const BLANK: Self = Self::NAN;
}

impl Blank for f32 {
    const BLANK: Self = Self::NAN;
}

impl Blank for i64 {
    const BLANK: Self = 0;
}

impl Blank for bool {
    const BLANK: Self = false;
}

/// The cells of a column of texts, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strings {
    text: String,
    ends: Vec<usize>,
    valid: Vec<bool>,
}

impl Strings {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cell of a row; `None` where it is missing, or where there is no such row.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        if !self.valid.get(row).copied().unwrap_or(false) {
            return None;
        }
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..*self.ends.get(row)?)
    }

    /// The cells from the first row to the last.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// One more row.
    pub fn push(&mut self, value: Option<&str>) {
        self.text.push_str(value.unwrap_or_default());
        self.ends.push(self.text.len());
        self.valid.push(value.is_some());
    }

    fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        self.valid.truncate(rows);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    fn drop_rows(&mut self, rows: &[usize]) {
        let mut kept: Vec<usize> = (0..self.len()).collect();
        drop_places(&mut kept, rows);
        *self = kept.into_iter().map(|row| self.get(row)).collect();
    }
}

impl<'a> FromIterator<Option<&'a str>> for Strings {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(values: I) -> Self {
        let mut strings = Self::default();
        values.into_iter().for_each(|value| strings.push(value));
        strings
    }
}

/// A column of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers of 64 bits.
    Number(Cells<f64>),
    /// Numbers of 32 bits.
    Single(Cells<f32>),
    /// Whole numbers.
    Integer(Cells<i64>),
    /// True or false.
    Boolean(Cells<bool>),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(Cells<i64>),
    /// Texts.
    String(Strings),
}

/// Does the same with the cells of any column.
macro_rules! each_column {
    ($column:expr, $cells:ident => $do:expr) => {
        match $column {
            $crate::batch::Column::Number($cells) => $do,
            $crate::batch::Column::Single($cells) => $do,
            $crate::batch::Column::Integer($cells) | $crate::batch::Column::Timestamp($cells) => $do,
            $crate::batch::Column::Boolean($cells) => $do,
            $crate::batch::Column::String($cells) => $do,
        }
    };
}

impl Column {
    /// A column without rows.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(Cells::default()),
            Kind::Single => Self::Single(Cells::default()),
            Kind::Integer => Self::Integer(Cells::default()),
            Kind::Boolean => Self::Boolean(Cells::default()),
            Kind::Timestamp => Self::Timestamp(Cells::default()),
            Kind::String | Kind::Verbatim => Self::String(Strings::default()),
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn len(&self) -> usize {
        each_column!(self, cells => cells.valid.len())
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a row has a value.
    #[must_use]
    pub fn is_valid(&self, row: usize) -> bool {
        each_column!(self, cells => cells.valid.get(row).copied().unwrap_or(false))
    }

    /// One more row, without a value.
    pub(crate) fn push_missing(&mut self) {
        each_column!(self, cells => cells.push(None));
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        each_column!(self, cells => cells.truncate(rows));
    }
}

/// Good rows in columns, and the faults of the bad ones between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub(crate) rows: Vec<u64>,
    pub(crate) columns: Vec<Column>,
    pub(crate) faults: Vec<RowFault>,
}

impl Batch {
    /// The most rows, good and bad, that a batch is filled with.
    pub const ROWS: usize = 4096;

    /// The size of texts, in bytes, at which a batch is full.
    pub(crate) const TEXT_BYTES: usize = 8 << 20;

    /// An empty batch, to be filled as often as there are rows.
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let columns = schema.columns.iter().map(|column| Column::new(column.kind)).collect();
        Self { rows: Vec::new(), columns, faults: Vec::new() }
    }

    /// The numbers of the good rows in the whole input; the first data row of the input is 1.
    #[must_use]
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// The columns of the good rows, as the schema orders them.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The bad rows.
    #[must_use]
    pub fn faults(&self) -> &[RowFault] {
        &self.faults
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.faults.clear();
        self.columns.iter_mut().for_each(|column| column.truncate(0));
    }

    /// Leaves out bad rows; for each its place, the column of its fault, and the fault. Of several the first one given
    /// counts.
    pub(crate) fn drop_rows(&mut self, mut bad: Vec<(usize, usize, Fault)>, projection: &Projection) {
        if !bad.is_empty() {
            bad.sort_by_key(|(place, ..)| *place);
            bad.dedup_by_key(|(place, ..)| *place);
            let places: Vec<usize> = bad.iter().map(|(place, ..)| *place).collect();
            for (place, column, fault) in bad {
                let row = self.rows.get(place).copied().unwrap_or_default();
                self.faults.push(fault.at(row, projection.name(column)));
            }
            self.faults.sort_by_key(|fault| fault.row);
            drop_places(&mut self.rows, &places);
            self.columns.iter_mut().for_each(|column| each_column!(column, cells => cells.drop_rows(&places)));
        }
    }

    /// A row is complete: all its cells are there, or none of them stays.
    pub(crate) fn end_row(&mut self, row: u64, outcome: Result<(), RowFault>) {
        match outcome {
            Ok(()) => self.rows.push(row),
            Err(fault) => {
                let rows = self.rows.len();
                self.columns.iter_mut().for_each(|column| column.truncate(rows));
                self.faults.push(fault);
            }
        }
    }
}
