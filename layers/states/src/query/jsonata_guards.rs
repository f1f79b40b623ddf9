//! Guards that bound the memory of an expression, where the library has no limit: on texts that grow.
//!
//! The library bounds time, depth and the length of sequences. A text can still double with each `&`, and `$pad`,
//! `$join`, `$replace` and `$string` can make in one step a text that is much larger than what they are given, since
//! values are shared in memory and a text is not. So the tree of an expression is rewritten: what goes into `&` and into
//! functions that make texts passes through a function that counts its bytes, with every value counted as often as it
//! would be written. The names of these functions hold a space, so no expression can call them.

use std::cell::Cell;
use std::rc::Rc;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::{JValue, with_stack};

use super::Limits;
use super::jsonata_tree::Uses;

/// Counts a value: `$"mandi count"(value)` is the value.
const COUNT: &str = "mandi count";
/// Counts a number of characters that will be made.
const WIDTH: &str = "mandi width";
/// Counts a text in each of a value's items: `$"mandi each"(value, text)` is the value.
const EACH: &str = "mandi each";
/// Counts the letters of a number in Roman numerals, which has one for each thousand: `$"mandi roman"(number, picture)`
/// is the number.
const ROMAN: &str = "mandi roman";
/// `$encodeUrl`, which the library lets spaces through.
const ENCODE_URL: &str = "mandi encodeUrl";

/// Functions that make texts, with the number of arguments that a callback of them gets.
const TEXTS: &[(&str, usize)] = &[
    ("string", 1),
    ("uppercase", 1),
    ("lowercase", 1),
    ("trim", 1),
    ("substring", 3),
    ("substringBefore", 2),
    ("substringAfter", 2),
    ("pad", 3),
    ("join", 2),
    ("replace", 4),
    ("split", 3),
    ("match", 3),
    ("base64encode", 1),
    ("base64decode", 1),
    ("encodeUrlComponent", 1),
    ("encodeUrl", 1),
    ("decodeUrlComponent", 1),
    ("decodeUrl", 1),
    ("formatNumber", 3),
    ("formatInteger", 2),
];

fn makes_text(name: &str) -> Option<usize> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, arguments)| *arguments)
}

/// The tree with its guards. `$now` reads the clock of `$millis`.
pub(super) fn guarded(tree: AstNode, uses: &Uses) -> AstNode {
    Guard { uses }.node(tree)
}

struct Guard<'u> {
    uses: &'u Uses,
}

