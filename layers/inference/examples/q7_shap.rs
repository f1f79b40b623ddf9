//! Q7: how long explanations take, for `q7_shap.py` beside this file, which measures `shap` in turns with it:
//! `q7_shap MODEL.onnx BACKGROUND ROWS WIDTH GAME REPEATS [TABLE_BYTES]`.
//!
//! BACKGROUND and ROWS are files of 32-bit floats in little-endian order, GAME is `interventional`, `path-dependent` or
//! `probability`. It prints processor time in seconds, for making ready and for each repeat, and the first row's
//! contributions.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::error::Error;

use mandi_inference::Trees;
use mandi_inference::explain::{Game, Rows, TreeExplainer};

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let [model, background, rows, width, game, repeats, rest @ ..] = &given[..] else {
        return Err("give MODEL BACKGROUND ROWS WIDTH GAME REPEATS [TABLE_BYTES]".into());
    };
    let (width, repeats): (usize, usize) = (width.parse()?, repeats.parse()?);
    let table_bytes = rest.first().map_or(Ok(64 << 20), |bytes| bytes.parse())?;
    let trees = Trees::parse(&std::fs::read(model)?)?;
    let (background, rows) = (floats(background)?, floats(rows)?);
    let (background, rows) = (Rows::new(&background, width)?, Rows::new(&rows, width)?);
    let begin = processor_seconds()?;
    let explainer = match game.as_str() {
        "interventional" => TreeExplainer::new(&trees.model, Game::Interventional, background, table_bytes),
        "path-dependent" => TreeExplainer::new(&trees.model, Game::PathDependent, background, table_bytes),
        "probability" => TreeExplainer::probability(&trees.model, background),
        other => return Err(format!("no game is called {other}").into()),
    }?;
    let ready = processor_seconds()? - begin;
    let mut taken = Vec::new();
    let mut first = Vec::new();
    for _ in 0..repeats {
        // The kernel counts in steps of milliseconds.
        let times = if rows.len() == 1 { 50 } else { 1 };
        let begin = processor_seconds()?;
        let mut found = explainer.explain(rows)?;
        for _ in 1..times {
            found = explainer.explain(rows)?;
        }
        taken.push((processor_seconds()? - begin) / f64::from(times));
        first = found.of(0, 0).unwrap_or(&[]).to_vec();
    }
    let tables = explainer.table_bytes();
    println!("{}", serde_json::json!({"ready": ready, "taken": taken, "tables": tables, "first": first}));
    Ok(())
}

fn floats(file: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let bytes = std::fs::read(file)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect())
}

/// The time that the processor has worked for this thread: other programs share the machine.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = times.split_whitespace().next().unwrap_or("0").parse()?;
    Ok(nanoseconds / 1e9)
}
