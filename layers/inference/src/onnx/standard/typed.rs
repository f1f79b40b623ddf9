//! A piece of code for each type that a tensor may have.

/// Runs an expression with `$kind` standing for the type of a tensor's values.
macro_rules! typed {
    ($tensor:expr, $kind:ident => $result:expr) => {
        match $tensor {
            $crate::onnx::value::Tensor::Float(_) => {
                type $kind = f32;
                $result
            }
            $crate::onnx::value::Tensor::Double(_) => {
                type $kind = f64;
                $result
            }
            $crate::onnx::value::Tensor::Int64(_) => {
                type $kind = i64;
                $result
            }
            $crate::onnx::value::Tensor::Int32(_) => {
                type $kind = i32;
                $result
            }
            $crate::onnx::value::Tensor::Bool(_) => {
                type $kind = bool;
                $result
            }
            $crate::onnx::value::Tensor::String(_) => {
                type $kind = String;
                $result
            }
        }
    };
}

/// The same for numbers; a fault for all else.
macro_rules! numeric {
    ($tensor:expr, $kind:ident => $result:expr) => {
        match $tensor {
            $crate::onnx::value::Tensor::Float(_) => {
                type $kind = f32;
                $result
            }
            $crate::onnx::value::Tensor::Double(_) => {
                type $kind = f64;
                $result
            }
            $crate::onnx::value::Tensor::Int64(_) => {
                type $kind = i64;
                $result
            }
            $crate::onnx::value::Tensor::Int32(_) => {
                type $kind = i32;
                $result
            }
            other => Err($crate::onnx::value::RunFault::of_type("a tensor of numbers", other.type_name())),
        }
    };
}

/// The same for floats; a fault for all else.
macro_rules! floating {
    ($tensor:expr, $kind:ident => $result:expr) => {
        match $tensor {
            $crate::onnx::value::Tensor::Float(_) => {
                type $kind = f32;
                $result
            }
            $crate::onnx::value::Tensor::Double(_) => {
                type $kind = f64;
                $result
            }
            other => Err($crate::onnx::value::RunFault::of_type("a tensor of floats", other.type_name())),
        }
    };
}

pub(super) use {floating, numeric, typed};

use crate::onnx::value::Element;

/// Numbers, and what is done with two of them. Whole numbers wrap around.
pub(super) trait Number: Element + Copy + PartialOrd {
    const ZERO: Self;
    const ONE: Self;
    const LEAST: Self;
    const GREATEST: Self;
    /// Whether it has more than whole numbers.
    const FLOATS: bool;

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    /// None for a whole number over zero.
    fn div(self, other: Self) -> Option<Self>;
    /// The remainder with the sign of the divisor; none for a whole number over zero.
    fn modulo(self, other: Self) -> Option<Self>;
    /// The remainder with the sign of the dividend; none for a whole number over zero.
    fn fmod(self, other: Self) -> Option<Self>;
    fn power(self, exponent: f64) -> Self;
    fn absolute(self) -> Self;
    fn negative(self) -> Self;
    fn sign(self) -> Self;
    fn wide(self) -> f64;
    fn narrow(wide: f64) -> Self;
    /// It differs from itself.
    fn missing(self) -> bool;

    /// The lesser of two; missing when one is.
    fn least(self, other: Self) -> Self {
        if self.missing() || self < other { self } else { other }
    }

    /// The greater of two; missing when one is.
    fn greatest(self, other: Self) -> Self {
        if self.missing() || self > other { self } else { other }
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const LEAST: Self = <$kind>::MIN;
            const GREATEST: Self = <$kind>::MAX;
            const FLOATS: bool = false;

            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn mul(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn div(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_div(other))
            }
            fn modulo(self, other: Self) -> Option<Self> {
                let rest = self.fmod(other)?;
                Some(if rest != 0 && (rest < 0) != (other < 0) { rest.wrapping_add(other) } else { rest })
            }
            fn fmod(self, other: Self) -> Option<Self> {
                (other != 0).then(|| self.wrapping_rem(other))
            }
            fn power(self, exponent: f64) -> Self {
                Self::narrow(self.wide().powf(exponent))
            }
            fn absolute(self) -> Self {
                self.wrapping_abs()
            }
            fn negative(self) -> Self {
                self.wrapping_neg()
            }
            fn sign(self) -> Self {
                self.signum()
            }
            fn wide(self) -> f64 {
                self as f64
            }
            fn narrow(wide: f64) -> Self {
                wide as Self
            }
            fn missing(self) -> bool {
                false
            }
        })*
    };
}

macro_rules! floats {
    ($($kind:ident),*) => {
        $(impl Number for $kind {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LEAST: Self = <$kind>::NEG_INFINITY;
            const GREATEST: Self = <$kind>::INFINITY;
            const FLOATS: bool = true;

            fn add(self, other: Self) -> Self {
                self + other
            }
            fn sub(self, other: Self) -> Self {
                self - other
            }
            fn mul(self, other: Self) -> Self {
                self * other
            }
            fn div(self, other: Self) -> Option<Self> {
                Some(self / other)
            }
            fn modulo(self, other: Self) -> Option<Self> {
                let rest = self % other;
                Some(if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest })
            }
            fn fmod(self, other: Self) -> Option<Self> {
                Some(self % other)
            }
            fn power(self, exponent: f64) -> Self {
                self.powf(exponent as Self)
            }
            fn absolute(self) -> Self {
                self.abs()
            }
            fn negative(self) -> Self {
                -self
            }
            fn sign(self) -> Self {
                if self > 0.0 { 1.0 } else if self < 0.0 { -1.0 } else { self }
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn narrow(wide: f64) -> Self {
                wide as Self
            }
            fn missing(self) -> bool {
                self.is_nan()
            }
        })*
    };
}

whole_numbers!(i64, i32);
floats!(f32, f64);
