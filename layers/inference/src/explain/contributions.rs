//! What explanations give: contributions of features to outputs.

use super::{ExplainFault, Rows};

/// Which game is played: what the output is when some features are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Game {
    /// The mean over the background's rows with the known features replaced by those of the row: unknown features do
    /// not depend on known ones.
    Interventional,
    /// Down the trees; at a branch that asks for an unknown feature, the mean of both ways by how many of the
    /// background's rows take each.
    PathDependent,
}

/// The unit of contributions and base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The model's sum, before its post transform: a margin, or a value; a probability where trees vote with such.
    Raw,
    /// The logistic function of the sum.
    Probability,
}

/// Contributions of features to the outputs of rows. Those of an output and its base make the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    pub(super) game: Game,
    pub(super) space: Space,
    pub(super) base: Vec<f64>,
    pub(super) features: usize,
    /// Row by row, target by target, feature by feature.
    pub(super) values: Vec<f64>,
}

impl Contributions {
    /// Which game was played.
    #[must_use]
    pub const fn game(&self) -> Game {
        self.game
    }

    /// The unit.
    #[must_use]
    pub const fn space(&self) -> Space {
        self.space
    }

    /// The mean output over the background, by target.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// How many outputs a row has.
    #[must_use]
    pub const fn targets(&self) -> usize {
        self.base.len()
    }

    /// How many contributions each output has.
    #[must_use]
    pub const fn features(&self) -> usize {
        self.features
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.values.len() / (self.base.len() * self.features)
    }

    /// All contributions, row by row, target by target, feature by feature.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The contributions of a row to a target, both from 0, by feature; none when there is no such row or target.
    #[must_use]
    pub fn of(&self, row: usize, target: usize) -> Option<&[f64]> {
        if target >= self.targets() {
            return None;
        }
        self.values.chunks_exact(self.features).nth(row * self.targets() + target)
    }

    /// The output of a row that is explained: base and contributions.
    #[must_use]
    pub fn output(&self, row: usize, target: usize) -> Option<f64> {
        Some(self.base.get(target)? + self.of(row, target)?.iter().sum::<f64>())
    }

    /// The contributions of groups of features: the sum of those of its members.
    ///
    /// # Errors
    /// The grouping is one of another number of features.
    pub fn grouped(&self, grouping: &Grouping) -> Result<Self, ExplainFault> {
        if grouping.of.len() != self.features {
            return Err(ExplainFault::Count {
                what: "features in the grouping",
                found: grouping.of.len(),
                expected: self.features,
            });
        }
        let sums = |own: &[f64]| {
            let mut sums = vec![0.0; grouping.groups];
            grouping.of.iter().zip(own).for_each(|(group, value)| sums[*group] += value);
            sums
        };
        let values = self.values.chunks_exact(self.features).flat_map(sums).collect();
        Ok(Self { values, features: grouping.groups, base: self.base.clone(), ..*self })
    }
}

/// Which features belong to one column: the outputs of a one-hot encoder, say.
///
/// The contribution of a column is then the sum of its features' contributions. This keeps the sum of all, and is what
/// is usually shown. It is not the Shapley value of the game in which the column is one player: there, its features
/// become known together, while here they may become known one by one, which also asks the model about rows that no
/// encoder makes, with no category or with two. [`permutation`](super::permutation) plays the other game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    of: Vec<usize>,
    groups: usize,
}

impl Grouping {
    /// The group of each feature, from 0.
    ///
    /// # Errors
    /// There is no feature, or a group without one.
    pub fn new(of: Vec<usize>) -> Result<Self, ExplainFault> {
        let groups = of.iter().max().map_or(0, |last| last.saturating_add(1));
        let mut seen = vec![false; groups.min(of.len())];
        of.iter().for_each(|group| seen.get_mut(*group).into_iter().for_each(|seen| *seen = true));
        let found = seen.iter().filter(|seen| **seen).count();
        if found != groups || groups == 0 {
            return Err(ExplainFault::Count { what: "groups with a feature", found, expected: groups.max(1) });
        }
        Ok(Self { of, groups })
    }

