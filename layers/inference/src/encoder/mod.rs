//! The encoder of BERT (Devlin et al. 2019, <https://arxiv.org/abs/1810.04805>) with post-layer normalisation.

mod batch;
mod layer;

pub(crate) use batch::{Batch, Input, in_batches};
use layer::Layer;

use rayon::prelude::*;

use crate::error::LoadError;
use crate::kernel::{Blocks, Norm, STRIP};
use crate::weights::{Table, Weights};

/// The shape of a model of the MiniLM family. A head has [`STRIP`] dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// How many layers it has.
    pub(crate) layers: usize,
    /// The length of a token's vector.
    pub(crate) hidden: usize,
    /// The length between the two linear layers of the feed-forward network.
    pub(crate) intermediate: usize,
}

/// Token ids to vectors.
#[derive(Debug)]
pub(crate) struct Encoder {
    shape: Shape,
    words: Table,
    positions: Table,
    types: Table,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Encoder {
    /// Reads the weights whose names begin with `prefix`, on the threads of the current pool.
    pub(crate) fn load(weights: &impl Weights, prefix: &str, shape: Shape) -> Result<Self, LoadError> {
        let embeddings = format!("{prefix}embeddings");
        let table = |name: &str| weights.table(&format!("{embeddings}.{name}_embeddings.weight"), shape.hidden);
        let layer = |number: usize| Layer::load(weights, &format!("{prefix}encoder.layer.{number}"), shape);
        let (words, layers) = rayon::join(
            || table("word"),
            || (0..shape.layers).into_par_iter().map(layer).collect::<Result<Vec<_>, _>>(),
        );
        Ok(Self {
            shape,
            words: words?,
            positions: table("position")?,
            types: table("token_type")?,
            norm: weights.norm(&format!("{embeddings}.LayerNorm"), shape.hidden)?,
            layers: layers?,
        })
    }

    /// How many words the vocabulary has.
    pub(crate) fn vocabulary(&self) -> usize {
        self.words.rows()
    }

    /// The vector of each token of the batch, a row for each. With `parallel` each step is shared among the threads of
    /// the current pool.
    pub(crate) fn run(&self, batch: &Batch, parallel: bool) -> Blocks {
        let mut hidden = self.embed(batch);
        for layer in &self.layers {
            layer.run(&mut hidden, batch.texts(), parallel);
        }
        hidden
    }

    fn embed(&self, batch: &Batch) -> Blocks {
        let blocks = self.shape.hidden / STRIP;
        let mut hidden = Blocks::zeroed(batch.tokens(), blocks);
        let mut words = Blocks::zeroed(batch.tokens(), blocks);
        for (row, token) in batch.iter().enumerate() {
            self.types.add_to(token.kind, hidden.row_mut(row));
            self.positions.add_to(token.position, hidden.row_mut(row));
            self.words.add_to(token.id, words.row_mut(row));
        }
        self.norm.add_and_normalise(&mut hidden, &words);
        hidden
    }
}
