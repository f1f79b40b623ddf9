//! `ZipMap`, `CastMap` and `DictVectorizer`: to maps, and from maps.

use super::{Array, BuildFault, Labels, Operator, RunFault, Tensor, Value, class_labels, floats, input};
use crate::onnx::attributes::Attributes;

/// A map of class to score for each row.
#[derive(Debug)]
pub(super) struct ZipMap(Labels);

impl ZipMap {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        Ok(Self(class_labels(attributes, "classlabels_int64s", "classlabels_strings")?))
    }
}

impl Operator for ZipMap {
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = floats(inputs)?;
        let (rows, width) = x.rows()?;
        if width != self.0.len() {
            let expected = format!("{} columns, one for each class", self.0.len());
            return Err(RunFault::Shape { expected, found: x.shape.clone() });
        }
        Ok(vec![Value::Maps(self.0.clone(), Array::table(rows, width, x.data.clone()))])
    }
}

/// A map's keys, as the first input has it.
fn map<'a>(inputs: &[&'a Value]) -> Result<(&'a Labels, &'a Tensor), RunFault> {
    match input(inputs, 0)? {
        Value::Map(keys, values) => Ok((keys, values)),
        other => Err(RunFault::of_type("a map", other.type_name())),
    }
}

/// What the values of a map become.
#[derive(Clone, Copy, Debug)]
enum Cast {
    Float,
    String,
    Int64,
}

/// The values of a map as a row.
#[derive(Debug)]
pub(super) struct CastMap {
    to: Cast,
    /// The row's width, when the keys are places; else the values follow one another in the order of the keys.
    width: Option<usize>,
}

impl CastMap {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let to = match attributes.text("cast_to")? {
            None | Some("TO_FLOAT") => Cast::Float,
            Some("TO_STRING") => Cast::String,
            Some("TO_INT64") => Cast::Int64,
            Some(other) => return Err(BuildFault::attribute("cast_to", format!("has the value `{other}`"))),
        };
        let width = match attributes.text("map_form")? {
            None | Some("DENSE") => None,
            Some("SPARSE") => {
                let width = attributes.int("max_map").unwrap_or(1);
                let fits = usize::try_from(width).ok().filter(|width| (1..1 << 24).contains(width));
                Some(fits.ok_or_else(|| BuildFault::attribute("max_map", format!("has the value {width}")))?)
            }
            Some(other) => return Err(BuildFault::attribute("map_form", format!("has the value `{other}`"))),
        };
        Ok(Self { to, width })
    }

    /// Where each value goes, by its place in the map, and how many there are in all.
    fn places(&self, keys: &[i64]) -> (Vec<Option<usize>>, usize) {
        if let Some(width) = self.width {
            let place = |key: &i64| usize::try_from(*key).ok().filter(|place| *place < width);
            return (keys.iter().map(place).collect(), width);
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by_key(|place| keys[*place]);
        let mut places = vec![None; keys.len()];
        order.into_iter().enumerate().for_each(|(to, from)| places[from] = Some(to));
        (places, keys.len())
    }
}

fn spread<T: Clone>(places: &[Option<usize>], width: usize, values: impl Iterator<Item = T>, absent: &T) -> Array<T> {
    let mut data = vec![absent.clone(); width];
    for (place, value) in places.iter().zip(values) {
        if let Some(place) = place {
            data[*place] = value;
        }
    }
    Array::table(1, width, data)
}

impl Operator for CastMap {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.width.unwrap_or(0))
    }

    #[expect(clippy::cast_possible_truncation, reason = "the operator cuts floats to whole numbers")]
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let (keys, values) = map(inputs)?;
        let Labels::Ints(keys) = keys else { return Err(RunFault::of_type("a map of int64", "a map of strings")) };
        let (places, width) = self.places(keys);
        let number =
            |text: &String| text.trim().parse::<f32>().map_err(|_| RunFault::Value(format!("`{text}` is no number")));
        let floats: Vec<f32> = match values {
            Tensor::Float(values) => values.data.clone(),
            Tensor::String(values) => match self.to {
                Cast::String => Vec::new(),
                Cast::Float | Cast::Int64 => values.data.iter().map(number).collect::<Result<_, _>>()?,
            },
            other => return Err(RunFault::of_type("a map to floats or strings", other.type_name())),
        };
        let cast = match (self.to, values) {
            (Cast::Float, _) => Tensor::Float(spread(&places, width, floats.into_iter(), &0.0)),
            (Cast::Int64, _) => Tensor::Int64(spread(&places, width, floats.into_iter().map(|x| x as i64), &0)),
            (Cast::String, Tensor::String(values)) => {
                let absent = "0.f".to_owned();
                Tensor::String(spread(&places, width, values.data.iter().cloned(), &absent))
            }
            (Cast::String, _) => {
                let absent = "0.f".to_owned();
                Tensor::String(spread(&places, width, floats.iter().map(|x| format!("{x:.6}")), &absent))
            }
        };
        Ok(vec![Value::Tensor(cast)])
    }
}

/// The values of a map in the order of a vocabulary; nothing where a key is absent.
#[derive(Debug)]
pub(super) struct DictVectorizer(Labels);

impl DictVectorizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        Ok(Self(class_labels(attributes, "int64_vocabulary", "string_vocabulary")?))
    }

    /// The place in the map of each word of the vocabulary.
    fn places(&self, keys: &Labels) -> Result<Vec<Option<usize>>, RunFault> {
        fn find<T: PartialEq>(words: &[T], keys: &[T]) -> Vec<Option<usize>> {
            words.iter().map(|word| keys.iter().position(|key| key == word)).collect()
        }
        match (&self.0, keys) {
            (Labels::Ints(words), Labels::Ints(keys)) => Ok(find(words, keys)),
            (Labels::Strings(words), Labels::Strings(keys)) => Ok(find(words, keys)),
            _ => Err(RunFault::of_type("a map with keys of the vocabulary's type", "a map with others")),
        }
    }
}

impl Operator for DictVectorizer {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.0.len())
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        fn each<T: Clone + Default>(places: &[Option<usize>], values: &Array<T>) -> Array<T> {
            let value = |place: &Option<usize>| place.map_or_else(T::default, |place| values.data[place].clone());
            Array::table(1, places.len(), places.iter().map(value).collect())
        }
        let (keys, values) = map(inputs)?;
        let places = self.places(keys)?;
        Ok(vec![Value::Tensor(match values {
            Tensor::Float(values) => Tensor::Float(each(&places, values)),
            Tensor::Double(values) => Tensor::Double(each(&places, values)),
            Tensor::Int64(values) => Tensor::Int64(each(&places, values)),
            Tensor::String(values) => Tensor::String(each(&places, values)),
            other => return Err(RunFault::of_type("a map to numbers or strings", other.type_name())),
        })])
    }
}
