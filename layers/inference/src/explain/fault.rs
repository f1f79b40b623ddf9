//! Why something cannot be explained.

/// Why something cannot be explained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainFault {
    /// Values that are no rows.
    #[error("{values} values are no whole rows of {width} columns")]
    Rows {
        /// How many values there are.
        values: usize,
        /// How many a row has.
        width: usize,
    },
    /// Rows of another width.
    #[error("the {what} has {found} columns, but {expected} are needed")]
    Width {
        /// Which rows.
        what: &'static str,
        /// How many columns they have.
        found: usize,
        /// How many they need.
        expected: usize,
    },
    /// A background without rows, or with too many.
    #[error("the background has {found} rows; give 1 to {most}")]
    Background {
        /// How many it has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// A missing value where there is no meaning for it.
    #[error("row {row}, column {column} of the {what} is missing; fill it as the model's own pipeline does")]
    Missing {
        /// Which rows.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
    },
    /// Trees whose outputs are no sums.
    #[error("trees that are joined by their least or greatest vote have no exact explanation; use permutation")]
    Aggregate,
    /// A tree that is too deep.
    #[error("a tree has paths of more than {0} branches; exact explanations end there, use permutation")]
    Depth(usize),
    /// A path that asks for too many features.
    #[error("a path of a tree asks for more than {0} features; exact explanations end there, use permutation")]
    Players(usize),
    /// Too many votes, counted for each leaf and each target of its tree.
    #[error("the leaves of the trees would have {0} values, target by target; use permutation")]
    Values(usize),
    /// Numbers that do not belong together.
    #[error("there are {found} {what}, but {expected} are needed")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Probabilities of a model that has more than one margin.
    #[error("probabilities are explained for models with one margin, and this one has {0}; explain its margins")]
    Link(usize),
    /// A budget that is too small for any estimate.
    #[error("{found} evaluations are too few; an estimate with a standard error takes at least {least}")]
    Evaluations {
        /// How many are allowed.
        found: usize,
        /// How many are needed.
        least: usize,
    },
    /// A number that must be another.
    #[error("{what} is {found}; it must be {expected}")]
    Number {
        /// What it is.
        what: &'static str,
        /// The number.
        found: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A target that the answers do not have.
    #[error("`target` is {found}, and the answers have {count} numbers, which count from 0")]
    Target {
        /// The target.
        found: usize,
        /// How many there are.
        count: usize,
    },
    /// Somebody who waited for it does no more.
    #[error("it was stopped")]
    Stopped,
    /// The model that is asked for its outputs failed.
    #[error("the model failed: {0}")]
    Predictor(String),
}
