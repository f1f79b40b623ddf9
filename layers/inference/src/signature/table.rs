//! Rows of a table, read by a signature column by column: what a batch of thousands of rows needs.

use std::collections::HashMap;

use super::{Bound, Cell, Feature, Kind, Row};
use crate::onnx::Value;

/// The cells of one feature, typed as the feature is; times are seconds since 1970.
pub enum ColumnCells<'a> {
    /// Numbers; a cell is missing where `valid` says so.
    Numbers {
        /// One for each row.
        values: &'a [f64],
        /// Whether each row has one.
        valid: &'a [bool],
    },
    /// Cells of any kind; `None` is a missing one.
    Any(Box<dyn Iterator<Item = Option<Cell>> + 'a>),
}

impl std::fmt::Debug for ColumnCells<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ColumnCells")
    }
}

/// What is wrong with a row of a table: its first fault, in the order of the features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFault {
    /// The place of the row.
    pub row: usize,
    /// The feature.
    pub column: String,
    /// What it holds, and what is expected.
    pub detail: String,
}

/// The cells of a feature as the model is to get them; those of bad rows stand for nothing.
#[derive(Debug)]
pub(super) enum Filled {
    Numbers(Vec<f64>),
    Cells(Vec<Cell>),
}

/// A table that was read by a signature.
#[derive(Debug)]
pub struct ReadTable {
    pub(super) filled: Vec<Filled>,
    good: Vec<usize>,
    faults: Vec<TableFault>,
}

impl ReadTable {
    /// The places of the good rows, in their order.
    #[must_use]
    pub fn good(&self) -> &[usize] {
        &self.good
    }

    /// What is wrong with the others, one fault for each.
    #[must_use]
    pub fn faults(&self) -> &[TableFault] {
        &self.faults
    }

    /// The cells of a row, as [`super::Signature::read_row`] gives them.
    #[must_use]
    pub fn row(&self, place: usize) -> Row {
        let cell = |filled: &Filled| match filled {
            Filled::Numbers(numbers) => Cell::Number(numbers.get(place).copied().unwrap_or(f64::NAN)),
            Filled::Cells(cells) => cells.get(place).cloned().unwrap_or(Cell::Number(f64::NAN)),
        };
        self.filled.iter().map(cell).collect()
    }
}

impl Bound {
    /// Reads `rows` rows of a table, whose columns are in the order of the features.
    #[must_use]
    pub fn read_table(&self, columns: Vec<ColumnCells<'_>>, rows: usize) -> ReadTable {
        let mut faults: Vec<Option<TableFault>> = vec![None; rows];
        let mut filled = Vec::with_capacity(columns.len());
        for (feature, column) in self.signature().inputs.iter().zip(columns) {
            let mut fail = |row: usize, detail: String| {
                if let Some(fault @ None) = faults.get_mut(row) {
                    *fault = Some(TableFault { row, column: feature.name.clone(), detail });
                }
            };
            filled.push(match column {
                ColumnCells::Numbers { values, valid } if feature.is_plain_number() => {
                    Filled::Numbers(numbers(feature, values, valid, &mut fail))
                }
                ColumnCells::Numbers { values, valid } => {
                    let cells = values.iter().zip(valid).map(|(value, valid)| valid.then_some(Cell::Number(*value)));
                    Filled::Cells(checked(feature, cells, &mut fail))
                }
                ColumnCells::Any(cells) => Filled::Cells(checked(feature, cells, &mut fail)),
            });
        }
        let good = faults.iter().enumerate().filter(|(_, fault)| fault.is_none()).map(|(row, _)| row).collect();
        ReadTable { filled, good, faults: faults.into_iter().flatten().collect() }
    }

    /// The model's inputs of some rows of a table, by their places.
    #[must_use]
    pub fn table_inputs(&self, table: &ReadTable, places: &[usize]) -> HashMap<String, Value> {
        let filled = |port: &super::bind::Port| {
            let tensor = match self.fill_numbers(port, &table.filled, places) {
                Some(tensor) => tensor,
                None => {
                    let rows: Vec<Row> = places.iter().map(|place| table.row(*place)).collect();
                    self.fill(port, &rows)
                }
            };
            (port.name.clone(), Value::Tensor(tensor))
        };
        self.ports.iter().map(filled).collect()
    }
}

impl Feature {
    /// Whether it is a number that only a range bounds.
    fn is_plain_number(&self) -> bool {
        matches!(self.kind, Kind::Number | Kind::Timestamp) && self.categories.is_none() && self.shape.is_empty()
    }
}

fn numbers(feature: &Feature, values: &[f64], valid: &[bool], fail: &mut impl FnMut(usize, String)) -> Vec<f64> {
    let (min, max) = match &feature.range {
        Some(range) => (range.min.unwrap_or(f64::MIN), range.max.unwrap_or(f64::MAX)),
        None => (f64::MIN, f64::MAX),
    };
    let mut filled = values.to_vec();
    for (row, (value, valid)) in filled.iter_mut().zip(valid).enumerate() {
        // Neither "not a number" nor an infinity lies between them.
        if *valid && (min..=max).contains(value) {
            continue;
        }
        match feature.checked(valid.then_some(Cell::Number(*value))) {
            Ok(Cell::Number(number)) => *value = number,
            Ok(_) => *value = f64::NAN,
            Err(detail) => fail(row, detail),
        }
    }
    filled
}

fn checked(
    feature: &Feature,
    cells: impl Iterator<Item = Option<Cell>>,
    fail: &mut impl FnMut(usize, String),
) -> Vec<Cell> {
    let cell = |(row, cell): (usize, Option<Cell>)| {
        feature.checked(cell).unwrap_or_else(|detail| {
            fail(row, detail);
            Cell::Number(f64::NAN)
        })
    };
    cells.enumerate().map(cell).collect()
}
