//! Scores of passages for a query with ms-marco-MiniLM-L-12-v2.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::encoder::{Batch, Encoder, Input, Shape, in_batches};
use crate::error::LoadError;
use crate::kernel::{Activation, Blocks, Linear, STRIP};
use crate::tokens::Tokens;
use crate::weights::{OnnxWeights, Weights};

const SHAPE: Shape = Shape { layers: 12, hidden: 384, intermediate: 1536 };

/// ms-marco-MiniLM-L-12-v2: a BERT of twelve layers that reads query and passage together.
///
/// It holds about 100 MB, does no input or output once loaded, and is shared by reference. A call uses the threads of
/// the current rayon pool.
#[derive(Debug)]
pub struct CrossEncoder {
    tokens: Tokens,
    encoder: Encoder,
    pooler: Linear,
    /// A weight for each number of the pooled vector.
    classifier: Vec<f32>,
    bias: f32,
}

impl CrossEncoder {
    /// How many tokens query and passage have together, the three special ones included. A longer passage is cut.
    pub const MAX_TOKENS: usize = 512;

    /// How many tokens of a query count.
    pub const MAX_QUERY_TOKENS: usize = 256;

    /// Looks for the files that [`load`](Self::load) reads.
    ///
    /// # Errors
    /// [`LoadError`] names the file that is missing.
    pub fn find(folder: &Path) -> Result<(), LoadError> {
        Self::files(folder).iter().try_for_each(|file| match std::fs::metadata(file) {
            Ok(_) => Ok(()),
            Err(error) => Err(LoadError::unreadable(file, error)),
        })
    }

    fn files(folder: &Path) -> [PathBuf; 2] {
        ["tokenizer.json", "model.onnx"].map(|file| folder.join(file))
    }

    /// Reads `model.onnx` (dynamically quantised, as the package has it) and `tokenizer.json` of a folder.
    ///
    /// # Errors
    /// [`LoadError`] names the file that is missing or damaged, and why.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let [tokenizer, model] = Self::files(folder);
        let (tokens, weights) = rayon::join(|| Tokens::load(&tokenizer), || OnnxWeights::open(&model));
        let (tokens, weights) = (tokens?, weights?);
        let encoder = Encoder::load(&weights, "bert.", SHAPE)?;
        tokens.check_vocabulary(&tokenizer, encoder.vocabulary())?;
        let pooler = weights.part("bert.pooler.dense", SHAPE.hidden, SHAPE.hidden)?;
        let classifier = weights.part("classifier", SHAPE.hidden, 1)?;
        Ok(Self {
            tokens,
            encoder,
            pooler: Linear::new(SHAPE.hidden, &[pooler]),
            classifier: classifier.weights,
            bias: classifier.bias.iter().sum(),
        })
    }

    /// The probability that each passage answers the query, in order, between 0 and 1.
    #[must_use]
    pub fn scores(&self, query: &str, passages: &[&str]) -> Vec<f32> {
        let mut query = self.tokens.ids(query);
        query.truncate(Self::MAX_QUERY_TOKENS);
        let inputs: Vec<Input> = passages.par_iter().map(|passage| self.input(&query, passage)).collect();
        in_batches(&inputs, |batch, parallel| self.probabilities(batch, parallel))
    }

    /// Query and passage as one input.
    fn input(&self, query: &[u32], passage: &str) -> Input {
        let mut ids = Vec::with_capacity(Self::MAX_TOKENS);
        ids.push(self.tokens.begin);
        ids.extend_from_slice(query);
        ids.push(self.tokens.end);
        let second = ids.len();
        let passage = self.tokens.ids(passage);
        let room = Self::MAX_TOKENS - second - 1;
        ids.extend_from_slice(&passage[..passage.len().min(room)]);
        ids.push(self.tokens.end);
        Input { ids, second }
    }

    /// BERT's pooler and a linear layer on the vector of each input's first token, then the logistic function.
    fn probabilities(&self, batch: &Batch, parallel: bool) -> Vec<f32> {
        let hidden = self.encoder.run(batch, parallel);
        let mut firsts = Blocks::zeroed(batch.texts().len(), hidden.blocks());
        for (row, text) in batch.texts().iter().enumerate() {
            firsts.row_mut(row).zip(hidden.row(text.start)).for_each(|(first, strip)| *first = *strip);
        }
        let pooled = self.pooler.apply(&firsts, Activation::None, false);
        let logit = |row: usize| {
            let terms = pooled.row(row).zip(self.classifier.as_chunks::<STRIP>().0);
            let sums = terms.map(|(values, weights)| {
                values.0.iter().zip(weights).map(|(value, weight)| value.tanh() * weight).sum::<f32>()
            });
            sums.sum::<f32>() + self.bias
        };
        (0..batch.texts().len()).map(|row| 1.0 / (1.0 + (-logit(row)).exp())).collect()
    }
}
