//! Records in one DynamoDB table.
//!
//! Reads are consistent. Expired items count as absent in every call; DynamoDB removes them in its own time.

mod expression;
mod fault;
mod item;
mod query;
mod transaction;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use mandi_core::Clock;
use mandi_core::ports::limits::{check_record, check_writes};
use mandi_core::ports::{Condition, Key, Page, Query, Record, Records, RecordsError, Update, Write};

use expression::{Conditions, Placeholders};
use fault::fault;
use item::Item;

/// How often a write begins again because of an expired item in its way; each time it is removed, so that
/// only another writer of items that are born expired can bring the next.
const MOST_TRIES: usize = 8;

/// The store of records in a table.
#[derive(Clone)]
pub struct DynamoRecords {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for DynamoRecords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DynamoRecords({})", self.table)
    }
}

impl DynamoRecords {
    /// The store in `table`: its key is `pk` and `sk`, both text; its time to live is in `expires_at`.
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self { client, table: table.into(), clock }
    }

    fn now_s(&self) -> i64 {
        self.clock.now().unix_ms().div_euclid(1000)
    }

    /// Removes an item that is expired, unless somebody wrote it again.
    async fn remove_expired(&self, key: &Key) -> Result<(), RecordsError> {
        let mut placeholders = Placeholders::default();
        let expired = Conditions { placeholders: &mut placeholders, now_s: self.now_s() }.expired();
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item::key_item(key)?))
            .set_condition_expression(expired)
            .set_expression_attribute_names(placeholders.names())
            .set_expression_attribute_values(placeholders.values())
            .send()
            .await;
        match answer {
            Err(error) if !is_refused_delete(&error) => Err(fault(error)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Records for DynamoRecords {
    async fn get(&self, key: &Key) -> Result<Option<Record>, RecordsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key_item(key)?))
            .consistent_read(true)
            .send()
            .await
            .map_err(fault)?;
        let live = answer.item.filter(|found| !item::is_expired(found, self.now_s()));
        live.map(|found| item::record(&key.partition, found)).transpose()
    }

    async fn put(&self, record: Record, condition: Condition) -> Result<(), RecordsError> {
        check_record(&record)?;
        let mut placeholders = Placeholders::default();
        let condition = Conditions { placeholders: &mut placeholders, now_s: self.now_s() }.of(&condition);
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::item(&record)?))
            .set_condition_expression(condition)
            .set_expression_attribute_names(placeholders.names())
            .set_expression_attribute_values(placeholders.values())
            .send()
            .await;
        answer.map(drop).map_err(|error| match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => RecordsError::ConditionFailed { write: 0 },
            _ => fault(error),
        })
    }

    async fn update(&self, key: &Key, update: Update, condition: Condition) -> Result<Record, RecordsError> {
        let stored_key = item::key_item(key)?;
        for _ in 0..MOST_TRIES {
            let mut placeholders = Placeholders::default();
            let now_s = self.now_s();
            let guarded = Conditions { placeholders: &mut placeholders, now_s }.of_update(&condition);
            let changes = expression::update(&update, &mut placeholders);
            let answer = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(stored_key.clone()))
                .update_expression(changes)
                .set_condition_expression(guarded)
                .set_expression_attribute_names(placeholders.names())
                .set_expression_attribute_values(placeholders.values())
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            let found = match answer {
                Ok(answer) => return item::record(&key.partition, answer.attributes.unwrap_or_default()),
                Err(error) => refused_update(error)?,
            };
            let expired = found.is_some_and(|found| item::is_expired(&found, now_s));
            if !expired || !condition.holds(None) {
                return Err(RecordsError::ConditionFailed { write: 0 });
            }
            self.remove_expired(key).await?;
        }
        Err(RecordsError::Contended)
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), RecordsError> {
        let mut placeholders = Placeholders::default();
        let condition = Conditions { placeholders: &mut placeholders, now_s: self.now_s() }.of(&condition);
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(item::key_item(key)?))
            .set_condition_expression(condition)
            .set_expression_attribute_names(placeholders.names())
            .set_expression_attribute_values(placeholders.values())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_refused_delete(&error) => Err(RecordsError::ConditionFailed { write: 0 }),
            Err(error) => Err(fault(error)),
        }
    }

    async fn query(&self, query: Query) -> Result<Page, RecordsError> {
        query::page(&self.client, &self.table, &query, self.now_s()).await
    }

    async fn transact(&self, writes: Vec<Write>, token: Option<&str>) -> Result<(), RecordsError> {
        check_writes(&writes, token)?;
        transaction::transact(self, &writes, token).await
    }
}

fn is_refused_delete<R>(error: &SdkError<DeleteItemError, R>) -> bool {
    error.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception)
}

/// The item that an update's condition failed on, if there is one; other errors as they are.
fn refused_update<R>(error: SdkError<UpdateItemError, R>) -> Result<Option<Item>, RecordsError>
where
    R: fmt::Debug + Send + Sync + 'static,
{
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => Ok(refused.item().cloned()),
        _ => Err(fault(error)),
    }
}
