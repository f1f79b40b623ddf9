//! Operators of one tensor, value by value.

use super::typed::{Number, floating, numeric};
use super::{Attributes, Budget, Element, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, one};
use crate::onnx::post_transform::logistic;

/// A function of 64-bit floats; that of 32-bit ones is computed in 64 bits and rounded once.
#[derive(Clone, Copy, Debug)]
struct Function {
    wide: fn(f64, f64, f64) -> f64,
    /// What the attributes say.
    alpha: f64,
    beta: f64,
}

impl Standard for Function {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        floating!(x, T => {
            let x = T::of(x)?;
            let each = |x: &T| T::narrow((self.wide)(x.wide(), self.alpha, self.beta));
            one(T::tensor(x.like(x.data.iter().map(each).collect())))
        })
    }
}

/// The functions that every network computes most of the time, in the type of the input.
#[derive(Clone, Copy, Debug)]
enum Quick {
    Relu,
    Sigmoid,
    Abs,
    Neg,
    Sign,
    Not,
    IsNan,
}

impl Standard for Quick {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        fn each<T: Number>(x: &Tensor, with: impl Fn(T) -> T) -> Outputs {
            let x = T::of(x)?;
            one(T::tensor(x.like(x.data.iter().map(|x| with(*x)).collect())))
        }
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        match (self, x) {
            (Self::Relu, _) => numeric!(x, T => each::<T>(x, |x| if x < T::ZERO { T::ZERO } else { x })),
            (Self::Abs, _) => numeric!(x, T => each::<T>(x, Number::absolute)),
            (Self::Neg, _) => numeric!(x, T => each::<T>(x, Number::negative)),
            (Self::Sign, _) => numeric!(x, T => each::<T>(x, Number::sign)),
            (Self::Sigmoid, Tensor::Float(_)) => each::<f32>(x, logistic),
            (Self::Sigmoid, Tensor::Double(_)) => each::<f64>(x, |x| sigmoid(x, 0.0, 0.0)),
            (Self::Not, Tensor::Bool(x)) => one(Tensor::Bool(x.like(x.data.iter().map(|x| !x).collect()))),
            (Self::IsNan, Tensor::Float(x)) => one(Tensor::Bool(x.like(x.data.iter().map(|x| x.is_nan()).collect()))),
            (Self::IsNan, Tensor::Double(x)) => one(Tensor::Bool(x.like(x.data.iter().map(|x| x.is_nan()).collect()))),
            (Self::Not, other) => Err(RunFault::of_type("tensor(bool)", other.type_name())),
            (_, other) => Err(RunFault::of_type("a tensor of floats", other.type_name())),
        }
    }
}

/// Which infinities count.
#[derive(Clone, Copy, Debug)]
struct IsInf {
    negative: bool,
    positive: bool,
}

impl Standard for IsInf {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let x = inputs.get(0)?;
        budget.shape(x.shape())?;
        floating!(x, T => {
            let x = T::of(x)?;
            let each = |x: &T| (self.positive && *x == T::INFINITY) || (self.negative && *x == T::NEG_INFINITY);
            one(Tensor::Bool(x.like(x.data.iter().map(each).collect())))
        })
    }
}

/// `PRelu`: a slope for what is negative.
#[derive(Clone, Copy, Debug)]
struct PRelu;

impl Standard for PRelu {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (x, slope) = (inputs.get(0)?, inputs.get(1)?);
        numeric!(x, T => {
            let with = |x: &T, slope: &T| if *x < T::ZERO { x.mul(*slope) } else { *x };
            one(T::tensor(super::shape::stretched(T::of(x)?, T::of(slope)?, budget, with)?))
        })
    }
}

