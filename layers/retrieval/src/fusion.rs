//! Reciprocal rank fusion: one list of several (Cormack, Clarke and Büttcher, SIGIR 2009).

use std::collections::HashMap;
use std::hash::Hash;

/// How much the first ranks outweigh the later ones: the less, the more. The paper's 60 was chosen for many lists; for
/// the two of a search, 5 to 15 find more (docs/retrieval.md has the figures).
pub const K: f32 = 15.0;

/// A list of keys, best first, and what it counts against the others.
#[derive(Clone, Debug)]
pub struct RankedList<Key> {
    /// The keys, each once.
    pub keys: Vec<Key>,
    /// Its weight; 1 for all is the paper's formula.
    pub weight: f32,
}

/// The keys of all lists, best first, each with `sum(weight / (K + rank)) * (K + 1) / sum(weight)`: first in
/// every list is 1, absent from every list would be 0. Equal scores keep the order in which the lists bring
/// their keys.
#[must_use]
pub fn reciprocal_rank_fusion<Key: Clone + Eq + Hash>(lists: &[RankedList<Key>]) -> Vec<(Key, f32)> {
    let weights: f32 = lists.iter().map(|list| list.weight).sum();
    if weights <= 0.0 {
        return Vec::new();
    }
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut fused: Vec<(Key, f32)> = Vec::new();
    for list in lists {
        let mut rank = 0.0;
        for key in &list.keys {
            rank += 1.0;
            let place = *places.entry(key.clone()).or_insert_with(|| {
                fused.push((key.clone(), 0.0));
                fused.len() - 1
            });
            fused[place].1 += list.weight / (K + rank) * (K + 1.0) / weights;
        }
    }
    fused.sort_by(|one, other| other.1.total_cmp(&one.1));
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: &[&'static str], weight: f32) -> RankedList<&'static str> {
        RankedList { keys: keys.to_vec(), weight }
    }

    #[test]
    fn first_in_every_list_scores_one() {
        let fused = reciprocal_rank_fusion(&[list(&["a", "b"], 1.0), list(&["a", "c"], 1.0)]);
        assert_eq!(fused[0].0, "a");
        assert!((fused[0].1 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn what_both_lists_found_comes_before_what_one_found() {
        let fused = reciprocal_rank_fusion(&[list(&["x", "both"], 1.0), list(&["y", "both"], 1.0)]);
        assert_eq!(fused.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["both", "x", "y"]);
        // By hand: 2 / 17 * 16 / 2, and 1 / 16 * 16 / 2.
        assert!((fused[0].1 - 16.0 / 17.0).abs() < 1e-6);
        assert!((fused[1].1 - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_list_of_less_weight_counts_less() {
        let fused = reciprocal_rank_fusion(&[list(&["noise"], 0.25), list(&["found"], 1.0)]);
        assert_eq!(fused[0].0, "found");
    }

    #[test]
    fn no_lists_give_nothing() {
        assert!(reciprocal_rank_fusion::<u8>(&[]).is_empty());
    }
}
