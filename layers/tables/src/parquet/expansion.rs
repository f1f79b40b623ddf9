//! A guard against pages that become larger than their headers say.
//!
//! The Parquet library decompresses gzip and frames of LZ4 to their ends, and compares sizes afterwards. So those pages
//! are decompressed here first, without keeping what comes out. The other codecs stop at the size in the header, which
//! [`super::source`] bounds.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use memchr::memmem;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;

/// The most places of a page at which compressed data may seem to begin. Of random bytes one in 130 million does.
const BEGINNINGS: usize = 8;

/// Which codecs of a file have to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Expansion {
    gzip: Codec,
    lz4: Codec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Codec {
    Used,
    #[default]
    Unused,
}

impl Expansion {
    /// What a file's columns are compressed by.
    pub(super) fn of(metadata: &ParquetMetaData) -> Self {
        let mut found = Self::default();
        for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            match column.compression() {
                Compression::GZIP(_) => found.gzip = Codec::Used,
                Compression::LZ4 => found.lz4 = Codec::Used,
                _ => {}
            }
        }
        found
    }

    /// Whether a page stays within a bound when it is decompressed. Where in it that begins depends on its header, so
    /// every place that may be one is tried.
    pub(super) fn is_within(self, page: &[u8], page_bytes: u64) -> bool {
        let gzip = |bytes: &[u8]| is_short(MultiGzDecoder::new(bytes), page_bytes);
        let lz4 = |bytes: &[u8]| is_short(FrameDecoder::new(bytes), page_bytes);
        (self.gzip == Codec::Unused || each_beginning(page, &[0x1f, 0x8b, 0x08], gzip))
            && (self.lz4 == Codec::Unused || each_beginning(page, &[0x04, 0x22, 0x4d, 0x18], lz4))
    }
}

/// Whether there are few beginnings, and all of them pass.
fn each_beginning(page: &[u8], magic: &[u8], passes: impl Fn(&[u8]) -> bool) -> bool {
    let mut left = BEGINNINGS;
    memmem::find_iter(page, magic).map(|place| page.get(place..).unwrap_or_default()).all(|bytes| {
        // The three highest flags of gzip are never set.
        let is_none = magic.first() == Some(&0x1f) && bytes.get(3).is_some_and(|flags| flags & 0xe0 != 0);
        if is_none {
            return true;
        }
        left = left.saturating_sub(1);
        left > 0 && passes(bytes)
    })
}

/// Whether a stream ends, well or badly, within so many bytes.
fn is_short(stream: impl Read, bytes: u64) -> bool {
    let mut stream = stream.take(bytes.saturating_add(1));
    let _ = io::copy(&mut stream, &mut io::sink());
    stream.limit() > 0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use std::io::Write as _;

    use super::*;

    const MOST: u64 = 1 << 20;

    fn gzip(bytes: usize) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![0; bytes]).unwrap();
        encoder.finish().unwrap()
    }

    fn lz4(bytes: usize) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(&vec![0; bytes]).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn given_a_page_that_expands_too_far_when_it_is_looked_at_then_it_is_refused_wherever_its_data_begins() {
        let all = Expansion { gzip: Codec::Used, lz4: Codec::Used };
        for compress in [gzip, lz4] {
            for levels in [0, 1, 77] {
                let page = |bytes| [vec![3; levels], compress(bytes)].concat();
                assert!(all.is_within(&page(1 << 20), MOST), "behind {levels} bytes of levels");
                assert!(!all.is_within(&page((1 << 20) + 1), MOST), "behind {levels} bytes of levels");
            }
        }
    }

    #[test]
    fn given_pages_of_other_codecs_when_they_are_looked_at_then_their_bytes_mean_nothing() {
        assert!(Expansion::default().is_within(&gzip(2 << 20), MOST));
    }
}
