//! Values of one type as those of another.

use super::shape::refused;
use super::typed::{Number, numeric, typed};
use super::{Array, Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, one};
use crate::onnx::signature::ElementType;

#[derive(Debug)]
struct Cast(ElementType);

#[derive(Debug)]
struct CastLike;

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    match name {
        "Cast" => {
            let number = attributes.int("to").unwrap_or(0);
            match i32::try_from(number).ok().and_then(ElementType::of) {
                Some(element) => boxed(Cast(element)),
                None => refused("to", format!("is the data type {number}, which is not supported")),
            }
        }
        "CastLike" => boxed(CastLike),
        _ => None,
    }
}

impl Standard for Cast {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        one(cast(inputs.get(0)?, self.0, budget)?)
    }
}

impl Standard for CastLike {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        one(cast(inputs.get(0)?, ElementType::of_tensor(inputs.get(1)?), budget)?)
    }
}

/// The values of a tensor in another type: cut towards zero to whole numbers, rounded to 32-bit floats.
pub(super) fn cast(x: &Tensor, to: ElementType, budget: &Budget) -> Result<Tensor, RunFault> {
    budget.shape(x.shape())?;
    if to == ElementType::of_tensor(x) {
        return Ok(x.clone());
    }
    match (x, to) {
        (_, ElementType::String) => typed!(x, T => {
            let x = T::of(x)?;
            Ok(Tensor::String(x.like(x.data.iter().map(Shown::shown).collect())))
        }),
        (Tensor::String(x), _) => of_texts(x, to),
        (Tensor::Bool(x), _) => {
            let numbers = Tensor::Int32(x.like(x.data.iter().copied().map(i32::from).collect()));
            cast(&numbers, to, budget)
        }
        // Whole numbers to each other by their bits, not by way of floats.
        (Tensor::Int64(x), ElementType::Int32) => {
            #[expect(clippy::cast_possible_truncation, reason = "the lower bits are what a cast keeps")]
            let data = x.data.iter().map(|number| *number as i32).collect();
            Ok(Tensor::Int32(x.like(data)))
        }
        (x, ElementType::Bool) => numeric!(x, T => {
            let x = T::of(x)?;
            Ok(Tensor::Bool(x.like(x.data.iter().map(|number| *number != T::ZERO).collect())))
        }),
        (x, ElementType::Float) => numeric!(x, T => converted::<T, f32>(x)),
        (x, ElementType::Double) => numeric!(x, T => converted::<T, f64>(x)),
        (x, ElementType::Int64) => numeric!(x, T => to_whole::<T, i64>(x, 63)),
        (x, ElementType::Int32) => numeric!(x, T => to_whole::<T, i32>(x, 31)),
    }
}

fn converted<T: Number, U: Number>(x: &Tensor) -> Result<Tensor, RunFault> {
    let x = T::of(x)?;
    Ok(U::tensor(x.like(x.data.iter().map(|number| U::narrow(number.wide())).collect())))
}

/// What is no number, or none of so many bits, becomes the least: the standard leaves it open, and ONNX Runtime gives that.
fn to_whole<T: Number, U: Number>(x: &Tensor, bits: i32) -> Result<Tensor, RunFault> {
    let x = T::of(x)?;
    let most = 2.0_f64.powi(bits);
    let each = |number: &T| {
        let wide = number.wide();
        if wide > -most - 1.0 && wide < most { U::narrow(wide) } else { U::LEAST }
    };
    Ok(U::tensor(x.like(x.data.iter().map(each).collect())))
}

fn of_texts(x: &Array<String>, to: ElementType) -> Result<Tensor, RunFault> {
    fn parsed<T: std::str::FromStr>(x: &Array<String>) -> Result<Array<T>, RunFault> {
        let parse = |text: &String| {
            text.trim()
                .parse::<T>()
                .map_err(|_| RunFault::Value(format!("cannot read {} characters as a number", text.chars().count())))
        };
        Ok(x.like(x.data.iter().map(parse).collect::<Result<_, _>>()?))
    }
    Ok(match to {
        ElementType::Float => Tensor::Float(parsed(x)?),
        ElementType::Double => Tensor::Double(parsed(x)?),
        ElementType::Int64 => Tensor::Int64(parsed(x)?),
        ElementType::Int32 => Tensor::Int32(parsed(x)?),
        ElementType::Bool | ElementType::String => {
            return Err(RunFault::of_type("a tensor of numbers", "tensor(string)"));
        }
    })
}

/// A value as the text that a cast to texts makes of it: floats as C's `%.8g` and `%.17g` do, as ONNX Runtime has them.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for f32 {
    fn shown(&self) -> String {
        general(f64::from(*self), 8)
    }
}

impl Shown for f64 {
    fn shown(&self) -> String {
        general(*self, 17)
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for i32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        u8::from(*self).to_string()
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        self.clone()
    }
}

/// A number with so many digits that count, without zeros at the end, as `%.{digits}g` of C writes it.
fn general(number: f64, digits: usize) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "INF" } else { "-INF" }.to_owned();
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    let digits = super::signed(digits);
    if exponent < -4 || exponent >= digits {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(digits - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{number:.decimals$}"))
}
