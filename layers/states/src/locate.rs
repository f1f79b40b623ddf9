//! Where in a JSON text a value stands: its line by its JSON pointer (RFC 6901), and names that occur twice.

use std::collections::HashMap;

/// The lines of the values of a JSON text, and what `serde_json` does not tell of it.
#[derive(Debug, Default)]
pub struct Places {
    lines: HashMap<String, u32>,
    /// Pointers of members whose name occurs more than once in its object, with the line of the later one.
    pub duplicates: Vec<(String, u32)>,
}

impl Places {
    /// Scans a text that is known to be JSON; of another text the places until the fault are kept.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut scan = Scan { bytes: text.as_bytes(), at: 0, line: 1, places: Self::default() };
        scan.value("", 0);
        scan.places
    }

    /// The line (from 1) of the value at a pointer, or of the nearest value around it.
    #[must_use]
    pub fn line(&self, pointer: &str) -> u32 {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.lines.get(pointer) {
                return *line;
            }
            match pointer.rfind('/') {
                Some(end) => pointer = pointer.get(..end).unwrap_or_default(),
                None => return 1,
            }
        }
    }
}

/// Adds a step to a pointer.
#[must_use]
pub fn step(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// As deep as `serde_json` reads.
const MAX_DEPTH: usize = 128;

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
    places: Places,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => break,
            }
            self.at += 1;
        }
    }

    fn value(&mut self, pointer: &str, depth: usize) {
        self.skip_space();
        self.places.lines.entry(pointer.to_owned()).or_insert(self.line);
        match self.peek() {
            Some(b'{') if depth < MAX_DEPTH => self.object(pointer, depth),
            Some(b'[') if depth < MAX_DEPTH => self.array(pointer, depth),
            Some(b'"') => drop(self.string()),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) {
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The string that begins here, as it is written (quotes included).
    fn string(&mut self) -> &[u8] {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => self.at += 1,
                b'\n' => self.line += 1,
                _ => {}
            }
        }
        self.bytes.get(start..self.at.min(self.bytes.len())).unwrap_or_default()
    }

    fn object(&mut self, pointer: &str, depth: usize) {
        self.at += 1;
        let mut seen = std::collections::HashSet::new();
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                break;
            }
            let line = self.line;
            let Ok(name) = serde_json::from_slice::<String>(self.string()) else { break };
            let inner = step(pointer, &name);
            if seen.insert(name) {
                self.places.lines.insert(inner.clone(), line);
            } else {
                self.places.duplicates.push((inner.clone(), line));
            }
            self.skip_space();
            if self.peek() != Some(b':') {
                break;
            }
            self.at += 1;
            self.value(&inner, depth + 1);
            self.skip_space();
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        self.close(b'}');
    }

    fn array(&mut self, pointer: &str, depth: usize) {
        self.at += 1;
        for index in 0_usize.. {
            self.skip_space();
            if matches!(self.peek(), Some(b']') | None) {
                break;
            }
            let before = self.at;
            self.value(&step(pointer, &index.to_string()), depth + 1);
            self.skip_space();
            if self.peek() == Some(b',') {
                self.at += 1;
            } else if self.at == before || self.peek() != Some(b']') {
                break;
            }
        }
        self.close(b']');
    }

    fn close(&mut self, bracket: u8) {
        if self.peek() == Some(bracket) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_pointer_then_its_line_is_told() {
        let places = Places::of("{\n  \"a\": [\n    1,\n    {\"b/c\": \"x\\n\"}\n  ],\n  \"d\": null\n}");
        assert_eq!(places.line("/a/1/b~1c"), 4);
        assert_eq!(places.line("/d"), 6);
        assert_eq!(places.line("/a/9/nothing"), 2);
    }

    #[test]
    fn given_a_name_twice_then_the_later_one_is_told() {
        let places = Places::of("{\"a\": 1,\n \"b\": {\"x\": 1, \"x\": 2}, \"a\": 2}");
        assert_eq!(places.duplicates, [("/b/x".to_owned(), 2), ("/a".to_owned(), 2)]);
    }

    #[test]
    fn given_what_is_not_json_then_it_ends() {
        for text in ["", "{", "[", "[1,", "{\"a\"", "{\"a\":", "[}", "{]", "\"\\", "[1 2]", "[,,,"] {
            drop(Places::of(text));
        }
    }
}
