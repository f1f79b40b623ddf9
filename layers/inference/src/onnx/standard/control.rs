//! Operators that run graphs of their own: `If`, and `Scan`, which nearest neighbours are exported with.

use super::layout::sliced;
use super::shape::reshaped;
use super::{Attributes, Budget, Built, Inner, Inputs, Outputs, RunFault, Standard, Tensor, axis};
use crate::onnx::graph::{Graph, Held, StepFault};
use crate::onnx::ml::BuildFault;
use crate::onnx::value::Value;

#[derive(Debug)]
struct If {
    yes: Graph,
    no: Graph,
}

/// A graph that is run for each part of its inputs along an axis.
#[derive(Debug)]
struct Scan {
    body: Graph,
    /// How many inputs are parted; those before them are handed from one run to the next.
    parted: usize,
    input_axes: Vec<i64>,
    output_axes: Vec<i64>,
    input_reverse: Vec<i64>,
    output_reverse: Vec<i64>,
}

/// The operator of a name, if it is one of these.
pub(super) fn build(name: &str, attributes: Attributes<'_>, version: i64, inner: Inner<'_>) -> Option<Built> {
    match name {
        "If" => Some(inner("then_branch").and_then(|yes| Ok((yes, inner("else_branch")?))).map(|(yes, no)| {
            let operator: Box<dyn Standard> = Box::new(If { yes, no });
            operator
        })),
        // Before version 9 it went through batches.
        "Scan" if version >= 9 => Some(inner("body").and_then(|body| Scan::new(body, attributes)).map(|scan| {
            let operator: Box<dyn Standard> = Box::new(scan);
            operator
        })),
        _ => None,
    }
}

/// The values that a graph takes of the graph around it.
fn captured<'a>(values: &'a [Value]) -> impl Iterator<Item = Held<'a>> {
    values.iter().map(Held::Borrowed)
}

/// Tensors as values, for as long as a graph runs.
fn values(inputs: &[Option<&Tensor>]) -> Result<Vec<Value>, RunFault> {
    let value = |(place, input): (usize, &Option<&Tensor>)| {
        input.map(|input| Value::Tensor(input.clone())).ok_or(RunFault::Missing(place))
    };
    inputs.iter().enumerate().map(value).collect()
}

fn tensors(values: Vec<Value>) -> Outputs {
    let tensor = |value| match value {
        Value::Tensor(tensor) => Ok(tensor),
        other => Err(RunFault::of_type("a tensor", other.type_name())),
    };
    values.into_iter().map(tensor).collect()
}

impl Standard for If {
    fn captures(&self) -> Vec<String> {
        [self.yes.captures(), self.no.captures()].concat()
    }

    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let condition = inputs.array::<bool>(0)?;
        let [condition] = condition.data[..] else {
            return Err(RunFault::Shape { expected: "a single value".to_owned(), found: condition.shape.clone() });
        };
        let (of_yes, of_no) = inputs.0[1..].split_at(self.yes.captures().len());
        let (graph, given) = if condition { (&self.yes, values(of_yes)?) } else { (&self.no, values(of_no)?) };
        let found = graph.run(captured(&given).collect(), budget).map_err(StepFault::inside)?;
        tensors(found)
    }
}

impl Scan {
    fn new(body: Graph, attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let parted = attributes.int("num_scan_inputs").and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let handed = body.inputs().checked_sub(parted).filter(|handed| *handed <= body.outputs());
        if parted == 0 || handed.is_none() {
            return Err(BuildFault::attribute("num_scan_inputs", "does not fit the graph inside"));
        }
        let list = |name| attributes.ints(name).to_vec();
        Ok(Self {
            body,
            parted,
            input_axes: list("scan_input_axes"),
            output_axes: list("scan_output_axes"),
            input_reverse: list("scan_input_directions"),
            output_reverse: list("scan_output_directions"),
        })
    }
}

impl Standard for Scan {
    fn captures(&self) -> Vec<String> {
        self.body.captures().to_vec()
    }

    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let own = self.body.inputs();
        if inputs.0.len() != own + self.body.captures().len() {
            return Err(RunFault::Value(format!("takes {own} inputs, and is given {}", inputs.0.len())));
        }
        let around = values(&inputs.0[own..])?;
        let handed_count = own - self.parted;
        let all = Inputs(&inputs.0[..own]).all()?;
        let (handed, parted) = all.split_at(handed_count);
        let mut steps = None;
        let mut axes = Vec::with_capacity(self.parted);
        for (place, input) in parted.iter().enumerate() {
            let at = axis(self.input_axes.get(place).copied().unwrap_or(0), input.shape().len())?;
            if *steps.get_or_insert(input.shape()[at]) != input.shape()[at] {
                return Err(RunFault::Value("is given inputs of different lengths".to_owned()));
            }
            axes.push(at);
        }
        let steps = steps.unwrap_or(0);
        let mut state: Vec<Value> = handed.iter().map(|input| Value::Tensor((*input).clone())).collect();
        let mut found: Vec<Vec<Tensor>> = vec![Vec::new(); self.body.outputs() - handed_count];
        let mut made = 0_usize;
        for step in 0..steps {
            let mut given: Vec<Held<'_>> = state.drain(..).map(Held::Owned).collect();
            for (place, (input, at)) in parted.iter().zip(&axes).enumerate() {
                let reverse = self.input_reverse.get(place).is_some_and(|reverse| *reverse != 0);
                let part = sliced(input, *at, if reverse { steps - 1 - step } else { step }, 1)?;
                let mut shape = input.shape().to_vec();
                shape.remove(*at);
                given.push(Held::Owned(Value::Tensor(reshaped(&part, shape)?)));
            }
            given.extend(captured(&around));
            let outputs = self.body.run(given, budget).map_err(StepFault::inside)?;
            let mut outputs = outputs.into_iter();
            state.extend(outputs.by_ref().take(handed_count));
            for (parts, part) in found.iter_mut().zip(tensors(outputs.collect())?) {
                made = made.saturating_add(part.shape().iter().product());
                parts.push(part);
            }
            budget.values(made)?;
        }
        let mut shown = tensors(state)?;
        for (place, mut parts) in found.into_iter().enumerate() {
            if self.output_reverse.get(place).is_some_and(|reverse| *reverse != 0) {
                parts.reverse();
            }
            shown.push(stacked(&parts, self.output_axes.get(place).copied().unwrap_or(0), budget)?);
        }
        Ok(shown)
    }
}

/// Tensors of one shape side by side along a new axis.
fn stacked(parts: &[Tensor], at: i64, budget: &Budget) -> Result<Tensor, RunFault> {
    let first = parts.first().ok_or_else(|| RunFault::Value("is given nothing to go through".to_owned()))?;
    let at = axis(at, first.shape().len() + 1)?;
    let wider = |part: &Tensor| {
        let mut shape = part.shape().to_vec();
        shape.insert(at.min(shape.len()), 1);
        reshaped(part, shape)
    };
    let parts = parts.iter().map(wider).collect::<Result<Vec<_>, _>>()?;
    super::layout::concatenated(&parts.iter().collect::<Vec<_>>(), at, budget)
}
