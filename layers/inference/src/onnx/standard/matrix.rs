//! Products of matrices.

use tract_onnx::prelude::tract_ndarray::{ArrayView1, ArrayView2, Axis, LinalgScalar, Slice};

use super::shape::{joined, lines, stretched, strides};
use super::typed::{Number, numeric};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, boxed, one};

/// How many multiplications are done between two looks at the clock.
const PART: usize = 1 << 26;

#[derive(Debug)]
struct MatMul;

/// `alpha * A * B + beta * C`.
#[derive(Debug)]
struct Gemm {
    alpha: f32,
    beta: f32,
    flip_a: bool,
    flip_b: bool,
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    match name {
        "MatMul" => boxed(MatMul),
        "Gemm" => boxed(Gemm {
            alpha: attributes.float("alpha").unwrap_or(1.0),
            beta: attributes.float("beta").unwrap_or(1.0),
            flip_a: attributes.flag("transA"),
            flip_b: attributes.flag("transB"),
        }),
        _ => None,
    }
}

/// A matrix: its values, rows and columns, and whether it is taken across.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) flipped: bool,
}

impl<'a, T> Matrix<'a, T> {
    fn view(&self) -> Result<ArrayView2<'a, T>, RunFault> {
        let view = ArrayView2::from_shape((self.rows, self.columns), self.data);
        let view = view.map_err(|error| RunFault::Value(error.to_string()))?;
        Ok(if self.flipped { view.reversed_axes() } else { view })
    }
}

/// The product of two matrices at the end of `data`, in parts.
pub(super) fn product<T: Number + LinalgScalar>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    data: &mut Vec<T>,
    budget: &Budget,
) -> Result<(), RunFault> {
    let (a, b) = (a.view()?, b.view()?);
    if a.ncols() != b.nrows() {
        let found = format!("{} columns, and {} rows to multiply them with", a.ncols(), b.nrows());
        return Err(RunFault::of_type("matrices that fit", &found));
    }
    if !T::FLOATS {
        // Whole numbers wrap around, here as elsewhere.
        for row in a.rows() {
            budget.time()?;
            let of = |column: ArrayView1<'_, T>| {
                row.iter().zip(column).fold(T::ZERO, |sum, (a, b)| Number::add(sum, Number::mul(*a, *b)))
            };
            data.extend(b.columns().into_iter().map(of));
        }
        return Ok(());
    }
    let rows = (PART / (b.nrows() * b.ncols()).max(1)).max(1);
    let mut first = 0;
    while first < a.nrows() {
        budget.time()?;
        let last = (first + rows).min(a.nrows());
        let part = a.slice_axis(Axis(0), Slice::from(first..last)).dot(&b);
        data.extend(part.iter().copied());
        first = last;
    }
    Ok(())
}

impl Standard for MatMul {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        numeric!(a, T => one(T::tensor(multiplied(T::of(a)?, T::of(b)?, budget)?)))
    }
}

/// Matrices in the last two dimensions, the others stretched to one another; a vector is a matrix of one row or column.
fn multiplied<T: Number + LinalgScalar>(a: &Array<T>, b: &Array<T>, budget: &Budget) -> Result<Array<T>, RunFault> {
    let (a_batch, [rows, inner]) = match a.shape[..] {
        [] => return Err(RunFault::Shape { expected: "at least one dimension".to_owned(), found: Vec::new() }),
        [inner] => (&[][..], [1, inner]),
        [ref batch @ .., rows, inner] => (batch, [rows, inner]),
    };
    let (b_batch, [b_rows, columns]) = match b.shape[..] {
        [] => return Err(RunFault::Shape { expected: "at least one dimension".to_owned(), found: Vec::new() }),
        [inner] => (&[][..], [inner, 1]),
        [ref batch @ .., inner, columns] => (batch, [inner, columns]),
    };
    if inner != b_rows {
        let expected = format!("{inner} rows to multiply with {inner} columns");
        return Err(RunFault::Shape { expected, found: b.shape.clone() });
    }
    let batch = joined(a_batch, b_batch)?;
    let mut shape = batch.clone();
    shape.extend([rows, columns]);
    let mut data = Vec::with_capacity(budget.shape(&shape)?);
    let mut fault = Ok(());
    lines(&batch, [&strides(a_batch, &batch), &strides(b_batch, &batch)], |[at_a, at_b], length, [to_a, to_b]| {
        for at in 0..length {
            let (from_a, from_b) = ((at_a + at * to_a) * rows * inner, (at_b + at * to_b) * inner * columns);
            let a = Matrix { data: &a.data[from_a..from_a + rows * inner], rows, columns: inner, flipped: false };
            let b = Matrix { data: &b.data[from_b..from_b + inner * columns], rows: inner, columns, flipped: false };
            if fault.is_ok() {
                fault = product(a, b, &mut data, budget);
            }
        }
    });
    fault?;
    // What was a vector has no dimension of its own.
    if a.shape.len() == 1 {
        shape.remove(batch.len());
    }
    if b.shape.len() == 1 {
        shape.pop();
    }
    Ok(Array { shape, data })
}

impl Standard for Gemm {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (a, b) = (inputs.get(0)?, inputs.get(1)?);
        numeric!(a, T => {
            let (a, b) = (T::of(a)?, T::of(b)?);
            let ([a_rows, a_columns], [b_rows, b_columns]) = (sides(&a.shape)?, sides(&b.shape)?);
            let shape = vec![if self.flip_a { a_columns } else { a_rows }, if self.flip_b { b_rows } else { b_columns }];
            let mut data = Vec::with_capacity(budget.shape(&shape)?);
            let a = Matrix { data: &a.data, rows: a_rows, columns: a_columns, flipped: self.flip_a };
            let b = Matrix { data: &b.data, rows: b_rows, columns: b_columns, flipped: self.flip_b };
            product(a, b, &mut data, budget)?;
            let (alpha, beta) = (T::narrow(f64::from(self.alpha)), T::narrow(f64::from(self.beta)));
            data.iter_mut().for_each(|value| *value = value.mul(alpha));
            let mut found = Array { shape, data };
            if let Some(c) = inputs.optional(2) {
                let c = T::of(c)?;
                let stretched = stretched(&found, c, budget, |value, c| value.add(c.mul(beta)))?;
                if stretched.shape != found.shape {
                    let expected = format!("what stretches to {:?}", found.shape);
                    return Err(RunFault::Shape { expected, found: c.shape.clone() });
                }
                found = stretched;
            }
            one(T::tensor(found))
        })
    }
}

fn sides(shape: &[usize]) -> Result<[usize; 2], RunFault> {
    let two = |_| RunFault::Shape { expected: "two dimensions".to_owned(), found: shape.to_vec() };
    shape.try_into().map_err(two)
}
