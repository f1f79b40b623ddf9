//! Records in redb, one durable transaction for all writes that wait.

mod codec;
mod database;
mod fault;
mod query;
mod tables;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use mandi_core::Clock;
use mandi_core::ports::limits::{check_key, check_record, check_writes};
use mandi_core::ports::{Condition, Key, Page, Query, Record, Records, RecordsError, Update, Write};

use crate::data_dir::{DataDir, DataDirError};
use database::Database;
use fault::Fault;
use tables::RECORDS;
use writer::{Done, Work, Writer};

/// The most records that a sweep removes in one transaction, so that writes do not wait long.
const SWEPT_AT_ONCE: usize = 500;

/// The store of records in a data folder.
#[derive(Clone, Debug)]
pub struct RedbRecords(Arc<Store>);

// The writer comes first: it is dropped, and with it the last use of the database, before the folder's lock.
#[derive(Debug)]
struct Store {
    writer: Writer,
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    _data: Arc<DataDir>,
}

impl RedbRecords {
    /// Opens the store. After a crash this repairs the database, which takes longer the larger it is.
    ///
    /// # Errors
    /// [`DataDirError::InUse`], [`DataDirError::DamagedDatabase`] or [`DataDirError::Io`].
    pub fn open(data: &Arc<DataDir>, clock: Arc<dyn Clock>) -> Result<Self, DataDirError> {
        let path = data.records_file();
        let damaged = |reason: String| DataDirError::DamagedDatabase { path: path.clone(), reason };
        let database = Database::open(path.clone()).map_err(|error| match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
                DataDirError::InUse { folder: data.path().to_owned(), holder: "another process".to_owned() }
            }
            redb::Error::Io(source) => DataDirError::Io { path: path.clone(), source },
            error => damaged(error.to_string()),
        })?;
        database.make_tables().map_err(|fault| damaged(RecordsError::from(fault).to_string()))?;
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database), Arc::clone(&clock))
            .map_err(|source| DataDirError::Io { path: path.clone(), source })?;
        Ok(Self(Arc::new(Store { writer, database, clock, _data: Arc::clone(data) })))
    }

    /// Removes the records that have expired, and says how many. They count as absent before that too; this
    /// gives their room back.
    ///
    /// # Errors
    /// As for a write.
    pub async fn sweep(&self) -> Result<usize, RecordsError> {
        let mut swept = 0;
        loop {
            let Done::Swept(count) = self.0.writer.does(Work::Sweep(SWEPT_AT_ONCE)).await? else {
                return Ok(swept);
            };
            swept += count;
            if count < SWEPT_AT_ONCE {
                return Ok(swept);
            }
        }
    }

    /// Reads on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, i64) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let store = Arc::clone(&self.0);
        let now_s = store.clock.now().unix_ms().div_euclid(1000);
        let work = tokio::task::spawn_blocking(move || work(&store, now_s));
        Ok(work.await.map_err(|error| RecordsError::Unavailable(Box::new(error)))??)
    }

    async fn write(&self, writes: Vec<Write>, token: Option<String>) -> Result<Option<Record>, RecordsError> {
        match self.0.writer.does(Work::Writes { writes, token }).await? {
            Done::Written(record) => Ok(record),
            Done::Swept(_) => Ok(None),
        }
    }
}

#[async_trait]
impl Records for RedbRecords {
    async fn get(&self, key: &Key) -> Result<Option<Record>, RecordsError> {
        let key = key.clone();
        self.read(move |store, now_s| {
            store.database.read(|transaction| {
                let records = transaction.open_table(RECORDS)?;
                match records.get(tables::named(&key))? {
                    Some(found) if tables::is_live(codec::decode_end(found.value())?, now_s) => {
                        codec::decode(key.clone(), found.value()).map(Some)
                    }
                    _ => Ok(None),
                }
            })
        })
        .await
    }

    async fn put(&self, record: Record, condition: Condition) -> Result<(), RecordsError> {
        check_record(&record)?;
        self.write(vec![Write::Put(record, condition)], None).await.map(drop)
    }

    async fn update(&self, key: &Key, update: Update, condition: Condition) -> Result<Record, RecordsError> {
        check_key(key)?;
        let updated = self.write(vec![Write::Update(key.clone(), update, condition)], None).await?;
        updated.ok_or_else(|| RecordsError::Unavailable("an update left no record".into()))
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), RecordsError> {
        check_key(key)?;
        self.write(vec![Write::Delete(key.clone(), condition)], None).await.map(drop)
    }

    async fn query(&self, query: Query) -> Result<Page, RecordsError> {
        self.read(move |store, now_s| {
            store.database.read(|transaction| query::page(&transaction.open_table(RECORDS)?, &query, now_s))
        })
        .await
    }

    async fn transact(&self, writes: Vec<Write>, token: Option<&str>) -> Result<(), RecordsError> {
        check_writes(&writes, token)?;
        self.write(writes, token.map(str::to_owned)).await.map(drop)
    }
}
