//! What the lists of all collections hold: rows and their scores, fused before any chunk is read.

use std::collections::HashMap;

use mandi_core::ports::ModelRef;

use crate::cosine::CosineScale;
use crate::fusion::{RankedList, reciprocal_rank_fusion};
use crate::passage::{Scores, SearchMode};
use crate::ports::Candidate;

/// What the vector list counts for a query in another script than Latin, when the embedding model knows English
/// alone: its neighbours are little better than chance there, while keywords are exact.
const WEIGHT_OF_FOREIGN_VECTORS: f32 = 0.2;

/// A row: the place of its collection among those that are searched, and its number there.
pub type Key = (usize, u64);

/// One list over all collections, best first.
pub type List = Vec<(Key, f32)>;

/// A row of the fused list.
#[derive(Clone, Copy)]
pub struct Found {
    pub key: Key,
    pub scores: Scores,
}

/// The score that orders a search's passages.
pub fn leading(scores: &Scores, mode: SearchMode) -> f32 {
    let score = match mode {
        SearchMode::Hybrid => scores.fused,
        SearchMode::Vector => scores.vector,
        SearchMode::Keyword => scores.keyword,
    };
    score.unwrap_or_default()
}

/// What all collections have.
#[derive(Default)]
pub struct Candidates {
    /// One list for each embedding model: cosines of different models do not compare.
    by_model: Vec<(ModelRef, List)>,
    keyword: List,
    /// What the cosines in a collection say, where that was measured.
    scales: HashMap<usize, CosineScale>,
    /// Whether the query is in a script that a model does not know.
    foreign: bool,
}

impl Candidates {
    pub fn new(foreign: bool) -> Self {
        Self { foreign, ..Self::default() }
    }

    /// The lists of the collection at a place, whose chunks are embedded with a model.
    pub fn add(&mut self, place: usize, model: &ModelRef, vector: Vec<Candidate>, keyword: Vec<Candidate>) {
        let keyed = |candidate: Candidate| ((place, candidate.row), candidate.score);
        let vector = vector.into_iter().map(keyed);
        match self.by_model.iter_mut().find(|(known, _)| known == model) {
            Some((_, list)) => list.extend(vector),
            None => self.by_model.push((model.clone(), vector.collect())),
        }
        self.keyword.extend(keyword.into_iter().map(keyed));
        self.scales.extend(CosineScale::of(model).map(|scale| (place, scale)));
    }

    /// The fused list, each row with its scores.
    pub fn fuse(mut self, mode: SearchMode) -> Vec<Found> {
        best_first(&mut self.keyword);
        self.by_model.iter_mut().for_each(|(_, list)| best_first(list));
        let vector = in_turns(self.by_model.into_iter().map(|(_, list)| list).collect());

        let mut scores: HashMap<Key, Scores> = HashMap::new();
        for (key, score) in &vector {
            let entry = scores.entry(*key).or_default();
            entry.vector = Some(*score);
            entry.cosine_scale = self.scales.get(&key.0).copied();
        }
        for (key, score) in &self.keyword {
            scores.entry(*key).or_default().keyword = Some(*score);
        }

        let vector_weight = if self.foreign && !self.keyword.is_empty() { WEIGHT_OF_FOREIGN_VECTORS } else { 1.0 };
        let by_keyword = RankedList { keys: keys(&self.keyword), weight: 1.0 };
        let lists = match mode {
            SearchMode::Hybrid => vec![by_keyword, RankedList { keys: keys(&vector), weight: vector_weight }],
            SearchMode::Vector => vec![RankedList { keys: keys(&vector), weight: 1.0 }],
            SearchMode::Keyword => vec![by_keyword],
        };
        let with_scores = reciprocal_rank_fusion(&lists).into_iter().filter_map(|(key, fused)| {
            let mut scores = scores.remove(&key)?;
            scores.fused = (mode == SearchMode::Hybrid).then_some(fused);
            Some(Found { key, scores })
        });
        with_scores.collect()
    }
}

fn keys(list: &List) -> Vec<Key> {
    list.iter().map(|(key, _)| *key).collect()
}

fn best_first(list: &mut List) {
    list.sort_by(|(_, one), (_, other)| other.total_cmp(one));
}

/// One list of several: the first of each, then the second of each, and so on.
fn in_turns(lists: Vec<List>) -> List {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut joined = Vec::new();
    loop {
        let before = joined.len();
        joined.extend(lists.iter_mut().filter_map(Iterator::next));
        if joined.len() == before {
            return joined;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_different_models_take_turns() {
        let list = |place: usize, rows: std::ops::Range<u64>| rows.map(|row| ((place, row), 0.5)).collect::<List>();
        let joined = in_turns(vec![list(0, 1..4), Vec::new(), list(1, 1..2)]);
        assert_eq!(keys(&joined), [(0, 1), (1, 1), (0, 2), (0, 3)]);
    }
}
