//! The grammar of intrinsic functions: `States.Format('..', $.a, States.UUID())`.

use std::fmt;

use serde_json::Value;

use super::intrinsic_functions::{self, Function};
use super::{Path, Scope};
use crate::fault::{StateFault, names};

/// The deepest nesting of calls. Step Functions takes ten.
const MAX_DEPTH: usize = 10;
/// The longest call, in bytes (the limit of Step Functions for a format is 10,000 characters).
const MAX_BYTES: usize = 10_000;

#[derive(Clone, Debug)]
enum Argument {
    Literal(Value),
    Path(Path),
    Call(Box<Intrinsic>),
}

/// A call of an intrinsic function.
#[derive(Clone, Debug)]
pub struct Intrinsic {
    text: String,
    function: Function,
    arguments: Vec<Argument>,
}

impl Intrinsic {
    /// Reads a call.
    ///
    /// # Errors
    /// It is not one, or takes another number of arguments; the text says why.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("the call has more than {MAX_BYTES} bytes"));
        }
        let mut reader = Reader { rest: text.trim() };
        let call = reader.call(0)?;
        if reader.rest.is_empty() { Ok(call) } else { Err(format!("`{}` follows the call", reader.rest)) }
    }

    /// The value of the call.
    ///
    /// # Errors
    /// A path finds nothing, or the function does not take the arguments.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, StateFault> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Literal(value) => value.clone(),
                Argument::Call(call) => call.evaluate(scope)?,
                Argument::Path(path) => path.find(scope).ok_or_else(|| {
                    StateFault::new(names::PARAMETER_PATH_FAILURE, format!("'{path}' finds nothing in its input"))
                })?,
            });
        }
        intrinsic_functions::call(self.function, &values, scope.random).map_err(StateFault::intrinsic)
    }

    /// The paths in it, of nested calls too.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        for argument in &self.arguments {
            match argument {
                Argument::Literal(_) => {}
                Argument::Path(path) => paths.push(path),
                Argument::Call(call) => paths.extend(call.paths()),
            }
        }
        paths
    }
}

impl fmt::Display for Intrinsic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn call(&mut self, depth: usize) -> Result<Intrinsic, String> {
        if depth >= MAX_DEPTH {
            return Err(format!("calls are nested more than {MAX_DEPTH} deep"));
        }
        let whole = self.rest;
        let open = whole.find('(').ok_or_else(|| format!("`{whole}` is no call: it has no `(`"))?;
        let (name, after) = whole.split_at(open);
        let name = name.trim_end();
        let function = Function::named(name).ok_or_else(|| format!("there is no function `{name}`"))?;
        self.rest = after.get(1..).unwrap_or_default();
        let mut arguments = Vec::new();
        self.skip_space();
        if let Some(rest) = self.rest.strip_prefix(')') {
            self.rest = rest;
        } else {
            loop {
                self.skip_space();
                arguments.push(self.argument(depth)?);
                self.skip_space();
                if let Some(rest) = self.rest.strip_prefix(',') {
                    self.rest = rest;
                } else if let Some(rest) = self.rest.strip_prefix(')') {
                    self.rest = rest;
                    break;
                } else {
                    return Err(format!("`{name}` is not closed: `,` or `)` is missing before `{}`", self.rest));
                }
            }
        }
        if !function.takes(arguments.len()) {
            return Err(format!("`{name}` does not take {} arguments", arguments.len()));
        }
        let used = whole.len() - self.rest.len();
        Ok(Intrinsic { text: whole.get(..used).unwrap_or(whole).to_owned(), function, arguments })
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, String> {
        if self.rest.starts_with('\'') {
            return self.text().map(|text| Argument::Literal(Value::String(text)));
        }
        if self.rest.starts_with("States.") {
            return self.call(depth + 1).map(|call| Argument::Call(Box::new(call)));
        }
        let token = self.token();
        if token.starts_with('$') {
            return Path::parse(token).map(Argument::Path);
        }
        match serde_json::from_str::<Value>(token) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Ok(Argument::Literal(value)),
            _ => Err(format!("`{token}` is neither a path, a number, 'text' in single quotes nor a call")),
        }
    }

    /// Up to the comma or parenthesis that ends an argument, minding brackets and quotes of paths.
    fn token(&mut self) -> &'a str {
        let (mut depth, mut quote) = (0_i32, None);
        let mut end = self.rest.len();
        for (at, letter) in self.rest.char_indices() {
            match (quote, letter) {
                (Some(open), letter) if letter == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') if depth > 0 => quote = Some(letter),
                (None, '[' | '(') => depth += 1,
                (None, ']') => depth -= 1,
                (None, ')') if depth > 0 => depth -= 1,
                (None, ',' | ')') if depth <= 0 => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token.trim()
    }

    /// A text in single quotes; `\'`, `\{`, `\}` and `\\` are escapes. Those of braces stay for `States.Format`.
    fn text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => match letters.next() {
                    Some((_, escaped @ ('{' | '}'))) => text.extend(['\\', escaped]),
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                letter => text.push(letter),
            }
        }
        Err(format!("the text {} has no closing quote", self.rest))
    }
}
