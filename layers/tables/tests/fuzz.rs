//! Tables that lie: real ones, changed at random, are inspected, planned and read. Nothing may panic, and all is bounded.
//!
//! `MANDI_FUZZ_SECONDS` says for how long (5 by default), `MANDI_FUZZ_SEED` where to begin.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::io::{self, Read as _};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_tables::{
    Batch, ColumnSpec, Copy, Format, Input, Kind, Limits, MemoryRange, Missing, Place, ResultColumn, ResultFile,
    ResultLayout, Schema, ShardReader, SourceColumn, Stated, TableError, inspect, match_columns, plan, read_results,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// No table may take longer, on a slow machine.
const MOST: Duration = Duration::from_secs(5);
/// The memory of the whole test, with its corpus, in kB.
const MOST_MEMORY_KB: u64 = 250_000;
/// A table may say that it has more rows than a file of its size can hold when they are all alike; so many are read.
const MOST_ROWS: usize = 200_000;

fn limits() -> Limits {
    Limits {
        record_bytes: 64 << 10,
        columns: 1_000,
        shards: 1_000,
        expanded_bytes: 16 << 20,
        expansion_ratio: 200,
        footer_bytes: 1 << 20,
        page_bytes: 4 << 20,
    }
}

/// Changes bytes: cuts, flips, moves, repeats and overwrites them.
fn change_bytes(bytes: &mut Vec<u8>, other_file: &[u8], random: &mut StdRng) {
    let place = |bytes: &Vec<u8>, random: &mut StdRng| random.random_range(0..bytes.len().max(1)).min(bytes.len());
    for _ in 0..random.random_range(1..6) {
        let (one, other) = (place(bytes, random), place(bytes, random));
        // Parquet says at its end what it holds: half of all changes are there.
        let skip = if random.random_bool(0.5) { bytes.len().saturating_sub(800) } else { 0 };
        let (from, to) = (one.min(other).max(skip), one.max(other).max(skip));
        let part = bytes[from..to.min(from + 64)].to_vec();
        match random.random_range(0..9) {
            0 => bytes.truncate(from),
            1 => bytes.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << random.random_range(0..8)),
            2 => drop(bytes.splice(to..to, part)),
            3 => drop(bytes.drain(from..from + part.len())),
            4 => drop(bytes.splice(to..to, part.repeat(random.random_range(1..200)))),
            // A length or a number that is as large as can be.
            5 => drop(bytes.splice(from..(from + 1).min(bytes.len()), [0xff; 9].into_iter().chain([1]))),
            6 => bytes.iter_mut().skip(from).take(8).for_each(|byte| *byte = random.random()),
            7 => {
                let start = random.random_range(0..other_file.len().max(1)).min(other_file.len());
                let piece = other_file[start..(start + 200).min(other_file.len())].to_vec();
                drop(bytes.splice(from..from, piece));
            }
            _ => {
                let odd = [b'"', b'\n', b'\r', b',', b'{', b'\\', 0, 0xff];
                bytes.insert(from, *odd.choose(random).unwrap());
            }
        }
    }
}

/// What a reader of the table wants: a column as each kind in turn.
fn schema(columns: &[SourceColumn], random: &mut StdRng) -> Schema {
    const KINDS: [Kind; 7] =
        [Kind::Number, Kind::Single, Kind::Integer, Kind::Boolean, Kind::Timestamp, Kind::String, Kind::Verbatim];
    let spec = |column: &SourceColumn| {
        let stored = column.stored.as_ref().map_or(&KINDS[..], |stored| &stored.kinds);
        stored.choose(random).map(|kind| ColumnSpec::new(&column.name, *kind, Missing::Allowed))
    };
    Schema::new(columns.iter().filter_map(spec).collect())
}

