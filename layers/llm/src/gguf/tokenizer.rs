//! The tokenizer that a GGUF file carries: byte-level BPE as in GPT-2, with digits split one by one (`smollm`).
//!
//! Text is encoded without looking for special tokens, so that a document cannot smuggle in the end of a
//! message or the start of another one; the prompt puts those in by id.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Content;
use candle_core::{Error, Result};
use tokenizers::Tokenizer;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use super::file::{metadata, texts};

/// The pre-tokenizer that is known: `Digits(individual)`, then GPT-2's pattern.
const PRE_TOKENIZER: &str = "smollm";

/// Encodes text, and gives each token's bytes.
pub(super) struct GgufTokenizer {
    tokenizer: Tokenizer,
    bytes: Vec<Vec<u8>>,
    /// Starts a message.
    pub(super) message_start: u32,
    /// Ends a message.
    pub(super) message_end: u32,
    /// Ends a text, in models that were trained on plain texts.
    text_end: Option<u32>,
}

impl GgufTokenizer {
    /// Reads vocabulary and merges.
    pub(super) fn from_gguf(content: &Content) -> Result<Self> {
        expect(content, "tokenizer.ggml.model", "gpt2")?;
        expect(content, "tokenizer.ggml.pre", PRE_TOKENIZER)?;
        let tokens = texts(content, "tokenizer.ggml.tokens")?;
        let vocabulary: Vocab = (0_u32..).zip(&tokens).map(|(id, token)| ((*token).to_owned(), id)).collect();
        let merges: Merges = texts(content, "tokenizer.ggml.merges")?
            .into_iter()
            .map(|merge| {
                let (left, right) = merge.split_once(' ').ok_or_else(|| Error::Msg(format!("bad merge `{merge}`")))?;
                Ok((left.to_owned(), right.to_owned()))
            })
            .collect::<Result<_>>()?;
        let special = |name: &str| vocabulary.get(name).copied();
        let needed = |name: &str| special(name).ok_or_else(|| Error::Msg(format!("its vocabulary lacks `{name}`")));
        let (message_start, message_end) = (needed("<|im_start|>")?, needed("<|im_end|>")?);
        let text_end = special("<|endoftext|>");
        let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(Error::wrap)?;
        let mut tokenizer = Tokenizer::new(model);
        let split = Sequence::new(vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()]);
        tokenizer.with_pre_tokenizer(Some(split));
        let alphabet = byte_alphabet();
        let bytes = tokens.iter().map(|token| token_bytes(token, &alphabet)).collect();
        Ok(Self { tokenizer, bytes, message_start, message_end, text_end })
    }

    /// The tokens of a text; what looks like a special token in it is ordinary text.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(Error::wrap)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The bytes of a token: any piece of UTF-8, also less than a character.
    pub(super) fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// Whether the model has said all.
    pub(super) fn ends(&self, token: u32) -> bool {
        token == self.message_end || Some(token) == self.text_end
    }
}

fn expect(content: &Content, key: &str, wanted: &str) -> Result<()> {
    let found = metadata(content, key)?.to_string()?;
    if found == wanted {
        Ok(())
    } else {
        Err(Error::Msg(format!("its `{key}` is `{found}`, and only `{wanted}` is known")))
    }
}

/// Which byte a character of the vocabulary stands for: printable Latin-1 for itself, the rest from U+0100 on
/// (GPT-2, `encoder.py`, `bytes_to_unicode`).
fn byte_alphabet() -> HashMap<char, u8> {
    let mut next = 0x100_u32;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let printable = matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
            let character = if printable {
                char::from(byte)
            } else {
                let character = char::from_u32(next)?;
                next += 1;
                character
            };
            Some((character, byte))
        })
        .collect()
}

fn token_bytes(token: &str, alphabet: &HashMap<char, u8>) -> Vec<u8> {
    token.chars().filter_map(|character| alphabet.get(&character).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_covers_every_byte_once() {
        let alphabet = byte_alphabet();
        assert_eq!(alphabet.len(), 256);
        assert_eq!(token_bytes("Ġthe", &alphabet), b" the");
        assert_eq!(token_bytes("Ċ", &alphabet), b"\n");
    }
}
