//! `LabelEncoder`, `CategoryMapper` and `OneHotEncoder`: values to other values, or to columns.

use std::collections::HashMap;

use super::{Array, BuildFault, Labels, Operator, RunFault, Tensor, Value, class_labels, input};
use crate::onnx::attributes::{AttributeFault, Attributes};
use crate::onnx::tensor;

/// What a value that is no key becomes.
const DEFAULT_STRING: &str = "_Unused";
const DEFAULT_INT: i64 = -1;

/// Places of keys. Floats are found by their bits: NaN is NaN, and -0 is 0.
#[derive(Debug)]
enum Keys {
    Ints(HashMap<i64, usize>),
    Strings(HashMap<String, usize>),
    Floats(HashMap<u32, usize>),
    Doubles(HashMap<u64, usize>),
}

fn bits32(number: f32) -> u32 {
    if number.is_nan() { f32::NAN.to_bits() } else { (number + 0.0).to_bits() }
}

fn bits64(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { (number + 0.0).to_bits() }
}

/// The first place of each key counts.
fn places<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> HashMap<K, usize> {
    let mut places = HashMap::new();
    for (place, key) in keys.into_iter().enumerate() {
        places.entry(key).or_insert(place);
    }
    places
}

impl Keys {
    /// Before version 4, NaN is never found.
    fn of(tensor: Tensor, version: i64) -> Result<Self, Tensor> {
        let with_missing = version >= 4;
        Ok(match tensor {
            Tensor::Int64(keys) => Self::Ints(places(keys.data)),
            Tensor::String(keys) => Self::Strings(places(keys.data)),
            Tensor::Float(keys) => {
                let mut places = places(keys.data.into_iter().map(bits32));
                places.retain(|key, _| with_missing || *key != bits32(f32::NAN));
                Self::Floats(places)
            }
            Tensor::Double(keys) => Self::Doubles(places(keys.data.into_iter().map(bits64))),
            other => return Err(other),
        })
    }

    const fn type_name(&self) -> &'static str {
        match self {
            Self::Ints(_) => "tensor(int64)",
            Self::Strings(_) => "tensor(string)",
            Self::Floats(_) => "tensor(float)",
            Self::Doubles(_) => "tensor(double)",
        }
    }

    /// The place of each value among the keys; none when the tensor is of another type.
    fn find(&self, tensor: &Tensor) -> Option<Vec<Option<usize>>> {
        Some(match (self, tensor) {
            (Self::Ints(keys), Tensor::Int64(x)) => x.data.iter().map(|x| keys.get(x).copied()).collect(),
            (Self::Strings(keys), Tensor::String(x)) => x.data.iter().map(|x| keys.get(x).copied()).collect(),
            (Self::Floats(keys), Tensor::Float(x)) => x.data.iter().map(|x| keys.get(&bits32(*x)).copied()).collect(),
            (Self::Doubles(keys), Tensor::Double(x)) => x.data.iter().map(|x| keys.get(&bits64(*x)).copied()).collect(),
            _ => return None,
        })
    }
}

/// What keys become, and what all else becomes.
#[derive(Debug)]
struct Values {
    values: Tensor,
    default: Tensor,
}

impl Values {
    fn take(&self, shape: &[usize], places: &[Option<usize>]) -> Result<Tensor, RunFault> {
        fn each<T: Clone>(shape: &[usize], places: &[Option<usize>], values: &[T], default: &T) -> Array<T> {
            let value = |place: &Option<usize>| place.and_then(|place| values.get(place)).unwrap_or(default).clone();
            Array { shape: shape.to_vec(), data: places.iter().map(value).collect() }
        }
        Ok(match (&self.values, &self.default) {
            (Tensor::Int64(values), Tensor::Int64(default)) => {
                Tensor::Int64(each(shape, places, &values.data, &default.data[0]))
            }
            (Tensor::String(values), Tensor::String(default)) => {
                Tensor::String(each(shape, places, &values.data, &default.data[0]))
            }
            (Tensor::Float(values), Tensor::Float(default)) => {
                Tensor::Float(each(shape, places, &values.data, &default.data[0]))
            }
            (Tensor::Double(values), Tensor::Double(default)) => {
                Tensor::Double(each(shape, places, &values.data, &default.data[0]))
            }
            (values, default) => return Err(RunFault::of_type(values.type_name(), default.type_name())),
        })
    }
}

