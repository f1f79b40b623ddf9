//! Texts to tokens.

use std::ops::Range;
use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::LoadError;

/// The tokenizer of a BERT model, with the ids of its special tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
    /// `[CLS]`: begins every input.
    pub(crate) begin: u32,
    /// `[SEP]`: ends every text.
    pub(crate) end: u32,
}

impl Tokens {
    /// Reads a `tokenizer.json` of the Hugging Face library. Its own padding and truncation are not used.
    pub(crate) fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|error| LoadError::unreadable(path, error))?;
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| LoadError::damaged(path, &error))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| LoadError::damaged(path, &error))?;
        let special = |name| {
            tokenizer.token_to_id(name).ok_or_else(|| LoadError::damaged(path, &format!("it has no token {name}")))
        };
        // Without the unknown token a text could fail to be tokenised; with it none can.
        special("[UNK]")?;
        let (begin, end) = (special("[CLS]")?, special("[SEP]")?);
        Ok(Self { tokenizer, begin, end })
    }

    /// Checks that a model with so many words knows all tokens.
    pub(crate) fn check_vocabulary(&self, path: &Path, words: usize) -> Result<(), LoadError> {
        let tokens = self.tokenizer.get_vocab_size(true);
        if tokens <= words {
            return Ok(());
        }
        Err(LoadError::damaged(path, &format!("it has {tokens} tokens, and the model beside it knows {words}")))
    }

    /// The ids of a text, without special tokens.
    pub(crate) fn ids(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode_fast(text, false).map_or_else(|_| Vec::new(), |encoding| encoding.get_ids().to_vec())
    }

    /// The bytes of a text that each of its tokens stands for.
    pub(crate) fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let encoding = self.tokenizer.encode(text, false);
        encoding.map_or_else(
            |_| Vec::new(),
            |encoding| encoding.get_offsets().iter().map(|(begin, end)| *begin..*end).collect(),
        )
    }
}
