//! Replacing and removing documents.

use std::collections::BTreeMap;

use arrow_array::RecordBatchIterator;
use lancedb::Table;
use lancedb::table::NewColumnTransform;
use mandi_core::{Problem, Result};
use mandi_retrieval::DocumentKey;
use mandi_retrieval::ports::DocumentChunks;

use crate::convert::{check, to_rows, type_conflict};
use crate::predicate::of_documents;
use crate::problem::from_lance;
use crate::schema::{FieldType, KEY, Layout, MAX_FIELDS, field_columns};

/// How often a table's columns are read again when another process changed them meanwhile.
const ATTEMPTS: usize = 5;

/// Replaces all chunks of these documents, in one commit. The caller holds the table's writing lock.
///
/// Rows of the same key are overwritten, new ones inserted, and rows of these documents that are not among the
/// new ones deleted; LanceDB commits the three together, and begins again when another process was quicker.
pub async fn replace(table: &Table, documents: &[DocumentChunks]) -> Result<()> {
    let layout = Layout::read(table.schema().await.map_err(from_lance)?)?;
    let fields = check(documents, layout.dimensions)?;
    let layout = with_fields(table, layout, &fields).await?;
    let rows = to_rows(documents, &layout)?;
    let schema = rows.schema();
    let mut merge = table.merge_insert(&KEY);
    merge
        .when_matched_update_all(None)
        .when_not_matched_insert_all()
        .when_not_matched_by_source_delete_expr(of_documents(documents.iter().map(|document| &document.document)));
    merge.execute(Box::new(RecordBatchIterator::new([Ok(rows)], schema))).await.map_err(from_lance)?;
    Ok(())
}

/// Removes all chunks of a document, and says how many there were.
pub async fn remove(table: &Table, document: &DocumentKey) -> Result<u64> {
    let condition = of_documents([document]);
    let removed = table.delete(&condition).await.map_err(from_lance)?;
    Ok(removed.num_deleted_rows)
}

/// Adds the columns of fields that the table does not have yet.
async fn with_fields(table: &Table, mut layout: Layout, wanted: &BTreeMap<String, FieldType>) -> Result<Layout> {
    let mut failure = None;
    for _ in 0..ATTEMPTS {
        let missing = missing_fields(&layout, wanted)?;
        if missing.is_empty() {
            return Ok(layout);
        }
        let columns = NewColumnTransform::AllNulls(field_columns(missing));
        // Another process may have added one of them: what counts is what the table holds afterwards.
        failure = table.add_columns().transform(columns).execute().await.err();
        table.checkout_latest().await.map_err(from_lance)?;
        layout = Layout::read(table.schema().await.map_err(from_lance)?)?;
    }
    if missing_fields(&layout, wanted)?.is_empty() {
        return Ok(layout);
    }
    Err(failure.map_or_else(|| Problem::internal("a column that was added is not there"), from_lance))
}

fn missing_fields<'a>(
    layout: &Layout,
    wanted: &'a BTreeMap<String, FieldType>,
) -> Result<BTreeMap<&'a String, &'a FieldType>> {
    let mut missing = BTreeMap::new();
    for (name, kind) in wanted {
        match layout.fields.get(name) {
            Some(known) if known == kind => {}
            Some(known) => return Err(type_conflict("/metadata", name, *known, *kind)),
            None => {
                missing.insert(name, kind);
            }
        }
    }
    if layout.fields.len() + missing.len() > MAX_FIELDS {
        let names: Vec<&str> = missing.keys().map(|name| name.as_str()).collect();
        let detail = format!(
            "a collection has at most {MAX_FIELDS} metadata fields; it has {}, and these would be new: {}",
            layout.fields.len(),
            names.join(", ")
        );
        return Err(Problem::field("/metadata", detail));
    }
    Ok(missing)
}