/// Reads a table as a job does.
fn read(bytes: Vec<u8>, random: &mut StdRng) -> Result<usize, TableError> {
    let input: Input = Arc::new(MemoryRange::new(bytes));
    let inspection = inspect(&input, &Stated::default(), &limits())?;
    let mut copy = Vec::new();
    let shard_rows = NonZeroU64::new(random.random_range(1..2_000)).unwrap();
    let plan = plan(&input, &inspection, shard_rows, Copy::To(&mut copy), &limits())?;
    let input: Input = if plan.reading.place() == Place::Copy { Arc::new(MemoryRange::new(copy)) } else { input };
    let schema = schema(&plan.reading.columns, random);
    let projection = Arc::new(match_columns(&schema, &plan.reading.columns).accept()?);
    let mut batch = Batch::new(&schema);
    let mut rows = 0;
    for shard in &plan.shards {
        let mut reader = ShardReader::open(&input, &plan.reading, shard, &projection, &limits())?;
        while rows < MOST_ROWS && reader.read(&mut batch)? {
            rows += batch.rows().len() + batch.faults().len();
            assert!(batch.columns().iter().all(|column| column.len() == batch.rows().len()), "columns of one length");
        }
    }
    Ok(rows)
}

/// Reads what should be a part of results, and adds it to a file.
fn read_back(bytes: Vec<u8>, format: Format, random: &mut StdRng) -> Result<usize, TableError> {
    let names = [("id", Kind::Integer), ("price", Kind::Number), ("name", Kind::String)];
    let column = |(name, kind): (&str, Kind)| ResultColumn { name: name.to_owned(), kind };
    let layout = ResultLayout::new(names.map(column).into())?;
    let part: Input = Arc::new(MemoryRange::new(bytes));
    let place = if random.random_bool(0.5) { 0 } else { random.random_range(0..20) };
    let page = read_results(&part, format, &layout, place, 100, &limits());
    ResultFile::new(io::sink(), format, &layout)?.append(&part)?;
    page.map(|page| page.rows.len())
}

/// What a changed file must not do. Counts those of which rows are read all the same.
fn fault(bytes: &[u8], random: &mut StdRng, readable: &mut u32) -> Option<String> {
    let started = Instant::now();
    let format = *[Format::Csv, Format::Jsonl, Format::Parquet].choose(random).unwrap();
    let outcomes =
        catch_unwind(AssertUnwindSafe(|| [read(bytes.to_vec(), random), read_back(bytes.to_vec(), format, random)]));
    let Ok(outcomes) = outcomes else { return Some("it panics".to_owned()) };
    *readable += u32::from(matches!(outcomes, [Ok(1..), _]));
    if started.elapsed() > MOST {
        return Some(format!("it takes {:?}", started.elapsed()));
    }
    let says_nothing = outcomes.iter().any(|outcome| matches!(outcome, Err(error) if error.to_string().is_empty()));
    says_nothing.then(|| "its error says nothing".to_owned())
}

/// The most memory that this process has had so far, in kB; a test has a process of its own.
fn memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is_table = |name: &str| name.contains(".csv") || name.ends_with(".parquet") || name.ends_with(".jsonl");
    let tables = files.iter().filter(|path| is_table(&path.file_name().unwrap().to_string_lossy()));
    tables.map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn given_tables_that_lie_when_they_are_read_then_nothing_panics_and_all_is_bounded() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let until = Instant::now() + Duration::from_secs(number("MANDI_FUZZ_SECONDS", 5));
    let files = corpus();
    let (mut seed, mut run, mut readable, mut faults) = (number("MANDI_FUZZ_SEED", 1), 0_u32, 0, Vec::new());
    // What the library catches within Parquet's decoder is no fault, and is not shown.
    std::panic::set_hook(Box::new(|_| {}));
    while Instant::now() < until && faults.len() < 20 {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut bytes = files.choose(random).unwrap().clone();
        change_bytes(&mut bytes, files.choose(random).unwrap(), random);
        if random.random_bool(0.1) {
            bytes = zstd::encode_all(&bytes[..], 1).unwrap();
        }
        faults.extend(fault(&bytes, random, &mut readable).map(|fault| format!("seed {seed}: {fault}")));
        seed += 1;
        run += 1;
    }
    drop(std::panic::take_hook());
    assert!(faults.is_empty(), "of {run} tables:\n{}", faults.join("\n"));
    assert!(memory_kb().is_none_or(|most| most < MOST_MEMORY_KB), "{:?} kB were needed", memory_kb());
    assert!(run > 100, "{run} tables in all");
    let share = f64::from(readable) / f64::from(run);
    assert!((0.1..0.9).contains(&share), "{readable} of {run} tables are read: the changes are too large or too small");
}

