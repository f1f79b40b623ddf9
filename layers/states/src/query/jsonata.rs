//! JSONata expressions, as Step Functions takes them, on the library `jsonata-core`.
//!
//! Step Functions implements version 2.0.6 of the language: without `$eval`, with six functions more, and with
//! `$states` and the variables instead of a context item. `docs/states.md` lists what differs.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError, EvaluatorOptions};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::Value;

use super::jsonata_tree::Uses;
use super::{Scope, SeededRandom, draw, functions, jsonata_guards, jsonata_value};

/// What an expression may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest time of one evaluation, in milliseconds.
    pub time_ms: u64,
    /// The deepest nesting of evaluations: three for each call of a function within another, or so.
    pub depth: usize,
    /// The most items of a sequence.
    pub items: usize,
    /// The most bytes of text that one evaluation makes, all together.
    pub bytes: usize,
}

impl Limits {
    /// The limits that hold everywhere.
    pub const STANDARD: Self = Self { time_ms: 2_000, depth: 3_000, items: 262_144, bytes: 128 * 1024 * 1024 };
    /// The longest expression, in bytes.
    pub const SOURCE_BYTES: usize = 64 * 1024;
}

/// A JSONata expression.
#[derive(Clone)]
pub struct Expression {
    source: String,
    tree: Arc<AstNode>,
    uses: Arc<Uses>,
}

impl Expression {
    /// Reads an expression (what stands between `{%` and `%}`).
    ///
    /// # Errors
    /// It is not JSONata, or uses what Step Functions does not allow; the text says which.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > Limits::SOURCE_BYTES {
            return Err(format!("the expression has more than {} bytes", Limits::SOURCE_BYTES));
        }
        let tree = guard_panics(|| parser::parse(source).map_err(|error| error.display_message()))?;
        let uses = Uses::of(&tree);
        if let Some(refusal) = uses.refusal() {
            return Err(refusal);
        }
        let tree = jsonata_guards::guarded(tree, &uses);
        Ok(Self { source: source.to_owned(), tree: Arc::new(tree), uses: Arc::new(uses) })
    }

    /// Its text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables that it refers to and does not bind, without `$`; not those of the language.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.uses.variables()
    }

    /// Whether it names this member of `$states`.
    #[must_use]
    pub fn names_states(&self, member: &str) -> bool {
        self.uses.named.contains(member)
    }

    /// Its value.
    ///
    /// # Errors
    /// A text that goes on from "The JSONata expression '..' ": it throws, gives nothing, or is over a limit.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, String> {
        self.evaluate_within(scope, &Limits::STANDARD)
    }

    /// Its value within other limits.
    ///
    /// # Errors
    /// See [`Expression::evaluate`].
    pub fn evaluate_within(&self, scope: &Scope<'_>, limits: &Limits) -> Result<Value, String> {
        guard_panics(|| self.evaluate_here(scope, limits))
    }

    fn evaluate_here(&self, scope: &Scope<'_>, limits: &Limits) -> Result<Value, String> {
        let mut context = Context::new();
        for name in self.uses.variables() {
            if let Some(value) = scope.variables.get(name) {
                context.bind(name.to_owned(), jsonata_value::from_json(value));
            }
        }
        if !self.uses.states.is_empty() {
            context.bind("states".to_owned(), self.states(scope));
        }
        let options = EvaluatorOptions {
            timeout_ms: Some(limits.time_ms),
            max_stack_depth: Some(limits.depth),
            max_sequence_length: Some(limits.items),
            ..EvaluatorOptions::default()
        };
        let mut evaluator = Evaluator::with_options(context, options);
        register(&mut evaluator, scope, limits).map_err(|error| format!("cannot be evaluated: {}", error.message()))?;
        let value = evaluator.evaluate(&self.tree, &JValue::Undefined);
        let value = value.map_err(|error| format!("threw an error: {}", error.message()))?;
        jsonata_value::to_json(&value, limits)
    }

    /// `$states`, with the members that the expression refers to.
    fn states(&self, scope: &Scope<'_>) -> JValue {
        let mut states = IndexMap::new();
        let members = [
            ("input", Some(scope.input)),
            ("context", Some(scope.context)),
            ("result", scope.result),
            ("errorOutput", scope.error_output),
        ];
        for (name, value) in members {
            if let Some(value) = value
                && self.uses.states.contains(name)
            {
                states.insert(name.to_owned(), jsonata_value::from_json(value));
            }
        }
        JValue::object(states)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Expression").field(&self.source).finish()
    }
}

