//! Writes results in three parts and one file of them in each format to a folder: `results FOLDER`. The script
//! `tests/fixtures/check_results.py` compares what pyarrow, polars and pandas read there.
#![expect(clippy::print_stdout, reason = "a command line")]

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use mandi_tables::{Column, FileRange, Format, Input, Kind, ResultColumn, ResultFile, ResultLayout, ResultPart};

const PARTS: u32 = 3;
const ROWS: u32 = 50_000;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("name a folder")?);
    let column = |(name, kind): (&str, Kind)| ResultColumn { name: name.to_owned(), kind };
    let layout = ResultLayout::new(
        [
            ("customer", Kind::Verbatim),
            ("seen", Kind::Timestamp),
            ("age", Kind::Integer),
            ("prediction", Kind::Single),
            ("lower", Kind::Number),
            ("probability.yes", Kind::Number),
            ("label", Kind::String),
            ("is_new", Kind::Boolean),
        ]
        .map(column)
        .into(),
    )?;
    for (format, ending) in [(Format::Csv, "csv"), (Format::Jsonl, "jsonl"), (Format::Parquet, "parquet")] {
        let mut file = ResultFile::new(File::create(folder.join(format!("results.{ending}")))?, format, &layout)?;
        for part in 0..PARTS {
            let path = folder.join(format!("part-{part}.{ending}"));
            let mut writer = ResultPart::new(File::create(&path)?, format, layout.clone())?;
            for first in (0..ROWS).step_by(4096) {
                let rows = (first..ROWS.min(first + 4096)).map(|row| row + part * ROWS).collect::<Vec<_>>();
                writer.write(&columns(&rows).iter().collect::<Vec<_>>())?;
            }
            writer.finish()?;
            let part: Input = Arc::new(FileRange::new(File::open(&path)?)?);
            file.append(&part)?;
        }
        file.finish()?;
    }
    println!("{} rows in each format", PARTS * ROWS);
    Ok(())
}

fn columns(rows: &[u32]) -> Vec<Column> {
    let texts: Vec<String> = rows.iter().map(|row| format!("c\"{row}\",\nü")).collect();
    let single = |row: &u32| f32::from(u16::try_from(row % 60_000).unwrap_or_default()) / 7.0;
    vec![
        Column::String(texts.iter().map(|text| Some(text.as_str()).filter(|_| !text.contains("55"))).collect()),
        Column::Timestamp(rows.iter().map(|row| Some(i64::from(*row) * 1_000_000_007)).collect()),
        Column::Integer(rows.iter().map(|row| Some(i64::from(*row) - 3).filter(|age| age % 4 != 0)).collect()),
        Column::Single(rows.iter().map(|row| Some(single(row)).filter(|_| row % 3 != 0)).collect()),
        Column::Number(rows.iter().map(|row| Some(-f64::from(*row) / 3.0)).collect()),
        Column::Number(rows.iter().map(|row| Some(1.0 / (1.0 + f64::from(*row)))).collect()),
        Column::String(rows.iter().map(|row| Some(if row % 2 == 0 { "yes" } else { "no" })).collect()),
        Column::Boolean(rows.iter().map(|row| Some(row % 3 == 0)).collect()),
    ]
}