/// Values to other values, by the type of the input.
#[derive(Debug)]
pub(super) struct LabelEncoder(Vec<(Keys, Values)>);

fn vector<T>(data: Vec<T>) -> Array<T> {
    Array { shape: vec![data.len()], data }
}

/// `{what}s_strings`, `_int64s`, `_floats` or `_tensor`; one of them is there.
fn list(attributes: Attributes<'_>, what: &str) -> Result<Tensor, BuildFault> {
    let name = |kind: &str| format!("{what}_{kind}");
    let strings = attributes.texts(&name("strings"))?;
    if !strings.is_empty() {
        return Ok(Tensor::String(vector(strings.into_iter().map(str::to_owned).collect())));
    }
    let ints = attributes.ints(&name("int64s"));
    if !ints.is_empty() {
        return Ok(Tensor::Int64(vector(ints.to_vec())));
    }
    let floats = super::numbers(attributes, &name("floats"));
    if !floats.is_empty() {
        return Ok(Tensor::Float(vector(floats)));
    }
    let attribute = name("tensor");
    let Some(proto) = attributes.get(&attribute).and_then(|attribute| attribute.t.as_ref()) else {
        return Err(BuildFault::attribute(&attribute, "is needed, or one of `_strings`, `_int64s` and `_floats`"));
    };
    Ok(tensor::read(proto).map_err(|fault| AttributeFault::new(&attribute, fault.to_string()))?)
}

fn default(attributes: Attributes<'_>, values: &Tensor) -> Result<Tensor, BuildFault> {
    if let Some(proto) = attributes.get("default_tensor").and_then(|attribute| attribute.t.as_ref()) {
        let default = tensor::read(proto).map_err(|fault| AttributeFault::new("default_tensor", fault.to_string()))?;
        if default.shape().iter().product::<usize>() == 1 && default.type_name() == values.type_name() {
            return Ok(default);
        }
        return Err(BuildFault::attribute("default_tensor", "must be one value of the values' type"));
    }
    Ok(match values {
        Tensor::String(_) => {
            Tensor::String(vector(vec![attributes.text("default_string")?.unwrap_or(DEFAULT_STRING).to_owned()]))
        }
        Tensor::Float(_) => {
            Tensor::Float(vector(vec![attributes.get("default_float").map_or(-0.0, |attribute| attribute.f)]))
        }
        Tensor::Double(_) => Tensor::Double(vector(vec![-0.0])),
        _ => Tensor::Int64(vector(vec![attributes.int("default_int64").unwrap_or(DEFAULT_INT)])),
    })
}

impl LabelEncoder {
    pub(super) fn new(attributes: Attributes<'_>, version: i64) -> Result<Self, BuildFault> {
        let classes = attributes.texts("classes_strings")?;
        if !classes.is_empty() {
            // Version 1: texts to their places, and back.
            let numbers = (0..).take(classes.len()).collect();
            return Self::both_ways(attributes, numbers, classes.into_iter().map(str::to_owned).collect());
        }
        let (keys, values) = (list(attributes, "keys")?, list(attributes, "values")?);
        if keys.shape() != values.shape() {
            let reason = format!("have the shape {:?}, and the keys {:?}", values.shape(), keys.shape());
            return Err(BuildFault::attribute("values", reason));
        }
        let keys = Keys::of(keys, version)
            .map_err(|keys| BuildFault::attribute("keys_tensor", format!("is a {}", keys.type_name())))?;
        if !matches!(values, Tensor::Int64(_) | Tensor::String(_) | Tensor::Float(_) | Tensor::Double(_)) {
            return Err(BuildFault::attribute("values_tensor", format!("is a {}", values.type_name())));
        }
        let default = default(attributes, &values)?;
        Ok(Self(vec![(keys, Values { values, default })]))
    }

