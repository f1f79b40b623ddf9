//! What the benches share: a figure beside its peer's and its target, printed as a row of one Markdown table
//! (`scripts/bench.sh` puts the rows together), and the scripts that measure peers.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Millionths of a second.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// So many a second.
    PerSecond,
    /// Millions of bytes.
    Megabytes,
    /// A share between 0 and 1.
    Share,
    /// A number of things.
    Count,
}

impl Unit {
    fn show(self, number: f64) -> String {
        match self {
            Self::Microseconds => format!("{number:.1} µs"),
            Self::Milliseconds => format!("{number:.1} ms"),
            Self::Seconds => format!("{number:.2} s"),
            Self::PerSecond => format!("{number:.1} /s"),
            Self::Megabytes => format!("{number:.0} MB"),
            Self::Share => format!("{number:.3}"),
            Self::Count => format!("{number:.0}"),
        }
    }
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// Ours is at most so much, in the figure's unit.
    AtMost(f64),
    /// Ours is at least so much, in the figure's unit.
    AtLeast(f64),
    /// Ours divided by the peer's is at most so much.
    RatioAtMost(f64),
    /// Ours divided by the peer's is at least so much.
    RatioAtLeast(f64),
    /// Ours is at most so much more than a multiple of the peer's, in the figure's unit.
    AboveMultipleAtMost {
        /// The multiple of the peer's.
        multiple: f64,
        /// So much more.
        more: f64,
    },
    /// Shown for comparison.
    None,
}

/// A measured number, with the peer's from the same run.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The target's id, such as `P3`.
    pub id: &'static str,
    /// What was measured.
    pub case: String,
    /// What the numbers count.
    pub unit: Unit,
    /// Our number.
    pub ours: f64,
    /// The peer's.
    pub peer: Option<f64>,
    /// What it should be.
    pub target: Target,
}

impl Figure {
    /// Whether the target is met; `None` if there is none, or a ratio without a peer.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(most) => Some(self.ours <= most),
            Target::AtLeast(least) => Some(self.ours >= least),
            Target::RatioAtMost(most) => self.ratio().map(|ratio| ratio <= most),
            Target::RatioAtLeast(least) => self.ratio().map(|ratio| ratio >= least),
            Target::AboveMultipleAtMost { multiple, more } => self.peer.map(|peer| self.ours <= multiple * peer + more),
            Target::None => None,
        }
    }

    fn ratio(&self) -> Option<f64> {
        self.peer.map(|peer| self.ours / peer)
    }

    fn target(&self) -> String {
        match self.target {
            Target::AtMost(most) => format!("at most {}", self.unit.show(most)),
            Target::AtLeast(least) => format!("at least {}", self.unit.show(least)),
            Target::RatioAtMost(most) => format!("at most {most:.1} x"),
            Target::RatioAtLeast(least) => format!("at least {least:.1} x"),
            Target::AboveMultipleAtMost { multiple, more } if more > 0.0 => {
                format!("at most {multiple:.0} x and {}", self.unit.show(more))
            }
            Target::AboveMultipleAtMost { multiple, .. } => format!("at most {multiple:.0} x"),
            Target::None => String::new(),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer.map_or_else(String::new, |peer| self.unit.show(peer));
        let ratio = self.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2} x"));
        let state = self.is_met().map_or("", |met| if met { "met" } else { "**missed**" });
        let (id, case, ours, target) = (self.id, &self.case, self.unit.show(self.ours), self.target());
        write!(formatter, "| {id} | {case} | {ours} | {peer} | {ratio} | {target} | {state} |")
    }
}

/// The folder of the models: `MANDI_MODELS`, or `.mandi/models` as `make models` leaves it.
#[must_use]
pub fn models() -> PathBuf {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.mandi/models"));
    std::env::var_os("MANDI_MODELS").map_or_else(default, PathBuf::from)
}

