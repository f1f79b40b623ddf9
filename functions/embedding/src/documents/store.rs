//! The records of documents: one each, by collection, in order of their ids; and notes of those that were sent and
//! are not there, because they wait or were refused.

use std::time::Duration;

use mandi_core::ports::{Condition, Key, Order, Partition, Query, Range, Record};
use mandi_core::{Result, Timestamp};
use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::IndexTable;

use super::{Document, DocumentStatus, Documents, Target};

/// Stands between the id and the type in a sort key, and in neither.
const SEPARATOR: char = '\u{1f}';

fn partition(table: &IndexTable) -> Partition {
    Partition::of(&table.tenant, &["documents", table.collection.as_str(), &table.made_at.unix_ms().to_string()])
}

/// The field of a note that says when its document was deleted.
const DELETED_AT: &str = "deleted_at";
/// How long a note is kept: longer than a job waits.
const NOTES_KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

fn notes(table: &IndexTable) -> Partition {
    Partition::of(&table.tenant, &["document-notes", table.collection.as_str(), &table.made_at.unix_ms().to_string()])
}

fn note_key(table: &IndexTable, document: &DocumentKey) -> Key {
    Key::new(notes(table), key(table, document).sort)
}

/// The key of a document's record.
pub(crate) fn key(table: &IndexTable, document: &DocumentKey) -> Key {
    Key::new(partition(table), format!("{}{SEPARATOR}{}", document.entity_id, document.entity_type))
}

impl Documents {
    /// A document, if it is there.
    pub(crate) async fn find(&self, table: &IndexTable, document: &DocumentKey) -> Result<Option<Document>> {
        match self.records.get(&key(table, document)).await? {
            Some(record) => Ok(Some(record.json("document")?)),
            None => Ok(None),
        }
    }

    /// A document, if it is there or was sent: with why it was refused last, if it was.
    pub(crate) async fn find_or_noted(&self, table: &IndexTable, document: &DocumentKey) -> Result<Option<Document>> {
        let noted = self.records.get(&note_key(table, document)).await?.filter(|note| note.int(DELETED_AT).is_none());
        let noted = noted.map(|record| record.json::<Document>("document")).transpose()?;
        Ok(match self.find(table, document).await? {
            Some(found) => Some(Document { error: noted.and_then(|noted| noted.error), ..found }),
            None => noted,
        })
    }

    /// When a document was deleted lately, if it was and was not sent again.
    pub(super) async fn deleted_at(&self, table: &IndexTable, document: &DocumentKey) -> Result<Option<Timestamp>> {
        let note = self.records.get(&note_key(table, document)).await?;
        Ok(note.and_then(|note| note.int(DELETED_AT)).map(Timestamp::from_unix_ms))
    }

    /// Notes that a document was deleted, for the jobs that still hold it.
    pub(super) async fn mark_deleted(&self, table: &IndexTable, document: &DocumentKey) -> Result<()> {
        let now = self.clock.now();
        let record = Record::new(note_key(table, document)).with(DELETED_AT, now).expiring(now.plus(NOTES_KEPT_FOR));
        Ok(self.records.put(record, Condition::Always).await?)
    }

    /// Notes that a document waits or was refused.
    pub(crate) async fn note(
        &self,
        target: &Target,
        document: &DocumentKey,
        status: DocumentStatus,
        error: Option<String>,
    ) -> Result<()> {
        let now = self.clock.now();
        let noted = Document {
            entity_type: document.entity_type.clone(),
            entity_id: document.entity_id.clone(),
            status,
            chunks: 0,
            title: None,
            content_sha256: None,
            updated_at: now,
            accepted_at: target.accepted_at,
            error,
        };
        let record = Record::new(note_key(&target.table, document)).with_json("document", &noted)?;
        Ok(self.records.put(record.expiring(now.plus(NOTES_KEPT_FOR)), Condition::Always).await?)
    }

    /// Forgets what was noted of a document that is there now.
    pub(super) async fn forget_note(&self, table: &IndexTable, document: &DocumentKey) -> Result<()> {
        let key = note_key(table, document);
        if self.records.get(&key).await?.is_some() {
            self.records.delete(&key, Condition::Always).await?;
        }
        Ok(())
    }

    pub(super) async fn put(&self, table: &IndexTable, document: &Document) -> Result<()> {
        let of = DocumentKey { entity_type: document.entity_type.clone(), entity_id: document.entity_id.clone() };
        let record = Record::new(key(table, &of)).with_json("document", document)?;
        self.records.put(record, Condition::Always).await?;
        self.forget_note(table, &of).await
    }

    pub(super) async fn forget(&self, table: &IndexTable, document: &DocumentKey) -> Result<()> {
        self.forget_note(table, document).await?;
        Ok(self.records.delete(&key(table, document), Condition::Always).await?)
    }

    pub(super) async fn forget_all(&self, table: &IndexTable) -> Result<()> {
        self.forget_partition(partition(table)).await?;
        self.forget_partition(notes(table)).await
    }

    async fn forget_partition(&self, partition: Partition) -> Result<()> {
        let mut query = Query::all(partition);
        loop {
            let page = self.records.query(query.clone()).await?;
            for record in &page.records {
                self.records.delete(&record.key, Condition::Always).await?;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// The types under which documents of an id exist.
    pub(crate) async fn types_of(&self, table: &IndexTable, entity_id: &str) -> Result<Vec<String>> {
        let range = Range::Prefix(format!("{entity_id}{SEPARATOR}"));
        let query = Query { partition: partition(table), range, order: Order::Ascending, limit: 20, after: None };
        let page = self.records.query(query).await?;
        let types = page.records.iter().filter_map(|record| record.key.sort.rsplit_once(SEPARATOR));
        Ok(types.map(|(_, entity_type)| entity_type.to_owned()).collect())
    }

    /// How many documents a collection has.
    pub(crate) async fn count(&self, table: &IndexTable) -> Result<u64> {
        let mut query = Query { limit: 1_000, ..Query::all(partition(table)) };
        let mut count = 0;
        loop {
            let page = self.records.query(query.clone()).await?;
            count += page.records.len() as u64;
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(count),
            }
        }
    }

    /// A page of a collection's documents, in order of their ids.
    pub(crate) async fn page(
        &self,
        table: &IndexTable,
        after: Option<String>,
    ) -> Result<(Vec<Document>, Option<String>)> {
        let query = Query { limit: 1_000, after, ..Query::all(partition(table)) };
        let page = self.records.query(query).await?;
        Ok((page.records.iter().map(|record| record.json("document")).collect::<Result<_>>()?, page.next))
    }
}