    /// `CategoryMapper`: texts to numbers, and back.
    pub(super) fn category_mapper(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let (numbers, texts) = (attributes.ints("cats_int64s"), attributes.texts("cats_strings")?);
        if numbers.len() != texts.len() || numbers.is_empty() {
            let reason = format!("has {} values, and `cats_strings` has {}", numbers.len(), texts.len());
            return Err(BuildFault::attribute("cats_int64s", reason));
        }
        Self::both_ways(attributes, numbers.to_vec(), texts.into_iter().map(str::to_owned).collect())
    }

    fn both_ways(attributes: Attributes<'_>, numbers: Vec<i64>, texts: Vec<String>) -> Result<Self, BuildFault> {
        let (by_text, by_number) = (places(texts.iter().cloned()), places(numbers.iter().copied()));
        let (numbers, texts) = (Tensor::Int64(vector(numbers)), Tensor::String(vector(texts)));
        let (number, text) = (default(attributes, &numbers)?, default(attributes, &texts)?);
        Ok(Self(vec![
            (Keys::Strings(by_text), Values { values: numbers, default: number }),
            (Keys::Ints(by_number), Values { values: texts, default: text }),
        ]))
    }
}

impl Operator for LabelEncoder {
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = input(inputs, 0)?.tensor()?;
        let found = self.0.iter().find_map(|(keys, values)| Some((keys.find(x)?, values)));
        let Some((places, values)) = found else {
            let expected: Vec<&str> = self.0.iter().map(|(keys, _)| keys.type_name()).collect();
            return Err(RunFault::of_type(&expected.join(" or "), x.type_name()));
        };
        Ok(vec![Value::Tensor(values.take(x.shape(), &places)?)])
    }
}

/// A column for each category.
#[derive(Debug)]
pub(super) struct OneHotEncoder {
    keys: Keys,
    columns: usize,
    /// A value that is no category gets zeros; else it is a fault.
    zeros: bool,
}

impl OneHotEncoder {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let labels = class_labels(attributes, "cats_int64s", "cats_strings")?;
        let columns = labels.len();
        let keys = match labels {
            Labels::Ints(labels) => Keys::Ints(places(labels)),
            Labels::Strings(labels) => Keys::Strings(places(labels)),
        };
        Ok(Self { keys, columns, zeros: attributes.int("zeros").unwrap_or(1) != 0 })
    }

    /// Numbers are cut to whole ones.
    #[expect(clippy::cast_possible_truncation, reason = "said above")]
    fn find(&self, x: &Tensor) -> Result<Vec<Option<usize>>, RunFault> {
        let whole = |data: Vec<i64>, shape: &[usize]| Tensor::Int64(Array { shape: shape.to_vec(), data });
        let cast = match x {
            Tensor::Float(x) => Some(whole(x.data.iter().map(|x| *x as i64).collect(), &x.shape)),
            Tensor::Double(x) => Some(whole(x.data.iter().map(|x| *x as i64).collect(), &x.shape)),
            Tensor::Int32(x) => Some(whole(x.data.iter().map(|x| i64::from(*x)).collect(), &x.shape)),
            _ => None,
        };
        let found = self.keys.find(cast.as_ref().unwrap_or(x));
        found.ok_or_else(|| RunFault::of_type(self.keys.type_name(), x.type_name()))
    }
}

impl Operator for OneHotEncoder {
    fn needed(&self, inputs: &[&Value], _: usize) -> usize {
        inputs.first().map_or(0, |x| x.values()).saturating_mul(self.columns)
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = input(inputs, 0)?.tensor()?;
        let places = self.find(x)?;
        if let Some(unknown) = places.iter().position(Option::is_none).filter(|_| !self.zeros) {
            return Err(RunFault::Value(format!("value {unknown} is none of the {} categories", self.columns)));
        }
        let mut data = vec![0.0; places.len() * self.columns];
        for (row, place) in data.chunks_exact_mut(self.columns).zip(&places) {
            if let Some(place) = place {
                row[*place] = 1.0;
            }
        }
        let shape = x.shape().iter().copied().chain([self.columns]).collect();
        Ok(vec![Array { shape, data }.into()])
    }
}
