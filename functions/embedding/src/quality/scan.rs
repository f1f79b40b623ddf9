//! What the pass over the vectors remembers, and what it concludes.

use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::VectorRow;

use super::sample::Sample;
use super::{EXAMPLES, Norms, QualityReport};

/// How far a norm may be from 1.
const NORM_TOLERANCE: f64 = 0.01;

/// A kind of fault: how often, and some examples.
#[derive(Debug, Default)]
struct Fault {
    count: u64,
    examples: Vec<String>,
}

impl Fault {
    fn found(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(example());
        }
    }
}

/// What the pass remembers.
#[derive(Debug)]
pub(super) struct Scan {
    dimensions: usize,
    vectors: u64,
    wrong_dimensions: Fault,
    zero: Fault,
    not_finite: Fault,
    wrong_norm: Fault,
    duplicate: Fault,
    seen: Sample,
    chunks: Sample,
    norms: Welford,
    documents: u64,
    checked: u64,
    uncovered: Fault,
}

impl Scan {
    pub(super) fn new(dimensions: usize) -> Self {
        Self {
            dimensions,
            vectors: 0,
            wrong_dimensions: Fault::default(),
            zero: Fault::default(),
            not_finite: Fault::default(),
            wrong_norm: Fault::default(),
            duplicate: Fault::default(),
            seen: Sample::default(),
            chunks: Sample::default(),
            norms: Welford::default(),
            documents: 0,
            checked: 0,
            uncovered: Fault::default(),
        }
    }

    /// Takes a row of the index.
    pub(super) fn vector(&mut self, row: &VectorRow) {
        self.vectors += 1;
        let name = || format!("{} chunk {}", shown(&row.document), row.number);
        self.chunks.count(self.chunks.hash(&identity(&row.document)));
        if row.vector.len() != self.dimensions {
            self.wrong_dimensions.found(|| format!("{} ({} numbers)", name(), row.vector.len()));
            return;
        }
        if row.vector.iter().any(|number| !number.is_finite()) {
            self.not_finite.found(name);
            return;
        }
        let norm = row.vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        self.norms.add(norm);
        if norm == 0.0 {
            self.zero.found(name);
            return;
        }
        if (norm - 1.0).abs() > NORM_TOLERANCE {
            self.wrong_norm.found(|| format!("{} (norm {norm:.3})", name()));
        }
        let bytes: Vec<u8> = row.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        if self.seen.count(self.seen.hash(&bytes)).is_some_and(|before| before > 0) {
            self.duplicate.found(name);
        }
    }

    /// Takes a document's record, with the number of chunks that it should have.
    pub(super) fn document(&mut self, key: &DocumentKey, chunks: u32) {
        self.documents += 1;
        let Some(found) = self.chunks.get(self.chunks.hash(&identity(key))) else { return };
        self.checked += 1;
        if found < chunks.max(1) {
            self.uncovered.found(|| format!("{} ({found} of {chunks} chunks)", shown(key)));
        }
    }