fn sigmoid(x: f64, _: f64, _: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `log(1 + exp(x))` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// To the nearest, halves to the even one.
fn rounded(x: f64, _: f64, _: f64) -> f64 {
    x.round_ties_even()
}

/// The error function, by the complement where that is small: W. J. Cody, "Rational Chebyshev approximations for the error
/// function", Math. Comp. 23 (1969), as a series and a continued fraction that are exact to 64-bit floats.
pub(super) fn erf(x: f64) -> f64 {
    /// From here on the complement is taken.
    const FAR: f64 = 3.0;
    let size = x.abs();
    if x.is_nan() {
        return x;
    }
    if size < FAR {
        // 2/sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!!: all terms are positive.
        let (mut term, mut sum, mut odd) = (size, size, 1.0);
        while term > sum * f64::EPSILON / 2.0 {
            odd += 2.0;
            term *= 2.0 * size * size / odd;
            sum += term;
        }
        return (std::f64::consts::FRAC_2_SQRT_PI * (-size * size).exp() * sum).copysign(x);
    }
    // exp(-x^2)/sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ...)))).
    let fraction = (1..=60).rev().fold(size, |below, place| size + f64::from(place) / 2.0 / below);
    let complement = (-size * size).exp() * std::f64::consts::FRAC_2_SQRT_PI / 2.0 / fraction;
    (1.0 - complement).copysign(x)
}

pub(super) fn build(name: &str, attributes: Attributes<'_>, version: i64) -> Family {
    let number = |name: &str, default: f32| f64::from(attributes.float(name).unwrap_or(default));
    let of = |wide: fn(f64, f64, f64) -> f64, alpha: f64, beta: f64| boxed(Function { wide, alpha, beta });
    let plain = |wide: fn(f64, f64, f64) -> f64| of(wide, 0.0, 0.0);
    match name {
        "Relu" => boxed(Quick::Relu),
        "Sigmoid" => boxed(Quick::Sigmoid),
        "Abs" => boxed(Quick::Abs),
        "Neg" => boxed(Quick::Neg),
        "Sign" => boxed(Quick::Sign),
        "Not" => boxed(Quick::Not),
        "IsNaN" => boxed(Quick::IsNan),
        "IsInf" => {
            let wanted = |name: &str| attributes.int(name).unwrap_or(1) != 0;
            boxed(IsInf { negative: wanted("detect_negative"), positive: wanted("detect_positive") })
        }
        "PRelu" => boxed(PRelu),
        "Sqrt" => plain(|x, _, _| x.sqrt()),
        "Exp" => plain(|x, _, _| x.exp()),
        "Log" => plain(|x, _, _| x.ln()),
        "Tanh" => plain(|x, _, _| x.tanh()),
        "Erf" => plain(|x, _, _| erf(x)),
        "Reciprocal" => plain(|x, _, _| 1.0 / x),
        "Floor" => plain(|x, _, _| x.floor()),
        "Ceil" => plain(|x, _, _| x.ceil()),
        "Round" => plain(rounded),
        "Softplus" => plain(|x, _, _| softplus(x)),
        "Softsign" => plain(|x, _, _| x / (1.0 + x.abs())),
        "Sin" => plain(|x, _, _| x.sin()),
        "Cos" => plain(|x, _, _| x.cos()),
        "Tan" => plain(|x, _, _| x.tan()),
        "Asin" => plain(|x, _, _| x.asin()),
        "Acos" => plain(|x, _, _| x.acos()),
        "Atan" => plain(|x, _, _| x.atan()),
        "Sinh" => plain(|x, _, _| x.sinh()),
        "Cosh" => plain(|x, _, _| x.cosh()),
        "Asinh" => plain(|x, _, _| x.asinh()),
        "Acosh" => plain(|x, _, _| x.acosh()),
        "Atanh" => plain(|x, _, _| x.atanh()),
        "HardSwish" => plain(|x, _, _| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Swish" => of(|x, alpha, _| x * sigmoid(alpha * x, 0.0, 0.0), number("alpha", 1.0), 0.0),
        "LeakyRelu" => of(|x, alpha, _| if x < 0.0 { alpha * x } else { x }, number("alpha", 0.01), 0.0),
        "Elu" => of(|x, alpha, _| if x < 0.0 { alpha * x.exp_m1() } else { x }, number("alpha", 1.0), 0.0),
        "Celu" => of(|x, alpha, _| x.max(0.0) + (alpha * (x / alpha).exp_m1()).min(0.0), number("alpha", 1.0), 0.0),
        "ThresholdedRelu" => of(|x, alpha, _| if x > alpha { x } else { 0.0 }, number("alpha", 1.0), 0.0),
        "HardSigmoid" => {
            of(|x, alpha, beta| (alpha * x + beta).clamp(0.0, 1.0), number("alpha", 0.2), number("beta", 0.5))
        }
        "Selu" => of(
            |x, alpha, gamma| gamma * if x > 0.0 { x } else { alpha * x.exp_m1() },
            number("alpha", if version < 6 { 1.6732 } else { 1.673_263_2 }),
            number("gamma", if version < 6 { 1.0507 } else { 1.050_701 }),
        ),
        "Gelu" => gelu(attributes),
        _ => None,
    }
}

fn gelu(attributes: Attributes<'_>) -> Family {
    let exact = |x: f64, _: f64, _: f64| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2));
    let by_tanh = |x: f64, _: f64, _: f64| {
        let inner = std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x * x * x);
        0.5 * x * (1.0 + inner.tanh())
    };
    match attributes.text("approximate") {
        Ok(None | Some("none")) => boxed(Function { wide: exact, alpha: 0.0, beta: 0.0 }),
        Ok(Some("tanh")) => boxed(Function { wide: by_tanh, alpha: 0.0, beta: 0.0 }),
        Ok(Some(other)) => super::shape::refused("approximate", format!("has the value `{other}`")),
        Err(fault) => Some(Err(fault.into())),
    }
}
