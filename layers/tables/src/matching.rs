//! The columns of an input against those that are wanted, before anything runs.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::batch::Column;
use crate::cell::CellRule;
use crate::error::TableError;
use crate::fault::RowFault;
use crate::inspect::SourceColumn;
use crate::schema::{ColumnSpec, Kind, Missing, Schema};

/// The most names that a message lists.
const LISTED: usize = 10;

/// A wanted column that the input does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Its name.
    pub name: String,
    /// Whether its cells may be missing; then all of them are.
    pub missing: Missing,
    /// A column of the input whose name differs in case, spaces or punctuation alone.
    pub similar: Option<String>,
}

/// A wanted column whose type in the input is no such kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistyped {
    /// Its name.
    pub name: String,
    /// The type in the input, as its format names it.
    pub found: String,
    /// What is wanted.
    pub expected: Kind,
}

/// How the columns of an input fit those that are wanted.
#[derive(Debug, Clone, Serialize)]
pub struct Matching {
    /// Wanted, and not in the input. Those that may be missing do not hinder a run.
    pub absent: Vec<Absent>,
    /// In the input, and not wanted. They do not hinder a run.
    pub extra: Vec<String>,
    /// Wanted, and several times in the input.
    pub ambiguous: Vec<String>,
    /// Wanted as another kind than they are.
    pub mistyped: Vec<Mistyped>,
    #[serde(skip)]
    projection: Projection,
}

/// Which column of the input becomes which column of a batch, and how.
#[derive(Debug, Clone, Default)]
pub struct Projection {
    names: Vec<String>,
    rules: Vec<CellRule>,
    targets: Vec<Target>,
    absent: Vec<usize>,
    sources: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) source: usize,
    pub(crate) column: usize,
}

/// Compares the columns of an input with those that are wanted, by name.
#[must_use]
pub fn match_columns(schema: &Schema, sources: &[SourceColumn]) -> Matching {
    let mut matching = Matching {
        absent: Vec::new(),
        extra: Vec::new(),
        ambiguous: Vec::new(),
        mistyped: Vec::new(),
        projection: Projection {
            names: schema.columns.iter().map(|spec| spec.name.clone()).collect(),
            rules: schema.columns.iter().map(CellRule::new).collect(),
            targets: Vec::new(),
            absent: Vec::new(),
            sources: sources.len(),
        },
    };
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, source) in sources.iter().enumerate() {
        places.entry(&source.name).or_default().push(place);
    }
    let mut similar = None;
    for (column, spec) in schema.columns.iter().enumerate() {
        match places.get(spec.name.as_str()).map(Vec::as_slice) {
            None | Some([]) => {
                let similar = similar.get_or_insert_with(|| plain_names(sources));
                let similar = similar.get(&plain(&spec.name)).map(|&name| name.to_owned());
                matching.absent.push(Absent { name: spec.name.clone(), missing: spec.missing, similar });
                matching.projection.absent.push(column);
            }
            Some(&[source]) => {
                matching.mistyped.extend(sources.get(source).and_then(|found| mistyped(spec, found)));
                matching.projection.targets.push(Target { source, column });
            }
            Some(_) => matching.ambiguous.push(spec.name.clone()),
        }
    }
    matching.projection.targets.sort_unstable();
    let wanted: HashSet<&str> = schema.columns.iter().map(|spec| spec.name.as_str()).collect();
    let names = sources.iter().map(|source| &source.name);
    matching.extra.extend(names.filter(|name| !wanted.contains(name.as_str())).cloned());
    matching
}

/// A name without case, spaces and punctuation.
fn plain(name: &str) -> String {
    name.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn plain_names(sources: &[SourceColumn]) -> HashMap<String, &str> {
    let names = sources.iter().map(|source| (plain(&source.name), source.name.as_str()));
    names.filter(|(plain, _)| !plain.is_empty()).collect()
}

fn mistyped(spec: &ColumnSpec, source: &SourceColumn) -> Option<Mistyped> {
    let stored = source.stored.as_ref()?;
    let fits = stored.kinds.contains(&spec.kind);
    (!fits).then(|| Mistyped { name: spec.name.clone(), found: stored.name.clone(), expected: spec.kind })
}

impl Matching {
    /// How to read the wanted columns.
    ///
    /// # Errors
    /// A column that may not be missing is absent, one is there several times, or one has another type
    /// ([`TableError::Columns`], which names them).
    pub fn accept(self) -> Result<Projection, TableError> {
        let mut reasons = Vec::new();
        let refused: Vec<String> = self
            .absent
            .iter()
            .filter(|absent| absent.missing == Missing::Refused)
            .map(|absent| match &absent.similar {
                Some(similar) => format!("`{}` (there is `{similar}`)", absent.name),
                None => format!("`{}`", absent.name),
            })
            .collect();
        if !refused.is_empty() {
            reasons.push(format!("missing: {}", listed(&refused)));
        }
        if !self.ambiguous.is_empty() {
            let names: Vec<String> = self.ambiguous.iter().map(|name| format!("`{name}`")).collect();
            reasons.push(format!("there several times: {}", listed(&names)));
        }
        let wrong =
            |one: &Mistyped| format!("`{}` is {} where {} is wanted", one.name, one.found, one.expected.described());
        if !self.mistyped.is_empty() {
            reasons.push(listed(&self.mistyped.iter().map(wrong).collect::<Vec<_>>()));
        }
        if reasons.is_empty() { Ok(self.projection) } else { Err(TableError::Columns(reasons.join("; "))) }
    }
}

/// The first names, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown = names.get(..LISTED).unwrap_or(names).join(", ");
    if names.len() > LISTED { format!("{shown} and {} more", names.len() - LISTED) } else { shown }
}

impl Projection {
    /// Sorted by the input's columns.
    pub(crate) fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// How many columns the input has.
    pub(crate) fn sources(&self) -> usize {
        self.sources
    }

    /// The name of a batch's column.
    pub(crate) fn name(&self, column: usize) -> Option<&str> {
        self.names.get(column).map(String::as_str)
    }

    /// The names of a batch's columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// A column of a batch and its rule.
    pub(crate) fn column<'a>(&self, columns: &'a mut [Column], column: usize) -> Option<(&'a mut Column, &CellRule)> {
        columns.get_mut(column).zip(self.rules.get(column))
    }

    /// The columns of a batch that the input does not have.
    pub(crate) fn absent(&self) -> &[usize] {
        &self.absent
    }

    /// Completes a row with the columns that the input does not have.
    pub(crate) fn push_absent(&self, columns: &mut [Column], row: u64) -> Result<(), RowFault> {
        for &absent in &self.absent {
            if let Some((column, rule)) = self.column(columns, absent) {
                rule.push_missing(column, b"").map_err(|fault| fault.at(row, self.name(absent)))?;
            }
        }
        Ok(())
    }
}
