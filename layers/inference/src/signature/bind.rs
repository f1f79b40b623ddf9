//! A signature that is bound to its model: rows become the model's inputs.

use std::collections::HashMap;

use super::table::Filled;
use super::{Cell, Feature, Kind, Missing, Row, Signature};
use crate::onnx::{Array, ElementType as Element, Input, Tensor, Value, ValueType};

/// A signature, and where in the model's inputs its features go.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(super) signature: Signature,
    pub(super) ports: Vec<Port>,
}

/// One input of the model.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    element: Element,
    /// The dimensions of one row.
    shape: Vec<usize>,
    /// The features that make a row, in the order of its columns.
    features: Vec<usize>,
}

impl Bound {
    /// Binds a signature to a model's inputs.
    ///
    /// # Errors
    /// A feature that does not fit, in words.
    pub fn new(signature: Signature, inputs: &[Input]) -> Result<Self, String> {
        let mut ports = Vec::with_capacity(inputs.len());
        for input in inputs {
            let ValueType::Tensor(element) = input.value else {
                return Err(format!("input `{}` of the file is a map, and only tensors are taken", input.name));
            };
            let mut features: Vec<usize> = (0..signature.inputs.len()).collect();
            features.retain(|place| signature.inputs[*place].input == input.name);
            features.sort_by_key(|place| signature.inputs[*place].column);
            let columns = features.iter().map(|place| signature.inputs[*place].column);
            if features.is_empty() || !columns.eq(0..features.len()) {
                return Err(format!("input `{}` of the file is not covered column by column", input.name));
            }
            let first = &signature.inputs[features[0]];
            let shape = match (&first.shape[..], features.len()) {
                ([], 1) if input.shape.as_ref().is_some_and(|shape| shape.len() == 1) => Vec::new(),
                ([], width) => vec![width],
                (shape, 1) => shape.to_vec(),
                _ => return Err(format!("input `{}` takes one tensor, or single values", input.name)),
            };
            if let Some(feature) =
                features.iter().map(|place| &signature.inputs[*place]).find(|feature| !fits(feature, element))
            {
                return Err(format!(
                    "feature `{}` is {}, which the file's input of {} cannot take",
                    feature.name,
                    feature.expectation(),
                    element.name()
                ));
            }
            let marked =
                features.iter().map(|place| &signature.inputs[*place]).find(|feature| feature.missing == Missing::Nan);
            if let Some(feature) = marked.filter(|_| !matches!(element, Element::Float | Element::Double)) {
                let detail = "has `missing: nan`, which the file's input of";
                return Err(format!("feature `{}` {detail} {} cannot take", feature.name, element.name()));
            }
            ports.push(Port { name: input.name.clone(), element, shape, features });
        }
        if let Some(stray) =
            signature.inputs.iter().find(|feature| !inputs.iter().any(|input| input.name == feature.input))
        {
            return Err(format!("feature `{}` goes to `{}`, and the file has no such input", stray.name, stray.input));
        }
        Ok(Self { signature, ports })
    }

