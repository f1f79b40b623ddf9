//! Encodings of text, and reading one as UTF-8.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding, UTF_8};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::TableError;

/// How many bytes are decoded at a time.
const CHUNK_BYTES: usize = 1 << 16;
/// A byte that no UTF-8 text has. It takes the place of bytes that are no text in the encoding, so that the row which
/// holds them fails, and no other.
const NO_TEXT: u8 = 0xFF;

/// An encoding of text, by a label of the WHATWG Encoding Standard (`utf-8`, `windows-1252`, `shift_jis`, ..). As there,
/// `latin1` and `iso-8859-1` mean `windows-1252`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(UTF_8);

    /// The encoding of a label.
    ///
    /// # Errors
    /// There is none ([`TableError::Stated`]).
    pub fn parse(label: &str) -> Result<Self, TableError> {
        let found = Encoding::for_label_no_replacement(label.as_bytes()).map(Self);
        found.ok_or_else(|| {
            let reason = "say utf-8, utf-16le, windows-1252 or another label of the WHATWG Encoding Standard";
            TableError::Stated(format!("`{label}` is no encoding; {reason}"))
        })
    }

    /// Its name in the standard.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The encoding that a byte order mark names, and the mark's length in bytes.
    pub(crate) fn of_mark(bytes: &[u8]) -> Option<(Self, usize)> {
        Encoding::for_bom(bytes).map(|(encoding, length)| (Self(encoding), length))
    }

    /// Whether each byte below 128 is the ASCII character wherever it stands, so that records can be cut without
    /// decoding.
    pub(crate) fn is_cut_as_bytes(self) -> bool {
        self.0 == UTF_8 || (self.0.is_single_byte() && self.0.is_ascii_compatible())
    }
}

impl Serialize for TextEncoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TextEncoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        Self::parse(&label).map_err(de::Error::custom)
    }
}

/// Text as UTF-8; UTF-8 itself goes through as it is.
pub(crate) fn as_utf8<'a>(input: impl Read + Send + 'a, encoding: TextEncoding) -> Box<dyn Read + Send + 'a> {
    if encoding.0 == UTF_8 {
        return Box::new(input);
    }
    Box::new(Transcoder {
        input,
        decoder: encoding.0.new_decoder_without_bom_handling(),
        raw: vec![0; CHUNK_BYTES].into(),
        raw_start: 0,
        raw_end: 0,
        text: Vec::with_capacity(CHUNK_BYTES),
        text_start: 0,
        is_finished: false,
    })
}

struct Transcoder<R> {
    input: R,
    decoder: Decoder,
    raw: Box<[u8]>,
    raw_start: usize,
    raw_end: usize,
    text: Vec<u8>,
    text_start: usize,
    is_finished: bool,
}

impl<R: Read> Transcoder<R> {
    /// Decodes some more into `text`, which is used up.
    fn decode(&mut self) -> io::Result<()> {
        if self.raw_start == self.raw_end {
            self.raw_start = 0;
            self.raw_end = self.input.read(&mut self.raw)?;
        }
        let is_last = self.raw_end == 0;
        self.text.clear();
        self.text.resize(CHUNK_BYTES, 0);
        self.text_start = 0;
        let raw = self.raw.get(self.raw_start..self.raw_end).unwrap_or_default();
        let (result, read, mut written) = self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, is_last);
        self.raw_start += read;
        match result {
            DecoderResult::InputEmpty => self.is_finished = is_last,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => {
                self.text.truncate(written);
                self.text.push(NO_TEXT);
                written += 1;
            }
        }
        self.text.truncate(written);
        Ok(())
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.text_start == self.text.len() && !self.is_finished {
            self.decode()?;
        }
        let ready = self.text.get(self.text_start..).unwrap_or_default();
        let count = ready.len().min(into.len());
        if let (Some(into), Some(ready)) = (into.get_mut(..count), ready.get(..count)) {
            into.copy_from_slice(ready);
        }
        self.text_start += count;
        Ok(count)
    }
}

/// The beginning of a text as UTF-8; a character that is cut off at the end is left out.
pub(crate) fn decode_start(bytes: &[u8], encoding: TextEncoding) -> Vec<u8> {
    let mut decoder = encoding.0.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len()));
    let (result, ..) = decoder.decode_to_string(bytes, &mut text, false);
    debug_assert!(matches!(result, CoderResult::InputEmpty), "the buffer is as large as the decoder asked for");
    text.into_bytes()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use super::*;

    fn read(bytes: &[u8], label: &str) -> Vec<u8> {
        let mut text = Vec::new();
        let encoding = TextEncoding::parse(label).unwrap();
        as_utf8(bytes, encoding).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn given_latin_1_when_it_is_read_then_it_is_utf_8() {
        assert_eq!(read(b"caf\xe9", "latin1"), "café".as_bytes());
    }

    #[test]
    fn given_utf_16_that_ends_within_a_character_when_it_is_read_then_a_byte_that_is_no_text_ends_it() {
        assert_eq!(read(b"a\0b\0c", "utf-16le"), b"ab\xff");
    }

    #[test]
    fn given_more_text_than_a_chunk_when_it_is_read_then_all_of_it_comes() {
        let text = "ä".repeat(200_000);
        let latin: Vec<u8> = vec![0xe4; 200_000];
        assert_eq!(read(&latin, "windows-1252"), text.as_bytes());
    }

    #[test]
    fn given_encodings_when_it_is_asked_whether_they_are_cut_as_bytes_then_those_of_one_byte_are() {
        let cut = |label| TextEncoding::parse(label).unwrap().is_cut_as_bytes();
        assert!(cut("utf-8") && cut("latin1") && cut("koi8-r"));
        assert!(!cut("utf-16le") && !cut("shift_jis") && !cut("gb18030") && !cut("iso-2022-jp"));
    }
}
