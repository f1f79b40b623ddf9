//! The operators of the domain `ai.onnx.ml`, as the standard defines them, and as ONNX Runtime does where the standard is
//! silent.

mod arrange;
mod encode;
mod linear;
mod maps;
mod scale;
mod svm;
mod tree;

use std::fmt;

use super::attributes::{AttributeFault, Attributes};
use super::budget::Budget;
use super::fault::ModelFault;
use super::tree_ensemble::TreeFault;
use super::value::{Array, Labels, RunFault, Tensor, Value};
use tract_onnx::pb::NodeProto;

pub(super) use linear::LinearPart;

/// A node that is ready to run.
pub(crate) trait Operator: fmt::Debug + Send + Sync {
    /// The node's outputs.
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault>;

    /// How many values it makes of inputs whose first one has so many rows, when they may be more than it is given.
    fn needed(&self, _: &[&Value], _: usize) -> usize {
        0
    }

    /// Whether each row of its one input is looked at by itself, and that takes time.
    fn is_by_rows(&self) -> bool {
        false
    }
}

/// How many rows an operator that goes row by row is given between two looks at the clock.
const ROWS: usize = 512;

/// The outputs of a node, within a budget.
pub(crate) fn run(operator: &dyn Operator, inputs: &[&Value], budget: &Budget) -> Result<Vec<Value>, RunFault> {
    let first = inputs.first().copied();
    let rows = match first {
        Some(Value::Tensor(tensor)) if tensor.shape().len() > 1 => tensor.shape()[0],
        Some(Value::Tensor(_) | Value::Map(..)) | None => 1,
        Some(Value::Maps(_, array)) => array.shape.first().copied().unwrap_or(1),
    };
    let values = first.map_or(0, Value::values);
    budget.values(operator.needed(inputs, rows).max(values))?;
    match first {
        Some(Value::Tensor(tensor)) if operator.is_by_rows() && tensor.shape().len() == 2 && rows > ROWS => {
            in_parts(operator, tensor, rows, budget)
        }
        _ => operator.run(inputs),
    }
}

/// The outputs of an operator that goes row by row, some rows at a time.
fn in_parts(operator: &dyn Operator, x: &Tensor, rows: usize, budget: &Budget) -> Result<Vec<Value>, RunFault> {
    let mut found: Vec<Value> = Vec::new();
    let mut first = 0;
    while first < rows {
        budget.time()?;
        let last = (first + ROWS).min(rows);
        let part = operator.run(&[&Value::Tensor(x.rows_from(first..last))])?;
        if found.is_empty() {
            found = part;
        } else {
            found.iter_mut().zip(part).try_for_each(|(found, part)| found.append(part))?;
        }
        first = last;
    }
    Ok(found)
}

