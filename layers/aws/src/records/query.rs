//! Range queries.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use mandi_core::ports::{Key, Order, Page, Query, Range, RecordsError};

use super::expression::{Conditions, Placeholders};
use super::fault::fault;
use super::item::{self, Item, PARTITION, SORT, stored_sort};

/// How many calls one page may take, where expired items fill the table's pages.
const MOST_CALLS: usize = 16;

/// How many items a call reads at least, once a page was found to hold expired ones.
const READ_AT_ONCE: usize = 100;

/// Reads one page.
pub async fn page(client: &Client, table: &str, query: &Query, now_s: i64) -> Result<Page, RecordsError> {
    let limit = query.limit.max(1);
    let mut page = Page::default();
    let mut start = match start(query) {
        Start::Nowhere => return Ok(page),
        Start::Beginning => None,
        Start::After(sort) => Some(item::key_item(&Key::new(query.partition.clone(), sort))?),
    };
    let mut placeholders = Placeholders::default();
    let keys = key_condition(query, &mut placeholders);
    let unexpired = Conditions { placeholders: &mut placeholders, now_s }.unexpired();
    for call in 0..MOST_CALLS {
        // One more than asked for, to know whether there are more.
        let missing = limit + 1 - page.records.len();
        let read = if call == 0 { missing } else { missing.max(READ_AT_ONCE) };
        let answer = client
            .query()
            .table_name(table)
            .consistent_read(true)
            .key_condition_expression(&keys)
            .set_filter_expression(unexpired.clone())
            .set_expression_attribute_names(placeholders.names())
            .set_expression_attribute_values(placeholders.values())
            .scan_index_forward(query.order == Order::Ascending)
            .limit(i32::try_from(read).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(fault)?;
        for found in answer.items.unwrap_or_default() {
            page.records.push(item::record(&query.partition, found)?);
        }
        start = answer.last_evaluated_key.filter(|key: &Item| !key.is_empty());
        if page.records.len() > limit {
            page.records.truncate(limit);
            page.next = page.records.last().map(|record| record.key.sort.clone());
            return Ok(page);
        }
        if start.is_none() {
            return Ok(page);
        }
    }
    page.next = start.as_ref().map(item::sort_in).transpose()?;
    Ok(page)
}

fn key_condition(query: &Query, placeholders: &mut Placeholders) -> String {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let partition = placeholders.name(PARTITION);
    let partition = format!("{partition} = {}", placeholders.value(text(query.partition.as_str())));
    match &query.range {
        Range::Prefix(prefix) if !prefix.is_empty() => {
            let sort = placeholders.name(SORT);
            let prefix = placeholders.value(text(&stored_prefix(prefix)));
            format!("{partition} AND begins_with({sort}, {prefix})")
        }
        Range::All | Range::Prefix(_) => partition,
        Range::Between(from, to) => {
            let sort = placeholders.name(SORT);
            let from = placeholders.value(text(&stored_sort(from)));
            let to = placeholders.value(text(&stored_sort(to)));
            format!("{partition} AND {sort} BETWEEN {from} AND {to}")
        }
    }
}

/// The stored sort keys that begin with this are those that begin with the prefix, which is not empty.
fn stored_prefix(prefix: &str) -> String {
    stored_sort(prefix)
}

/// Where a query begins.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    Beginning,
    After(String),
    /// The range is empty, or the cursor lies behind it.
    Nowhere,
}

/// DynamoDB refuses a turned-round range and a cursor outside of the range; the port does not.
fn start(query: &Query) -> Start {
    if matches!(&query.range, Range::Between(from, to) if from > to) {
        return Start::Nowhere;
    }
    let Some(after) = &query.after else { return Start::Beginning };
    let (before, behind) = match &query.range {
        Range::All => (false, false),
        Range::Prefix(prefix) if after.starts_with(prefix) => (false, false),
        Range::Prefix(prefix) => (after < prefix, after > prefix),
        Range::Between(from, to) => (after < from, after > to),
    };
    match (before, behind, query.order) {
        (false, false, _) => Start::After(after.clone()),
        (true, _, Order::Ascending) | (_, true, Order::Descending) => Start::Beginning,
        _ => Start::Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use mandi_core::ports::Partition;

    use super::*;

    fn starts(range: &Range, after: &str) -> [Start; 2] {
        [Order::Ascending, Order::Descending].map(|order| {
            let all = Query::all(Partition::of_platform(&["x"]));
            start(&Query { range: range.clone(), order, after: Some(after.to_owned()), ..all })
        })
    }

    #[test]
    fn a_cursor_inside_the_range_is_taken_as_it_is() {
        assert_eq!(
            starts(&Range::Prefix("b".to_owned()), "b7"),
            [Start::After("b7".into()), Start::After("b7".into())]
        );
    }

    #[test]
    fn a_cursor_outside_the_range_is_never_sent() {
        let range = Range::Between("b".to_owned(), "d".to_owned());
        assert_eq!(starts(&range, "a"), [Start::Beginning, Start::Nowhere]);
        assert_eq!(starts(&range, "e"), [Start::Nowhere, Start::Beginning]);
        assert_eq!(starts(&Range::Between("d".to_owned(), "b".to_owned()), "c"), [Start::Nowhere, Start::Nowhere]);
    }
}
