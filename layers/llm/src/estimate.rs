//! Token counts where the provider does not give them: an estimate, and said to be one.
//!
//! Byte-pair vocabularies take about four characters of English for a token, and about one token for each
//! character of another script. The estimate is rounded up.

use mandi_core::ports::ChatMessage;

/// Characters of ASCII that make a token.
const ASCII_PER_TOKEN: u64 = 4;
/// Tokens that a chat template adds to each message.
const TOKENS_PER_MESSAGE: u64 = 4;

/// About how many tokens a text has.
#[must_use]
pub(crate) fn tokens(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let other = text.chars().filter(|character| !character.is_ascii()).count() as u64;
    ascii.div_ceil(ASCII_PER_TOKEN) + other
}

/// About how many tokens a prompt has.
#[must_use]
pub(crate) fn prompt_tokens(messages: &[ChatMessage]) -> u64 {
    messages.iter().map(|message| tokens(&message.content) + TOKENS_PER_MESSAGE).sum()
}

/// The longest start of a text of about `max_tokens` tokens; the text itself when it is not longer.
#[must_use]
pub(crate) fn cut(text: &str, max_tokens: usize) -> &str {
    let budget = max_tokens as u64 * ASCII_PER_TOKEN;
    let mut spent = 0;
    for (position, character) in text.char_indices() {
        spent += if character.is_ascii() { 1 } else { ASCII_PER_TOKEN };
        if spent > budget {
            return &text[..position];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_ascii_characters_or_one_other_are_a_token() {
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("abcde"), 2);
        assert_eq!(tokens("भुगतान"), 6);
    }

    #[test]
    fn a_cut_text_ends_at_a_character_within_its_tokens() {
        assert_eq!(cut("abcdefgh", 1), "abcd");
        assert_eq!(cut("ab भुगतान", 3), "ab भु");
        assert_eq!(cut("short", 100), "short");
    }
}
