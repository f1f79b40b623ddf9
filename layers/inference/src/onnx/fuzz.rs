//! Files that lie: real ones, changed at random, are read and run. Nothing may panic, and all is bounded.
//!
//! `MANDI_FUZZ_SECONDS` says for how long (5 by default), `MANDI_FUZZ_SEED` where to begin.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use prost::Message as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tract_onnx::pb::{GraphProto, ModelProto};

use super::*;

/// Whole numbers that sizes, places and counts are replaced by.
const ODD: [i64; 12] = [0, 1, -1, 2, 7, 255, 65_536, 1 << 31, -(1 << 31), 1 << 40, i64::MAX, i64::MIN];

/// No file may take longer to be read, and to be run: five times the limit that it is run with, for slow machines.
const MOST: Duration = Duration::from_secs(5);
/// The memory of the whole test, with its corpus, in kB.
const MOST_MEMORY_KB: u64 = 1_500_000;

fn limits() -> Limits {
    Limits { tensor_values: 2_000_000, run_values: 4_000_000, run_time: Duration::from_secs(1), ..Limits::default() }
}

/// Changes bytes: cuts, flips, moves, repeats and overwrites them.
fn change_bytes(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let place = |bytes: &Vec<u8>, random: &mut StdRng| random.random_range(0..bytes.len().max(1)).min(bytes.len());
    for _ in 0..random.random_range(1..6) {
        let (one, other) = (place(bytes, random), place(bytes, random));
        let (from, to) = (one.min(other), one.max(other));
        let part = bytes[from..to.min(from + 64)].to_vec();
        match random.random_range(0..7) {
            0 => bytes.truncate(from),
            1 => bytes.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << random.random_range(0..8)),
            2 => drop(bytes.splice(to..to, part)),
            3 => drop(bytes.drain(from..from + part.len())),
            4 => drop(bytes.splice(to..to, part.repeat(random.random_range(1..200)))),
            // A length or a number that is as large as can be.
            5 => drop(bytes.splice(from..(from + 1).min(bytes.len()), [0xff; 9].into_iter().chain([1]))),
            _ => bytes.iter_mut().skip(from).take(8).for_each(|byte| *byte = random.random()),
        }
    }
}

/// Changes what a file says, so that it can still be decoded.
fn change_graph(graph: &mut GraphProto, random: &mut StdRng, names: &[String], operators: &[String]) {
    let Some(count) = std::num::NonZeroUsize::new(graph.node.len()) else { return };
    for _ in 0..random.random_range(1..4) {
        let place = random.random_range(0..count.get()).min(graph.node.len() - 1);
        let odd = *ODD.choose(random).unwrap();
        let node = &mut graph.node[place];
        let attributes = node.attribute.len();
        let attribute = node.attribute.get_mut(random.random_range(0..attributes.max(1)));
        match (random.random_range(0..10), attribute) {
            (0, Some(attribute)) => attribute.i = odd,
            (1, Some(attribute)) => match attribute.ints.len() {
                0 => attribute.ints = vec![odd; random.random_range(1..4)],
                length => attribute.ints[random.random_range(0..length)] = odd,
            },
            (2, Some(attribute)) => attribute.f = [f32::NAN, f32::INFINITY, -1.0, 0.0][random.random_range(0..4)],
            (3, Some(attribute)) => {
                attribute.floats.pop();
                attribute.strings.pop();
            }
            (4, Some(_)) => drop(node.attribute.remove(random.random_range(0..attributes))),
            (5, _) => node.op_type = operators.choose(random).unwrap().clone(),
            (6, _) => {
                if let Some(input) = node.input.first_mut() {
                    names.choose(random).unwrap().clone_into(input);
                }
            }
            (7, _) => {
                let copy = node.clone();
                graph.node.push(copy);
            }
            (8, _) => {
                let tensors = graph.initializer.len();
                if let Some(tensor) = graph.initializer.get_mut(random.random_range(0..tensors.max(1))) {
                    match random.random_range(0..4) {
                        0 => tensor.dims.push(odd),
                        1 => tensor.int64_data.iter_mut().for_each(|value| *value = odd),
                        2 => tensor.data_type = random.random_range(0..20),
                        _ => tensor.raw_data = odd.to_le_bytes().repeat(tensor.raw_data.len() / 8),
                    }
                }
            }
            (_, _) => drop(node.input.pop()),
        }
    }
}

