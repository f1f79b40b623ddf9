//! P4: a table of CSV through a forest of 500 trees with 31 leaves, 20 columns: `mandi batch` against the real runner,
//! beside pandas and LightGBM's own predict; and the most memory that the runner's process has had.
//!
//! `p4_batch [--rows 1000000]`. The peer, `peers/p4_batch.py`, takes turns when there are a million rows or fewer; a longer
//! table is there for the memory. The table and all else lie in a folder for temporary files that is removed: 200 bytes for
//! each row, and twice that again in the runner's data for each turn.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench reports to the terminal")]

use std::error::Error;
use std::f64::consts::TAU;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use mandi_acceptance::{Server, Setup, mandi};
use mandi_benches::{Figure, Target, Unit, median, number, peak_memory_mb, run_peer};
use mandi_core::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;

const WIDTH: usize = 20;
/// The rows that the speed is measured with.
const ROWS: usize = 1_000_000;
/// How many turns each side has.
const TURNS: usize = 3;
/// The share of rows whose answers may differ: see the peer's script.
const DIFFERING: f64 = 1e-3;

type Failure = Box<dyn Error>;

/// What a job has taken, in seconds.
struct Taken {
    /// From its start to its end, as it says itself.
    job_s: f64,
    /// From the start of `mandi batch` to its end: upload, job, download.
    whole_s: f64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let rows = rows()?;
    let folder = tempfile::tempdir()?;
    let [trees, leaves, depth] = ["500", "31", "-1"].map(OsStr::new);
    run_peer("boosted.py", [folder.path().as_os_str(), trees, leaves, depth])?;
    write_table(&folder.path().join("table.csv"), rows)?;

    let server = Setup::on(&folder.path().join("data")).with("MANDI_LOG", "warn").start().await;
    let pid = server.pid().ok_or("the runner has ended")?;
    push(&server, folder.path())?;
    let before_mb = peak_memory_mb(pid)?;
    let (mut jobs_s, mut wholes_s, mut peers_s) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..if rows > ROWS { 1 } else { TURNS } {
        let taken = predict(&server, folder.path(), rows)?;
        jobs_s.push(taken.job_s);
        wholes_s.push(taken.whole_s);
        if rows <= ROWS {
            peers_s.push(measure_peer(folder.path())?);
        }
    }
    let memory_mb = peak_memory_mb(pid)?;

    let rate = |seconds: Vec<f64>| rows as f64 / median(seconds);
    let peer = (!peers_s.is_empty()).then(|| rate(peers_s));
    let target = if peer.is_some() { Target::RatioAtLeast(5.0) } else { Target::None };
    let job = "the job, from its start to its end".to_owned();
    let whole = "`mandi batch`, with upload and download".to_owned();
    let memory = format!("peak memory of the runner ({before_mb:.0} MB before the job)");
    for (what, unit, ours, peer, target) in [
        (job, Unit::PerSecond, rate(jobs_s), peer, target),
        (whole, Unit::PerSecond, rate(wholes_s), peer, Target::None),
        (memory, Unit::Megabytes, memory_mb, None, Target::AtMost(512.0)),
    ] {
        let case = format!("{rows} rows of CSV, {WIDTH} columns: {what}");
        println!("{}", Figure { id: "P4", case, unit, ours, peer, target });
    }
    Ok(())
}

fn rows() -> Result<usize, Failure> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match &given[..] {
        [] => Ok(ROWS),
        [name, rows] if name == "--rows" => Ok(rows.parse()?),
        _ => Err("p4_batch [--rows 1000000]".into()),
    }
}

/// Standard normal numbers (Box and Muller) with six places: the same table each time.
fn write_table(path: &Path, rows: usize) -> Result<(), Failure> {
    let mut random = StdRng::seed_from_u64(4);
    let mut file = BufWriter::new(File::create(path)?);
    let names: Vec<String> = (0..WIDTH).map(|column| format!("x{column}")).collect();
    writeln!(file, "{}", names.join(","))?;
    for _ in 0..rows {
        for pair in 0..WIDTH / 2 {
            let radius = (-2.0 * random.random_range(f64::MIN_POSITIVE..1.0).ln()).sqrt();
            let (sine, cosine) = (TAU * random.random_range(0.0..1.0)).sin_cos();
            let comma = if pair == 0 { "" } else { "," };
            write!(file, "{comma}{:.6},{:.6}", radius * cosine, radius * sine)?;
        }
        writeln!(file)?;
    }
    Ok(file.flush()?)
}

/// Registers the model, and lets it serve.
fn push(server: &Server, folder: &Path) -> Result<(), Failure> {
    let mut push = Command::new(mandi());
    push.args(["model", "push", "--tenant", "p4", "--name", "forest", "--stage", "production", "--url", server.base()]);
    run(push.arg("--data").arg(server.data()).arg(folder.join("model.onnx"))).map(drop)
}

/// Predicts the table; the results are in `ours.csv`.
fn predict(server: &Server, folder: &Path, rows: usize) -> Result<Taken, Failure> {
    let mut batch = Command::new(mandi());
    batch.args(["batch", "--json", "--tenant", "p4", "--model", "forest", "--url", server.base(), "--data"]);
    batch.arg(server.data()).arg("--output").arg(folder.join("ours.csv")).arg(folder.join("table.csv"));
    let begun = Instant::now();
    let job: Value = serde_json::from_slice(&run(&mut batch)?)?;
    let whole_s = begun.elapsed().as_secs_f64();
    if job["completed"].as_u64() != Some(rows as u64) {
        return Err(format!("not all rows are predicted: {job}").into());
    }
    let moment = |name: &str| Timestamp::parse(job[name].as_str().unwrap_or_default());
    let job_s = moment("ended_at")?.since(moment("created_at")?).as_secs_f64();
    eprintln!("job {job_s:.2} s, with upload and download {whole_s:.2} s");
    Ok(Taken { job_s, whole_s })
}

/// What a command prints.
fn run(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{command:?}: {}", output.status).into()) }
}

/// The peer's seconds.
fn measure_peer(folder: &Path) -> Result<f64, Failure> {
    let peer = run_peer("p4_batch.py", [folder.as_os_str(), folder.join("ours.csv").as_os_str()])?;
    eprintln!("peer {peer}");
    if number(&peer, "/differing")? > DIFFERING {
        return Err(format!("the answers are not the peer's: {peer}").into());
    }
    number(&peer, "/seconds")
}
