//! Range queries and their cursors.

use mandi_core::ports::{Condition, Order, Partition, Query, Range};

use super::{Fixture, fresh_partition, record};

const SORTS: [&str; 8] = ["a", "a/1", "a/2", "a0", "b", "b/1", "ब", "🌾"];

async fn filled(fixture: &Fixture) -> Partition {
    let partition = fresh_partition();
    for sort in SORTS.iter().rev() {
        fixture.store.put(record(&partition, sort), Condition::Always).await.unwrap();
    }
    partition
}

/// The sort keys of one page that is large enough for all.
async fn sorts(fixture: &Fixture, query: Query) -> Vec<String> {
    let page = fixture.store.query(query).await.unwrap();
    assert_eq!(page.next, None, "all records fit into one page");
    page.records.into_iter().map(|record| record.key.sort).collect()
}

/// Ascending and descending, and nothing of another partition.
pub async fn a_query_reads_its_partition_in_the_order_of_bytes_both_ways(fixture: &Fixture) {
    let partition = filled(fixture).await;
    filled(fixture).await;

    assert_eq!(sorts(fixture, Query::all(partition.clone())).await, SORTS);

    let descending = Query { order: Order::Descending, ..Query::all(partition) };
    let mut expected = SORTS;
    expected.reverse();
    assert_eq!(sorts(fixture, descending).await, expected);
}

/// The prefix is of text, not of parts, and may be empty.
pub async fn a_query_by_prefix_reads_only_what_begins_with_it(fixture: &Fixture) {
    let partition = filled(fixture).await;
    for (prefix, expected) in
        [("a/", &SORTS[1..3]), ("a", &SORTS[0..4]), ("🌾", &SORTS[7..]), ("c", &[]), ("", &SORTS[..])]
    {
        for order in [Order::Ascending, Order::Descending] {
            let range = Range::Prefix(prefix.to_owned());
            let mut found = sorts(fixture, Query { range, order, ..Query::all(partition.clone()) }).await;
            if order == Order::Descending {
                found.reverse();
            }
            assert_eq!(found, expected, "{prefix:?} {order:?}");
        }
    }
}

/// Bounds need not be keys that exist; an empty or turned-round range holds nothing.
pub async fn a_query_between_two_keys_includes_both(fixture: &Fixture) {
    let partition = filled(fixture).await;
    for (from, to, expected) in [
        ("a/1", "b", &SORTS[1..5]),
        ("a/", "a~", &SORTS[1..4]),
        ("", "a", &SORTS[0..1]),
        ("b", "b", &SORTS[4..5]),
        ("b", "a", &[]),
    ] {
        for order in [Order::Ascending, Order::Descending] {
            let range = Range::Between(from.to_owned(), to.to_owned());
            let mut found = sorts(fixture, Query { range, order, ..Query::all(partition.clone()) }).await;
            if order == Order::Descending {
                found.reverse();
            }
            assert_eq!(found, expected, "{from:?}..={to:?} {order:?}");
        }
    }
}

/// For every page size, range and order, the pages put together are the whole.
pub async fn pages_follow_each_other_without_gap_or_repetition(fixture: &Fixture) {
    let partition = filled(fixture).await;
    for range in [Range::All, Range::Prefix("a".to_owned()), Range::Between("a/2".to_owned(), "ब".to_owned())] {
        for order in [Order::Ascending, Order::Descending] {
            let whole = Query { range: range.clone(), order, ..Query::all(partition.clone()) };
            let expected = sorts(fixture, whole.clone()).await;
            for limit in [1, 3] {
                let mut found = Vec::new();
                let mut after = None;
                loop {
                    let page = fixture.store.query(Query { limit, after, ..whole.clone() }).await.unwrap();
                    assert!(page.records.len() <= limit);
                    found.extend(page.records.into_iter().map(|record| record.key.sort));
                    let Some(next) = page.next else { break };
                    after = Some(next);
                }
                assert_eq!(found, expected, "{range:?} {order:?} {limit}");
            }
        }
    }
}

/// Before the range it starts at its beginning; behind it nothing is left. It need not exist.
pub async fn a_cursor_outside_the_range_is_no_error(fixture: &Fixture) {
    let partition = filled(fixture).await;
    let range = Range::Prefix("b".to_owned());
    for (after, order, expected) in [
        ("a", Order::Ascending, vec!["b", "b/1"]),
        ("c", Order::Ascending, vec![]),
        ("b/0", Order::Ascending, vec!["b/1"]),
        ("c", Order::Descending, vec!["b/1", "b"]),
        ("a", Order::Descending, vec![]),
        ("b/0", Order::Descending, vec!["b"]),
    ] {
        let query =
            Query { range: range.clone(), order, after: Some(after.to_owned()), ..Query::all(partition.clone()) };
        assert_eq!(sorts(fixture, query).await, expected, "after {after:?} {order:?}");
    }
}

/// No records, no cursor.
pub async fn a_query_of_an_empty_partition_is_an_empty_page(fixture: &Fixture) {
    assert!(sorts(fixture, Query::all(fresh_partition())).await.is_empty());
}

/// The rest stays.
pub async fn a_deleted_record_is_gone_from_queries(fixture: &Fixture) {
    let partition = filled(fixture).await;
    fixture.store.delete(&record(&partition, SORTS[2]).key, Condition::Always).await.unwrap();

    let expected: Vec<_> = SORTS.iter().filter(|sort| **sort != SORTS[2]).collect();
    assert_eq!(sorts(fixture, Query::all(partition)).await.iter().collect::<Vec<_>>(), expected);
}

/// Reads are consistent.
pub async fn a_query_sees_a_write_that_finished_before_it(fixture: &Fixture) {
    let partition = fresh_partition();
    for count in 1..=10 {
        fixture.store.put(record(&partition, &format!("{count:02}")), Condition::Always).await.unwrap();
        assert_eq!(sorts(fixture, Query::all(partition.clone())).await.len(), count);
    }
}
