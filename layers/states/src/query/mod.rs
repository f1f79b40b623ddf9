//! The two query languages of the definitions: JSONata and JSONPath with intrinsic functions.

pub(crate) mod draw;
mod functions;
mod intrinsic;
mod intrinsic_functions;
mod jsonata;
mod jsonata_guards;
mod jsonata_tree;
mod jsonata_value;
mod path;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use mandi_core::Timestamp;
use serde_json::Value;

pub(crate) use draw::unit;
pub use draw::{Random, SeededRandom, SystemRandom};
pub use intrinsic::Intrinsic;
pub use jsonata::{Expression, Limits};
pub use path::{Path, ReferencePath, is_variable_name};
pub use template::{Query, Template};

/// The language of a state's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    /// JSONPath, payload templates and intrinsic functions.
    #[default]
    JsonPath,
    /// JSONata.
    Jsonata,
}

/// Variables by name, as a state sees them: those of its own scope and of the scopes around it.
pub type Variables = BTreeMap<String, Arc<Value>>;

/// What an expression can refer to, at one moment of an execution.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// What `$` is in JSONPath, and `$states.input` in JSONata.
    pub input: &'a Value,
    /// `$states.result`, once a task, a parallel or a map state has one.
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`, in a catcher.
    pub error_output: Option<&'a Value>,
    /// The context object: `$$` in JSONPath, `$states.context` in JSONata.
    pub context: &'a Value,
    /// The variables.
    pub variables: &'a Variables,
    /// The present moment.
    pub now: Timestamp,
    /// Where random numbers come from.
    pub random: &'a dyn Random,
}

impl<'a> Scope<'a> {
    /// The same with another `$` (JSONPath).
    #[must_use]
    pub const fn of(self, input: &'a Value) -> Self {
        Self { input, ..self }
    }

    /// The same with a result.
    #[must_use]
    pub const fn with_result(self, result: &'a Value) -> Self {
        Self { result: Some(result), ..self }
    }

    /// The same with an error output.
    #[must_use]
    pub const fn with_error_output(self, error_output: &'a Value) -> Self {
        Self { error_output: Some(error_output), ..self }
    }
}
