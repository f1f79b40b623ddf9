//! Range queries over one partition.

use std::ops::Bound;

use mandi_core::ports::{Key, Order, Page, Query, Range, Record};
use redb::{AccessGuard, ReadOnlyTable, StorageError};

use super::codec::{decode, decode_end};
use super::fault::Fault;
use super::tables::{in_partition, is_live};

type Records = ReadOnlyTable<(&'static str, &'static [u8]), &'static [u8]>;
type Entry<'a> = Result<(AccessGuard<'a, (&'static str, &'static [u8])>, AccessGuard<'a, &'static [u8]>), StorageError>;

/// Reads one page. Expired records count neither as records nor towards the limit.
pub fn page(records: &Records, query: &Query, now_s: i64) -> Result<Page, Fault> {
    let limit = query.limit.max(1);
    let mut page = Page::default();
    let Some(bounds) = Bounds::of(query) else { return Ok(page) };
    // The smallest text behind the partition's name: where its neighbour begins.
    let behind = format!("{}\0", query.partition.as_str());
    let from = match &bounds.from {
        Bound::Included(sort) => Bound::Included(in_partition(&query.partition, sort)),
        Bound::Excluded(sort) => Bound::Excluded(in_partition(&query.partition, sort)),
        Bound::Unbounded => Bound::Included(in_partition(&query.partition, &[])),
    };
    let to = match &bounds.to {
        Bound::Included(sort) => Bound::Included(in_partition(&query.partition, sort)),
        Bound::Excluded(sort) => Bound::Excluded(in_partition(&query.partition, sort)),
        Bound::Unbounded => Bound::Excluded((behind.as_str(), &[][..])),
    };
    let entries = records.range::<(&str, &[u8])>((from, to))?;
    let entries: Box<dyn Iterator<Item = Entry<'_>>> = match query.order {
        Order::Ascending => Box::new(entries),
        Order::Descending => Box::new(entries.rev()),
    };
    for entry in entries {
        let (key, value) = entry?;
        if !is_live(decode_end(value.value())?, now_s) {
            continue;
        }
        if page.records.len() == limit {
            page.next = page.records.last().map(|record: &Record| record.key.sort.clone());
            break;
        }
        let sort = String::from_utf8_lossy(key.value().1).into_owned();
        page.records.push(decode(Key::new(query.partition.clone(), sort), value.value())?);
    }
    Ok(page)
}

/// The sort keys that a query reads: those of its range that lie behind its cursor.
struct Bounds {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

impl Bounds {
    /// `None` when there are none.
    fn of(query: &Query) -> Option<Self> {
        let (mut from, mut to) = match &query.range {
            Range::All => (Bound::Unbounded, Bound::Unbounded),
            Range::Prefix(prefix) => (Bound::Included(prefix.clone().into_bytes()), behind_prefix(prefix)),
            Range::Between(from, to) => {
                (Bound::Included(from.clone().into_bytes()), Bound::Included(to.clone().into_bytes()))
            }
        };
        if let Some(after) = &query.after {
            let after = after.as_bytes();
            match query.order {
                Order::Ascending if lies_inside(after, &from, true) => from = Bound::Excluded(after.to_vec()),
                Order::Descending if lies_inside(after, &to, false) => to = Bound::Excluded(after.to_vec()),
                _ => {}
            }
        }
        let empty = match (&from, &to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        };
        (!empty).then_some(Self { from, to })
    }
}

/// Whether a cursor is a narrower bound than this one: not below a lower one, not above an upper one.
fn lies_inside(cursor: &[u8], bound: &Bound<Vec<u8>>, lower: bool) -> bool {
    match bound {
        Bound::Unbounded => true,
        Bound::Included(sort) | Bound::Excluded(sort) if lower => cursor >= sort.as_slice(),
        Bound::Included(sort) | Bound::Excluded(sort) => cursor <= sort.as_slice(),
    }
}

/// The first bytes behind all that begin with a prefix. Its last byte can be counted up, since UTF-8 has no
/// byte 255.
fn behind_prefix(prefix: &str) -> Bound<Vec<u8>> {
    let mut bytes = prefix.as_bytes().to_vec();
    match bytes.last_mut() {
        Some(last) => {
            *last = last.saturating_add(1);
            Bound::Excluded(bytes)
        }
        None => Bound::Unbounded,
    }
}
