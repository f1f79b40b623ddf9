//! JSONPath as the states language takes it, on a library of RFC 9535.
//!
//! Step Functions uses Jayway's dialect, which is older than the RFC. What differs and occurs in definitions is
//! written anew for the library: names after a dot with a dash or another character that the RFC wants quoted, and
//! `.length()` at the end. A path that can find one place at most gives the value there; another one gives an array.

use std::fmt;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::Scope;

/// The longest path, in bytes.
const MAX_PATH_BYTES: usize = 8 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Root {
    Input,
    Context,
    Variable(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The value at the one place.
    Value,
    /// All values, as an array.
    Values,
    /// The number of items at the one place.
    Length,
}

/// A path into the input (`$`), the context object (`$$`) or a variable (`$name`).
#[derive(Clone, Debug)]
pub struct Path {
    text: String,
    root: Root,
    query: JsonPath,
    found: Found,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// It is not one; the text says why.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATH_BYTES {
            return Err(format!("the path has more than {MAX_PATH_BYTES} bytes"));
        }
        let (root, rest) = split_root(text)?;
        let (rest, length) = match rest.strip_suffix(".length()") {
            Some(before) => (before, true),
            None => (rest, false),
        };
        let normal = normalise(rest)?;
        let query = JsonPath::parse(&format!("${}", normal.text)).map_err(|error| {
            format!("`{text}` is not a JSONPath: {} at character {}", error.message(), error.position() + 1)
        })?;
        let found = match (normal.definite, length) {
            (true, true) => Found::Length,
            (true, false) => Found::Value,
            (false, false) => Found::Values,
            (false, true) => return Err(format!("`{text}`: .length() needs a path to one array")),
        };
        Ok(Self { text: text.to_owned(), root, query, found })
    }

    /// What the path finds; `None` when a path to one place finds none.
    #[must_use]
    pub fn find(&self, scope: &Scope<'_>) -> Option<Value> {
        let root = match &self.root {
            Root::Input => scope.input,
            Root::Context => scope.context,
            Root::Variable(name) => scope.variables.get(name)?.as_ref(),
        };
        let nodes = self.query.query(root);
        match self.found {
            Found::Value => nodes.first().cloned(),
            Found::Values => Some(Value::Array(nodes.all().into_iter().cloned().collect())),
            Found::Length => nodes.first()?.as_array().map(|items| Value::from(items.len())),
        }
    }

    /// The variable that it begins with, if it does with one.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        match &self.root {
            Root::Variable(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn split_root(text: &str) -> Result<(Root, &str), String> {
    let Some(rest) = text.strip_prefix('$') else { return Err(format!("the path `{text}` does not begin with `$`")) };
    if let Some(rest) = rest.strip_prefix('$') {
        return Ok((Root::Context, rest));
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    if name.is_empty() {
        return Ok((Root::Input, rest));
    }
    if is_name(name) {
        return Ok((Root::Variable(name.to_owned()), rest));
    }
    Err(format!("`${name}` in the path `{text}` is not a variable"))
}

/// A name that the RFC takes after a dot, which is also what a variable may be called.
pub(crate) fn is_name(name: &str) -> bool {
    let first = |letter: char| letter.is_alphabetic() || letter == '_';
    name.chars().next().is_some_and(first) && name.chars().all(|letter| first(letter) || letter.is_numeric())
}

/// Whether a variable may be called so.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    name != "states" && name.chars().count() <= 80 && is_name(name) && !name.starts_with('_')
}

struct Normal {
    text: String,
    definite: bool,
}

/// The path after its root in the RFC's spelling.
fn normalise(rest: &str) -> Result<Normal, String> {
    let mut normal = Normal { text: String::with_capacity(rest.len()), definite: true };
    let mut rest = rest;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            normal.definite = false;
            normal.text.push_str("..");
            rest = if after.starts_with('[') { after } else { name(after, "", &mut normal)? };
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = name(after, ".", &mut normal)?;
        } else if rest.starts_with('[') {
            let end = bracket_end(rest).ok_or_else(|| format!("`{rest}` has no closing bracket"))?;
            let (selector, after) = rest.split_at(end);
            normal.definite &= is_one(selector);
            normal.text.push_str(selector);
            rest = after;
        } else {
            return Err(format!("`{rest}` in a path does not begin with `.` or `[`"));
        }
    }
    Ok(normal)
}

