//! Plans and reads 1,000,000 rows of CSV with 20 numbers each, from memory, on one thread, and prints rows a second.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::error::Error;
use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Instant;

use mandi_tables::{
    Batch, ColumnSpec, Copy, Input, Kind, Limits, MemoryRange, Missing, Schema, ShardReader, Stated, inspect,
    match_columns, plan,
};

const ROWS: u32 = 1_000_000;
const COLUMNS: u32 = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = (0..COLUMNS).map(|column| format!("f{column}")).collect();
    let mut text = names.join(",") + "\n";
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let value = f64::from(row.wrapping_mul(2_654_435_761).wrapping_add(column * 40_503)) / 4_294_967.0;
            write!(text, "{}{value:.6}", if column == 0 { "" } else { "," })?;
        }
        text.push('\n');
    }
    let size = text.len();
    let input: Input = Arc::new(MemoryRange::new(text));
    let limits = Limits::default();
    let begun = Instant::now();
    let inspection = inspect(&input, &Stated::default(), &limits)?;
    let rows = NonZeroU64::new(50_000).ok_or("a shard has rows")?;
    let plan = plan(&input, &inspection, rows, Copy::Refused, &limits)?;
    let planned = begun.elapsed();
    let specs = names.iter().map(|name| ColumnSpec::new(name, Kind::Number, Missing::Allowed)).collect();
    let schema = Schema::new(specs);
    let projection = Arc::new(match_columns(&schema, &plan.reading.columns).accept()?);
    let mut batch = Batch::new(&schema);
    let begun = Instant::now();
    let mut found = 0;
    for shard in &plan.shards {
        let mut reader = ShardReader::open(&input, &plan.reading, shard, &projection, &limits)?;
        while reader.read(&mut batch)? {
            found += batch.rows().len();
        }
    }
    let read = begun.elapsed();
    println!("{found} rows, {} MB, {} shards", size >> 20, plan.shards.len());
    println!("plan: {:.2} s, {:.0} rows/s", planned.as_secs_f64(), f64::from(ROWS) / planned.as_secs_f64());
    println!("read: {:.2} s, {:.0} rows/s", read.as_secs_f64(), f64::from(ROWS) / read.as_secs_f64());
    Ok(())
}
