//! Keys of awkward bytes.

use mandi_core::ports::{Condition, Key, Partition, Query, Record};

use super::{Fixture, fresh_partition, record};
use crate::tenant;

/// In the order of their bytes.
const AWKWARD: [&str; 20] = [
    "",
    "\0",
    "\0a",
    "\u{1}",
    "\n",
    " ",
    "\"",
    "#",
    "%",
    "%00",
    "%2F",
    ".",
    "..",
    "../..",
    "/",
    "a",
    "a\0",
    "\\",
    "अनुबंध",
    "🌾",
];

/// Each is another record, is found by its key, and comes in the order of bytes.
pub async fn sort_keys_of_awkward_bytes_are_told_apart_and_kept_in_order(fixture: &Fixture) {
    let partition = fresh_partition();
    for sort in AWKWARD {
        fixture.store.put(record(&partition, sort).with("name", sort), Condition::Absent).await.unwrap();
    }
    for sort in AWKWARD {
        let found = fixture.store.get(&record(&partition, sort).key).await.unwrap();
        assert_eq!(found.unwrap().text("name"), Some(sort), "{sort:?}");
    }
    let mut expected = AWKWARD;
    expected.sort_unstable();
    let page = fixture.store.query(Query::all(partition.clone())).await.unwrap();
    assert_eq!(page.records.iter().map(|record| record.key.sort.as_str()).collect::<Vec<_>>(), expected);

    for (place, sort) in expected.iter().enumerate() {
        let query = Query { after: Some((*sort).to_owned()), ..Query::all(partition.clone()) };
        let page = fixture.store.query(query).await.unwrap();
        assert_eq!(page.records.len(), expected.len() - place - 1, "after {sort:?}");
    }
}

/// Parts with separators in them, and tenants of which one's name begins with the other's.
pub async fn partitions_of_awkward_parts_do_not_mix(fixture: &Fixture) {
    let case = fresh_partition();
    let case = case.as_str();
    let partitions = [
        Partition::of(&tenant("acme"), &[case, "a", "b"]),
        Partition::of(&tenant("acme"), &[case, "a/b"]),
        Partition::of(&tenant("acme"), &[case, "a%2Fb"]),
        Partition::of(&tenant("acme"), &[case, "a", ""]),
        Partition::of(&tenant("acme"), &[case, "a"]),
        Partition::of(&tenant("acme"), &[case, "a\0"]),
        Partition::of(&tenant("acme"), &[case, "..", "acme-2"]),
        Partition::of(&tenant("acme-2"), &[case, "a"]),
        Partition::of_platform(&["acme", case, "a"]),
    ];
    for (number, partition) in (0_i64..).zip(&partitions) {
        let record = Record::new(Key::new(partition.clone(), "k")).with("n", number);
        fixture.store.put(record, Condition::Absent).await.unwrap();
    }
    for (number, partition) in (0_i64..).zip(&partitions) {
        let page = fixture.store.query(Query::all(partition.clone())).await.unwrap();
        let numbers: Vec<_> = page.records.iter().map(|record| record.int("n")).collect();
        assert_eq!(numbers, [Some(number)], "{partition:?}");
    }
}
