//! Shards, read one behind the other, are the whole input.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first surprise")]

use std::num::NonZeroU64;
use std::sync::Arc;

use mandi_tables::{
    Batch, Column, ColumnSpec, Copy, Input, Kind, Limits, MemoryRange, Missing, Plan, RowFault, Schema, ShardReader,
    Stated, inspect, match_columns, plan,
};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

type Row = Vec<Option<String>>;

fn planned(input: &Input, stated: &Stated, shard_rows: u64) -> (Plan, Input) {
    let limits = Limits::default();
    let inspection = inspect(input, stated, &limits).expect("the input is a table");
    let mut copy = Vec::new();
    let rows = NonZeroU64::new(shard_rows).expect("a shard has rows");
    let plan = plan(input, &inspection, rows, Copy::To(&mut copy), &limits).expect("it can be planned");
    let place: Input = match plan.reading.place() {
        mandi_tables::Place::Input => Arc::clone(input),
        mandi_tables::Place::Copy => Arc::new(MemoryRange::new(copy)),
    };
    (plan, place)
}

fn read(plan: &Plan, input: &Input, schema: &Schema) -> (Vec<(u64, Row)>, Vec<RowFault>) {
    let projection = Arc::new(match_columns(schema, &plan.reading.columns).accept().expect("the columns fit"));
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut batch = Batch::new(schema);
    for shard in &plan.shards {
        let mut reader = ShardReader::open(input, &plan.reading, shard, &projection, &Limits::default()).unwrap();
        while reader.read(&mut batch).unwrap() {
            faults.extend_from_slice(batch.faults());
            for (at, &row) in batch.rows().iter().enumerate() {
                rows.push((row, batch.columns().iter().map(|column| shown(column, at)).collect()));
            }
        }
    }
    (rows, faults)
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

fn verbatim(columns: usize) -> Schema {
    let spec = |place: usize| ColumnSpec::new(format!("c{place}"), Kind::Verbatim, Missing::Allowed);
    Schema::new((0..columns).map(spec).collect())
}

/// A table and its text, in which every kind of quoting occurs.
fn random_table(random: &mut StdRng) -> (String, Vec<Row>) {
    let columns = random.random_range(2..5);
    let ends = ["\n", "\r\n", "\r"];
    let end = ends[random.random_range(0..ends.len())];
    let pieces = ["a", "ä", ",", "\"", "\n", "\r\n", "\r", " ", "1.5", ""];
    let mut text = (0..columns).map(|place| format!("c{place}")).collect::<Vec<_>>().join(",") + end;
    let mut rows = Vec::new();
    for _ in 0..random.random_range(1..12) {
        let cell = |random: &mut StdRng| -> String {
            (0..random.random_range(0..5)).map(|_| pieces[random.random_range(0..pieces.len())]).collect()
        };
        let cells: Vec<String> = (0..columns).map(|_| cell(random)).collect();
        let must = |cell: &str, first: bool| cell.contains([',', '"', '\n', '\r']) || (first && cell.is_empty());
        let written = cells.iter().enumerate().map(|(place, cell)| match must(cell, place == 0) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        });
        text += &(written.collect::<Vec<_>>().join(",") + end);
        rows.push(cells.into_iter().map(|cell| Some(cell).filter(|cell| !cell.is_empty())).collect());
    }
    (text, rows)
}

#[test]
fn given_random_csv_when_it_is_cut_into_shards_of_any_size_then_their_rows_are_those_that_were_written() {
    let mut random = StdRng::seed_from_u64(8);
    for _ in 0..300 {
        let (text, rows) = random_table(&mut random);
        let input: Input = Arc::new(MemoryRange::new(text.clone()));
        let delimiter = Some(mandi_tables::Delimiter::COMMA);
        let stated = Stated { delimiter, quote: Some(mandi_tables::Quote::Double), ..Stated::default() };
        let expected: Vec<(u64, Row)> = (1..).zip(rows.clone()).collect();
        for shard_rows in 1..=rows.len() as u64 + 1 {
            let (plan, place) = planned(&input, &stated, shard_rows);
            let (found, faults) = read(&plan, &place, &verbatim(plan.reading.columns.len()));
            assert_eq!((found, faults), (expected.clone(), vec![]), "{text:?} in shards of {shard_rows}");
        }
    }
}