    /// Groups of features that lie side by side, by how many each has.
    ///
    /// # Errors
    /// One has none, or there is no group.
    pub fn of_widths(widths: &[usize]) -> Result<Self, ExplainFault> {
        let of = widths.iter().enumerate().flat_map(|(group, width)| std::iter::repeat_n(group, *width));
        let grouping = Self::new(of.collect())?;
        if widths.contains(&0) {
            let found = widths.iter().filter(|width| **width > 0).count();
            return Err(ExplainFault::Count { what: "groups with a feature", found, expected: widths.len() });
        }
        Ok(grouping)
    }

    /// Each feature by itself.
    ///
    /// # Errors
    /// There is none.
    pub fn single(features: usize) -> Result<Self, ExplainFault> {
        Self::new((0..features).collect())
    }

    /// The group of each feature.
    #[must_use]
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// How many groups there are.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups
    }
}

/// How much a feature matters over rows: the mean size of its contributions, target by target, feature by feature.
/// No rows give zeros.
#[must_use]
pub fn importance(contributions: &Contributions) -> Vec<f64> {
    let mut sums = vec![0.0; contributions.targets() * contributions.features];
    for row in contributions.values.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value.abs());
    }
    let rows = count(contributions.rows().max(1));
    sums.iter_mut().for_each(|sum| *sum /= rows);
    sums
}

/// Rows of like value of a feature, and its contributions there.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// The least and the greatest value; none for the rows without one.
    pub values: Option<[f64; 2]>,
    /// How many rows.
    pub rows: usize,
    /// The mean contribution.
    pub mean: f64,
    /// The least and the greatest contribution.
    pub range: [f64; 2],
}

/// How contributions depend on a feature's value: `bins` bins at most, of about as many rows each, by rising value; equal
/// values are in one bin. Rows without a value come last, in a bin of their own.
///
/// # Errors
/// The rows are not those that were explained, there is no such feature or target, or no bin is asked for.
pub fn dependence(
    contributions: &Contributions,
    rows: Rows<'_>,
    [feature, target]: [usize; 2],
    bins: usize,
) -> Result<Vec<Bin>, ExplainFault> {
    if rows.len() != contributions.rows() {
        return Err(ExplainFault::Count { what: "rows", found: rows.len(), expected: contributions.rows() });
    }
    if feature >= contributions.features || feature >= rows.width() {
        return Err(ExplainFault::Number { what: "the feature", found: feature, expected: "one that was explained" });
    }
    if target >= contributions.targets() {
        return Err(ExplainFault::Number { what: "the target", found: target, expected: "one that was explained" });
    }
    if bins == 0 {
        return Err(ExplainFault::Number { what: "the number of bins", found: 0, expected: "at least 1" });
    }
    let own = contributions.values.chunks_exact(contributions.features).skip(target).step_by(contributions.targets());
    let pairs = rows.iter().zip(own).map(|(row, own)| (row[feature], own[feature]));
    let (missing, mut known): (Vec<_>, Vec<_>) = pairs.partition(|(value, _)| value.is_nan());
    known.sort_by(|one, other| one.0.total_cmp(&other.0));
    let bins = bins.min(known.len());
    let mut found = Vec::new();
    let mut from = 0;
    for bin in 0..bins {
        // The end of an even share, moved on to where the value changes.
        let mut to = (known.len() * (bin + 1) / bins).max(from);
        while to > from && to < known.len() && known[to].0 <= known[to - 1].0 {
            to += 1;
        }
        if let (Some(first), Some(last)) = (known[from..to].first(), known[from..to].last()) {
            found.push(Bin { values: Some([first.0, last.0]), ..bin_of(&known[from..to]) });
        }
        from = to;
    }
    if !missing.is_empty() {
        found.push(bin_of(&missing));
    }
    Ok(found)
}

fn bin_of(pairs: &[(f64, f64)]) -> Bin {
    let own = || pairs.iter().map(|(_, own)| *own);
    let range = [own().fold(f64::INFINITY, f64::min), own().fold(f64::NEG_INFINITY, f64::max)];
    Bin { values: None, rows: pairs.len(), mean: own().sum::<f64>() / count(pairs.len()), range }
}

/// A number of rows as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^52")]
pub(super) const fn count(rows: usize) -> f64 {
    rows as f64
}

#[cfg(test)]
mod tests;
