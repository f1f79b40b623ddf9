//! Tensors that are made of a shape or of bounds.

use super::shape::refused;
use super::typed::{Number, numeric, typed};
use super::{
    Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, one, size,
};
use crate::onnx::signature::ElementType;
use crate::onnx::tensor;

/// One value everywhere.
#[derive(Debug)]
struct ConstantOfShape(Tensor);

#[derive(Debug)]
struct Range;

/// Ones on a diagonal.
#[derive(Debug)]
struct EyeLike {
    diagonal: i64,
    element: Option<ElementType>,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    match name {
        "ConstantOfShape" => {
            let value = attributes.get("value").and_then(|attribute| attribute.t.as_ref()).map(tensor::read);
            match value.unwrap_or_else(|| Ok(Tensor::Float(Array::vector(vec![0.0])))) {
                Ok(value) if value.shape().iter().product::<usize>() == 1 => boxed(ConstantOfShape(value)),
                Ok(_) => refused("value", "is not a single value"),
                Err(fault) => refused("value", fault.to_string()),
            }
        }
        "Range" => boxed(Range),
        "EyeLike" => {
            let number = attributes.int("dtype");
            let element = number.and_then(|number| ElementType::of(i32::try_from(number).ok()?));
            if number.is_some() && element.is_none() {
                return refused("dtype", format!("has the value {}", number.unwrap_or(0)));
            }
            boxed(EyeLike { diagonal: attributes.int("k").unwrap_or(0), element })
        }
        _ => None,
    }
}

impl Standard for ConstantOfShape {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let shape: Vec<usize> =
            inputs.whole(0)?.ok_or(RunFault::Missing(0))?.into_iter().map(size).collect::<Result<_, _>>()?;
        let count = budget.shape(&shape)?;
        typed!(&self.0, T => {
            let value = T::of(&self.0)?.data.first().cloned().unwrap_or_default();
            one(T::tensor(Array { shape, data: vec![value; count] }))
        })
    }
}

impl Standard for Range {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let first = inputs.get(0)?;
        numeric!(first, T => {
            let single = |place: usize| inputs.array::<T>(place)?.data.first().copied().ok_or(RunFault::Missing(place));
            let (start, limit, delta) = (single(0)?, single(1)?, single(2)?);
            let count = ((limit.wide() - start.wide()) / delta.wide()).ceil();
            if !count.is_finite() {
                return Err(RunFault::Value("is given bounds and a step that do not end".to_owned()));
            }
            let count = size(i64::narrow(count.max(0.0)))?;
            budget.values(count)?;
            let value = |at: usize| start.add(T::narrow(super::reduce::count(at)).mul(delta));
            one(T::tensor(Array::vector((0..count).map(value).collect())))
        })
    }
}

impl Standard for EyeLike {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        let [_, columns] = *x.shape() else {
            return Err(RunFault::Shape { expected: "two dimensions".to_owned(), found: x.shape().to_vec() });
        };
        let count = budget.shape(x.shape())?;
        let on = |place: usize| {
            let (row, column) = (super::signed(place / columns.max(1)), super::signed(place % columns.max(1)));
            column - row == self.diagonal
        };
        let ones = Tensor::Bool(Array { shape: x.shape().to_vec(), data: (0..count).map(on).collect() });
        one(super::cast::cast(&ones, self.element.unwrap_or_else(|| ElementType::of_tensor(x)), budget)?)
    }
}