/// Inputs of the types and dimensions that a model asks for, with whatever in them.
fn inputs(signature: &Signature, random: &mut StdRng) -> HashMap<String, Value> {
    let rows = random.random_range(0..4);
    let value = |input: &Input, random: &mut StdRng| {
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => (*size).min(70),
            Dimension::Free(_) => rows,
        };
        let shape: Vec<usize> =
            input.shape.as_ref().map_or_else(|| vec![rows, 3], |shape| shape.iter().map(size).collect());
        let count = shape.iter().product::<usize>().min(100_000);
        let wholes: Vec<i64> = (0..count)
            .map(|_| if random.random_bool(0.5) { random.random_range(-2..4) } else { *ODD.choose(random).unwrap() })
            .collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any numbers do")]
        let tensor = match input.value {
            ValueType::Map => {
                return Value::Map(Labels::Ints(vec![1, 2]), Tensor::Float(Array::vector(vec![1.0, 2.0])));
            }
            ValueType::Tensor(ElementType::Float) => {
                Tensor::Float(Array { shape, data: wholes.iter().map(|value| *value as f32 / 3.0).collect() })
            }
            ValueType::Tensor(ElementType::Double) => {
                Tensor::Double(Array { shape, data: wholes.iter().map(|value| *value as f64 / 3.0).collect() })
            }
            ValueType::Tensor(ElementType::Int64) => Tensor::Int64(Array { shape, data: wholes }),
            ValueType::Tensor(ElementType::Int32) => {
                Tensor::Int32(Array { shape, data: wholes.iter().map(|value| *value as i32).collect() })
            }
            ValueType::Tensor(ElementType::Bool) => {
                Tensor::Bool(Array { shape, data: wholes.iter().map(|value| *value > 0).collect() })
            }
            ValueType::Tensor(ElementType::String) => {
                Tensor::String(Array { shape, data: wholes.iter().map(ToString::to_string).collect() })
            }
        };
        Value::Tensor(tensor)
    };
    signature.inputs.iter().map(|input| (input.name.clone(), value(input, random))).collect()
}

/// The most memory that this process has had so far, in kB; a test has a process of its own.
fn memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}

/// What a changed file must not do.
fn fault(bytes: &[u8], random: &mut StdRng) -> Option<String> {
    let started = Instant::now();
    let parsed = Model::parse_within(bytes, &limits());
    if let Err(ModelFault::Inside(panic)) = &parsed {
        return Some(format!("reading it panics: {panic}"));
    }
    if started.elapsed() > MOST {
        return Some(format!("reading it takes {:?}", started.elapsed()));
    }
    let model = parsed.ok()?;
    let started = Instant::now();
    let found = model.run(inputs(model.signature(), random));
    if started.elapsed() > MOST {
        return Some(format!("running it takes {:?}", started.elapsed()));
    }
    match found {
        Err(ModelRunFault::Inside(panic)) => Some(format!("running it panics: {panic}")),
        Err(fault) if fault.to_string().is_empty() => Some("its fault says nothing".to_owned()),
        _ => None,
    }
}

#[test]
fn given_files_that_lie_when_they_are_read_and_run_then_nothing_panics_and_all_is_bounded() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let until = Instant::now() + Duration::from_secs(number("MANDI_FUZZ_SECONDS", 5));
    let files: Vec<Vec<u8>> = exports::names().iter().map(|name| exports::file(name)).chain(nodes::files()).collect();
    let operators: Vec<String> = files
        .iter()
        .filter_map(|file| ModelProto::decode(&file[..]).ok()?.graph)
        .flat_map(|graph| graph.node.into_iter().map(|node| node.op_type))
        .collect();
    let (mut seed, mut run, mut faults) = (number("MANDI_FUZZ_SEED", 1), 0, Vec::new());
    while Instant::now() < until && faults.len() < 20 {
        let random = &mut StdRng::seed_from_u64(seed);
        let mut bytes = files.choose(random).unwrap().clone();
        if random.random_bool(0.5) {
            let mut model = ModelProto::decode(&bytes[..]).unwrap();
            if let Some(graph) = &mut model.graph {
                let of_nodes = graph.node.iter().flat_map(|node| node.output.iter().chain(&node.input));
                let names: Vec<String> = of_nodes.cloned().chain([String::new(), "nothing".to_owned()]).collect();
                change_graph(graph, random, &names, &operators);
            }
            bytes = model.encode_to_vec();
        } else {
            change_bytes(&mut bytes, random);
        }
        faults.extend(fault(&bytes, random).map(|fault| format!("seed {seed}: {fault}")));
        seed += 1;
        run += 1;
    }
    assert!(faults.is_empty(), "of {run} files:\n{}", faults.join("\n"));
    assert!(memory_kb().is_none_or(|most| most < MOST_MEMORY_KB), "{:?} kB were needed", memory_kb());
    assert!(run > 100, "{run} files in all");
}
