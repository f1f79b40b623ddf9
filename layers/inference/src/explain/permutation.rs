//! Shapley values of any model, estimated from permutations.
//!
//! Players become known one after the other, in a random order and in its reverse, against a row of the background; what
//! the output changes by is what a player contributes (antithetic sampling: Mitchell et al., Sampling Permutations for
//! Shapley Value Estimation, JMLR 2022). A pair of orders asks the model for `2 players` rows. Its mean is an estimate
//! without bias, and pairs tell how far their mean may be off.

use super::contributions::count;
use super::{Contributions, ExplainFault, Game, Grouping, Rows, Space};

/// Rows that the model is asked for at a time, about.
const CHUNK: usize = 4096;

/// How much an estimate may cost, and what it is drawn by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Rows of outputs that the model is asked for at most, for each row that is explained.
    pub evaluations: usize,
    /// Equal seeds give equal estimates.
    pub seed: u64,
}

/// Contributions of one row, by players.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The means over all pairs of orders. The base is the mean output over those rows of the background that were used:
    /// over all of it when the budget allows a pair for each of its rows. Base and contributions make the output.
    pub contributions: Contributions,
    /// The standard error of each contribution, as far as it comes from sampling, target by target, player by player.
    pub errors: Vec<f64>,
    /// How many rows the model was asked for.
    pub evaluations: usize,
    /// How many pairs of orders there were.
    pub pairs: usize,
}

/// Numbers that look random: `SplitMix64` (Steele et al., OOPSLA 2014).
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Puts places in a random order. The remainder's bias is below 2^-40 for all that is permuted here.
    fn shuffle(&mut self, places: &mut [usize]) {
        for last in (1..places.len()).rev() {
            let most = u64::try_from(last + 1).unwrap_or(u64::MAX);
            let other = usize::try_from(self.next() % most).unwrap_or(0);
            places.swap(last, other);
        }
    }
}

/// Estimates the contributions of the groups of columns of one row to the outputs of a model, of which there are
/// `targets`; `predict` gives those of rows, row by row. A group becomes known as a whole.
///
/// # Errors
/// Row, background and grouping are not of one width, the background is empty, the budget is too small for two pairs of
/// orders (`4 groups`), or the model fails or gives another number of outputs.
pub fn permutation(
    mut predict: impl FnMut(Rows<'_>) -> Result<Vec<f64>, ExplainFault>,
    row: &[f64],
    background: Rows<'_>,
    (grouping, targets): (&Grouping, usize),
    budget: Budget,
) -> Result<Estimate, ExplainFault> {
    let (width, players) = (background.width(), grouping.groups());
    for (what, found) in [("row to explain", row.len()), ("grouping", grouping.of().len())] {
        if found != width {
            return Err(ExplainFault::Width { what, found, expected: width });
        }
    }
    background.background(width, usize::MAX)?;
    if targets == 0 {
        return Err(ExplainFault::Number { what: "the number of targets", found: 0, expected: "at least 1" });
    }
    let cost = players.saturating_mul(2);
    let pairs = budget.evaluations / cost;
    if pairs < 2 {
        return Err(ExplainFault::Evaluations { found: budget.evaluations, least: cost.saturating_mul(2) });
    }
    // Each row of the background as often as the others, as far as that may be.
    let pairs = if pairs >= background.len() { pairs / background.len() * background.len() } else { pairs };
    let pairs = pairs.max(2);
    let mut sums = Sums::new(players, targets);
    let mut random = Random(budget.seed);
    let mut reference: Vec<usize> = (0..background.len()).collect();
    random.shuffle(&mut reference);
    let mut orders = Vec::new();
    let mut asked = Vec::new();
    for pair in 0..pairs {
        let other = background.iter().nth(reference[pair % reference.len()]).unwrap_or(row);
        let mut order: Vec<usize> = (0..players).collect();
        random.shuffle(&mut order);
        ask(row, other, grouping, &order, &mut asked);
        orders.push(order);
        if orders.len() * cost >= CHUNK || pair + 1 == pairs {
            let given = Rows::new(&asked, width)?;
            let outputs = predict(given)?;
            if outputs.len() != given.len() * targets {
                let expected = given.len() * targets;
                return Err(ExplainFault::Count { what: "outputs of the model", found: outputs.len(), expected });
            }
            for (order, outputs) in orders.drain(..).zip(outputs.chunks_exact(cost * targets)) {
                sums.add(&order, outputs);
            }
            asked.clear();
        }
    }
    Ok(sums.finish(pairs))
}

/// The rows of a pair of orders: with no, one, two ... players known, to all; then the same from the order's other end,
/// but for none and all.
fn ask(row: &[f64], other: &[f64], grouping: &Grouping, order: &[usize], asked: &mut Vec<f64>) {
    let mut known = vec![false; order.len()];
    let mut add = |known: &[bool]| {
        let values = grouping.of().iter().zip(row.iter().zip(other));
        asked.extend(values.map(|(group, (own, other))| if known[*group] { own } else { other }));
    };
    add(&known);
    for player in order {
        known[*player] = true;
        add(&known);
    }
    known.fill(false);
    for player in order.iter().skip(1).rev() {
        known[*player] = true;
        add(&known);
    }
}

/// Sums over pairs, target by target, player by player.
struct Sums {
    players: usize,
    base: Vec<f64>,
    /// Means so far, and the sums of the squares of what differs from them (Welford, 1962).
    means: Vec<f64>,
    squares: Vec<f64>,
    pairs: usize,
}

impl Sums {
    fn new(players: usize, targets: usize) -> Self {
        let zeros = || vec![0.0; players * targets];
        Self { players, base: vec![0.0; targets], means: zeros(), squares: zeros(), pairs: 0 }
    }

    /// Adds what a pair's rows gave.
    fn add(&mut self, order: &[usize], outputs: &[f64]) {
        let (players, targets) = (self.players, self.base.len());
        self.pairs += 1;
        for target in 0..targets {
            // With how many players known, in the order and in its reverse.
            let forth = |known: usize| outputs[known * targets + target];
            let back = |known: usize| if known.is_multiple_of(players) { forth(known) } else { forth(players + known) };
            self.base[target] += forth(0);
            for (place, player) in order.iter().enumerate() {
                let from_end = players - 1 - place;
                let gains = [forth(place + 1) - forth(place), back(from_end + 1) - back(from_end)];
                let value = f64::midpoint(gains[0], gains[1]);
                let own = target * players + player;
                let before = value - self.means[own];
                self.means[own] += before / count(self.pairs);
                self.squares[own] += before * (value - self.means[own]);
            }
        }
    }

    fn finish(self, pairs: usize) -> Estimate {
        let error = |squares: &f64| (squares / count(pairs - 1) / count(pairs)).sqrt();
        let errors = self.squares.iter().map(error).collect();
        let base = self.base.iter().map(|sum| sum / count(pairs)).collect();
        let contributions = Contributions {
            game: Game::Interventional,
            space: Space::Raw,
            base,
            features: self.players,
            values: self.means,
        };
        Estimate { contributions, errors, evaluations: pairs * 2 * self.players, pairs }
    }
}

#[cfg(test)]
mod tests;
