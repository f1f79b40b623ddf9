//! The records of documents: one each, by collection, in order of their ids.

use mandi_core::Result;
use mandi_core::ports::{Condition, Key, Order, Partition, Query, Range, Record};
use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::IndexTable;

use super::{Document, Documents};

/// Stands between the id and the type in a sort key, and in neither.
const SEPARATOR: char = '\u{1f}';

fn partition(table: &IndexTable) -> Partition {
    Partition::of(&table.tenant, &["documents", table.collection.as_str()])
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

    pub(super) async fn put(&self, table: &IndexTable, document: &Document) -> Result<()> {
        let of = DocumentKey { entity_type: document.entity_type.clone(), entity_id: document.entity_id.clone() };
        let record = Record::new(key(table, &of)).with_json("document", document)?;
        Ok(self.records.put(record, Condition::Always).await?)
    }

    pub(super) async fn forget(&self, table: &IndexTable, document: &DocumentKey) -> Result<()> {
        Ok(self.records.delete(&key(table, document), Condition::Always).await?)
    }

    pub(super) async fn forget_all(&self, table: &IndexTable) -> Result<()> {
        let mut query = Query::all(partition(table));
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
