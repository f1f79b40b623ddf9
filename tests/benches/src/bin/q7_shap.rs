//! Q7: rows explained a second, against `shap` (`peers/q7_shap.py`), in turns, one thread each, by processor time: what
//! else the machine does is not in it.
//!
//! The models are those of `peers/boosted.py`: 500 trees of depth 6, and 50 trees of depth 20. What making an explainer
//! takes, the memory of its tables, and a row by itself go to standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports to the terminal")]

use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;

use mandi_benches::{Figure, Target, Unit, floats, median, number, run_peer};
use mandi_inference::Trees;
use mandi_inference::explain::{Game, Rows, TreeExplainer};
use serde_json::Value;

const WIDTH: usize = 20;
/// How many turns each side has.
const TURNS: usize = 3;
/// What an explainer's tables may take.
const TABLE_BYTES: usize = 64 << 20;
/// Contributions may differ by so much of the sum of all.
const TOLERANCE: f64 = 1e-5;
/// How often a row by itself is explained: the kernel counts in steps of milliseconds.
const ONE_REPEATS: u32 = 50;

type Failure = Box<dyn Error>;

/// A forest.
struct Forest {
    trees: &'static str,
    /// The most leaves of a tree.
    leaves: &'static str,
    depth: &'static str,
    cases: &'static [Case],
}

/// What is measured of it.
struct Case {
    game: &'static str,
    /// Rows of the background.
    background: usize,
    /// Rows that are explained.
    rows: usize,
}

const FORESTS: [Forest; 2] = [
    Forest {
        trees: "500",
        leaves: "64",
        depth: "6",
        cases: &[
            Case { game: INTERVENTIONAL, background: 100, rows: 2000 },
            Case { game: INTERVENTIONAL, background: 1000, rows: 2000 },
            Case { game: PATH_DEPENDENT, background: 100, rows: 2000 },
            Case { game: PROBABILITY, background: 100, rows: 200 },
        ],
    },
    Forest {
        trees: "50",
        leaves: "600",
        depth: "20",
        cases: &[
            Case { game: INTERVENTIONAL, background: 100, rows: 40 },
            Case { game: PATH_DEPENDENT, background: 100, rows: 40 },
            Case { game: PROBABILITY, background: 100, rows: 40 },
        ],
    },
];
const INTERVENTIONAL: &str = "interventional";
const PATH_DEPENDENT: &str = "path-dependent";
const PROBABILITY: &str = "probability";

/// What explaining some rows has taken.
struct Explained {
    rows_per_second: f64,
    /// The first row's contributions.
    first: Vec<f64>,
}

fn main() -> Result<(), Failure> {
    for Forest { trees, leaves, depth, cases } in FORESTS {
        let folder = tempfile::tempdir()?;
        run_peer("boosted.py", [folder.path().as_os_str(), trees.as_ref(), leaves.as_ref(), depth.as_ref()])?;
        let forest = Trees::parse(&std::fs::read(folder.path().join("model.onnx"))?)?;
        let x: Vec<f64> = floats(&folder.path().join("rows.f32"))?.into_iter().map(f64::from).collect();
        let mut by_paths = None;
        for case in cases {
            let (ours, peer) = in_turns(folder.path(), &forest, &x, case)?;
            by_paths = by_paths.or((case.game == PATH_DEPENDENT).then_some(ours));
            let game = match case.game {
                PATH_DEPENDENT => PATH_DEPENDENT.to_owned(),
                game => format!("{game}, background of {}", case.background),
            };
            println!(
                "{}",
                figure(&format!("{trees} trees of depth {depth}, {game}"), ours, peer, Target::RatioAtLeast(5.0))
            );
        }
        if let Some(ours) = by_paths {
            let peer = measure_peer(folder.path(), "pred-contrib", 0)?.rows_per_second;
            let case = format!("{trees} trees of depth {depth}, path-dependent; the peer: LightGBM's `pred_contrib`");
            println!("{}", figure(&case, ours, peer, Target::None));
        }
    }
    Ok(())
}

fn figure(case: &str, ours: f64, peer: f64, target: Target) -> Figure {
    Figure { id: "Q7", case: format!("rows explained: {case}"), unit: Unit::PerSecond, ours, peer: Some(peer), target }
}

/// Rows a second of both sides.
fn in_turns(folder: &Path, forest: &Trees, x: &[f64], case: &Case) -> Result<(f64, f64), Failure> {
    let background = Rows::new(&x[..case.background * WIDTH], WIDTH)?;
    // The peer explains the first ones of the same 2,000.
    let shown = &x[x.len() - 2000 * WIDTH..][..case.rows * WIDTH];
    let begun = processor_seconds()?;
    let explainer = match case.game {
        INTERVENTIONAL => TreeExplainer::new(&forest.model, Game::Interventional, background, TABLE_BYTES),
        PATH_DEPENDENT => TreeExplainer::new(&forest.model, Game::PathDependent, background, TABLE_BYTES),
        _ => TreeExplainer::probability(&forest.model, background),
    }?;
    let ready_s = processor_seconds()? - begun;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let peer = measure_peer(folder, case.game, case.background)?;
        let own = measure(&explainer, shown)?;
        // The peer's path-dependent game has other counts.
        if case.game != PATH_DEPENDENT {
            check(&own.first, &peer.first)?;
        }
        ours.push(own.rows_per_second);
        peers.push(peer.rows_per_second);
    }
    let begun = processor_seconds()?;
    for _ in 0..ONE_REPEATS {
        std::hint::black_box(explainer.explain(Rows::new(&shown[..WIDTH], WIDTH)?)?);
    }
    let one_ms = (processor_seconds()? - begun) * 1e3 / f64::from(ONE_REPEATS);
    let tables_mb = explainer.table_bytes() as f64 / 1e6;
    let Case { game, background, .. } = case;
    eprintln!("{game}, {background}: ready in {ready_s:.2} s, tables of {tables_mb:.0} MB, one row in {one_ms:.2} ms");
    Ok((median(ours), median(peers)))
}

fn measure(explainer: &TreeExplainer, rows: &[f64]) -> Result<Explained, Failure> {
    let rows = Rows::new(rows, WIDTH)?;
    let begun = processor_seconds()?;
    let found = explainer.explain(rows)?;
    let taken = processor_seconds()? - begun;
    Ok(Explained { rows_per_second: rows.len() as f64 / taken, first: found.of(0, 0).unwrap_or(&[]).to_vec() })
}

fn measure_peer(folder: &Path, game: &str, background: usize) -> Result<Explained, Failure> {
    let background = background.to_string();
    let peer: Value = run_peer("q7_shap.py", [folder.as_os_str(), OsStr::new(game), OsStr::new(&background)])?;
    let first = serde_json::from_value(peer["first"].clone())?;
    Ok(Explained { rows_per_second: number(&peer, "/rows_per_second")?, first })
}

/// Both sides must have done the same work.
fn check(ours: &[f64], peers: &[f64]) -> Result<(), Failure> {
    let scale: f64 = peers.iter().map(|value| value.abs()).sum();
    let furthest = ours.iter().zip(peers).map(|(ours, peer)| (ours - peer).abs()).fold(0.0, f64::max);
    if ours.len() == peers.len() && furthest <= TOLERANCE * scale {
        return Ok(());
    }
    Err(format!("contributions differ from the peer's by {furthest}: {ours:?} and {peers:?}").into())
}

/// The time that the processor has worked for this thread.
fn processor_seconds() -> Result<f64, Failure> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = times.split_whitespace().next().unwrap_or("0").parse()?;
    Ok(nanoseconds / 1e9)
}
