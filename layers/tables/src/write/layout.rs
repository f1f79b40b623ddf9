//! The columns of results.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::TextFormat;
use super::text::push_csv_text;
use crate::batch::Column;
use crate::error::TableError;
use crate::schema::Kind;

/// A column of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultColumn {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
}

/// The columns of results in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultLayout {
    columns: Vec<ResultColumn>,
}

impl ResultLayout {
    /// These columns: usually those that are copied from the input, then the prediction, its interval, and so on.
    ///
    /// # Errors
    /// Two have the same name, or there is none ([`TableError::Results`]).
    pub fn new(columns: Vec<ResultColumn>) -> Result<Self, TableError> {
        let mut names = HashSet::new();
        if let Some(twice) = columns.iter().find(|column| !names.insert(column.name.as_str())) {
            let reason = format!("two columns are named `{}`; leave the input's column out or rename it", twice.name);
            return Err(TableError::Results(reason));
        }
        if columns.is_empty() {
            Err(TableError::Results("there are no columns".to_owned()))
        } else {
            Ok(Self { columns })
        }
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[ResultColumn] {
        &self.columns
    }

    /// What comes before the first part: the header of CSV, nothing for JSON Lines.
    #[must_use]
    pub fn head(&self, format: TextFormat) -> Vec<u8> {
        let mut head = Vec::new();
        if format == TextFormat::Csv {
            for (place, column) in self.columns.iter().enumerate() {
                if place > 0 {
                    head.push(b',');
                }
                push_csv_text(&mut head, &column.name);
            }
            head.push(b'\n');
        }
        head
    }

    /// How many rows these columns have.
    ///
    /// # Errors
    /// They are not those of the layout, or have different lengths.
    pub(crate) fn rows(&self, columns: &[&Column]) -> Result<usize, TableError> {
        let wanted = self.columns.len();
        if columns.len() != wanted {
            return Err(TableError::Results(format!("{} columns are given for {wanted}", columns.len())));
        }
        let rows = columns.first().map_or(0, |column| column.len());
        for (column, given) in self.columns.iter().zip(columns) {
            if std::mem::discriminant(*given) != std::mem::discriminant(&Column::new(column.kind)) {
                let reason =
                    format!("column `{}` is given as another kind than {}", column.name, column.kind.described());
                return Err(TableError::Results(reason));
            }
            if given.len() != rows {
                let reason = format!("column `{}` has {} rows, and the first one {rows}", column.name, given.len());
                return Err(TableError::Results(reason));
            }
        }
        Ok(rows)
    }
}
