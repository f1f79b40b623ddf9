//! Results in parts, their files, and their pages.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use mandi_tables::{
    Column, Format, Input, Kind, Limits, MemoryRange, RangeRead, ResultColumn, ResultFile, ResultLayout, ResultPart,
    TableError, TextFormat, read_results,
};

const FORMATS: [Format; 3] = [Format::Csv, Format::Jsonl, Format::Parquet];

fn layout() -> ResultLayout {
    let column = |(name, kind): (&str, Kind)| ResultColumn { name: name.to_owned(), kind };
    let columns = [
        ("customer", Kind::Verbatim),
        ("age", Kind::Integer),
        ("since", Kind::Timestamp),
        ("prediction", Kind::Single),
        ("lower", Kind::Number),
        ("probability.yes", Kind::Number),
        ("label", Kind::String),
        ("is_new", Kind::Boolean),
    ];
    ResultLayout::new(columns.map(column).into()).unwrap()
}

/// The rows from `first` on.
fn columns(first: u32, rows: u32) -> Vec<Column> {
    let of = |row: u32| -> (String, Option<f64>) {
        let number = f64::from(row);
        (format!("c\"{row}\",\nü"), [Some(number / 7.0), None, Some(f64::INFINITY)][row as usize % 3])
    };
    let rows: Vec<u32> = (first..first + rows).collect();
    let texts: Vec<String> = rows.iter().map(|row| of(*row).0).collect();
    #[expect(clippy::cast_possible_truncation, reason = "any number of 32 bits does")]
    let singles = rows.iter().map(|row| of(*row).1.map(|value| value as f32)).collect();
    vec![
        Column::String(texts.iter().map(|text| Some(text.as_str()).filter(|_| !text.contains('5'))).collect()),
        Column::Integer(rows.iter().map(|row| Some(i64::from(*row) - 3).filter(|age| age % 4 != 0)).collect()),
        Column::Timestamp(rows.iter().map(|row| Some(i64::from(*row) * 1_000_001)).collect()),
        Column::Single(singles),
        Column::Number(rows.iter().map(|row| of(*row).1.map(|value| -value)).collect()),
        Column::Number(rows.iter().map(|row| Some(1.0 / (1.0 + f64::from(*row)))).collect()),
        Column::String(rows.iter().map(|row| Some(["yes", "no"][*row as usize % 2])).collect()),
        Column::Boolean(rows.iter().map(|row| Some(row % 3 == 0)).collect()),
    ]
}

