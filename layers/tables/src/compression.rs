//! Compression of a whole input, told by its first bytes, and reading it with a guard against bombs.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use crate::error::TableError;
use crate::limits::Limits;

/// What any input may expand to without a look at its ratio, in bytes.
const SLACK_BYTES: u64 = 64 << 20;
/// How many bytes are expanded between two looks at the bounds.
const STEP_BYTES: usize = 1 << 20;
/// The largest window of zstd that is read, as a power of two: 128 MiB, what the tool `zstd` takes too.
const WINDOW_LOG: u32 = 27;

/// How a whole input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// It is not.
    None,
    /// gzip (RFC 1952), also of several members.
    Gzip,
    /// Zstandard (RFC 8878), also of several frames.
    Zstd,
}

impl Compression {
    /// By the first bytes.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one that is passed over (`pzstd` begins with it).
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The input as it was before it was compressed.
    ///
    /// # Errors
    /// There is no memory for a decompressor.
    pub(crate) fn expand<'a>(
        self,
        input: impl Read + Send + 'a,
        limits: &Limits,
    ) -> Result<Box<dyn Read + Send + 'a>, TableError> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let input = Counted { input, bytes: Arc::clone(&read_bytes) };
        let inner: Box<dyn Read + Send + 'a> = match self {
            Self::None => return Ok(Box::new(input)),
            Self::Gzip => Box::new(MultiGzDecoder::new(input)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(input).map_err(TableError::Read)?;
                decoder.window_log_max(WINDOW_LOG).map_err(TableError::Read)?;
                Box::new(decoder)
            }
        };
        let (most, ratio) = (limits.expanded_bytes, limits.expansion_ratio);
        Ok(Box::new(Guarded { inner, format: self.name(), read_bytes, expanded_bytes: 0, most, ratio }))
    }
}

/// Counts what is read. Its errors are marked as the store's, so that they differ from a decompressor's.
struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into).map_err(|error| io::Error::other(TableError::from_reader(error)))?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

struct Guarded<'a> {
    inner: Box<dyn Read + Send + 'a>,
    format: &'static str,
    read_bytes: Arc<AtomicU64>,
    expanded_bytes: u64,
    most: u64,
    ratio: u64,
}

impl Read for Guarded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A large buffer is not filled at once, so that the guard looks often.
        let length = into.len().min(STEP_BYTES);
        let into = into.get_mut(..length).unwrap_or_default();
        let count = self.inner.read(into).map_err(|error| match error.downcast::<TableError>() {
            Ok(own) => own.into(),
            Err(other) => io::Error::from(TableError::Malformed { format: self.format, reason: other.to_string() }),
        })?;
        self.expanded_bytes += count as u64;
        let read_bytes = self.read_bytes.load(Ordering::Relaxed);
        let limit_bytes = self.most.min(read_bytes.saturating_mul(self.ratio).saturating_add(SLACK_BYTES));
        if self.expanded_bytes > limit_bytes {
            return Err(TableError::Expansion { read_bytes, expanded_bytes: self.expanded_bytes, limit_bytes }.into());
        }
        Ok(count)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(compression: Compression, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, TableError> {
        let mut plain = Vec::new();
        let mut reader = compression.expand(bytes, limits)?;
        reader.read_to_end(&mut plain).map_err(TableError::from_reader)?;
        Ok(plain)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn given_several_members_or_frames_when_they_are_read_then_all_of_them_come() {
        let limits = Limits::default();
        let members = [gzip(b"one,"), gzip(b"two")].concat();
        assert_eq!(read(Compression::of(&members), &members, &limits).unwrap(), b"one,two");
        let frames = [zstd::encode_all(&b"one,"[..], 3).unwrap(), zstd::encode_all(&b"two"[..], 3).unwrap()].concat();
        assert_eq!(read(Compression::of(&frames), &frames, &limits).unwrap(), b"one,two");
    }

    #[test]
    fn given_a_bomb_when_it_is_read_then_it_is_refused_by_its_ratio() {
        let bomb = zstd::encode_all(io::repeat(0).take(256 << 20), 3).unwrap();
        let refused = read(Compression::Zstd, &bomb, &Limits::default());
        assert!(matches!(refused, Err(TableError::Expansion { expanded_bytes, .. }) if expanded_bytes < 80 << 20));
    }

    #[test]
    fn given_more_than_the_absolute_limit_when_it_is_read_then_it_is_refused() {
        let limits = Limits { expanded_bytes: 1000, ..Limits::default() };
        let refused = read(Compression::Gzip, &gzip(&[7; 2000]), &limits);
        assert!(matches!(refused, Err(TableError::Expansion { limit_bytes: 1000, .. })));
    }

    #[test]
    fn given_a_stream_that_is_cut_off_when_it_is_read_then_it_is_malformed() {
        let whole = gzip(b"some text that is long enough");
        let refused = read(Compression::Gzip, &whole[..whole.len() - 6], &Limits::default());
        assert!(matches!(refused, Err(TableError::Malformed { format: "gzip", .. })));
    }
}
