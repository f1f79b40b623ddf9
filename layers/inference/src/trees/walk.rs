//! Walks through trees, several at a time: each step of one waits for memory, and the others use that time.

use super::flat::FlatNode;

/// The numbers of a row: what splits are compared with.
pub trait Value: Copy + PartialOrd + Into<f64> + Send + Sync + std::fmt::Debug + 'static {
    /// Not a number: a missing value.
    const NAN: Self;
    /// More than any number.
    const INFINITY: Self;

    /// Whether it is missing.
    fn is_nan(self) -> bool;
    /// The greatest number that is at most this one; none when all are more.
    fn at_most(number: f64) -> Option<Self>;
    /// The greatest number that is less than this one; none when none is.
    fn below(number: f64) -> Option<Self>;
    /// The same number, if it can be said exactly.
    fn exactly(number: f64) -> Option<Self>;
}

impl Value for f64 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;

    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn at_most(number: f64) -> Option<Self> {
        (!number.is_nan()).then_some(number)
    }

    fn below(number: f64) -> Option<Self> {
        (number > Self::NEG_INFINITY).then(|| number.next_down())
    }

    fn exactly(number: f64) -> Option<Self> {
        Self::at_most(number)
    }
}

impl Value for f32 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;

    fn is_nan(self) -> bool {
        self.is_nan()
    }

    fn at_most(number: f64) -> Option<Self> {
        let near = nearest(number);
        (!number.is_nan()).then(|| if f64::from(near) > number { near.next_down() } else { near })
    }

    fn below(number: f64) -> Option<Self> {
        let near = nearest(number);
        (number > f64::NEG_INFINITY).then(|| if f64::from(near) < number { near } else { near.next_down() })
    }

    fn exactly(number: f64) -> Option<Self> {
        let near = nearest(number);
        (f64::from(near) >= number && f64::from(near) <= number).then_some(near)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "to the nearest is what is wanted")]
const fn nearest(number: f64) -> f32 {
    number as f32
}

/// Walks from each root to a leaf, lane by lane; `value` is what a lane's row has for a feature.
#[inline]
pub(super) fn walk<V: Value, const LANES: usize>(
    nodes: &[FlatNode<V>],
    mut at: [u32; LANES],
    value: impl Fn(usize, usize) -> V,
) -> [u32; LANES] {
    loop {
        let mut moved = 0;
        for (lane, place) in at.iter_mut().enumerate() {
            let node = &nodes[*place as usize];
            let next = node.next(value(lane, node.feature()));
            moved |= next ^ *place;
            *place = next;
        }
        if moved == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_a_number_are_found_at_zero_at_the_ends_and_between_single_numbers() {
        let tiny = f32::from_bits(1);
        assert_eq!(f32::below(0.0), Some(-tiny));
        assert_eq!(f32::below(-0.0), Some(-tiny));
        assert_eq!(f32::below(f64::from(tiny)), Some(0.0));
        assert_eq!(f32::below(f64::INFINITY), Some(f32::MAX));
        assert_eq!(f32::below(f64::NEG_INFINITY), None);
        assert_eq!(f32::at_most(f64::INFINITY), Some(f32::INFINITY));
        assert_eq!(f32::at_most(f64::NAN), None);
        let between = 1.0 + f64::EPSILON;
        assert_eq!((f32::below(between), f32::at_most(between), f32::exactly(between)), (Some(1.0), Some(1.0), None));
        assert_eq!((f32::exactly(1.0), f64::below(1.0)), (Some(1.0), Some(1.0 - f64::EPSILON / 2.0)));
    }
}
