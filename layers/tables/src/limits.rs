//! What an input may ask of us.

/// Bounds of memory and time. An input that goes beyond them is refused with the bound in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest record (a CSV record with its quoted newlines, a JSON line) in bytes. A longer one fails alone.
    pub record_bytes: usize,
    /// The most columns that an input may have.
    pub columns: usize,
    /// The most shards that a plan may have.
    pub shards: usize,
    /// The most bytes that a compressed input may expand to.
    pub expanded_bytes: u64,
    /// How many times larger than what was read of it a compressed input may become, beyond 64 MiB.
    pub expansion_ratio: u64,
    /// The longest footer of a Parquet file in bytes.
    pub footer_bytes: usize,
    /// The largest page of a Parquet file in bytes, when it is decompressed.
    pub page_bytes: usize,
}

impl Default for Limits {
    /// Records of 1 MiB, 16,384 columns, 10,000 shards (what a Distributed Map runs side by side), 64 GiB expanded,
    /// 200 times the compressed size, 64 MiB for the footer and for a page.
    fn default() -> Self {
        Self {
            record_bytes: 1 << 20,
            columns: 16_384,
            shards: 10_000,
            expanded_bytes: 64 << 30,
            expansion_ratio: 200,
            footer_bytes: 64 << 20,
            page_bytes: 64 << 20,
        }
    }
}