/// Runs a script of `peers/` with the Python of the tests' environment (`MANDI_TEST_VENV`, or `python3`); it prints
/// one JSON value. A script that needs packages makes an environment of its own.
///
/// # Errors
/// The script fails, or prints something else.
pub fn run_peer<I, A>(script: &str, arguments: I) -> Result<Value, Box<dyn Error>>
where
    I: IntoIterator<Item = A>,
    A: AsRef<std::ffi::OsStr>,
{
    let output = peer(script).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("{script} failed: {}", output.status).into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("{script} does not print JSON: {error}").into())
}

/// The command that runs a script of `peers/`, as [`run_peer`] does.
#[must_use]
pub fn peer(script: &str) -> Command {
    let python = std::env::var_os("MANDI_TEST_VENV")
        .map_or_else(|| PathBuf::from("python3"), |folder| PathBuf::from(folder).join("bin").join("python"));
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/peers")).join(script);
    let mut command = Command::new(python);
    command.arg(path).stderr(Stdio::inherit());
    command
}

/// 32-bit floats in little-endian order, as `boosted.py` writes rows.
///
/// # Errors
/// The file cannot be read.
pub fn floats(file: &Path) -> std::io::Result<Vec<f32>> {
    Ok(std::fs::read(file)?.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// A number of what a peer printed.
///
/// # Errors
/// It is not there.
pub fn number(found: &Value, pointer: &str) -> Result<f64, Box<dyn Error>> {
    found.pointer(pointer).and_then(Value::as_f64).ok_or_else(|| format!("the peer gives no {pointer}").into())
}

/// The median of what was measured; of an even number, the upper of the two in the middle.
///
/// # Panics
/// Nothing was measured.
#[must_use]
pub fn median(numbers: Vec<f64>) -> f64 {
    quantile(numbers, 0.5)
}

/// What a share of the numbers is less than.
///
/// # Panics
/// There are no numbers.
#[must_use]
pub fn quantile(mut numbers: Vec<f64>, share: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let place = (numbers.len() as f64 * share) as usize;
    numbers[place.min(numbers.len() - 1)]
}

/// The most memory that a process has had at a time (`VmHWM`), in MiB.
///
/// # Errors
/// There is no such process.
pub fn peak_memory_mb(pid: u32) -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("a process without VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: f64, peer: Option<f64>, target: Target) -> Figure {
        Figure { id: "P0", case: "a case".to_owned(), unit: Unit::Milliseconds, ours, peer, target }
    }

    #[test]
    fn given_a_ratio_over_its_target_when_printed_then_the_row_says_missed() {
        let row = figure(9.0, Some(10.0), Target::RatioAtMost(0.8)).to_string();
        assert_eq!(row, "| P0 | a case | 9.0 ms | 10.0 ms | 0.90 x | at most 0.8 x | **missed** |");
    }

    #[test]
    fn given_an_even_number_of_measures_when_their_median_is_taken_then_it_is_the_upper_one() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]).to_bits(), 3.0_f64.to_bits());
    }

    #[test]
    fn given_a_hundred_measures_when_the_99th_percentile_is_taken_then_one_is_as_large() {
        let numbers = (0..100).map(f64::from).collect();
        assert_eq!(quantile(numbers, 0.99).to_bits(), 99.0_f64.to_bits());
    }

    #[test]
    fn given_a_ratio_without_a_peer_when_judged_then_nothing_is_claimed() {
        assert_eq!(figure(9.0, None, Target::RatioAtMost(0.8)).is_met(), None);
    }

    #[test]
    fn given_a_bound_above_a_multiple_when_judged_then_both_count() {
        let target = Target::AboveMultipleAtMost { multiple: 3.0, more: 400.0 };
        assert_eq!(figure(430.0, Some(10.0), target).is_met(), Some(true));
        assert_eq!(figure(431.0, Some(10.0), target).is_met(), Some(false));
    }
}