    /// The signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The model's inputs of some rows. Numbers are rounded to the precision of the input.
    #[must_use]
    pub fn inputs(&self, rows: &[Row]) -> HashMap<String, Value> {
        let filled = |port: &Port| (port.name.clone(), Value::Tensor(self.fill(port, rows)));
        self.ports.iter().map(filled).collect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "the precision of the input is said in the docs")]
    pub(super) fn fill(&self, port: &Port, rows: &[Row]) -> Tensor {
        let shape: Vec<usize> = std::iter::once(rows.len()).chain(port.shape.iter().copied()).collect();
        let numbers =
            || rows.iter().flat_map(|row| port.features.iter().flat_map(|place| self.numbers(*place, &row[*place])));
        match port.element {
            Element::Float => Tensor::Float(Array { shape, data: numbers().map(|number| number as f32).collect() }),
            Element::Double => Tensor::Double(Array { shape, data: numbers().collect() }),
            Element::Int64 => Tensor::Int64(Array { shape, data: self.wholes(port, rows) }),
            Element::Int32 => {
                let data = self
                    .wholes(port, rows)
                    .into_iter()
                    .map(|number| number.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
                Tensor::Int32(Array { shape, data: data.collect() })
            }
            Element::Bool => Tensor::Bool(Array { shape, data: numbers().map(|number| number != 0.0).collect() }),
            Element::String => {
                let texts = rows.iter().flat_map(|row| port.features.iter().map(|place| text(&row[*place])));
                Tensor::String(Array { shape, data: texts.collect() })
            }
        }
    }

    /// The tensor of an input of numbers with a fraction, filled column by column; none of another input, or of one whose
    /// features are tensors.
    pub(super) fn fill_numbers(&self, port: &Port, columns: &[Filled], places: &[usize]) -> Option<Tensor> {
        let width = port.features.len();
        if port.shape.iter().product::<usize>() != width.max(1) {
            return None;
        }
        let shape: Vec<usize> = std::iter::once(places.len()).chain(port.shape.iter().copied()).collect();
        let number = |feature: usize, column: &Filled, place: usize| match column {
            Filled::Numbers(numbers) => numbers[place],
            Filled::Cells(cells) => self.numbers(feature, &cells[place]).next().unwrap_or(f64::NAN),
        };
        match port.element {
            #[expect(clippy::cast_possible_truncation, reason = "the precision of the input is said in the docs")]
            Element::Float => {
                let mut data = vec![0.0; places.len() * width];
                for (offset, feature) in port.features.iter().enumerate() {
                    let to = data.iter_mut().skip(offset).step_by(width);
                    to.zip(places).for_each(|(to, place)| *to = number(*feature, &columns[*feature], *place) as f32);
                }
                Some(Tensor::Float(Array { shape, data }))
            }
            Element::Double => {
                let mut data = vec![0.0; places.len() * width];
                for (offset, feature) in port.features.iter().enumerate() {
                    let to = data.iter_mut().skip(offset).step_by(width);
                    to.zip(places).for_each(|(to, place)| *to = number(*feature, &columns[*feature], *place));
                }
                Some(Tensor::Double(Array { shape, data }))
            }
            _ => None,
        }
    }

    /// A cell as numbers; a text by its place among the categories.
    #[expect(clippy::cast_precision_loss, reason = "the precision of the input is said in the docs")]
    fn numbers<'a>(&self, place: usize, cell: &'a Cell) -> Box<dyn Iterator<Item = f64> + 'a> {
        Box::new(std::iter::once(match cell {
            Cell::Tensor(numbers) => return Box::new(numbers.iter().copied()),
            Cell::Number(number) => *number,
            Cell::Integer(number) => *number as f64,
            Cell::Boolean(flag) => f64::from(*flag),
            Cell::Text(_) => self.signature.inputs[place].category(cell).map_or(f64::NAN, |code| code as f64),
        }))
    }

    #[expect(clippy::cast_possible_truncation, reason = "what is no whole number was refused when it was read")]
    fn wholes(&self, port: &Port, rows: &[Row]) -> Vec<i64> {
        let whole = |(place, cell): (usize, &Cell)| -> Vec<i64> {
            match cell {
                Cell::Integer(number) => vec![*number],
                other => self.numbers(place, other).map(|number| number as i64).collect(),
            }
        };
        rows.iter().flat_map(|row| port.features.iter().flat_map(|place| whole((*place, &row[*place])))).collect()
    }
}

/// Whether an input of this element can take the feature.
fn fits(feature: &Feature, element: Element) -> bool {
    match (feature.kind, element) {
        (Kind::String, Element::String) => true,
        (_, Element::String) => false,
        // By the place among its categories.
        (Kind::String, Element::Float | Element::Double) => feature.categories.is_some(),
        (Kind::String, _) => feature.categories.is_some() && feature.unknown == super::Unknown::Error,
        (Kind::Boolean, _) | (_, Element::Float | Element::Double) => true,
        (Kind::Integer | Kind::Timestamp, Element::Int64 | Element::Int32) => true,
        (Kind::Number, Element::Int64 | Element::Int32) => false,
        (_, Element::Bool) => false,
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        _ => String::new(),
    }
}
