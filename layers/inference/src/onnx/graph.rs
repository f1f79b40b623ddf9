//! A graph that is ready to run: its nodes in an order in which they can, and a slot for each value.

use std::collections::{HashMap, HashSet};
use std::fmt;

use tract_onnx::pb::{GraphProto, NodeProto, OperatorSetIdProto, TensorProto};

use super::attributes::Attributes;
use super::budget::Budget;
use super::fault::ModelFault;
use super::ml::{self, BuildFault, Operator};
use super::standard::{self, Inputs, Standard};
use super::tensor;
use super::value::{RunFault, Tensor, Value};

/// The domain of the operators for tables and trees.
const ML: &str = "ai.onnx.ml";
/// The newest version of it that is known here.
const ML_NEWEST: i64 = 5;
/// The domain of all others, which files write as nothing.
const STANDARD: &str = "ai.onnx";

/// What a node does.
#[derive(Debug)]
enum Kind {
    Ml(Box<dyn Operator>),
    Standard(Box<dyn Standard>),
}

/// A node with the slots that it reads and writes.
#[derive(Debug)]
struct Step {
    node: String,
    operator: String,
    kind: Kind,
    /// None is an input that is left out.
    inputs: Vec<Option<usize>>,
    outputs: Vec<Option<usize>>,
    /// What nothing reads after this step.
    done: Vec<usize>,
}

/// A graph that is ready to run.
pub(crate) struct Graph {
    slots: usize,
    /// What it is given: its inputs, then what it takes of the graph around it.
    given: Vec<usize>,
    /// The names of what it takes of the graph around it.
    captures: Vec<String>,
    constants: Vec<(usize, Value)>,
    steps: Vec<Step>,
    outputs: Vec<usize>,
}

impl fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Graph").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

/// A value that a run owns, or that someone else has for as long.
#[derive(Debug)]
pub(crate) enum Held<'a> {
    Owned(Value),
    Borrowed(&'a Value),
}

impl Held<'_> {
    const fn get(&self) -> &Value {
        match self {
            Self::Owned(value) => value,
            Self::Borrowed(value) => value,
        }
    }
}

/// The node that a run failed at.
#[derive(Debug)]
pub(crate) struct StepFault {
    pub(crate) node: String,
    pub(crate) operator: String,
    pub(crate) fault: RunFault,
}

impl StepFault {
    /// The same as a fault of the node that the graph is inside of.
    pub(crate) fn inside(self) -> RunFault {
        match self.fault {
            fault @ (RunFault::TooLarge { .. } | RunFault::Time { .. }) => fault,
            fault => RunFault::Value(format!("fails inside, at node {} ({}): it {fault}", self.node, self.operator)),
        }
    }
}

/// A node's name, or its place.
fn name_of(node: &NodeProto, place: usize) -> String {
    if node.name.is_empty() { format!("number {place}") } else { format!("`{}`", node.name) }
}

fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == STANDARD
}

/// The version of a domain that a file asks for.
fn version_of(versions: &[OperatorSetIdProto], domain: &str) -> i64 {
    let same = |other: &str| other == domain || (is_standard(other) && is_standard(domain));
    versions.iter().find(|version| same(&version.domain)).map_or(1, |version| version.version)
}

/// Names of the graphs that a graph is inside of.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a>(Option<(&'a Slots, &'a Scope<'a>)>);

impl Scope<'_> {
    /// That of a graph which is inside of none.
    pub(crate) const OUTSIDE: Self = Self(None);

    fn has(&self, name: &str) -> bool {
        self.0.is_some_and(|(slots, outer)| slots.0.contains_key(name) || outer.has(name))
    }
}

/// The slots of names.
#[derive(Default)]
pub(crate) struct Slots(HashMap<String, usize>);

impl Slots {
    /// A slot for a new name; none when it has one.
    fn add(&mut self, name: &str) -> Option<usize> {
        let next = self.0.len();
        let slot = *self.0.entry(name.to_owned()).or_insert(next);
        (slot == next).then_some(slot)
    }
}

