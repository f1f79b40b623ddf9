//! The contributions that come from a leaf of value 1, for every pattern of a row.
//!
//! A pattern is a word: bit `i` is set when the row fails a test of player `i`. With `f` the shares of the background's
//! patterns, the Shapley value of player `j` is the integral over `t`, the chance that another player is known, of
//! `sum over b of f[b] (x_j - b_j) product over i != j of (t x_i + (1 - t) b_i)`, where `x_i` is 1 when the row passes
//! `i`, else 0, and `b_i` the same for the background. Without `j`'s exception the sum is one transform of `f`, player
//! after player, from which all `j` follow. (WOODELF, Wettenstein and Nadel, 2025, has the patterns; WOODELF-HD,
//! arXiv 2604.10569, the cost of `players 2^players`; Quadrature-TreeSHAP, arXiv 2605.04497, the integral by points.)

use super::quadrature::Point;

/// What is used again for each leaf.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    sums: Vec<f64>,
    /// By pattern: of a player that is failed; of one that is passed, but for what its own pass is worth; and that.
    failed: Vec<f64>,
    passed: Vec<f64>,
    own: Vec<f64>,
}

impl Scratch {
    /// The contributions by pattern, player by player, of a leaf of `players`, whose background patterns have `shares`.
    pub(super) fn contributions(&mut self, players: usize, shares: &[f64], points: &[Point], found: &mut Vec<f64>) {
        for part in [&mut self.failed, &mut self.passed, &mut self.own] {
            part.clear();
            part.resize(shares.len(), 0.0);
        }
        for Point { at: t, weight } in points {
            self.transform(players, shares, *t);
            let (failed, passed, own) = (weight / (1.0 - t), weight / t, weight / (t * (1.0 - t)));
            for (pattern, sum) in self.sums.iter().enumerate() {
                self.failed[pattern] -= failed * sum;
                self.passed[pattern] += passed * sum;
                self.own[pattern] += own * sum;
            }
        }
        found.clear();
        for pattern in 0..shares.len() {
            found.extend((0..players).map(|player| {
                let bit = 1 << player;
                let fails = pattern & bit != 0;
                if fails { self.failed[pattern] } else { self.passed[pattern] - self.own[pattern | bit] }
            }));
        }
    }

    /// The sum over the background's patterns of all players' factors, by the row's pattern.
    fn transform(&mut self, players: usize, shares: &[f64], t: f64) {
        self.sums.clear();
        self.sums.extend_from_slice(shares);
        for player in 0..players {
            for pair in self.sums.chunks_exact_mut(2 << player) {
                let (passes, fails) = pair.split_at_mut(1 << player);
                for (pass, fail) in passes.iter_mut().zip(fails) {
                    (*pass, *fail) = (*pass + t * *fail, (1.0 - t) * *pass);
                }
            }
        }
    }
}
