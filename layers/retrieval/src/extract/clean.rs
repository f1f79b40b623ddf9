//! Cleans text: NFC, plain white space, no control characters; joiners of Indic scripts stay.

use unicode_normalization::UnicodeNormalization;

/// How many blank lines may follow each other.
const MAX_BLANK_LINES: usize = 1;

/// The text in NFC; white space of every kind as single spaces, lines trimmed, at most one blank line between
/// two; without control characters, zero-width spaces, soft hyphens, byte-order marks and marks that reverse
/// the reading order. Zero-width joiners and non-joiners stay.
///
/// # Errors
/// The reason, when the text holds a NUL character: then it is no text, but most likely a binary file.
pub fn clean(text: &str) -> Result<String, &'static str> {
    if text.contains('\0') {
        return Err("the text holds a NUL character; send text, not a binary file");
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut blank_lines = 0;
    let unified = text.replace("\r\n", "\n");
    for line in unified.split(is_line_break) {
        let line = clean_line(line);
        if line.is_empty() {
            blank_lines += 1;
            continue;
        }
        if !cleaned.is_empty() {
            cleaned.push_str(&"\n".repeat(1 + blank_lines.min(MAX_BLANK_LINES)));
        }
        blank_lines = 0;
        cleaned.push_str(&line);
    }
    Ok(cleaned)
}

const fn is_line_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn clean_line(line: &str) -> String {
    let mut cleaned = String::with_capacity(line.len());
    let mut blank = false;
    for character in line.chars().filter(|character| !is_removed(*character)).nfc() {
        if character.is_whitespace() {
            blank = true;
            continue;
        }
        if blank && !cleaned.is_empty() {
            cleaned.push(' ');
        }
        blank = false;
        cleaned.push(character);
    }
    cleaned
}

/// Control characters but white space, invisible characters but joiners, and bidirectional controls.
fn is_removed(character: char) -> bool {
    (character.is_control() && !character.is_whitespace())
        || matches!(character, '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests state what must hold")]

    use super::*;

    #[test]
    fn white_space_is_made_plain_and_paragraphs_stay() {
        assert_eq!(clean("  a\u{A0}\t b \r\n\r\n\r\n\n c\u{2028}d\r").unwrap(), "a b\n\nc\nd");
    }

    #[test]
    fn joiners_stay_and_other_invisible_characters_go() {
        assert_eq!(clean("श्री\u{200D}मान न\u{200C}र").unwrap(), "श्री\u{200D}मान न\u{200C}र");
        assert_eq!(clean("\u{FEFF}pay\u{AD}ment\u{200B} \u{202E}x\u{7}").unwrap(), "payment x");
    }

    #[test]
    fn text_is_composed() {
        assert_eq!(clean("cafe\u{301}").unwrap(), "café");
    }

    #[test]
    fn a_nul_is_refused() {
        assert!(clean("a\0b").is_err());
    }
}