#[test]
fn given_bombs_behind_compression_when_they_are_read_then_they_are_refused_in_little_memory() {
    let row = b"a,b\n1,2\n";
    let zeros = || row.chain(io::repeat(b'0').take(200 << 20));
    let lines = || io::Cursor::new(row.repeat(1 << 20)).take(200 << 20);
    let gzip = |mut plain: Box<dyn io::Read>| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::copy(&mut plain, &mut encoder).unwrap();
        encoder.finish().unwrap()
    };
    let bombs = [
        gzip(Box::new(zeros())),
        zstd::encode_all(zeros(), 1).unwrap(),
        // Ordinary rows, compressed twice.
        gzip(Box::new(io::Cursor::new(zstd::encode_all(lines(), 1).unwrap()))),
        zstd::encode_all(lines(), 1).unwrap(),
    ];
    for (place, bomb) in bombs.into_iter().enumerate() {
        let started = Instant::now();
        let limits = Limits { expanded_bytes: 1 << 20, ..limits() };
        let input: Input = Arc::new(MemoryRange::new(bomb));
        let planned = inspect(&input, &Stated::default(), &limits).and_then(|found| {
            plan(&input, &found, NonZeroU64::MIN.saturating_add(999), Copy::To(&mut io::sink()), &limits)
        });
        assert!(started.elapsed() < MOST, "bomb {place} takes {:?}", started.elapsed());
        match planned {
            Err(error) => assert!(!error.to_string().is_empty(), "bomb {place}"),
            Ok(plan) => panic!("bomb {place} is planned with {} rows", plan.rows),
        }
    }
    assert!(memory_kb().is_none_or(|most| most < MOST_MEMORY_KB), "{:?} kB were needed", memory_kb());
}

/// A Parquet file of one page of gzip that becomes 40 MB, and whose header says that it becomes few bytes.
fn lying_page() -> Vec<u8> {
    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    let text = "a".repeat(40 << 20);
    let column: ArrayRef = Arc::new(StringArray::from_iter_values([text]));
    let records = RecordBatch::try_from_iter([("text", column)]).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_compression(parquet::basic::Compression::GZIP(parquet::basic::GzipLevel::default()));
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, records.schema(), Some(properties.build())).unwrap();
    writer.write(&records).unwrap();
    writer.close().unwrap();
    // Behind the file's mark: the page's type and the tag of its size, and then the size, which keeps its length.
    let size = bytes[7..].iter().take_while(|byte| **byte >= 0x80).count();
    bytes[7..7 + size].fill(0x80);
    bytes[7] = 0x90;
    bytes[7 + size] = 0;
    bytes
}

#[test]
fn given_a_page_of_parquet_that_lies_about_its_size_when_it_is_read_then_it_is_refused_before_it_expands() {
    let input: Input = Arc::new(MemoryRange::new(lying_page()));
    let inspection = inspect(&input, &Stated::default(), &limits()).unwrap();
    let plan = plan(&input, &inspection, NonZeroU64::MIN, Copy::Refused, &limits()).unwrap();
    let schema = Schema::new(vec![ColumnSpec::new("text", Kind::String, Missing::Allowed)]);
    let projection = Arc::new(match_columns(&schema, &plan.reading.columns).accept().unwrap());
    let outcome = ShardReader::open(&input, &plan.reading, &plan.shards[0], &projection, &limits())
        .and_then(|mut reader| reader.read(&mut Batch::new(&schema)));
    let message = outcome.unwrap_err().to_string();
    assert!(message.contains("a page expands to more than the 4194304 bytes"), "{message}");
}
