//! P2: online prediction by a forest of 500 trees with 31 leaves, 20 columns: one row a request on one connection, against
//! ONNX Runtime behind FastAPI; and the engine by itself, one thread, against ONNX Runtime: one row, and 10,000.
//!
//! The peer is `peers/p2_prediction.py`, the model that of `peers/boosted.py`. Both sides take turns, medians of the turns
//! count, and their answers are compared. Over HTTP the same client asks both: its own time is in both figures.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

mod engine;
mod http;

use std::error::Error;

use mandi_benches::{Figure, Target, Unit, floats, run_peer};

/// How many columns a row has.
const WIDTH: usize = 20;
/// How many turns each side has.
const TURNS: usize = 5;
/// Answers may differ by so much of 1 or of their size: both sides give 32-bit floats.
const TOLERANCE: f64 = 1e-5;

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let [trees, leaves, depth] = ["500", "31", "-1"].map(str::as_ref);
    run_peer("boosted.py", [folder.path().as_os_str(), trees, leaves, depth])?;
    let rows = floats(&folder.path().join("rows.f32"))?;
    print(&http::figures(folder.path(), &rows).await?);
    print(&engine::figures(folder.path(), &rows)?);
    Ok(())
}

fn print(figures: &[Figure]) {
    for figure in figures {
        println!("{figure}");
    }
}

fn figure(case: &str, unit: Unit, (ours, peer): (f64, f64), target: Target) -> Figure {
    Figure { id: "P2", case: case.to_owned(), unit, ours, peer: Some(peer), target }
}

/// Both sides must have done the same work.
fn check_answers(ours: &[f64], peers: &[f64]) -> Result<(), Failure> {
    if ours.is_empty() || ours.len() != peers.len() {
        return Err(format!("{} answers against the peer's {}", ours.len(), peers.len()).into());
    }
    let differing = |(ours, peer): &(&f64, &f64)| (*ours - *peer).abs() > TOLERANCE * peer.abs().max(1.0);
    match ours.iter().zip(peers).find(differing) {
        Some((ours, peer)) => Err(format!("{ours} is not the peer's {peer}").into()),
        None => Ok(()),
    }
}