#[test]
fn given_bad_rows_when_they_are_read_then_each_fails_alone_with_its_number() {
    let text = "c0,c1\n1,x\n2\nbad,y\n,z\n5,\"open\n";
    let input: Input = Arc::new(MemoryRange::new(text));
    let (plan, place) = planned(&input, &Stated::default(), 2);
    let schema = Schema::new(vec![
        ColumnSpec::new("c0", Kind::Number, Missing::Refused),
        ColumnSpec::new("c1", Kind::String, Missing::Allowed),
    ]);
    let (rows, faults) = read(&plan, &place, &schema);
    assert_eq!(rows, [(1, vec![Some("1".to_owned()), Some("x".to_owned())])]);
    let messages: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "row 2: 2 fields instead of 1 is expected, found a row \"2\"",
            "row 3, column `c0`: a number is expected, found text \"bad\"",
            "row 4, column `c0`: a number is expected, found nothing",
            "row 5: a quote at the end of its last field is expected, found a row \"5,\\\"open\\n\"",
        ]
    );
}

#[test]
fn given_gzip_in_latin_1_when_it_is_planned_then_a_plain_copy_is_written_and_read() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"c0;c1\r\ncaf\xe9;1\r\nth\xe9;2\r\n").unwrap();
    let input: Input = Arc::new(MemoryRange::new(encoder.finish().unwrap()));
    let encoding = Some(mandi_tables::TextEncoding::parse("latin1").unwrap());
    let (plan, place) = planned(&input, &Stated { encoding, ..Stated::default() }, 1);
    let (rows, faults) = read(&plan, &place, &verbatim(2));
    assert_eq!((plan.shards.len(), faults), (2, vec![]));
    assert_eq!(rows[1].1, [Some("thé".to_owned()), Some("2".to_owned())]);
}

#[test]
fn given_json_lines_when_they_are_read_then_cells_are_typed_and_bad_lines_fail_alone() {
    let text =
        "{\"c0\": 0.1, \"c1\": \"a\\nb\"}\n\n{\"c0\": \"1\", \"c1\": \"\"}\n{\"c1\": null, \"c0\": null}\nnonsense\n";
    let input: Input = Arc::new(MemoryRange::new(text));
    let (plan, place) = planned(&input, &Stated::default(), 1);
    let schema = Schema::new(vec![
        ColumnSpec::new("c0", Kind::Number, Missing::Allowed),
        ColumnSpec::new("c1", Kind::String, Missing::Allowed),
    ]);
    let (rows, faults) = read(&plan, &place, &schema);
    assert_eq!(rows, [(1, vec![Some("0.1".to_owned()), Some("a\nb".to_owned())]), (3, vec![None, None])]);
    assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn given_parquet_with_small_row_groups_when_it_is_cut_into_shards_of_any_size_then_their_rows_are_those_written() {
    use arrow_array::{ArrayRef, Date32Array, Float32Array, Int64Array, RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("c0", Arc::new(Int64Array::from_iter([Some(1), None, Some(3), Some(4), Some(5), Some(6), Some(7)]))),
        ("c1", Arc::new(Float32Array::from_iter([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5].map(Some)))),
        ("c2", Arc::new(StringArray::from_iter(["a", "b", "c", "d", "e", "f", "g"].map(Some)))),
        ("c3", Arc::new(Date32Array::from_iter([0, 1, 2, 3, 4, 5, 6].map(Some)))),
    ];
    let records = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, records.schema(), None).unwrap();
    for (start, length) in [(0, 2), (2, 1), (3, 4)] {
        writer.write(&records.slice(start, length)).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
    let input: Input = Arc::new(MemoryRange::new(bytes));
    let schema = Schema::new(vec![
        ColumnSpec::new("c0", Kind::Integer, Missing::Allowed),
        ColumnSpec::new("c1", Kind::Number, Missing::Refused),
        ColumnSpec::new("c2", Kind::String, Missing::Refused),
        ColumnSpec::new("c3", Kind::Timestamp, Missing::Refused),
    ]);
    let (whole, place) = planned(&input, &Stated::default(), 100);
    let (expected, _) = read(&whole, &place, &schema);
    assert_eq!(expected.len(), 7);
    assert_eq!(expected[1].1[0], None);
    assert_eq!(expected[6].1, ["7", "6.5", "g", "518400000000"].map(|cell| Some(cell.to_owned())));
    for shard_rows in 1..8 {
        let (plan, place) = planned(&input, &Stated::default(), shard_rows);
        assert_eq!(read(&plan, &place, &schema), (expected.clone(), vec![]), "shards of {shard_rows}");
    }
}
