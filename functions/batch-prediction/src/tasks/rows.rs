//! Rows of a table as a model takes them.

use mandi_inference::signature::{Cell, Feature, Kind, Row, Signature};
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

/// The good rows of a batch.
#[derive(Debug, Default)]
pub(super) struct GoodRows {
    /// Their places in the batch.
    pub(super) places: Vec<usize>,
    /// Their cells.
    pub(super) rows: Vec<Row>,
}

/// Reads the rows of a batch by the signature: those that are good, and what is wrong with the others, in their order.
pub(super) fn read(signature: &Signature, batch: &Batch) -> (GoodRows, Vec<FailedRow>) {
    let mut good = GoodRows::default();
    let mut failed: Vec<FailedRow> = batch.faults().iter().map(FailedRow::from).collect();
    for (place, number) in batch.rows().iter().enumerate() {
        let cells = signature.inputs.iter().zip(batch.columns());
        let read: Result<Row, (&Feature, String)> = cells
            .map(|(feature, column)| feature.checked(cell(column, place)).map_err(|detail| (feature, detail)))
            .collect();
        match read {
            Ok(row) => {
                good.places.push(place);
                good.rows.push(row);
            }
            Err((feature, detail)) => {
                failed.push(FailedRow { row: *number, column: Some(feature.name.clone()), detail });
            }
        }
    }
    failed.sort_by_key(|fault| fault.row);
    (good, failed)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are as exact as a model's numbers")]
fn cell(column: &Column, row: usize) -> Option<Cell> {
    match column {
        Column::Number(cells) => cells.get(row).map(Cell::Number),
        Column::Single(cells) => cells.get(row).map(|number| Cell::Number(number.into())),
        Column::Integer(cells) => cells.get(row).map(Cell::Integer),
        Column::Boolean(cells) => cells.get(row).map(Cell::Boolean),
        Column::Timestamp(cells) => cells.get(row).map(|moment| Cell::Number(moment as f64 / MICROSECONDS)),
        Column::String(cells) => cells.get(row).map(|text| Cell::Text(text.to_owned())),
    }
}

/// Some rows of a column.
pub(super) fn taken(column: &Column, places: &[usize]) -> Column {
    match column {
        Column::Number(cells) => Column::Number(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Single(cells) => Column::Single(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Integer(cells) => Column::Integer(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Boolean(cells) => Column::Boolean(places.iter().map(|place| cells.get(*place)).collect()),
        Column::Timestamp(cells) => Column::Timestamp(places.iter().map(|place| cells.get(*place)).collect()),
        Column::String(cells) => Column::String(places.iter().map(|place| cells.get(*place)).collect()),
    }
}
