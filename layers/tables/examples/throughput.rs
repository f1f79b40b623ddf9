//! Rows a second on one thread, from memory and to memory: planning and reading CSV with 20 numbers a row, and writing
//! results (an identifier, a prediction, its interval, two probabilities) in each format. Time is processor time of the
//! thread where the system tells it, so that other work on the machine counts little.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mandi_tables::{
    Batch, Column, ColumnSpec, Copy, Format, Input, Kind, Limits, MemoryRange, Missing, Projection, ResultColumn,
    ResultLayout, ResultPart, Schema, ShardReader, Stated, inspect, match_columns, plan,
};

const BLOCK_ROWS: u32 = 50_000;
const BLOCKS: u32 = 20;
const ROWS: u32 = BLOCK_ROWS * BLOCKS;
const COLUMNS: u32 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("f{column}")).collect();
    let input: Input = Arc::new(MemoryRange::new(text(&names)?));
    let limits = Limits::default();
    let watch = Watch::new();
    let inspection = inspect(&input, &Stated::default(), &limits)?;
    let rows = NonZeroU64::new(50_000).ok_or("a shard has rows")?;
    let plan = plan(&input, &inspection, rows, Copy::Refused, &limits)?;
    watch.report("plan CSV");
    for kind in [Kind::Number, Kind::Single, Kind::Verbatim] {
        let specs = names.iter().map(|name| ColumnSpec::new(name, kind, Missing::Allowed)).collect();
        let schema = Schema::new(specs);
        let projection: Arc<Projection> = Arc::new(match_columns(&schema, &plan.reading.columns).accept()?);
        let mut batch = Batch::new(&schema);
        let watch = Watch::new();
        for shard in &plan.shards {
            let mut reader = ShardReader::open(&input, &plan.reading, shard, &projection, &limits)?;
            while reader.read(&mut batch)? {}
        }
        watch.report(&format!("read CSV as {kind:?}"));
    }
    write()
}

fn text(names: &[String]) -> Result<String, std::fmt::Error> {
    let mut block = String::new();
    for row in 0..BLOCK_ROWS {
        for column in 0..COLUMNS {
            let value = f64::from(row.wrapping_mul(2_654_435_761).wrapping_add(column * 40_503)) / 4_294_967.0;
            write!(block, "{}{value:.6}", if column == 0 { "" } else { "," })?;
        }
        block.push('\n');
    }
    Ok(names.join(",") + "\n" + &block.repeat(BLOCKS as usize))
}

fn write() -> Result<(), Box<dyn Error>> {
    let names = ["id", "prediction", "lower", "upper", "probability_0", "probability_1"];
    let kind = |place: usize| if place == 0 { Kind::Verbatim } else { Kind::Single };
    let column = |(place, &name): (usize, &&str)| ResultColumn { name: name.to_owned(), kind: kind(place) };
    let layout = ResultLayout::new(names.iter().enumerate().map(column).collect())?;
    let identifiers: Vec<String> = (0..4096).map(|row| format!("customer-{row}")).collect();
    let mut columns = vec![Column::String(identifiers.iter().map(|id| Some(id.as_str())).collect())];
    for place in 1_u16..6 {
        let values = (0_u16..4096).map(|row| Some(f32::from(row.wrapping_mul(40_503) ^ place) / 65_536.0));
        columns.push(Column::Single(values.collect()));
    }
    let columns: Vec<&Column> = columns.iter().collect();
    for format in [Format::Csv, Format::Jsonl, Format::Parquet] {
        let watch = Watch::new();
        let mut writer = ResultPart::new(Vec::new(), format, layout.clone())?;
        for _ in 0..ROWS / 4096 {
            writer.write(&columns)?;
        }
        let bytes = writer.finish()?.len();
        watch.report(&format!("write {format:?} ({} MB)", bytes >> 20));
    }
    Ok(())
}

struct Watch {
    begun: Instant,
    used: Option<Duration>,
}

impl Watch {
    fn new() -> Self {
        Self { begun: Instant::now(), used: processor_time() }
    }

    fn report(&self, what: &str) {
        let wall = self.begun.elapsed();
        let used = processor_time().zip(self.used).map_or(wall, |(now, before)| now - before);
        let rate = f64::from(ROWS) / used.as_secs_f64();
        println!(
            "{what}: {rate:.0} rows/s ({:.2} s of the processor, {:.2} s)",
            used.as_secs_f64(),
            wall.as_secs_f64()
        );
    }
}

/// What this thread has used of the processor, where Linux tells it.
fn processor_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
