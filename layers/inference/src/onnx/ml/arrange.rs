//! `FeatureVectorizer` and `ArrayFeatureExtractor`: columns side by side, and columns by their places.

use super::{Array, BuildFault, Operator, RunFault, Tensor, Value, input};
use crate::onnx::attributes::Attributes;

/// The columns of all inputs side by side; an input of fewer columns than are said is filled with zeros, one of more is
/// cut.
#[derive(Debug)]
pub(super) struct FeatureVectorizer(Vec<usize>);

impl FeatureVectorizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let widths = attributes.ints("inputdimensions");
        if widths.is_empty() {
            return Err(BuildFault::attribute("inputdimensions", "is needed"));
        }
        let width = |width: &i64| usize::try_from(*width).ok().filter(|width| *width < 1 << 24);
        let widths: Option<Vec<usize>> = widths.iter().map(width).collect();
        widths.map(Self).ok_or_else(|| BuildFault::attribute("inputdimensions", "has a value that is no width"))
    }
}

impl Operator for FeatureVectorizer {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.0.iter().sum())
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        if inputs.len() != self.0.len() {
            return Err(RunFault::Value(format!("takes {} inputs, and is given {}", self.0.len(), inputs.len())));
        }
        let total = self.0.iter().sum();
        let (rows, _) = input(inputs, 0)?.tensor()?.to_floats()?.rows()?;
        let mut data = vec![0.0; rows * total];
        let mut first = 0;
        for (value, width) in inputs.iter().zip(&self.0) {
            let x = value.tensor()?.to_floats()?;
            let (own_rows, own_width) = x.rows()?;
            if own_rows != rows {
                return Err(RunFault::Shape { expected: format!("{rows} rows"), found: x.shape.clone() });
            }
            let shared = own_width.min(*width);
            for (to, from) in data.chunks_exact_mut(total).zip(x.data.chunks_exact(own_width.max(1))) {
                to[first..first + shared].copy_from_slice(&from[..shared]);
            }
            first += width;
        }
        Ok(vec![Array::table(rows, total, data).into()])
    }
}

/// The columns at the places that the second input names.
#[derive(Debug)]
pub(super) struct ArrayFeatureExtractor;

impl Operator for ArrayFeatureExtractor {
    fn needed(&self, inputs: &[&Value], _: usize) -> usize {
        let width = |x: &&Value| x.tensor().ok().and_then(|x| x.shape().last().copied()).unwrap_or(1).max(1);
        let rows = inputs.first().map_or(1, |x| x.values() / width(x));
        inputs.get(1).map_or(0, |places| places.values()).saturating_mul(rows)
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let (x, places) = (input(inputs, 0)?.tensor()?, input(inputs, 1)?.tensor()?);
        let Tensor::Int64(places) = places else {
            return Err(RunFault::of_type("tensor(int64)", places.type_name()));
        };
        let taken = match x {
            Tensor::Float(x) => Tensor::Float(columns(x, &places.data)?),
            Tensor::Double(x) => Tensor::Double(columns(x, &places.data)?),
            Tensor::Int64(x) => Tensor::Int64(columns(x, &places.data)?),
            Tensor::Int32(x) => Tensor::Int32(columns(x, &places.data)?),
            Tensor::Bool(x) => Tensor::Bool(columns(x, &places.data)?),
            Tensor::String(x) => Tensor::String(columns(x, &places.data)?),
        };
        Ok(vec![Value::Tensor(taken)])
    }
}

/// A vector becomes a table of one row.
fn columns<T: Clone>(x: &Array<T>, places: &[i64]) -> Result<Array<T>, RunFault> {
    let Some((width, before)) = x.shape.split_last() else {
        return Err(RunFault::Shape { expected: "at least one dimension".to_owned(), found: Vec::new() });
    };
    let place = |place: &i64| {
        let fits = usize::try_from(*place).ok().filter(|place| place < width);
        fits.ok_or_else(|| RunFault::Value(format!("there is no column {place} among {width}")))
    };
    let places: Vec<usize> = places.iter().map(place).collect::<Result<_, _>>()?;
    let rows = x.data.chunks_exact((*width).max(1));
    let data = rows.flat_map(|row| places.iter().map(|place| row[*place].clone())).collect();
    let mut shape = if before.is_empty() { vec![1] } else { before.to_vec() };
    shape.push(places.len());
    Ok(Array { shape, data })
}
