//! What flows between nodes: tensors, and the maps of `ai.onnx.ml`.

use std::borrow::Cow;
use std::ops::Range;

/// Values with their shape, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    /// The dimensions; none for a single value.
    pub shape: Vec<usize>,
    /// As many values as the dimensions' product.
    pub data: Vec<T>,
}

impl<T> Array<T> {
    /// A table of rows of one width.
    #[must_use]
    pub fn table(rows: usize, width: usize, data: Vec<T>) -> Self {
        Self { shape: vec![rows, width], data }
    }

    /// A single value without dimensions.
    pub(crate) fn single(value: T) -> Self {
        Self { shape: Vec::new(), data: vec![value] }
    }

    /// A vector.
    pub(crate) fn vector(data: Vec<T>) -> Self {
        Self { shape: vec![data.len()], data }
    }

    /// The same shape with other values.
    pub(crate) fn like<S>(&self, data: Vec<S>) -> Array<S> {
        Array { shape: self.shape.clone(), data }
    }

    /// Rows and their width: one row for a vector.
    ///
    /// # Errors
    /// It is a single value, or has more than two dimensions.
    pub(crate) fn rows(&self) -> Result<(usize, usize), RunFault> {
        match self.shape[..] {
            [width] => Ok((1, width)),
            [rows, width] => Ok((rows, width)),
            _ => Err(RunFault::Shape { found: self.shape.clone(), expected: "one or two dimensions".to_owned() }),
        }
    }
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    Float(Array<f32>),
    /// 64-bit floats.
    Double(Array<f64>),
    /// 64-bit whole numbers.
    Int64(Array<i64>),
    /// 32-bit whole numbers.
    Int32(Array<i32>),
    /// Truth values.
    Bool(Array<bool>),
    /// Texts.
    String(Array<String>),
}

impl Tensor {
    /// The dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float(array) => &array.shape,
            Self::Double(array) => &array.shape,
            Self::Int64(array) => &array.shape,
            Self::Int32(array) => &array.shape,
            Self::Bool(array) => &array.shape,
            Self::String(array) => &array.shape,
        }
    }

    /// The name of its type, as ONNX writes it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Float(_) => "tensor(float)",
            Self::Double(_) => "tensor(double)",
            Self::Int64(_) => "tensor(int64)",
            Self::Int32(_) => "tensor(int32)",
            Self::Bool(_) => "tensor(bool)",
            Self::String(_) => "tensor(string)",
        }
    }

    /// Some of the rows of a tensor that has any.
    pub(crate) fn rows_from(&self, rows: Range<usize>) -> Self {
        fn of<T: Clone>(array: &Array<T>, rows: Range<usize>) -> Array<T> {
            let width: usize = array.shape[1..].iter().product();
            let mut shape = array.shape.clone();
            shape[0] = rows.len();
            Array { shape, data: array.data[rows.start * width..rows.end * width].to_vec() }
        }
        match self {
            Self::Float(array) => Self::Float(of(array, rows)),
            Self::Double(array) => Self::Double(of(array, rows)),
            Self::Int64(array) => Self::Int64(of(array, rows)),
            Self::Int32(array) => Self::Int32(of(array, rows)),
            Self::Bool(array) => Self::Bool(of(array, rows)),
            Self::String(array) => Self::String(of(array, rows)),
        }
    }

    /// Numbers as 32-bit floats, rounded where they are not.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "said above")]
    pub(crate) fn to_floats(&self) -> Result<Cow<'_, Array<f32>>, RunFault> {
        Ok(match self {
            Self::Float(array) => Cow::Borrowed(array),
            Self::Double(array) => Cow::Owned(array.like(array.data.iter().map(|number| *number as f32).collect())),
            Self::Int64(array) => Cow::Owned(array.like(array.data.iter().map(|number| *number as f32).collect())),
            Self::Int32(array) => Cow::Owned(array.like(array.data.iter().map(|number| *number as f32).collect())),
            other => return Err(RunFault::of_type("a tensor of numbers", other.type_name())),
        })
    }
}

/// A type that tensors have values of.
pub(crate) trait Element: Clone + Default + Send + Sync + std::fmt::Debug + 'static {
    /// The tensor's name as ONNX writes it.
    const NAME: &'static str;

    /// The values of a tensor of this type.
    fn array(tensor: &Tensor) -> Option<&Array<Self>>;
    /// A tensor of values of this type.
    fn tensor(array: Array<Self>) -> Tensor;

    /// The values of a tensor that must be of this type.
    fn of(tensor: &Tensor) -> Result<&Array<Self>, RunFault> {
        Self::array(tensor).ok_or_else(|| RunFault::of_type(Self::NAME, tensor.type_name()))
    }
}