/// Why a node cannot be made ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildFault {
    /// There is no such operator here.
    #[error("the operator is not supported")]
    Unknown,
    /// An attribute cannot be taken.
    #[error(transparent)]
    Attribute(#[from] AttributeFault),
    /// Its trees cannot be taken.
    #[error(transparent)]
    Trees(#[from] TreeFault),
    /// A graph inside it cannot be taken.
    #[error(transparent)]
    Graph(#[from] Box<ModelFault>),
}

impl BuildFault {
    pub(crate) fn attribute(name: &str, reason: impl Into<String>) -> Self {
        Self::Attribute(AttributeFault::new(name, reason))
    }
}

type Built = Result<Box<dyn Operator>, BuildFault>;

/// Makes a node of a version of `ai.onnx.ml` ready.
pub(crate) fn build(node: &NodeProto, version: i64) -> Built {
    let attributes = Attributes(node);
    match node.op_type.as_str() {
        "ArrayFeatureExtractor" => Ok(Box::new(arrange::ArrayFeatureExtractor)),
        "Binarizer" => boxed(scale::Binarizer::new(attributes)),
        "CastMap" => boxed(maps::CastMap::new(attributes)),
        "CategoryMapper" => boxed(encode::LabelEncoder::category_mapper(attributes)),
        "DictVectorizer" => boxed(maps::DictVectorizer::new(attributes)),
        "FeatureVectorizer" => boxed(arrange::FeatureVectorizer::new(attributes)),
        "Imputer" => boxed(scale::Imputer::new(attributes)),
        "LabelEncoder" => boxed(encode::LabelEncoder::new(attributes, version)),
        "LinearClassifier" => boxed(linear::LinearClassifier::new(attributes)),
        "LinearRegressor" => boxed(linear::LinearRegressor::new(attributes)),
        "Normalizer" => boxed(scale::Normalizer::new(attributes)),
        "OneHotEncoder" => boxed(encode::OneHotEncoder::new(attributes)),
        "Scaler" => boxed(scale::Scaler::new(attributes)),
        "SVMClassifier" => boxed(svm::SvmClassifier::new(attributes)),
        "SVMRegressor" => boxed(svm::SvmRegressor::new(attributes)),
        "TreeEnsemble" => tree::ensemble_operator(attributes),
        "TreeEnsembleClassifier" => tree::classifier(attributes),
        "TreeEnsembleRegressor" => tree::regressor(attributes),
        "ZipMap" => boxed(maps::ZipMap::new(attributes)),
        _ => Err(BuildFault::Unknown),
    }
}

fn boxed<T: Operator + 'static>(built: Result<T, BuildFault>) -> Built {
    built.map(|operator| Box::new(operator) as Box<dyn Operator>)
}

/// An input, by its place.
fn input<'a>(inputs: &[&'a Value], place: usize) -> Result<&'a Value, RunFault> {
    inputs.get(place).copied().ok_or(RunFault::Missing(place))
}

/// The table of numbers that most operators take.
fn floats<'a>(inputs: &[&'a Value]) -> Result<std::borrow::Cow<'a, Array<f32>>, RunFault> {
    input(inputs, 0)?.tensor()?.to_floats()
}

/// The class labels of a classifier.
fn class_labels(attributes: Attributes<'_>, ints: &str, strings: &str) -> Result<Labels, BuildFault> {
    let (numbers, texts) = (attributes.ints(ints), attributes.texts(strings)?);
    match (numbers.is_empty(), texts.is_empty()) {
        (false, true) => Ok(Labels::Ints(numbers.to_vec())),
        (true, false) => Ok(Labels::Strings(texts.into_iter().map(str::to_owned).collect())),
        (true, true) => Err(BuildFault::attribute(ints, format!("is needed, or `{strings}`"))),
        (false, false) => Err(BuildFault::attribute(ints, format!("is given, and `{strings}` too"))),
    }
}

/// How many targets a node may have: a score is kept for each of them and each row.
const MAX_TARGETS: i64 = 65_536;

/// How many targets a node has; 1 if it does not say.
fn targets(attributes: Attributes<'_>, name: &str) -> Result<usize, BuildFault> {
    let count = attributes.int(name).unwrap_or(1);
    let fits = usize::try_from(count).ok().filter(|_| (1..=MAX_TARGETS).contains(&count));
    fits.ok_or_else(|| BuildFault::attribute(name, format!("is {count}; it may be 1 to {MAX_TARGETS}")))
}

/// 32-bit numbers of an attribute.
fn numbers(attributes: Attributes<'_>, name: &str) -> Vec<f32> {
    attributes.get(name).map_or_else(Vec::new, |attribute| attribute.floats.clone())
}

/// A vector of one label for each row.
fn places_of_greatest(scores: &[f32], width: usize) -> Vec<usize> {
    scores
        .chunks_exact(width)
        .map(|row| (1..width).fold(0, |best, place| if row[place] > row[best] { place } else { best }))
        .collect()
}

#[cfg(test)]
mod tests;