impl Graph {
    /// Makes a graph ready. `around` has the names that it may take of the graphs that it is inside of.
    pub(crate) fn new(
        mut graph: GraphProto,
        versions: &[OperatorSetIdProto],
        around: &Scope<'_>,
    ) -> Result<Self, ModelFault> {
        if !graph.sparse_initializer.is_empty() {
            return Err(ModelFault::Part("sparse tensors"));
        }
        let mut slots = Slots::default();
        let twice = |name: &str| ModelFault::Order(format!("`{name}` is made more than once"));
        let mut constants = HashMap::new();
        for tensor in graph.initializer.drain(..) {
            let slot = slots.add(&tensor.name).ok_or_else(|| twice(&tensor.name))?;
            constants.insert(slot, tensor);
        }
        let mut given = Vec::new();
        for input in &graph.input {
            match slots.0.get(&input.name) {
                // An initial value of older files is listed among the inputs too.
                Some(slot) if constants.contains_key(slot) => {}
                _ => given.push(slots.add(&input.name).ok_or_else(|| twice(&input.name))?),
            }
        }
        let mut nodes: Vec<(usize, NodeProto)> = Vec::with_capacity(graph.node.len());
        for (place, mut node) in graph.node.drain(..).enumerate() {
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                slots.add(output).ok_or_else(|| twice(output))?;
            }
            match constant(&mut node).map_err(|fault| node_fault(&node, place, versions, fault))? {
                Some((output, tensor)) => drop(constants.insert(slots.0[&output], tensor)),
                None => nodes.push((place, node)),
            }
        }
        let mut captures = Vec::new();
        let outside = |name: &String, slots: &mut Slots, captures: &mut Vec<String>| {
            if around.has(name) && !slots.0.contains_key(name) {
                captures.extend(slots.add(name).map(|_| name.clone()));
            }
        };
        for name in nodes.iter().flat_map(|(_, node)| uses(node)).chain(graph.output.iter().map(|output| &output.name))
        {
            outside(name, &mut slots, &mut captures);
        }
        given.extend(captures.iter().map(|name| slots.0[name]));
        let nodes = ordered(nodes, &slots, constants.keys().chain(&given).copied())?;
        let nothing = |name: &str| ModelFault::Order(format!("nothing makes the output `{name}`"));
        let output = |name: &str| slots.0.get(name).copied().ok_or_else(|| nothing(name));
        let outputs = graph.output.iter().map(|info| output(&info.name)).collect::<Result<Vec<_>, _>>()?;
        let constants = read(constants)?;
        let known = Scope(Some((&slots, around)));
        let steps = nodes.into_iter().map(|(place, node)| step(node, place, versions, &slots, &known));
        let mut steps = steps.collect::<Result<Vec<_>, _>>()?;
        release(&mut steps, &constants, &outputs);
        Ok(Self { slots: slots.0.len(), given, captures, constants, steps, outputs })
    }

    /// The names of what it takes of the graph around it.
    pub(crate) fn captures(&self) -> &[String] {
        &self.captures
    }

    /// How many inputs it has of its own.
    pub(crate) fn inputs(&self) -> usize {
        self.given.len() - self.captures.len()
    }

    /// How many outputs it has.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The outputs, of the inputs in their order and what it takes of the graph around it.
    pub(crate) fn run<'a>(&'a self, given: Vec<Held<'a>>, budget: &Budget) -> Result<Vec<Value>, StepFault> {
        let mut slots: Vec<Option<Held<'a>>> = Vec::new();
        slots.resize_with(self.slots, || None);
        self.constants.iter().for_each(|(slot, value)| slots[*slot] = Some(Held::Borrowed(value)));
        self.given.iter().zip(given).for_each(|(slot, value)| slots[*slot] = Some(value));
        let mut held = 0;
        for step in &self.steps {
            let failed = |fault| StepFault { node: step.node.clone(), operator: step.operator.clone(), fault };
            budget.time().map_err(failed)?;
            let found = step.run(&slots, budget).map_err(failed)?;
            for (slot, value) in step.outputs.iter().zip(found) {
                if let Some(slot) = slot {
                    held += value.values();
                    budget.hold(value.values());
                    slots[*slot] = Some(Held::Owned(value));
                }
            }
            for slot in &step.done {
                if let Some(Held::Owned(value)) = slots[*slot].take() {
                    held -= value.values().min(held);
                    budget.release(value.values());
                }
            }
        }
        budget.release(held);
        let mut found = Vec::with_capacity(self.outputs.len());
        for (place, slot) in self.outputs.iter().enumerate() {
            let again = self.outputs[place + 1..].contains(slot);
            let value = match &mut slots[*slot] {
                Some(Held::Owned(value)) if again => Some(value.clone()),
                Some(Held::Borrowed(value)) => Some((*value).clone()),
                owned => match owned.take() {
                    Some(Held::Owned(value)) => Some(value),
                    _ => None,
                },
            };
            let missing = || StepFault {
                node: format!("output {place}"),
                operator: "none".to_owned(),
                fault: RunFault::Value("was not made".to_owned()),
            };
            found.push(value.ok_or_else(missing)?);
        }
        Ok(found)
    }
}

