//! Money as integer micro-dollars (one millionth of a US dollar), never floating point.

use serde::{Deserialize, Serialize};

/// An amount in micro-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(pub i64);

/// What a model costs, in micro-dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenPrice {
    /// For a million input tokens.
    pub input_micro_usd_per_million: i64,
    /// For a million output tokens.
    pub output_micro_usd_per_million: i64,
}

impl TokenPrice {
    /// The price of one call, rounded up to a whole micro-dollar so that no call is free by rounding.
    #[must_use]
    pub fn cost(self, input_tokens: u64, output_tokens: u64) -> MicroUsd {
        let input = i128::from(input_tokens) * i128::from(self.input_micro_usd_per_million);
        let output = i128::from(output_tokens) * i128::from(self.output_micro_usd_per_million);
        let micro_usd = (input + output + 999_999) / 1_000_000;
        MicroUsd(i64::try_from(micro_usd).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_exact_and_rounded_up() {
        let price = TokenPrice { input_micro_usd_per_million: 3_000_000, output_micro_usd_per_million: 15_000_000 };
        assert_eq!(price.cost(1_000, 200), MicroUsd(6_000));
        assert_eq!(TokenPrice { input_micro_usd_per_million: 1, ..price }.cost(1, 0), MicroUsd(1));
        assert_eq!(TokenPrice::default().cost(1_000_000, 1_000_000), MicroUsd(0));
    }
}
