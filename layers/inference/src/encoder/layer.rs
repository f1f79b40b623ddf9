//! One layer of the encoder.

use std::ops::Range;

use super::Shape;
use crate::error::LoadError;
use crate::kernel::{Activation, Blocks, Linear, Norm, attend};
use crate::weights::Weights;

/// Self-attention and a feed-forward network, each with residual and normalisation.
#[derive(Debug)]
pub(super) struct Layer {
    /// Queries, keys and values in one product.
    projections: Linear,
    attention_output: Linear,
    attention_norm: Norm,
    intermediate: Linear,
    output: Linear,
    output_norm: Norm,
}

impl Layer {
    pub(super) fn load(weights: &impl Weights, name: &str, shape: Shape) -> Result<Self, LoadError> {
        let Shape { hidden, intermediate, .. } = shape;
        let projection = |kind: &str| weights.part(&format!("{name}.attention.self.{kind}"), hidden, hidden);
        let dense = |kind: &str, inputs: usize, outputs: usize| {
            Ok(Linear::new(inputs, &[weights.part(&format!("{name}.{kind}.dense"), inputs, outputs)?]))
        };
        let norm = |kind: &str| weights.norm(&format!("{name}.{kind}.LayerNorm"), hidden);
        Ok(Self {
            projections: Linear::new(hidden, &[projection("query")?, projection("key")?, projection("value")?]),
            attention_output: dense("attention.output", hidden, hidden)?,
            attention_norm: norm("attention.output")?,
            intermediate: dense("intermediate", hidden, intermediate)?,
            output: dense("output", intermediate, hidden)?,
            output_norm: norm("output")?,
        })
    }

    /// Takes the tokens' vectors one layer further. `texts` are the rows of each text.
    pub(super) fn run(&self, hidden: &mut Blocks, texts: &[Range<usize>], parallel: bool) {
        let projections = self.projections.apply(hidden, Activation::None, parallel);
        let context = attend(&projections, texts, parallel);
        let update = self.attention_output.apply(&context, Activation::None, parallel);
        self.attention_norm.add_and_normalise(hidden, &update);

        let inner = self.intermediate.apply(hidden, Activation::Gelu, parallel);
        let update = self.output.apply(&inner, Activation::None, parallel);
        self.output_norm.add_and_normalise(hidden, &update);
    }
}
