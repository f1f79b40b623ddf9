//! Transactions.
//!
//! A token is a record of its own, written in the same transaction on the condition that it is absent. So a
//! repeated call is known by the table itself. DynamoDB's own tokens would not do: they compare the whole
//! request, and ours say the time, by which they judge what is expired.

use std::time::Duration;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use mandi_core::Timestamp;
use mandi_core::ports::limits::{MalformedTransaction, digest_of_writes};
use mandi_core::ports::{Condition, Key, Partition, Record, Records, RecordsError, Value, Write};

use super::expression::{self, Conditions, Placeholders};
use super::fault::{cancelled, fault};
use super::item;
use super::{DynamoRecords, MOST_TRIES};

/// How long a token is remembered: as long as DynamoDB remembers its own.
const TOKEN_KEPT: Duration = Duration::from_secs(600);

/// The field that holds the digest of the writes that were done under a token.
const DIGEST: &str = "digest";

const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// Does all writes or none. They were checked for size and shape.
pub async fn transact(store: &DynamoRecords, writes: &[Write], token: Option<&str>) -> Result<(), RecordsError> {
    if writes.is_empty() {
        return Ok(());
    }
    let digest = digest_of_writes(writes);
    for _ in 0..MOST_TRIES {
        let now = store.clock.now();
        let mut sent =
            writes.iter().map(|write| request(store, write, store.now_s())).collect::<Result<Vec<_>, _>>()?;
        if let Some(token) = token {
            sent.push(request(store, &token_write(token, &digest, now), store.now_s())?);
        }
        let answer = store.client.transact_write_items().set_transact_items(Some(sent)).send().await;
        let reasons = match answer {
            Ok(_) => return Ok(()),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().to_vec()
                }
                _ => return Err(fault(error)),
            },
        };
        if let Some(token) = token
            && reasons.get(writes.len()).is_some_and(|reason| reason.code() == Some(CONDITION_FAILED))
        {
            match done_under(store, token).await? {
                Some(done) if done == digest => return Ok(()),
                Some(_) => {
                    let reason = MalformedTransaction("its token was used with other writes".to_owned());
                    return Err(RecordsError::Unavailable(Box::new(reason)));
                }
                // It ran out since.
                None => continue,
            }
        }
        for key in expired_behind(writes, &reasons, store.now_s())? {
            store.remove_expired(key).await?;
        }
    }
    Err(RecordsError::Contended)
}

/// The keys of the expired items that updates would have built on, when nothing else stood in the way: they
/// are removed, and the transaction is sent again.
fn expired_behind<'a>(
    writes: &'a [Write],
    reasons: &[CancellationReason],
    now_s: i64,
) -> Result<Vec<&'a Key>, RecordsError> {
    let mut expired = Vec::new();
    let mut other = None;
    for (place, (write, reason)) in writes.iter().zip(reasons).enumerate() {
        match reason.code().unwrap_or("None") {
            "None" => {}
            CONDITION_FAILED => match write {
                Write::Update(key, _, condition)
                    if condition.holds(None) && reason.item().is_some_and(|found| item::is_expired(found, now_s)) =>
                {
                    expired.push(key);
                }
                _ => return Err(RecordsError::ConditionFailed { write: place }),
            },
            code => other = other.or_else(|| Some(cancelled(code, reason.message().unwrap_or_default()))),
        }
    }
    match other {
        Some(error) => Err(error),
        None if expired.is_empty() => Err(cancelled("Unknown", "no reason was given")),
        None => Ok(expired),
    }
}

fn token_key(token: &str) -> Key {
    Key::new(Partition::of_platform(&["transaction-tokens", token]), "")
}

fn token_write(token: &str, digest: &[u8; 32], now: Timestamp) -> Write {
    let mut record = Record::new(token_key(token)).expiring(now.plus(TOKEN_KEPT));
    record.fields.insert(DIGEST.to_owned(), Value::Bytes(digest.to_vec()));
    Write::Put(record, Condition::Absent)
}

async fn done_under(store: &DynamoRecords, token: &str) -> Result<Option<Vec<u8>>, RecordsError> {
    let found = store.get(&token_key(token)).await?;
    Ok(found.and_then(|mut record| match record.fields.remove(DIGEST) {
        Some(Value::Bytes(digest)) => Some(digest),
        _ => None,
    }))
}

fn request(store: &DynamoRecords, write: &Write, now_s: i64) -> Result<TransactWriteItem, RecordsError> {
    let mut placeholders = Placeholders::default();
    let item = TransactWriteItem::builder();
    let built = match write {
        Write::Put(record, condition) => {
            let condition = Conditions { placeholders: &mut placeholders, now_s }.of(condition);
            Put::builder()
                .table_name(&store.table)
                .set_item(Some(item::item(record)?))
                .set_condition_expression(condition)
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values())
                .build()
                .map(|put| item.put(put))
        }
        Write::Update(key, update, condition) => {
            let condition = Conditions { placeholders: &mut placeholders, now_s }.of_update(condition);
            let update = expression::update(update, &mut placeholders);
            Update::builder()
                .table_name(&store.table)
                .set_key(Some(item::key_item(key)?))
                .update_expression(update)
                .set_condition_expression(condition)
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build()
                .map(|update| item.update(update))
        }
        Write::Delete(key, condition) => {
            let condition = Conditions { placeholders: &mut placeholders, now_s }.of(condition);
            Delete::builder()
                .table_name(&store.table)
                .set_key(Some(item::key_item(key)?))
                .set_condition_expression(condition)
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values())
                .build()
                .map(|delete| item.delete(delete))
        }
        Write::Check(key, condition) => {
            let condition = Conditions { placeholders: &mut placeholders, now_s }.of_check(condition);
            ConditionCheck::builder()
                .table_name(&store.table)
                .set_key(Some(item::key_item(key)?))
                .condition_expression(condition)
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values())
                .build()
                .map(|check| item.condition_check(check))
        }
    };
    Ok(built.map_err(|error| RecordsError::Unavailable(Box::new(error)))?.build())
}
