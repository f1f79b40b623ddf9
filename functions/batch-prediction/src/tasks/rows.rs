//! Rows of a table as a model takes them.

use mandi_inference::signature::{Bound, Cell, ColumnCells, Feature, Kind, ReadTable, Signature};
use mandi_tables::{Batch, Column, ColumnSpec, Kind as Stored, Missing, RowFault, Schema};
use serde::{Deserialize, Serialize};

use utoipa::ToSchema;

use crate::jobs::CopiedColumn;

/// Microseconds in a second.
const MICROSECONDS: f64 = 1e6;

/// What is wrong with a row of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FailedRow {
    /// The row of data in the whole table; the first is 1.
    pub(crate) row: u64,
    /// The column, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    /// What it holds, and what is expected.
    pub(crate) detail: String,
}

impl From<&RowFault> for FailedRow {
    fn from(fault: &RowFault) -> Self {
        let sample = if fault.sample.is_empty() { String::new() } else { format!(" `{}`", fault.sample) };
        let detail = format!("it holds {}{sample}; {} is expected", fault.found, fault.expected);
        Self { row: fault.row, column: fault.column.clone(), detail }
    }
}

/// The columns that are read: those of the features, then those that are copied.
pub(crate) fn schema(signature: &Signature, copied: &[CopiedColumn]) -> Schema {
    let of_feature = |feature: &Feature| {
        let kind = match feature.kind {
            Kind::Number => Stored::Number,
            Kind::Integer => Stored::Integer,
            Kind::String => Stored::String,
            Kind::Boolean => Stored::Boolean,
            Kind::Timestamp => Stored::Timestamp,
        };
        let missing = match feature.missing {
            mandi_inference::signature::Missing::Error => Missing::Refused,
            _ => Missing::Allowed,
        };
        ColumnSpec::new(&feature.name, kind, missing)
    };
    let of_copied = |column: &CopiedColumn| ColumnSpec::new(&column.name, column.kind, Missing::Allowed);
    Schema::new(signature.inputs.iter().map(of_feature).chain(copied.iter().map(of_copied)).collect())
}

/// Reads the rows of a batch by the signature. What is wrong is told in the order of the rows.
pub(super) fn read(bound: &Bound, batch: &Batch) -> (ReadTable, Vec<FailedRow>) {
    let columns = bound.signature().inputs.iter().zip(batch.columns()).map(|(_, column)| cells(column)).collect();
    let table = bound.read_table(columns, batch.rows().len());
    let mut failed: Vec<FailedRow> = batch.faults().iter().map(FailedRow::from).collect();
    failed.extend(table.faults().iter().map(|fault| FailedRow {
        row: batch.rows().get(fault.row).copied().unwrap_or_default(),
        column: Some(fault.column.clone()),
        detail: fault.detail.clone(),
    }));
    failed.sort_by_key(|fault| fault.row);
    (table, failed)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are as exact as a model's numbers")]
fn cells(column: &Column) -> ColumnCells<'_> {
    match column {
        Column::Number(cells) => ColumnCells::Numbers { values: cells.values(), valid: cells.valid() },
        Column::Single(cells) => {
            ColumnCells::Any(Box::new(cells.iter().map(|cell| cell.map(|number| Cell::Number(number.into())))))
        }
        Column::Integer(cells) => ColumnCells::Any(Box::new(cells.iter().map(|cell| cell.map(Cell::Integer)))),
        Column::Boolean(cells) => ColumnCells::Any(Box::new(cells.iter().map(|cell| cell.map(Cell::Boolean)))),
        Column::Timestamp(cells) => ColumnCells::Any(Box::new(
            cells.iter().map(|cell| cell.map(|moment| Cell::Number(moment as f64 / MICROSECONDS))),
        )),
        Column::String(cells) => {
            ColumnCells::Any(Box::new(cells.iter().map(|cell| cell.map(|text| Cell::Text(text.to_owned())))))
        }
    }
}

/// Some rows of a column.
pub(super) fn taken(column: &Column, places: &[usize]) -> Column {
    if places.len() == column.len() {
        return column.clone();
    }
    match column {
        Column::Number(cells) => Column::Number(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Single(cells) => Column::Single(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Integer(cells) => Column::Integer(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Boolean(cells) => Column::Boolean(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Timestamp(cells) => Column::Timestamp(places.iter().map(|place| cells.get(*place)).collect()),
        Column::String(cells) => Column::String(places.iter().map(|place| cells.get(*place)).collect()),
    }
}
