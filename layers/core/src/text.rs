//! Text from outside: what no text may hold.

use serde_json::Value;

use crate::{Problem, Result};

/// Refuses text with a NUL or another control character; white space (tab, line ends, form feed) is none.
///
/// # Errors
/// `invalid-request` at `pointer`, with the character and its place.
pub fn check_characters(text: &str, pointer: &str) -> Result<()> {
    let unprintable = |character: &char| character.is_control() && !character.is_whitespace();
    let Some((place, character)) = text.chars().enumerate().find(|(_, character)| unprintable(character)) else {
        return Ok(());
    };
    let code = u32::from(character);
    Err(Problem::field(pointer, format!("character {} is the control character U+{code:04X}; remove it", place + 1)))
}

/// The same for every text in a value, names of fields included.
///
/// # Errors
/// `invalid-request` at the text's own pointer.
pub fn check_all_characters(value: &Value, pointer: &str) -> Result<()> {
    match value {
        Value::String(text) => check_characters(text, pointer),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(place, item)| check_all_characters(item, &format!("{pointer}/{place}"))),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            check_characters(name, pointer)?;
            check_all_characters(field, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn white_space_and_joiners_pass_and_control_characters_do_not() {
        check_characters("a\tb\r\n\u{c}c श्री\u{200D}मान", "/content").unwrap();
        for (text, place) in [("a\0", "character 2 is the control character U+0000"), ("\u{1b}[1m", "U+001B")] {
            let problem = check_characters(text, "/content").unwrap_err();
            assert_eq!(problem.errors[0].pointer, "/content");
            assert!(problem.detail.contains(place), "{problem}");
        }
    }

    #[test]
    fn a_text_inside_a_value_is_named_by_its_own_pointer() {
        let value = serde_json::json!({"lines": [{"a/b": "fine"}, {"a/b": "\u{7}"}]});
        assert_eq!(check_all_characters(&value, "/fields").unwrap_err().errors[0].pointer, "/fields/lines/1/a~1b");
    }
}