/// The rows as JSON.
fn lines(first: u32, rows: u32) -> Vec<String> {
    let text = String::from_utf8(part(Format::Jsonl, first, rows)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn part(format: Format, first: u32, rows: u32) -> Vec<u8> {
    let mut part = ResultPart::new(Vec::new(), format, layout()).unwrap();
    let columns = columns(first, rows);
    part.write(&columns.iter().collect::<Vec<_>>()).unwrap();
    part.finish().unwrap()
}

fn file(format: Format, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut file = ResultFile::new(Vec::new(), format, &layout()).unwrap();
    for part in parts {
        file.append(&input(part)).unwrap();
    }
    file.finish().unwrap()
}

fn input(bytes: &[u8]) -> Input {
    Arc::new(MemoryRange::new(bytes.to_vec()))
}

/// All rows, in pages of so many.
fn paged(format: Format, bytes: &[u8], first: u64, rows: usize) -> Vec<String> {
    let (mut found, mut place) = (Vec::new(), Some(first));
    while let Some(at) = place {
        let page = read_results(&input(bytes), format, &layout(), at, rows, &Limits::default()).unwrap();
        assert!(page.rows.len() == rows || page.next.is_none(), "{format:?}: a page is full but the last");
        found.extend(page.rows.iter().map(|row| row.get().to_owned()));
        place = page.next;
    }
    found
}

#[test]
fn given_a_shard_that_is_run_twice_when_its_parts_are_compared_then_they_are_the_same_bytes() {
    for format in FORMATS {
        assert_eq!(part(format, 0, 500), part(format, 0, 500), "{format:?}");
    }
}

#[test]
fn given_parts_when_they_are_read_in_pages_of_any_size_then_the_rows_are_those_that_were_written() {
    for format in FORMATS {
        for rows in [1, 2, 7, 23, 100] {
            assert_eq!(paged(format, &part(format, 0, 23), 0, rows), lines(0, 23), "{format:?} in pages of {rows}");
        }
    }
}

#[test]
fn given_parts_when_they_are_joined_then_the_file_has_all_rows_in_order() {
    for format in FORMATS {
        let parts = [part(format, 0, 10), part(format, 10, 0), part(format, 10, 20)];
        let head = TextFormat::of(format).map_or(0, |format| layout().head(format).len() as u64);
        assert_eq!(paged(format, &file(format, &parts), head, 4), lines(0, 30), "{format:?}");
    }
}

#[test]
fn given_no_rows_at_all_when_a_file_is_made_then_it_has_the_columns() {
    for format in FORMATS {
        let bytes = file(format, &[part(format, 0, 0)]);
        let head = TextFormat::of(format).map_or(0, |format| layout().head(format).len() as u64);
        assert_eq!(paged(format, &bytes, head, 10), Vec::<String>::new(), "{format:?}");
    }
}

#[test]
fn given_a_cursor_that_is_no_beginning_of_a_row_when_a_page_is_read_then_it_is_refused() {
    for format in FORMATS {
        let bytes = part(format, 0, 5);
        for place in [bytes.len() as u64 + 1, u64::MAX, if format == Format::Parquet { 6 } else { 3 }] {
            let page = read_results(&input(&bytes), format, &layout(), place, 5, &Limits::default());
            assert!(matches!(page, Err(TableError::Stated(_))), "{format:?} at {place}: {page:?}");
        }
    }
}

#[test]
fn given_results_of_another_layout_when_they_are_joined_or_read_then_they_are_refused() {
    let other = ResultLayout::new(vec![ResultColumn { name: "x".to_owned(), kind: Kind::Number }]).unwrap();
    let mut file = ResultFile::new(Vec::new(), Format::Parquet, &other).unwrap();
    let joined = file.append(&input(&part(Format::Parquet, 0, 3)));
    assert!(matches!(joined, Err(TableError::Malformed { .. })), "{joined:?}");
    for format in [Format::Csv, Format::Parquet] {
        let page = read_results(&input(&part(format, 0, 3)), format, &other, 0, 3, &Limits::default());
        assert!(page.is_err(), "{format:?}: {page:?}");
    }
}

/// Counts what is read of it.
struct Counted(MemoryRange, AtomicUsize, AtomicUsize);

impl RangeRead for Counted {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.2.fetch_add(length, Ordering::Relaxed);
        self.0.read(offset, length)
    }
}

#[test]
fn given_a_large_part_when_a_page_in_its_middle_is_read_then_few_ranges_of_it_are() {
    for (format, most_calls) in [(Format::Csv, 2), (Format::Jsonl, 2), (Format::Parquet, 3)] {
        let mut writer = ResultPart::new(Vec::new(), format, layout()).unwrap();
        let columns = columns(0, 2_000);
        for _ in 0..200 {
            writer.write(&columns.iter().collect::<Vec<_>>()).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let length = bytes.len();
        let place = if format == Format::Parquet { 200_000 } else { length as u64 / 200 * 100 };
        let counted = Arc::new(Counted(MemoryRange::new(bytes), AtomicUsize::new(0), AtomicUsize::new(0)));
        let page = read_results(&(Arc::clone(&counted) as Input), format, &layout(), place, 50, &Limits::default());
        assert_eq!(page.unwrap().rows.len(), 50, "{format:?}");
        let (calls, read) = (counted.1.load(Ordering::Relaxed), counted.2.load(Ordering::Relaxed));
        assert!(calls <= most_calls && read * 2 < length, "{format:?}: {read} of {length} bytes in {calls} calls");
    }
}

#[test]
fn given_a_sink_that_fails_when_results_are_written_then_it_is_said_that_it_was_the_sink() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("no room"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::other("no room"))
        }
    }
    for format in FORMATS {
        let columns = columns(0, 5);
        let outcome = ResultPart::new(Full, format, layout()).and_then(|mut part| {
            part.write(&columns.iter().collect::<Vec<_>>())?;
            part.finish().map(drop)
        });
        assert!(
            matches!(&outcome, Err(TableError::Write(error)) if error.to_string().contains("no room")),
            "{outcome:?}"
        );
    }
}