impl Step {
    fn run(&self, slots: &[Option<Held<'_>>], budget: &Budget) -> Result<Vec<Value>, RunFault> {
        let value = |slot: &Option<usize>| slot.and_then(|slot| slots[slot].as_ref()).map(Held::get);
        let found = match &self.kind {
            Kind::Ml(operator) => {
                let inputs = self.inputs.iter().enumerate();
                let inputs = inputs.map(|(place, slot)| value(slot).ok_or(RunFault::Missing(place)));
                ml::run(&**operator, &inputs.collect::<Result<Vec<_>, _>>()?, budget)?
            }
            Kind::Standard(operator) => {
                let tensor = |slot: &Option<usize>| value(slot).map(Value::tensor).transpose();
                let inputs: Vec<Option<&Tensor>> = self.inputs.iter().map(tensor).collect::<Result<_, _>>()?;
                operator.run(Inputs(&inputs), budget)?.into_iter().map(Value::Tensor).collect()
            }
        };
        let wanted = self.outputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if found.len() < wanted {
            return Err(RunFault::Value(format!("has {} outputs, and {wanted} are asked for", found.len())));
        }
        Ok(found)
    }
}

/// The value of a node `Constant`, with the name of its output; none of another node.
fn constant(node: &mut NodeProto) -> Result<Option<(String, TensorProto)>, BuildFault> {
    use super::tensor::data_type;
    if node.op_type != "Constant" || !is_standard(&node.domain) {
        return Ok(None);
    }
    let [output] = &node.output[..] else { return Err(BuildFault::attribute("output", "is needed once")) };
    let attributes = Attributes(node);
    let vector = |length: usize| vec![i64::try_from(length).unwrap_or(i64::MAX)];
    let tensor = match node.attribute.first().map(|attribute| (attribute.name.as_str(), attribute)) {
        Some(("value", attribute)) => {
            attribute.t.clone().ok_or_else(|| BuildFault::attribute("value", "is no tensor"))?
        }
        Some(("value_float", attribute)) => {
            TensorProto { data_type: data_type::FLOAT, float_data: vec![attribute.f], ..TensorProto::default() }
        }
        Some(("value_int", attribute)) => {
            TensorProto { data_type: data_type::INT64, int64_data: vec![attribute.i], ..TensorProto::default() }
        }
        Some(("value_string", attribute)) => {
            let string_data = vec![attribute.s.clone()];
            TensorProto { data_type: data_type::STRING, string_data, ..TensorProto::default() }
        }
        Some(("value_floats", attribute)) => {
            let (dims, float_data) = (vector(attribute.floats.len()), attribute.floats.clone());
            TensorProto { data_type: data_type::FLOAT, dims, float_data, ..TensorProto::default() }
        }
        Some(("value_ints", _)) => {
            let int64_data = attributes.ints("value_ints").to_vec();
            let dims = vector(int64_data.len());
            TensorProto { data_type: data_type::INT64, dims, int64_data, ..TensorProto::default() }
        }
        Some(("value_strings", attribute)) => {
            let (dims, string_data) = (vector(attribute.strings.len()), attribute.strings.clone());
            TensorProto { data_type: data_type::STRING, dims, string_data, ..TensorProto::default() }
        }
        Some((other, _)) => return Err(BuildFault::attribute(other, "is not supported")),
        None => return Err(BuildFault::attribute("value", "is needed")),
    };
    Ok(Some((output.clone(), TensorProto { name: output.clone(), ..tensor })))
}

fn read(constants: HashMap<usize, TensorProto>) -> Result<Vec<(usize, Value)>, ModelFault> {
    let value = |(slot, proto): (usize, TensorProto)| {
        let value = tensor::read(&proto).map_err(|fault| ModelFault::Tensor { name: proto.name.clone(), fault })?;
        Ok((slot, Value::Tensor(value)))
    };
    constants.into_iter().map(value).collect()
}

/// A fault of a node, with its name, domain and version.
fn node_fault(node: &NodeProto, place: usize, versions: &[OperatorSetIdProto], fault: BuildFault) -> ModelFault {
    let (operator, version) = (node.op_type.clone(), version_of(versions, &node.domain));
    let domain = if is_standard(&node.domain) { STANDARD.to_owned() } else { node.domain.clone() };
    let name = name_of(node, place);
    match fault {
        BuildFault::Unknown => ModelFault::Unsupported { operator, domain, version, node: name },
        BuildFault::Graph(fault) => *fault,
        fault => ModelFault::Node { node: name, operator, domain, version, fault: Box::new(fault) },
    }
}

fn step(
    node: NodeProto,
    place: usize,
    versions: &[OperatorSetIdProto],
    slots: &Slots,
    known: &Scope<'_>,
) -> Result<Step, ModelFault> {
    let version = version_of(versions, &node.domain);
    let inner = |name: &str| {
        let graph = Attributes(&node).graph(name)?.clone();
        Graph::new(graph, versions, known).map_err(|fault| BuildFault::Graph(Box::new(fault)))
    };
    let kind = if node.domain == ML && version <= ML_NEWEST {
        ml::build(&node, version).map(Kind::Ml)
    } else if is_standard(&node.domain) && standard::is_known(&node.op_type, version) {
        standard::build(&node, version, &inner).map(Kind::Standard)
    } else {
        Err(BuildFault::Unknown)
    };
    let kind = kind.map_err(|fault| node_fault(&node, place, versions, fault))?;
    let captured = match &kind {
        Kind::Standard(operator) => operator.captures(),
        Kind::Ml(_) => Vec::new(),
    };
    // All names were found when the nodes were put in order; only what is left out has no slot.
    let slot = |name: &String| if name.is_empty() { None } else { slots.0.get(name).copied() };
    let inputs = node.input.iter().chain(&captured).map(slot).collect();
    let outputs = node.output.iter().map(slot).collect();
    Ok(Step { node: name_of(&node, place), operator: node.op_type, kind, inputs, outputs, done: Vec::new() })
}

/// The nodes in an order in which each comes after those that make what it uses; that of the file, where it can be.
fn ordered(
    nodes: Vec<(usize, NodeProto)>,
    slots: &Slots,
    known: impl Iterator<Item = usize>,
) -> Result<Vec<(usize, NodeProto)>, ModelFault> {
    let mut made = vec![false; slots.0.len()];
    known.for_each(|slot| made[slot] = true);
    // By slot: the nodes that wait for it. By node: for how many slots it waits.
    let mut waiting: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut open = vec![0_usize; nodes.len()];
    for (at, (place, node)) in nodes.iter().enumerate() {
        let mut needs = HashSet::new();
        for name in uses(node).filter(|name| !name.is_empty()) {
            match slots.0.get(name) {
                Some(slot) if made[*slot] || !needs.insert(*slot) => {}
                Some(slot) => {
                    waiting.entry(*slot).or_default().push(at);
                    open[at] += 1;
                }
                None => return Err(missing(node, *place, name)),
            }
        }
    }
    let mut ready: std::collections::BTreeSet<usize> = (0..nodes.len()).filter(|at| open[*at] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for slot in nodes[at].1.output.iter().filter_map(|output| slots.0.get(output)) {
            made[*slot] = true;
            for next in waiting.remove(slot).unwrap_or_default() {
                open[next] -= 1;
                if open[next] == 0 {
                    ready.insert(next);
                }
            }
        }
    }
    if let Some((place, node)) = nodes.iter().enumerate().find(|(at, _)| open[*at] > 0).map(|(_, node)| node) {
        let unmade = |name: &&String| slots.0.get(*name).is_some_and(|slot| !made[*slot]);
        let name = uses(node).find(unmade).cloned().unwrap_or_default();
        return Err(missing(node, *place, &name));
    }
    let mut nodes: Vec<Option<(usize, NodeProto)>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|at| nodes[at].take()).collect())
}

