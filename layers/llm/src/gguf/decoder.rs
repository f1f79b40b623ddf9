//! Bytes of tokens into whole characters.

/// Puts characters together that are spread over tokens.
#[derive(Debug, Default)]
pub(super) struct Utf8Decoder {
    pending: Vec<u8>,
}

impl Utf8Decoder {
    /// Takes more bytes; gives the characters that are whole. Bytes that can belong to no character become
    /// U+FFFD.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let (whole, rest) = self.pending.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(whole));
                    let Some(bad) = error.error_len() else {
                        self.pending = rest.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending = rest[bad..].to_vec();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_bytes_one_by_one_then_only_whole_characters_come() {
        let mut decoder = Utf8Decoder::default();
        let pieces: Vec<String> = "aभ🙂".bytes().map(|byte| decoder.push(&[byte])).collect();
        assert_eq!(pieces, ["a", "", "", "भ", "", "", "", "🙂"]);
    }

    #[test]
    fn bytes_of_no_character_are_replaced() {
        let mut decoder = Utf8Decoder::default();
        assert_eq!(decoder.push(b"a\xff\xe0b"), "a\u{fffd}\u{fffd}b");
    }
}
