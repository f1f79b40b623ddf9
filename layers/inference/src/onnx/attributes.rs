//! The attributes of a node, by name and type.

use super::tensor;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Why an attribute cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute `{attribute}` {reason}")]
pub struct AttributeFault {
    /// Its name.
    pub attribute: String,
    /// What is wrong with it.
    pub reason: String,
}

impl AttributeFault {
    /// A fault of an attribute.
    pub(crate) fn new(attribute: &str, reason: impl Into<String>) -> Self {
        Self { attribute: attribute.to_owned(), reason: reason.into() }
    }
}

/// A node's attributes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a NodeProto);

impl<'a> Attributes<'a> {
    /// The attribute of a name, if the node has it.
    pub(crate) fn get(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Whole numbers; none when it is absent.
    pub(crate) fn ints(self, name: &str) -> &'a [i64] {
        self.get(name).map_or(&[], |attribute| &attribute.ints)
    }

    /// A whole number.
    pub(crate) fn int(self, name: &str) -> Option<i64> {
        self.get(name).map(|attribute| attribute.i)
    }

    /// A 32-bit float.
    pub(crate) fn float(self, name: &str) -> Option<f32> {
        self.get(name).map(|attribute| attribute.f)
    }

    /// A whole number that is 0 or not.
    pub(crate) fn flag(self, name: &str) -> bool {
        self.int(name).is_some_and(|number| number != 0)
    }

    /// A graph inside the node.
    pub(crate) fn graph(self, name: &str) -> Result<&'a GraphProto, AttributeFault> {
        let graph = self.get(name).and_then(|attribute| attribute.g.as_ref());
        graph.ok_or_else(|| AttributeFault::new(name, "is needed"))
    }

    /// Texts; none when it is absent.
    pub(crate) fn texts(self, name: &str) -> Result<Vec<&'a str>, AttributeFault> {
        let texts = self.get(name).map_or(&[][..], |attribute| &attribute.strings);
        texts.iter().map(|text| utf8(name, text)).collect()
    }

    /// A text.
    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, AttributeFault> {
        self.get(name).map(|attribute| utf8(name, &attribute.s)).transpose()
    }

    /// Numbers: the attribute, or its twin `{name}_as_tensor` with 64-bit floats; none when both are absent.
    pub(crate) fn numbers(self, name: &str) -> Result<Vec<f64>, AttributeFault> {
        let twin = format!("{name}_as_tensor");
        match (self.get(name), self.get(&twin)) {
            (Some(one), Some(other)) if !one.floats.is_empty() && other.t.is_some() => {
                Err(AttributeFault::new(name, format!("is given, and `{twin}` too")))
            }
            (_, Some(AttributeProto { t: Some(tensor), .. })) => Self::of_tensor(&twin, tensor),
            (Some(attribute), _) => Ok(attribute.floats.iter().copied().map(f64::from).collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// Numbers of an attribute that is a tensor; none when it is absent.
    pub(crate) fn tensor_numbers(self, name: &str) -> Result<Vec<f64>, AttributeFault> {
        match self.get(name).and_then(|attribute| attribute.t.as_ref()) {
            Some(tensor) => Self::of_tensor(name, tensor),
            None => Ok(Vec::new()),
        }
    }

    fn of_tensor(name: &str, tensor: &TensorProto) -> Result<Vec<f64>, AttributeFault> {
        tensor::numbers(tensor).map_err(|fault| AttributeFault::new(name, fault.to_string()))
    }
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str, AttributeFault> {
    std::str::from_utf8(bytes).map_err(|_| AttributeFault::new(name, "is not UTF-8"))
}
