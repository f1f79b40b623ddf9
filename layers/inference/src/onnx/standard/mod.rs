//! The standard operators (domain `ai.onnx`) that models of tables and small networks are made of, as the standard defines
//! them. What is not in this list is refused when a file is read.

mod arithmetic;
mod cast;
mod compare;
mod control;
mod einsum;
mod image;
mod indexed;
mod layout;
mod made;
mod matrix;
mod normalise;
mod pool;
mod reduce;
mod shape;
mod text;
mod typed;
mod unary;

use std::fmt;

use tract_onnx::pb::NodeProto;

use super::attributes::Attributes;
use super::budget::Budget;
use super::graph::Graph;
use super::ml::BuildFault;
use super::value::{Array, Element, RunFault, Tensor};

/// The newest version of the domain whose operators are known here.
const NEWEST: i64 = 28;
/// The oldest one: before it, operators broadcast by attributes.
const OLDEST: i64 = 7;
/// Operators that are what they were in version 1.
const UNCHANGED: [&str; 1] = ["Not"];

/// Whether an operator is known in a version of the domain.
pub(crate) fn is_known(operator: &str, version: i64) -> bool {
    let oldest = if UNCHANGED.contains(&operator) { 1 } else { OLDEST };
    (oldest..=NEWEST).contains(&version)
}

/// What a node is given; an input that may be left out is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a>(pub(crate) &'a [Option<&'a Tensor>]);

impl<'a> Inputs<'a> {
    /// An input that must be there.
    fn get(&self, place: usize) -> Result<&'a Tensor, RunFault> {
        self.optional(place).ok_or(RunFault::Missing(place))
    }

    /// An input that may be left out.
    fn optional(&self, place: usize) -> Option<&'a Tensor> {
        self.0.get(place).copied().flatten()
    }

    /// The values of an input of a type.
    fn array<T: Element>(&self, place: usize) -> Result<&'a Array<T>, RunFault> {
        T::of(self.get(place)?)
    }

    /// All inputs, of which none may be left out.
    fn all(&self) -> Result<Vec<&'a Tensor>, RunFault> {
        let all = self.0.iter().enumerate();
        all.map(|(place, input)| input.ok_or(RunFault::Missing(place))).collect()
    }

    /// Whole numbers of an input: a shape, axes, places.
    fn whole(&self, place: usize) -> Result<Option<Vec<i64>>, RunFault> {
        self.optional(place).map(whole).transpose()
    }

    /// Whole numbers of an input, as newer versions have them, or else of an attribute.
    fn whole_or(&self, place: usize, attribute: Option<&[i64]>) -> Result<Option<Vec<i64>>, RunFault> {
        Ok(self.whole(place)?.or_else(|| attribute.map(<[i64]>::to_vec)))
    }
}

/// Whole numbers of a tensor of them.
fn whole(tensor: &Tensor) -> Result<Vec<i64>, RunFault> {
    match tensor {
        Tensor::Int64(array) => Ok(array.data.clone()),
        Tensor::Int32(array) => Ok(array.data.iter().copied().map(i64::from).collect()),
        other => Err(RunFault::of_type("tensor(int64)", other.type_name())),
    }
}

type Outputs = Result<Vec<Tensor>, RunFault>;

/// A node that is ready to run.
pub(crate) trait Standard: fmt::Debug + Send + Sync {
    /// The node's outputs. What it [captures](Self::captures) follows its inputs.
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs;

    /// The names of what its graphs take of the graph around it.
    fn captures(&self) -> Vec<String> {
        Vec::new()
    }
}

type Built = Result<Box<dyn Standard>, BuildFault>;

/// Makes the graph of an attribute ready, for operators that have one.
pub(crate) type Inner<'a> = &'a dyn Fn(&str) -> Result<Graph, BuildFault>;

/// Makes a node of a version of the domain ready. `inner` reads a graph of its attributes.
pub(crate) fn build(node: &NodeProto, version: i64, inner: Inner<'_>) -> Built {
    let name = node.op_type.as_str();
    let attributes = Attributes(node);
    let families = [
        unary::build,
        arithmetic::build,
        compare::build,
        reduce::build,
        normalise::build,
        shape::build,
        layout::build,
        indexed::build,
        made::build,
        matrix::build,
        einsum::build,
        image::build,
        pool::build,
        cast::build,
        text::build,
    ];
    for family in families {
        if let Some(built) = family(name, attributes, version) {
            return built;
        }
    }
    control::build(name, attributes, version, inner).unwrap_or(Err(BuildFault::Unknown))
}

/// What a family of operators makes of a name: none when it is not its.
type Family = Option<Built>;

fn boxed<T: Standard + 'static>(operator: T) -> Family {
    Some(Ok(Box::new(operator)))
}

fn one(tensor: Tensor) -> Outputs {
    Ok(vec![tensor])
}

/// A count from the end or the beginning, as a place among `rank` axes.
fn axis(axis: i64, rank: usize) -> Result<usize, RunFault> {
    let wanted = if axis < 0 { i64::try_from(rank).ok().and_then(|rank| rank.checked_add(axis)) } else { Some(axis) };
    let place = wanted.and_then(|axis| usize::try_from(axis).ok()).filter(|place| *place < rank);
    place.ok_or_else(|| RunFault::Value(format!("has no axis {axis}: the input has {rank}")))
}

/// Several axes, as places.
fn axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, RunFault> {
    axes.iter().map(|one| axis(*one, rank)).collect()
}

/// A whole number that counts something.
fn size(number: i64) -> Result<usize, RunFault> {
    usize::try_from(number).map_err(|_| RunFault::Value(format!("cannot make a size of {number}")))
}

/// Fewer whole values than this are exact in 64-bit floats, and are what sizes are made of.
fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The values before an axis, along it, and after it.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}
