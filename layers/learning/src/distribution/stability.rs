//! Population stability index: how far the predictions of one arm are from those of the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Histogram, Labels};
use crate::numbers::{float, float_of};

/// About how many bins the control's values are cut into.
const BINS: u64 = 10;

/// The population stability index with what it takes to read it.
///
/// `psi = sum over bins of (p - q) ln(p / q)` with `q` the control's share of the bin and `p` the treatment's, each as
/// `(count + 1/2) / (total + bins / 2)`, so that an empty bin gives no infinity. By convention (Siddiqi, *Credit Risk
/// Scorecards*, 2006) below 0.1 is stable and above 0.25 a large shift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stability {
    /// The index, 0 or more.
    pub psi: f64,
    /// The index that two samples of these sizes from one distribution have on average:
    /// `(bins - 1) (1 / n + 1 / m)` (Yurdakul, *Statistical properties of population stability index*, 2018).
    pub expected_by_chance: f64,
    /// How many bins were compared.
    pub bins: usize,
}

/// Between values. A bin is a run of buckets that holds about a tenth of the control's values; what lies below all of
/// them is one more, and what lies above too. Nothing without values on either side.
#[must_use]
pub fn stability(control: &Histogram, treatment: &Histogram) -> Option<Stability> {
    let keys: BTreeSet<i16> = control.buckets().keys().chain(treatment.buckets().keys()).copied().collect();
    let count = |histogram: &Histogram, key: i16| histogram.buckets().get(&key).copied().unwrap_or_default();
    let total = control.count();
    let mut bins: BTreeMap<Bin, (u64, u64)> = BTreeMap::new();
    let mut seen = 0_u64;
    for key in keys {
        let (of_control, of_treatment) = (count(control, key), count(treatment, key));
        let bin = bins.entry(Bin::of(seen, of_control, total)).or_default();
        *bin = (bin.0.saturating_add(of_control), bin.1.saturating_add(of_treatment));
        seen = seen.saturating_add(of_control);
    }
    of_bins(&bins.into_values().collect::<Vec<_>>())
}

/// Where a bucket lies among the control's values.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Bin {
    Below,
    Tenth(u128),
    Above,
}

impl Bin {
    /// Of a bucket with `here` values of the control, before which it has `before` of its `total`.
    fn of(before: u64, here: u64, total: u64) -> Self {
        match (before, here) {
            (0, 0) => Self::Below,
            _ if before == total => Self::Above,
            _ => Self::Tenth(u128::from(before) * u128::from(BINS) / u128::from(total)),
        }
    }
}

/// Between labels: each label is a bin, and the labels that are not counted each for itself are one. Nothing without
/// predictions on either side.
#[must_use]
pub fn label_stability(control: &Labels, treatment: &Labels) -> Option<Stability> {
    let labels: BTreeSet<&String> = control.labels().chain(treatment.labels()).collect();
    let mut bins: Vec<_> =
        labels.into_iter().map(|label| (control.count_of(label), treatment.count_of(label))).collect();
    if control.others() > 0 || treatment.others() > 0 {
        bins.push((control.others(), treatment.others()));
    }
    of_bins(&bins)
}

fn of_bins(bins: &[(u64, u64)]) -> Option<Stability> {
    let total = |side: fn(&(u64, u64)) -> u64| bins.iter().map(side).fold(0, u64::saturating_add);
    let (control, treatment) = (total(|bin| bin.0), total(|bin| bin.1));
    if control == 0 || treatment == 0 {
        return None;
    }
    let width = float_of(bins.len());
    let share = |count: u64, total: u64| (float(count) + 0.5) / (float(total) + width / 2.0);
    let of_bin = |bin: &(u64, u64)| {
        let (q, p) = (share(bin.0, control), share(bin.1, treatment));
        (p - q) * (p / q).ln()
    };
    let expected_by_chance = (width - 1.0) * (1.0 / float(control) + 1.0 / float(treatment));
    Some(Stability { psi: bins.iter().map(of_bin).sum(), expected_by_chance, bins: bins.len() })
}