macro_rules! elements {
    ($($kind:ty: $variant:ident, $name:literal;)*) => {
        $(impl Element for $kind {
            const NAME: &'static str = $name;

            fn array(tensor: &Tensor) -> Option<&Array<Self>> {
                match tensor {
                    Tensor::$variant(array) => Some(array),
                    _ => None,
                }
            }

            fn tensor(array: Array<Self>) -> Tensor {
                Tensor::$variant(array)
            }
        })*
    };
}

elements! {
    f32: Float, "tensor(float)";
    f64: Double, "tensor(double)";
    i64: Int64, "tensor(int64)";
    i32: Int32, "tensor(int32)";
    bool: Bool, "tensor(bool)";
    String: String, "tensor(string)";
}

/// Names of classes, or keys of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Texts.
    Strings(Vec<String>),
}

impl Labels {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(labels) => labels.len(),
            Self::Strings(labels) => labels.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whole numbers become their places, texts stay: what ONNX Runtime shows for two classes that are told apart by one
    /// score.
    pub(crate) fn positions(&self) -> Self {
        match self {
            Self::Ints(labels) => Self::Ints((0..).take(labels.len()).collect()),
            Self::Strings(labels) => Self::Strings(labels.clone()),
        }
    }

    /// A vector of those at these places.
    pub(crate) fn take(&self, places: &[usize]) -> Tensor {
        let shape = vec![places.len()];
        match self {
            Self::Ints(labels) => {
                Tensor::Int64(Array { shape, data: places.iter().map(|place| labels[*place]).collect() })
            }
            Self::Strings(labels) => {
                Tensor::String(Array { shape, data: places.iter().map(|place| labels[*place].clone()).collect() })
            }
        }
    }
}

/// What an input or output of a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A tensor.
    Tensor(Tensor),
    /// One map: a key for each value of a vector.
    Map(Labels, Tensor),
    /// A map for each row of a table, all with the same keys: what `ZipMap` makes.
    Maps(Labels, Array<f32>),
}

impl Value {
    /// The name of its type, as ONNX writes it, without what a map holds.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Tensor(tensor) => tensor.type_name(),
            Self::Map(..) => "map",
            Self::Maps(..) => "seq(map)",
        }
    }

    /// How many values it holds.
    pub(crate) fn values(&self) -> usize {
        match self {
            Self::Tensor(tensor) | Self::Map(_, tensor) => tensor.shape().iter().product(),
            Self::Maps(_, array) => array.data.len(),
        }
    }

    /// Adds the rows of another tensor of this type.
    pub(crate) fn append(&mut self, other: Self) -> Result<(), RunFault> {
        fn to<T>(array: &mut Array<T>, other: Array<T>) {
            array.shape[0] += other.shape[0];
            array.data.extend(other.data);
        }
        match (self, other) {
            (Self::Tensor(Tensor::Float(array)), Self::Tensor(Tensor::Float(other))) => to(array, other),
            (Self::Tensor(Tensor::Double(array)), Self::Tensor(Tensor::Double(other))) => to(array, other),
            (Self::Tensor(Tensor::Int64(array)), Self::Tensor(Tensor::Int64(other))) => to(array, other),
            (Self::Tensor(Tensor::String(array)), Self::Tensor(Tensor::String(other))) => to(array, other),
            (found, other) => return Err(RunFault::of_type(found.type_name(), other.type_name())),
        }
        Ok(())
    }

    pub(crate) fn tensor(&self) -> Result<&Tensor, RunFault> {
        match self {
            Self::Tensor(tensor) => Ok(tensor),
            other => Err(RunFault::of_type("a tensor", other.type_name())),
        }
    }
}

impl From<Array<f32>> for Value {
    fn from(array: Array<f32>) -> Self {
        Self::Tensor(Tensor::Float(array))
    }
}

/// Why a node cannot take its inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunFault {
    /// Another type is needed.
    #[error("takes {expected}, and is given {found}")]
    Type {
        /// What it takes.
        expected: String,
        /// What it is given.
        found: String,
    },
    /// Another shape is needed.
    #[error("takes {expected}, and is given the shape {found:?}")]
    Shape {
        /// What it takes.
        expected: String,
        /// What it is given.
        found: Vec<usize>,
    },
    /// A value that it cannot take.
    #[error("{0}")]
    Value(String),
    /// An input is missing.
    #[error("input {0} is missing")]
    Missing(usize),
    /// What it makes would be more than the limits allow.
    #[error("would make {needed} values, and {allowed} are allowed; send fewer rows at a time")]
    TooLarge {
        /// How many values.
        needed: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// The run took longer than it may.
    #[error("was stopped: the run may take {limit_ms} ms; send fewer rows at a time")]
    Time {
        /// How long it may take, in milliseconds.
        limit_ms: u128,
    },
}

impl RunFault {
    pub(crate) fn of_type(expected: &str, found: &str) -> Self {
        Self::Type { expected: expected.to_owned(), found: found.to_owned() }
    }
}