/// Takes a name after a dot; returns what follows it.
fn name<'a>(after: &'a str, dot: &str, normal: &mut Normal) -> Result<&'a str, String> {
    let end = after.find(['.', '[']).unwrap_or(after.len());
    let (name, rest) = after.split_at(end);
    if name.is_empty() {
        return Err("a path has a dot with no name after it".to_owned());
    }
    if name == "*" || is_name(name) {
        normal.definite &= name != "*";
        normal.text.push_str(dot);
        normal.text.push_str(name);
    } else if name.contains(['(', ')', '\'', '"', '\\', '@', '?', '*', ',', ':']) || name.contains(char::is_control) {
        return Err(format!("`{name}` in a path has to be written as ['..']"));
    } else {
        normal.text.push_str("['");
        normal.text.push_str(name);
        normal.text.push_str("']");
    }
    Ok(rest)
}

/// The end of the bracket that begins the text, minding quotes and brackets within it.
fn bracket_end(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a bracket selects one place at most: a name in quotes or an index.
fn is_one(selector: &str) -> bool {
    let inner = selector.trim_start_matches('[').trim_end_matches(']').trim();
    if inner.parse::<i64>().is_ok() {
        return true;
    }
    let quoted = |quote: char| {
        inner.len() >= 2
            && inner.starts_with(quote)
            && inner.ends_with(quote)
            && inner.matches(quote).count() == 2 + inner.matches(&format!("\\{quote}")).count()
    };
    quoted('\'') || quoted('"')
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Name(String),
    Index(usize),
}

/// A path that names one place and can be written to: names and indices only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePath {
    text: String,
    segments: Vec<Segment>,
}

impl ReferencePath {
    /// Reads a reference path into the input.
    ///
    /// # Errors
    /// It is not one; the text says why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let not_one = || format!("`{text}` is not a reference path: only names and indices name one place");
        let path = Path::parse(text)?;
        if path.root != Root::Input || path.found != Found::Value {
            return Err(not_one());
        }
        let mut segments = Vec::new();
        let mut rest = text.get(1..).unwrap_or_default();
        while !rest.is_empty() {
            let (segment, after) = segment(rest).ok_or_else(not_one)?;
            segments.push(segment);
            rest = after;
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    /// Whether it is `$`: the whole.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Puts a value at the place. Objects on the way are made; arrays are not.
    ///
    /// # Errors
    /// On the way lies something that is no object, or an index that is not there.
    pub fn put(&self, root: &mut Value, value: Value) -> Result<(), String> {
        let mut place = root;
        for segment in &self.segments {
            place = match segment {
                Segment::Name(name) => {
                    if place.is_null() {
                        *place = Value::Object(serde_json::Map::new());
                    }
                    let Value::Object(object) = place else {
                        return Err(format!("`{}` cannot be put: `{name}` lies in what is no object", self.text));
                    };
                    object.entry(name.clone()).or_insert(Value::Null)
                }
                Segment::Index(index) => place
                    .get_mut(*index)
                    .ok_or_else(|| format!("`{}` cannot be put: there is no item {index}", self.text))?,
            };
        }
        *place = value;
        Ok(())
    }
}

impl fmt::Display for ReferencePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn segment(rest: &str) -> Option<(Segment, &str)> {
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(['.', '[']).unwrap_or(after.len());
        let (name, rest) = after.split_at(end);
        return Some((Segment::Name(name.to_owned()), rest));
    }
    let end = bracket_end(rest)?;
    let (selector, after) = rest.split_at(end);
    let inner = selector.strip_prefix('[')?.strip_suffix(']')?.trim();
    if let Ok(index) = inner.parse::<usize>() {
        return Some((Segment::Index(index), after));
    }
    let name = inner.strip_prefix(['\'', '"'])?.strip_suffix(['\'', '"'])?;
    Some((Segment::Name(name.replace("\\'", "'").replace("\\\"", "\"").replace("\\\\", "\\")), after))
}