fn missing(node: &NodeProto, place: usize, name: &str) -> ModelFault {
    let node = name_of(node, place);
    ModelFault::Order(format!("node {node} needs `{name}`, which nothing before it makes"))
}

/// The names that a node uses, also inside its graphs.
fn uses(node: &NodeProto) -> Box<dyn Iterator<Item = &String> + '_> {
    let inner = node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).flat_map(|graph| {
        let own: HashSet<&String> = graph
            .input
            .iter()
            .map(|input| &input.name)
            .chain(graph.initializer.iter().map(|tensor| &tensor.name))
            .chain(graph.node.iter().flat_map(|node| &node.output))
            .collect();
        let outputs = graph.output.iter().map(|output| &output.name);
        let used = graph.node.iter().flat_map(uses).chain(outputs).filter(|name| !own.contains(name));
        used.collect::<Vec<_>>()
    });
    Box::new(node.input.iter().chain(inner))
}

/// Tells each step what nothing reads after it.
fn release(steps: &mut [Step], constants: &[(usize, Value)], outputs: &[usize]) {
    let mut needed: HashSet<usize> = outputs.iter().copied().chain(constants.iter().map(|(slot, _)| *slot)).collect();
    for step in steps.iter_mut().rev() {
        let touched = step.inputs.iter().chain(&step.outputs).flatten();
        step.done = touched.copied().filter(|slot| needed.insert(*slot)).collect();
    }
}