impl Guard<'_> {
    fn node(&self, node: AstNode) -> AstNode {
        with_stack(|| self.rewrite(node))
    }

    fn boxed(&self, node: AstNode) -> Box<AstNode> {
        Box::new(self.node(node))
    }

    fn all(&self, nodes: Vec<AstNode>) -> Vec<AstNode> {
        nodes.into_iter().map(|node| self.node(node)).collect()
    }

    fn pairs(&self, pairs: Vec<(AstNode, AstNode)>) -> Vec<(AstNode, AstNode)> {
        pairs.into_iter().map(|(name, value)| (self.node(name), self.node(value))).collect()
    }

    fn rewrite(&self, node: AstNode) -> AstNode {
        match node {
            AstNode::Binary { op: BinaryOp::Concatenate, lhs, rhs } => {
                let (lhs, rhs) = (count(self.node(*lhs)), count(self.node(*rhs)));
                AstNode::Binary { op: BinaryOp::Concatenate, lhs: Box::new(lhs), rhs: Box::new(rhs) }
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => {
                let makes = matches!(rhs.as_ref(), AstNode::Function { name, .. } if makes_text(name).is_some());
                let lhs = self.node(*lhs);
                let lhs = if makes { count(lhs) } else { lhs };
                // What is called after `~>` stays a call: its first argument comes from the left.
                AstNode::Binary { op: BinaryOp::ChainPipe, lhs: Box::new(lhs), rhs: self.boxed(*rhs) }
            }
            // The target of an assignment stays as it is.
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
                AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs: self.boxed(*rhs) }
            }
            AstNode::Binary { op, lhs, rhs } => AstNode::Binary { op, lhs: self.boxed(*lhs), rhs: self.boxed(*rhs) },
            AstNode::Unary { op, operand } => AstNode::Unary { op, operand: self.boxed(*operand) },
            AstNode::Function { name, args, is_builtin } => self.function(name, args, is_builtin),
            AstNode::Variable(name) if !self.uses.binds(&name) => match makes_text(&name) {
                Some(arguments) => self.callback(name, arguments),
                None => AstNode::Variable(name),
            },
            AstNode::Call { procedure, args } => {
                AstNode::Call { procedure: self.boxed(*procedure), args: self.all(args) }
            }
            AstNode::Lambda { params, body, signature, thunk } => {
                AstNode::Lambda { params, body: self.boxed(*body), signature, thunk }
            }
            AstNode::Array(items) => AstNode::Array(self.all(items)),
            AstNode::ArrayGroup(items) => AstNode::ArrayGroup(self.all(items)),
            AstNode::Block(items) => AstNode::Block(self.all(items)),
            AstNode::Object(pairs) => AstNode::Object(self.pairs(pairs)),
            AstNode::ObjectTransform { input, pattern } => {
                AstNode::ObjectTransform { input: self.boxed(*input), pattern: self.pairs(pattern) }
            }
            AstNode::Conditional { condition, then_branch, else_branch } => AstNode::Conditional {
                condition: self.boxed(*condition),
                then_branch: self.boxed(*then_branch),
                else_branch: else_branch.map(|branch| self.boxed(*branch)),
            },
            AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(self.boxed(*inner)),
            AstNode::Sort { input, terms } => AstNode::Sort {
                input: self.boxed(*input),
                terms: terms.into_iter().map(|(term, ascending)| (self.node(term), ascending)).collect(),
            },
            AstNode::Transform { location, update, delete } => AstNode::Transform {
                location: self.boxed(*location),
                update: self.boxed(*update),
                delete: delete.map(|delete| self.boxed(*delete)),
            },
            AstNode::Path { steps } => AstNode::Path { steps: steps.into_iter().map(|step| self.step(step)).collect() },
            other => other,
        }
    }

    fn step(&self, mut step: PathStep) -> PathStep {
        step.node = self.node(step.node);
        let stage = |stage| match stage {
            Stage::Filter(predicate) => Stage::Filter(self.boxed(*predicate)),
            other => other,
        };
        step.stages = step.stages.into_iter().map(stage).collect();
        step
    }

    fn function(&self, name: String, args: Vec<AstNode>, is_builtin: bool) -> AstNode {
        let args = self.all(args);
        if self.uses.binds(&name) {
            return AstNode::Function { name, args, is_builtin };
        }
        if makes_text(&name).is_some() && args.iter().any(is_placeholder) {
            return self.partial(name, args);
        }
        if name == "encodeUrl" && args.len() == 1 {
            return call(ENCODE_URL, args.into_iter().map(count).collect());
        }
        if name == "now" && !args.is_empty() {
            let args = std::iter::once(call("millis", Vec::new())).chain(args).collect();
            return call("fromMillis", args);
        }
        if makes_text(&name).is_none() {
            return AstNode::Function { name, args, is_builtin };
        }
        let args = match (name.as_str(), args.as_slice()) {
            ("join", [items, separator]) => vec![call(EACH, vec![items.clone(), separator.clone()]), separator.clone()],
            ("replace", [text, pattern, replacement, rest @ ..]) => {
                let text = call(EACH, vec![text.clone(), replacement.clone()]);
                [text, pattern.clone(), replacement.clone()].into_iter().chain(rest.iter().cloned()).collect()
            }
            ("pad", [text, width, rest @ ..]) => {
                let width = call(WIDTH, std::iter::once(width.clone()).chain(rest.iter().cloned()).collect());
                [count(text.clone()), width].into_iter().chain(rest.iter().cloned()).collect()
            }
            ("formatInteger", [number, picture]) => {
                vec![call(ROMAN, vec![number.clone(), picture.clone()]), picture.clone()]
            }
            _ => args.into_iter().map(count).collect(),
        };
        AstNode::Function { name, args, is_builtin }
    }

    /// A partial application of a function that makes texts: a function of the arguments that are left open.
    fn partial(&self, name: String, args: Vec<AstNode>) -> AstNode {
        let mut params = Vec::new();
        let mut fill = |argument| match argument {
            AstNode::Placeholder => {
                params.push(format!("mandi {}", params.len()));
                AstNode::Variable(params.last().cloned().unwrap_or_default())
            }
            other => other,
        };
        let args = args.into_iter().map(&mut fill).collect();
        let body = Box::new(self.function(name, args, true));
        AstNode::Lambda { params, body, signature: None, thunk: false }
    }

    /// A function of the language as a value: a function that calls it with its guards.
    fn callback(&self, name: String, arguments: usize) -> AstNode {
        // A callback of these gets its first arguments alone from `$map` and its like.
        let taken = match name.as_str() {
            "substring" | "pad" | "split" | "match" | "formatNumber" => arguments - 1,
            "replace" => 3,
            _ => arguments,
        };
        let params: Vec<String> = (0..taken).map(|index| format!("mandi {index}")).collect();
        let args = params.iter().cloned().map(AstNode::Variable).collect();
        let body = Box::new(self.function(name, args, true));
        AstNode::Lambda { params, body, signature: None, thunk: false }
    }
}