/// The library panics on some pictures of dates and numbers; that fails the expression, and not its caller. Nothing that
/// the closure could leave half done outlives it.
fn guard_panics<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    caught.unwrap_or_else(|_| Err("cannot be evaluated: the JSONata library failed inside on it".to_owned()))
}

/// An error that names the function.
fn refuse(name: &str, why: impl fmt::Display) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("${name}: {why}"))
}

/// The functions that Step Functions adds, and those that depend on time and chance.
fn register(evaluator: &mut Evaluator, scope: &Scope<'_>, limits: &Limits) -> Result<(), EvaluatorError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in a double")]
    let now = scope.now.unix_ms() as f64;
    evaluator.register_fn_override("millis", move |_: &[JValue]| Ok(JValue::Number(now)))?;
    let moment = scope.now.to_string();
    evaluator.register_fn_override("now", move |_: &[JValue]| Ok(JValue::from(moment.as_str())))?;
    let drawn = SeededRandom::new(scope.random.next_u64());
    evaluator.register_fn_override("random", move |arguments: &[JValue]| match arguments {
        [] => Ok(JValue::Number(draw::unit(&drawn))),
        [JValue::Number(seed)] => Ok(JValue::Number(draw::unit(&SeededRandom::new(seed.to_bits())))),
        _ => Err(refuse("random", "the seed has to be a number")),
    })?;
    let drawn = SeededRandom::new(scope.random.next_u64());
    evaluator.register_fn("uuid", move |_: &[JValue]| Ok(JValue::from(draw::uuid(&drawn))))?;
    evaluator.register_fn("hash", hash)?;
    evaluator.register_fn("parse", parse)?;
    evaluator.register_fn("partition", partition)?;
    evaluator.register_fn("range", range)?;
    jsonata_guards::register(evaluator, limits)
}

fn hash(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let (data, algorithm) = match arguments {
        [JValue::Undefined, ..] => return Ok(JValue::Undefined),
        [data, JValue::String(algorithm)] => (data, &**algorithm),
        _ => return Err(refuse("hash", "it takes data and the name of an algorithm")),
    };
    let text = match data {
        JValue::String(text) => text.to_string(),
        other => other.to_json_string().map_err(|error| refuse("hash", error))?,
    };
    functions::hash(&text, algorithm).map(JValue::from).map_err(|why| refuse("hash", why))
}

fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    match arguments {
        [JValue::Undefined] => Ok(JValue::Undefined),
        [JValue::String(text)] => {
            let value: Value = serde_json::from_str(text).map_err(|error| refuse("parse", error))?;
            Ok(jsonata_value::from_json(&value))
        }
        _ => Err(refuse("parse", "it takes one text")),
    }
}

fn partition(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let (items, size) = match arguments {
        [JValue::Undefined, _] => return Ok(JValue::Undefined),
        [JValue::Array(items), JValue::Number(size)] => (items.to_vec(), *size),
        [one, JValue::Number(size)] => (vec![one.clone()], *size),
        _ => return Err(refuse("partition", "it takes an array and a size")),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the size is checked to be in range")]
    let size = if (1.0..1e9).contains(&size) { size as usize } else { 0 };
    if size == 0 {
        return Err(refuse("partition", "the size of a part has to be at least 1"));
    }
    Ok(JValue::array(items.chunks(size).map(|part| JValue::array(part.to_vec())).collect()))
}

fn range(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [JValue::Number(first), JValue::Number(last), JValue::Number(step)] = arguments else {
        return Err(refuse("range", "it takes three numbers: first, last and step"));
    };
    let count = ((last - first) / step + 1e-9).floor();
    if *step == 0.0 || !count.is_finite() {
        return Err(refuse("range", "the step cannot be 0, and the ends have to be finite"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked in this line")]
    let count = if count < 1e6 { count.max(-1.0) as i64 + 1 } else { i64::MAX };
    if count > functions::MAX_RANGE {
        return Err(refuse("range", format_args!("it has more than {} items", functions::MAX_RANGE)));
    }
    #[expect(clippy::cast_precision_loss, reason = "the count is at most a thousand")]
    let item = |index: i64| JValue::Number(first + index as f64 * step);
    Ok(JValue::array((0..count).map(item).collect()))
}
