//! How a file is named in the headers of an answer that carries it.

use std::fmt::Write as _;

/// The HTTP `Content-Disposition` (RFC 6266) of a file to be kept under `filename`, all in ASCII: the name in UTF-8
/// (RFC 8187), and before it one for clients that know only the old form, with `_` in place of what that cannot carry.
/// Characters that could lead out of a folder or end the header are `_` in both.
#[must_use]
pub fn content_disposition(filename: &str) -> String {
    let safe = |character: char| if character.is_control() || "/\\".contains(character) { '_' } else { character };
    let name: String = filename.chars().map(safe).collect();
    let plain = |character: char| {
        let kept = matches!(character, ' '..='~') && !"\"%".contains(character);
        if kept { character } else { '_' }
    };
    let mut header: String = "attachment; filename=\""
        .chars()
        .chain(name.chars().map(plain))
        .chain("\"; filename*=UTF-8''".chars())
        .collect();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            header.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(header, "%{byte:02X}");
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_a_plain_name_then_both_forms_have_it() {
        assert_eq!(
            content_disposition("rice 2026.csv"),
            "attachment; filename=\"rice 2026.csv\"; filename*=UTF-8''rice%202026.csv"
        );
    }

    /// The encoded form is that of the `encodeURIComponent` of JavaScript.
    #[test]
    fn given_letters_beyond_ascii_then_the_second_form_has_them() {
        assert_eq!(
            content_disposition("चावल-€.csv"),
            "attachment; filename=\"____-_.csv\"; filename*=UTF-8''%E0%A4%9A%E0%A4%BE%E0%A4%B5%E0%A4%B2-%E2%82%AC.csv"
        );
    }

    #[test]
    fn given_characters_that_mean_something_then_they_cannot_end_the_name_or_the_header() {
        assert_eq!(
            content_disposition("../a\"; x=\\\r\nb%41.csv"),
            "attachment; filename=\".._a_; x=___b_41.csv\"; filename*=UTF-8''.._a%22%3B%20x%3D___b%2541.csv"
        );
    }
}
