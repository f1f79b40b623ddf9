//! Tables of outcomes, as Markdown.

use std::fmt::Write;

use super::metrics::mean;
use super::searching::Outcome;

/// The means of several searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// Mean recall in the first five, 0 to 1.
    pub recall_at_5: f64,
    /// Mean normalised discounted cumulative gain of the first ten, 0 to 1.
    pub ndcg_at_10: f64,
    /// Median time, in milliseconds.
    pub milliseconds: f64,
    /// How many searches.
    pub searches: usize,
}

impl Means {
    /// The means of these.
    #[must_use]
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let outcomes: Vec<&Outcome> = outcomes.into_iter().collect();
        let each = |value: fn(&Outcome) -> f64| outcomes.iter().map(|outcome| value(outcome)).collect::<Vec<f64>>();
        let mut times = each(|outcome| outcome.milliseconds);
        times.sort_by(f64::total_cmp);
        Self {
            recall_at_5: mean(&each(|outcome| outcome.recall_at_5)),
            ndcg_at_10: mean(&each(|outcome| outcome.ndcg_at_10)),
            milliseconds: times.get(times.len() / 2).copied().unwrap_or_default(),
            searches: outcomes.len(),
        }
    }
}

/// A table with a row for each name.
#[must_use]
pub fn table(heading: &str, rows: &[(String, Means)]) -> String {
    let mut table = format!("| {heading} | questions | recall@5 | nDCG@10 | median ms |\n|---|---:|---:|---:|---:|\n");
    for (name, Means { recall_at_5, ndcg_at_10, milliseconds, searches }) in rows {
        let _ = writeln!(table, "| {name} | {searches} | {recall_at_5:.3} | {ndcg_at_10:.3} | {milliseconds:.0} |");
    }
    table
}

/// One line for each search that has nothing in the first five, with its rank.
#[must_use]
pub fn misses(outcomes: &[Outcome]) -> String {
    let missed = outcomes.iter().filter(|outcome| outcome.recall_at_5 < 1.0);
    let rank = |outcome: &Outcome| outcome.rank.map_or_else(|| "not in 10".to_owned(), |rank| format!("rank {rank}"));
    missed.map(|outcome| format!("{} ({})", outcome.id, rank(outcome))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(recall_at_5: f64, milliseconds: f64) -> Outcome {
        Outcome { id: "q".to_owned(), recall_at_5, ndcg_at_10: 0.5, rank: Some(7), milliseconds }
    }

    #[test]
    fn given_outcomes_when_their_means_are_taken_then_times_are_by_their_median() {
        let means = Means::of(&[outcome(1.0, 5.0), outcome(0.0, 900.0), outcome(1.0, 7.0), outcome(0.0, 6.0)]);
        assert_eq!(means, Means { recall_at_5: 0.5, ndcg_at_10: 0.5, milliseconds: 7.0, searches: 4 });
    }

    #[test]
    fn given_a_miss_when_it_is_told_then_its_rank_is_named() {
        assert_eq!(misses(&[outcome(1.0, 1.0), outcome(0.0, 1.0)]), "q (rank 7)");
    }
}