    pub(super) fn report(self) -> QualityReport {
        let share = |count: u64, of: u64| if of == 0 { 0.0 } else { count as f64 / of as f64 };
        let (sampled, repeats) = self.seen.repeats();
        let duplicate_rate = share(repeats, sampled);
        let uncovered = share(self.uncovered.count, self.checked);
        let faulty = self.wrong_dimensions.count + self.zero.count + self.not_finite.count + self.wrong_norm.count;
        let left = 1.0 - share(faulty, self.vectors) - uncovered - duplicate_rate / 2.0;
        QualityReport {
            score: (left.max(0.0) * 1_000.0).round() / 10.0,
            vectors: self.vectors,
            documents: self.documents,
            dimensions: self.dimensions,
            wrong_dimensions: self.wrong_dimensions.count,
            zero_vectors: self.zero.count,
            not_finite: self.not_finite.count,
            wrong_norm: self.wrong_norm.count,
            duplicate_rate,
            coverage: 1.0 - uncovered,
            estimated: self.seen.is_partial() || self.chunks.is_partial(),
            findings: self.findings(),
            norms: self.norms.finish(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let kinds = [
            (
                &self.wrong_dimensions,
                "have another length than the collection's model gives: index their documents anew",
            ),
            (&self.not_finite, "hold a number that is not finite: index their documents anew"),
            (&self.zero, "are all zeros and are never found by meaning: index their documents anew"),
            (&self.wrong_norm, "have a norm other than 1, which distorts their scores: index their documents anew"),
            (
                &self.duplicate,
                "are equal to one before: the same text is in several documents, or several times in one",
            ),
        ];
        let vectors = kinds.into_iter().filter(|(fault, _)| fault.count > 0);
        let mut findings: Vec<(u64, String)> = vectors
            .map(|(fault, meaning)| {
                (
                    fault.count,
                    format!(
                        "{} of {} vectors {meaning} (such as {})",
                        fault.count,
                        self.vectors,
                        fault.examples.join(", ")
                    ),
                )
            })
            .collect();
        if self.uncovered.count > 0 {
            let (count, examples) = (self.uncovered.count, self.uncovered.examples.join(", "));
            findings.push((
                count,
                format!(
                    "{count} of {} documents lack chunks in the index: send them again (such as {examples})",
                    self.checked
                ),
            ));
        }
        findings.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        findings.into_iter().map(|(_, text)| text).collect()
    }
}

fn identity(key: &DocumentKey) -> Vec<u8> {
    format!("{}\u{1f}{}", key.entity_type, key.entity_id).into_bytes()
}

fn shown(key: &DocumentKey) -> String {
    format!("{} `{}`", key.entity_type, key.entity_id)
}

/// Mean and variance in one pass (Welford 1962).
#[derive(Debug, Default)]
struct Welford {
    count: u64,
    mean: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Welford {
    fn add(&mut self, value: f64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = if self.count == 0 { value } else { self.max.max(value) };
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    fn finish(&self) -> Norms {
        let variance = if self.count == 0 { 0.0 } else { self.squares / self.count as f64 };
        Norms { min: self.min, max: self.max, mean: self.mean, std: variance.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> DocumentKey {
        DocumentKey { entity_type: "text".to_owned(), entity_id: id.to_owned() }
    }

    fn row(id: &str, vector: [f32; 2]) -> VectorRow {
        VectorRow { document: key(id), number: 0, vector: vector.to_vec() }
    }

    fn sound() -> Vec<VectorRow> {
        (0..8).map(|place| row(&format!("d{place}"), [(place as f32).cos(), (place as f32).sin()])).collect()
    }

    fn report(rows: &[VectorRow], documents: &[&str]) -> QualityReport {
        let mut scan = Scan::new(2);
        rows.iter().for_each(|row| scan.vector(row));
        documents.iter().for_each(|id| scan.document(&key(id), 1));
        scan.report()
    }

    #[test]
    fn a_sound_collection_has_no_findings() {
        let report = report(&sound(), &["d0", "d1"]);
        assert_eq!((report.score, report.findings.len(), report.coverage), (100.0, 0, 1.0));
    }

    #[test]
    fn a_zero_vector_is_found() {
        let rows = [sound(), vec![row("zero", [0.0, 0.0])]].concat();
        let report = report(&rows, &[]);
        assert_eq!(report.zero_vectors, 1);
        assert!(report.findings[0].contains("`zero`"));
    }

    #[test]
    fn a_duplicate_is_found() {
        let rows = [sound(), vec![row("copy", [1.0, 0.0])]].concat();
        let report = report(&rows, &[]);
        assert!((report.duplicate_rate - 1.0 / 9.0).abs() < 1e-9);
        assert!(report.findings[0].contains("`copy`"));
    }

    #[test]
    fn a_vector_of_a_wrong_norm_is_found() {
        let report = report(&[sound(), vec![row("long", [3.0, 4.0])]].concat(), &[]);
        assert_eq!((report.wrong_norm, report.norms.max), (1, 5.0));
        assert!(report.findings[0].contains("norm 5.000"));
    }

    #[test]
    fn a_document_without_chunks_is_found() {
        let report = report(&sound(), &["d0", "gone"]);
        assert_eq!(report.coverage, 0.5);
        assert!(report.findings[0].contains("`gone`"));
    }
}