const fn is_placeholder(argument: &AstNode) -> bool {
    matches!(argument, AstNode::Placeholder)
}

fn call(name: &str, args: Vec<AstNode>) -> AstNode {
    AstNode::Function { name: name.to_owned(), args, is_builtin: true }
}

/// Counts what a node gives, unless that is plainly small or no text.
fn count(node: AstNode) -> AstNode {
    match node {
        AstNode::String(_)
        | AstNode::Number(_)
        | AstNode::Boolean(_)
        | AstNode::Null
        | AstNode::Undefined
        | AstNode::Placeholder
        | AstNode::Regex { .. }
        | AstNode::Lambda { .. } => node,
        node => call(COUNT, vec![node]),
    }
}

/// What a value takes in memory at least, about.
const NODE_BYTES: usize = 24;

/// What is left of the bytes that an evaluation may make.
#[derive(Clone)]
struct Budget {
    left: Rc<Cell<usize>>,
    whole: usize,
}

impl Budget {
    fn take(&self, bytes: usize) -> Result<(), EvaluatorError> {
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| {
            EvaluatorError::EvaluationError(format!("the expression makes more than {} bytes of text", self.whole))
        })?;
        self.left.set(left);
        Ok(())
    }

    /// Counts a value as it would be written.
    fn count(&self, value: &JValue) -> Result<usize, EvaluatorError> {
        let before = self.left.get();
        self.walk(value)?;
        Ok(before - self.left.get())
    }

    fn walk(&self, value: &JValue) -> Result<(), EvaluatorError> {
        match value {
            JValue::String(text) => self.take(text.len()),
            // Counting takes time as well; what a value costs at least keeps it short.
            JValue::Array(items) => with_stack(|| {
                self.take(NODE_BYTES)?;
                items.iter().try_for_each(|item| self.walk(item))
            }),
            JValue::Object(members) => with_stack(|| {
                members.iter().try_for_each(|(name, member)| {
                    self.take(name.len() + NODE_BYTES)?;
                    self.walk(member)
                })
            }),
            _ => self.take(NODE_BYTES),
        }
    }
}

/// Registers the functions that the guarded tree calls.
pub(super) fn register(evaluator: &mut Evaluator, limits: &Limits) -> Result<(), EvaluatorError> {
    let budget = Budget { left: Rc::new(Cell::new(limits.bytes)), whole: limits.bytes };
    let counting = budget.clone();
    evaluator.register_fn(COUNT, move |arguments: &[JValue]| {
        let value = arguments.first().unwrap_or(&JValue::Undefined);
        counting.count(value)?;
        Ok(value.clone())
    })?;
    let padding = budget.clone();
    evaluator.register_fn(WIDTH, move |arguments: &[JValue]| {
        let width = arguments.first().unwrap_or(&JValue::Undefined);
        let each = arguments.get(1).and_then(JValue::as_str).map_or(1, |text| text.len().max(1));
        if let JValue::Number(number) = width {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
            padding.take((number.abs() as usize).saturating_mul(each.min(4)))?;
        }
        Ok(width.clone())
    })?;
    evaluator.register_fn(ENCODE_URL, |arguments: &[JValue]| match arguments {
        [JValue::String(text)] => Ok(JValue::from(encode_url(text))),
        [JValue::Undefined] => Ok(JValue::Undefined),
        _ => Err(EvaluatorError::TypeError("T0410: Argument 1 of function encodeUrl has to be a text".to_owned())),
    })?;
    let numerals = budget.clone();
    evaluator.register_fn(ROMAN, move |arguments: &[JValue]| {
        let number = arguments.first().unwrap_or(&JValue::Undefined);
        let roman = arguments.get(1).and_then(JValue::as_str).is_some_and(|picture| picture.contains(['I', 'i']));
        if let JValue::Number(value) = number
            && roman
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
            numerals.take((value.abs() / 100.0) as usize)?;
        }
        Ok(number.clone())
    })?;
    evaluator.register_fn(EACH, move |arguments: &[JValue]| {
        let value = arguments.first().unwrap_or(&JValue::Undefined);
        let places = match value {
            JValue::Array(items) => items.len(),
            JValue::String(text) => text.len() + 1,
            _ => 1,
        };
        budget.count(value)?;
        let text = arguments.get(1).and_then(JValue::as_str).map_or(0, str::len);
        budget.take(places.saturating_mul(text))?;
        Ok(value.clone())
    })
}

/// What JavaScript's `encodeURI` does (ECMA-262, 19.2.6.4).
fn encode_url(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b";,/?:@&=+$-_.!~*'()#".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
