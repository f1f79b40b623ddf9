//! Tables that pandas, pyarrow and polars wrote are read with the values that they read themselves.
//! `tests/fixtures/make.py` writes the tables and `expected.json`.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use mandi_tables::{
    Batch, Column, ColumnSpec, Copy, Input, Kind, Limits, MemoryRange, Missing, Place, Schema, ShardReader, Stated,
    TextEncoding, inspect, match_columns, plan,
};
use serde::Deserialize;

/// What `expected.json` says of a file. Cells are texts: numbers as Python shows them, moments in microseconds.
#[derive(Deserialize)]
struct Expected {
    stated: BTreeMap<String, String>,
    kinds: Names,
    rows: Vec<Vec<Option<String>>>,
}

/// Columns in the order in which the file names them.
struct Names(Vec<(String, Kind)>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> serde::de::Visitor<'de> for Pairs {
            type Value = Names;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("kinds by name")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Names(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn all_expected() -> BTreeMap<String, Expected> {
    serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

/// The rows of a file, read in shards of three rows.
fn read(file: &str, expected: &Expected) -> Vec<Vec<Option<String>>> {
    let input: Input = Arc::new(MemoryRange::new(std::fs::read(folder().join(file)).unwrap()));
    let limits = Limits::default();
    let encoding = expected.stated.get("encoding").map(|label| TextEncoding::parse(label).unwrap());
    let inspection = inspect(&input, &Stated { encoding, ..Stated::default() }, &limits).unwrap();
    let mut copy = Vec::new();
    let plan = plan(&input, &inspection, NonZeroU64::new(3).unwrap(), Copy::To(&mut copy), &limits).unwrap();
    let input = if plan.reading.place() == Place::Copy { Arc::new(MemoryRange::new(copy)) } else { input };
    let spec = |(name, kind): &(String, Kind)| ColumnSpec::new(name, *kind, Missing::Allowed);
    let schema = Schema::new(expected.kinds.0.iter().map(spec).collect());
    let matching = match_columns(&schema, &plan.reading.columns);
    assert!(matching.absent.is_empty() && matching.extra.is_empty(), "{file}: {matching:?}");
    let projection = Arc::new(matching.accept().unwrap());
    let mut batch = Batch::new(&schema);
    let mut rows = Vec::new();
    for shard in &plan.shards {
        let mut reader = ShardReader::open(&input, &plan.reading, shard, &projection, &limits).unwrap();
        while reader.read(&mut batch).unwrap() {
            assert!(batch.faults().is_empty(), "{file}: {:?}", batch.faults());
            rows.extend((0..batch.rows().len()).map(|at| batch.columns().iter().map(|one| shown(one, at)).collect()));
        }
    }
    rows
}

fn shown(column: &Column, at: usize) -> Option<String> {
    match column {
        Column::Number(cells) => cells.get(at).map(|value| value.to_string()),
        Column::Single(cells) => cells.get(at).map(|value| value.to_string()),
        Column::Integer(cells) | Column::Timestamp(cells) => cells.get(at).map(|value| value.to_string()),
        Column::Boolean(cells) => cells.get(at).map(|value| value.to_string()),
        Column::String(strings) => strings.get(at).map(str::to_owned),
    }
}

/// A cell as [`shown`] shows it; numbers must be the same to the last bit.
fn wanted(cell: Option<&String>, kind: Kind) -> Option<String> {
    cell.map(|text| if kind == Kind::Number { text.parse::<f64>().unwrap().to_string() } else { text.clone() })
}

fn assert_as_expected(files: impl Fn(&str) -> bool) {
    let expected = all_expected();
    let mut compared = 0;
    for (file, expected) in expected.iter().filter(|(file, _)| files(file)) {
        let rows: Vec<Vec<Option<String>>> = expected
            .rows
            .iter()
            .map(|row| {
                row.iter().zip(&expected.kinds.0).map(|(cell, (_, kind))| wanted(cell.as_ref(), *kind)).collect()
            })
            .collect();
        let found = read(file, expected);
        for (row, (found, wanted)) in found.iter().zip(&rows).enumerate() {
            assert_eq!(found, wanted, "{file}, row {}", row + 1);
        }
        assert_eq!(found.len(), rows.len(), "{file}");
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn given_csv_of_several_dialects_encodings_and_compressions_when_it_is_read_then_its_values_are_those_of_pandas() {
    assert_as_expected(|file| file.contains(".csv"));
}

#[test]
fn given_json_lines_when_they_are_read_then_their_values_are_those_of_python() {
    assert_as_expected(|file| file.ends_with(".jsonl"));
}

#[test]
fn given_parquet_of_several_types_encodings_and_codecs_when_it_is_read_then_its_values_are_those_of_pyarrow() {
    assert_as_expected(|file| file.ends_with(".parquet"));
}

fn inspected(file: &str) -> Result<mandi_tables::Inspection, mandi_tables::TableError> {
    let input: Input = Arc::new(MemoryRange::new(std::fs::read(folder().join(file)).unwrap()));
    inspect(&input, &Stated::default(), &Limits::default())
}

#[test]
fn given_a_nested_column_then_the_others_can_be_copied_and_it_cannot() {
    let columns = inspected("pyarrow-nested.parquet").unwrap().columns;
    let can_be: Vec<(&str, bool)> =
        columns.iter().map(|column| (column.name.as_str(), column.can_be_copied())).collect();
    assert_eq!(can_be, [("moisture_percent", true), ("lot_id", true), ("tags", false)]);
}

#[test]
fn given_a_compression_that_is_not_read_then_it_is_said_before_a_row_is_read() {
    let refused = inspected("pyarrow-brotli.parquet").unwrap_err().to_string();
    assert!(refused.contains("`moisture_percent` is compressed by BROTLI") && refused.contains("zstd"), "{refused}");
}
