//! JSON values with queries in them: payload templates (JSONPath) and values with `{% %}` strings (JSONata).

use serde_json::{Map, Value};

use super::{Expression, Intrinsic, Path, Scope};
use crate::fault::{StateFault, names};

/// One query of either language.
#[derive(Clone, Debug)]
pub enum Query {
    /// A JSONata expression.
    Jsonata(Expression),
    /// A JSONPath.
    Path(Path),
    /// A call of an intrinsic function.
    Intrinsic(Intrinsic),
}

impl Query {
    /// The query's value.
    ///
    /// # Errors
    /// The query fails or gives nothing; the cause names `field`.
    pub fn evaluate(&self, scope: &Scope<'_>, field: &str) -> Result<Value, StateFault> {
        match self {
            Self::Jsonata(expression) => expression.evaluate(scope).map_err(|cause| {
                let source = expression.source();
                StateFault::query(format!("The JSONata expression '{source}' of the field '{field}' {cause}"))
            }),
            Self::Path(path) => path.find(scope).ok_or_else(|| {
                let cause = format!("The JSONPath '{path}' of the field '{field}' finds nothing in its input");
                StateFault::new(names::PARAMETER_PATH_FAILURE, cause)
            }),
            Self::Intrinsic(call) => call.evaluate(scope).map_err(|mut fault| {
                fault.cause = format!("The function '{call}' of the field '{field}' failed: {}", fault.cause);
                fault
            }),
        }
    }
}

/// A value with queries in it.
#[derive(Clone, Debug)]
pub enum Template {
    /// A value as it is.
    Literal(Value),
    /// A query.
    Query(Query),
    /// An array with queries in it.
    Array(Vec<Template>),
    /// An object with queries in it.
    Object(Vec<(String, Template)>),
}

impl Template {
    /// The value with the queries' values in their places.
    ///
    /// # Errors
    /// See [`Query::evaluate`].
    pub fn evaluate(&self, scope: &Scope<'_>, field: &str) -> Result<Value, StateFault> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Query(query) => query.evaluate(scope, field),
            Self::Array(items) => {
                let value = |(index, item): (usize, &Self)| item.evaluate(scope, &format!("{field}[{index}]"));
                items.iter().enumerate().map(value).collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Object(members) => {
                let mut object = Map::new();
                for (name, member) in members {
                    object.insert(name.clone(), member.evaluate(scope, &format!("{field}/{name}"))?);
                }
                Ok(Value::Object(object))
            }
        }
    }
}
