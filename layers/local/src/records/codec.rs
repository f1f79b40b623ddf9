//! How a record lies in the database.
//!
//! One byte of format (1); the end in seconds since the epoch, `i64::MAX` for never; the number of fields;
//! for each its name, a byte of type and the value. Numbers are little-endian, lengths are `u32`.

use mandi_core::Timestamp;
use mandi_core::ports::{Fields, Key, Record, Value};

use super::fault::Fault;

const FORMAT: u8 = 1;
const NEVER: i64 = i64::MAX;

const TEXT: u8 = 0;
const INT: u8 = 1;
const BOOL: u8 = 2;
const BYTES: u8 = 3;

/// The second from which on a record is absent.
pub fn end_of(record: &Record) -> Option<i64> {
    record.expires_at.map(Timestamp::unix_s_ceil)
}

/// A record with its end as the store keeps it.
pub fn with_stored_end(mut record: Record) -> Record {
    record.expires_at = end_of(&record).map(|second| Timestamp::from_unix_ms(second.saturating_mul(1000)));
    record
}

/// Writes a record without its key.
pub fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(record.size_bytes() + 16 + record.fields.len() * 16);
    bytes.push(FORMAT);
    bytes.extend(end_of(record).unwrap_or(NEVER).to_le_bytes());
    push_length(&mut bytes, record.fields.len());
    for (name, value) in &record.fields {
        push_block(&mut bytes, name.as_bytes());
        match value {
            Value::Text(text) => {
                bytes.push(TEXT);
                push_block(&mut bytes, text.as_bytes());
            }
            Value::Int(number) => {
                bytes.push(INT);
                bytes.extend(number.to_le_bytes());
            }
            Value::Bool(flag) => bytes.extend([BOOL, u8::from(*flag)]),
            Value::Bytes(content) => {
                bytes.push(BYTES);
                push_block(&mut bytes, content);
            }
        }
    }
    bytes
}

fn push_block(bytes: &mut Vec<u8>, block: &[u8]) {
    push_length(bytes, block.len());
    bytes.extend(block);
}

/// A record has at most 400 KB, so that no length in it comes near `u32::MAX`.
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

/// Reads only the end.
pub fn decode_end(bytes: &[u8]) -> Result<Option<i64>, Fault> {
    let mut reader = Reader(bytes);
    reader.end().ok_or_else(unreadable)
}

/// Reads a record.
pub fn decode(key: Key, bytes: &[u8]) -> Result<Record, Fault> {
    let mut reader = Reader(bytes);
    let end = reader.end().ok_or_else(unreadable)?;
    let fields = reader.fields().ok_or_else(unreadable)?;
    let expires_at = end.map(|second| Timestamp::from_unix_ms(second.saturating_mul(1000)));
    Ok(Record { key, fields, expires_at })
}

fn unreadable() -> Fault {
    Fault::Broken("a record is damaged, or of a format that this version does not read".to_owned())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).ok()?)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.block()?.to_vec()).ok()
    }

    fn end(&mut self) -> Option<Option<i64>> {
        let [FORMAT] = self.array()? else { return None };
        let second = i64::from_le_bytes(self.array()?);
        Some((second != NEVER).then_some(second))
    }

    fn fields(&mut self) -> Option<Fields> {
        let count = u32::from_le_bytes(self.array()?);
        let mut fields = Fields::new();
        for _ in 0..count {
            let name = self.text()?;
            let [kind] = self.array()?;
            let value = match kind {
                TEXT => Value::Text(self.text()?),
                INT => Value::Int(i64::from_le_bytes(self.array()?)),
                BOOL => Value::Bool(self.array()? == [1]),
                BYTES => Value::Bytes(self.block()?.to_vec()),
                _ => return None,
            };
            fields.insert(name, value);
        }
        self.0.is_empty().then_some(fields)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use mandi_core::TenantId;
    use mandi_core::ports::Partition;

    use super::*;

    fn record() -> Record {
        let key = Key::new(Partition::of(&TenantId::from_stored("demo").unwrap(), &["x"]), "k");
        let mut record = Record::new(key).with("flag", true).with("n", -2).with("t", "दर");
        record.fields.insert("b".to_owned(), Value::Bytes(vec![0, 255]));
        record.expiring(Timestamp::from_unix_ms(1_795_254_600_123))
    }

    /// Written by the first version of this format. It has to be read for ever.
    const FORMAT_1: &str = "014969016b0000000004000000010000006203020000000\
                            0ff04000000666c61670201010000006e01feffffffffffffff010000007400\
                            06000000e0a4a6e0a4b0";

    fn stored() -> Vec<u8> {
        let digits: Vec<_> = FORMAT_1.as_bytes().chunks(2).collect();
        digits.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn the_first_format_is_still_read_and_written() {
        assert_eq!(decode(record().key, &stored()).unwrap(), with_stored_end(record()));
        assert_eq!(encode(&record()), stored());
    }

    #[test]
    fn a_record_without_an_end_has_none() {
        let record = Record { expires_at: None, ..record() };
        let bytes = encode(&record);
        assert_eq!(decode_end(&bytes).unwrap(), None);
        assert_eq!(decode(record.key.clone(), &bytes).unwrap(), record);
    }

    #[test]
    fn every_cut_and_every_longer_text_is_noticed() {
        let bytes = stored();
        for length in 0..bytes.len() {
            assert!(decode(record().key, &bytes[..length]).is_err(), "cut at {length}");
        }
        assert!(decode(record().key, &[&bytes[..], &[0]].concat()).is_err());
    }
}
