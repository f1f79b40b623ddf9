//! Sentence embeddings with all-MiniLM-L6-v2.

use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use crate::encoder::{Batch, Encoder, Input, Shape, in_batches};
use crate::error::LoadError;
use crate::kernel::{Blocks, STRIP};
use crate::tokens::Tokens;
use crate::weights::SafetensorsWeights;

const SHAPE: Shape = Shape { layers: 6, hidden: 384, intermediate: 1536 };

/// all-MiniLM-L6-v2 of sentence-transformers: a BERT of six layers, the mean of its tokens' vectors, unit length.
///
/// It holds about 90 MB, does no input or output once loaded, and is shared by reference. A call uses the threads of
/// the current rayon pool.
#[derive(Debug)]
pub struct TextEncoder {
    tokens: Tokens,
    encoder: Encoder,
}

/// The vector of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedText {
    /// [`TextEncoder::DIMENSIONS`] numbers of Euclidean norm 1.
    pub vector: Vec<f32>,
    /// How many tokens the text has, the two special ones included, before it was cut.
    pub tokens: usize,
    /// Whether the text was cut to [`TextEncoder::MAX_TOKENS`].
    pub truncated: bool,
}

impl TextEncoder {
    /// The length of a vector.
    pub const DIMENSIONS: usize = SHAPE.hidden;

    /// How many tokens of a text count, the two special ones included.
    pub const MAX_TOKENS: usize = 256;

    /// Reads `model.safetensors` and `tokenizer.json` of a folder.
    ///
    /// # Errors
    /// [`LoadError`] names the file that is missing or damaged, and why.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let tokenizer = folder.join("tokenizer.json");
        let weights = folder.join("model.safetensors");
        let (tokens, encoder) =
            rayon::join(|| Tokens::load(&tokenizer), || Encoder::load(&SafetensorsWeights::open(&weights)?, "", SHAPE));
        let (tokens, encoder) = (tokens?, encoder?);
        tokens.check_vocabulary(&tokenizer, encoder.vocabulary())?;
        Ok(Self { tokens, encoder })
    }

    /// One vector for each text, in order. The vector of a text does not depend on the texts beside it. An empty text
    /// has a vector too, that of its two special tokens.
    #[must_use]
    pub fn encode(&self, texts: &[&str]) -> Vec<EncodedText> {
        let (inputs, lengths): (Vec<Input>, Vec<usize>) = texts.par_iter().map(|text| self.input(text)).unzip();
        let vectors = in_batches(&inputs, |batch, parallel| means(batch, &self.encoder.run(batch, parallel)));
        let texts = vectors.into_iter().zip(lengths);
        texts.map(|(vector, tokens)| EncodedText { vector, tokens, truncated: tokens > Self::MAX_TOKENS }).collect()
    }

    /// The bytes of `text` that each of its tokens stands for, in order, without special tokens and without
    /// truncation. What the tokenizer drops (white space, accents, control characters) belongs to no token.
    #[must_use]
    pub fn token_spans(&self, text: &str) -> Vec<Range<usize>> {
        self.tokens.spans(text)
    }

    /// The tokens of a text as the encoder takes them, and how many there were before it was cut.
    fn input(&self, text: &str) -> (Input, usize) {
        let ids = self.tokens.ids(text);
        let kept = &ids[..ids.len().min(Self::MAX_TOKENS - 2)];
        let ids_with_ends: Vec<u32> =
            [self.tokens.begin].iter().chain(kept).chain(&[self.tokens.end]).copied().collect();
        (Input { second: ids_with_ends.len(), ids: ids_with_ends }, ids.len() + 2)
    }
}

/// The mean of the tokens' vectors of each text, scaled to norm 1.
fn means(batch: &Batch, hidden: &Blocks) -> Vec<Vec<f32>> {
    let mean = |rows: &Range<usize>| {
        let sums = (0..hidden.blocks()).flat_map(|block| {
            hidden.block(block)[rows.clone()].iter().fold([0.0_f32; STRIP], |mut sums, strip| {
                sums.iter_mut().zip(strip.0).for_each(|(sum, value)| *sum += value);
                sums
            })
        });
        normalised(sums.collect())
    };
    batch.texts().iter().map(mean).collect()
}

/// The vector of the same direction with Euclidean norm 1.
fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}
