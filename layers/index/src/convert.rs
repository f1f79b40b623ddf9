//! Chunks to rows of a table, and rows back to chunks.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, FixedSizeListBuilder, Float32Builder, Float64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, FixedSizeListArray, RecordBatch, StringArray, UInt32Array};
use mandi_core::{Problem, Result};
use mandi_retrieval::ports::{Candidate, DocumentChunks, Hit, IndexedChunk, VectorRow};
use mandi_retrieval::{Chunk, DocumentKey, Metadata, Scalar};

use crate::schema::{
    CHUNK, END, ENTITY_ID, ENTITY_TYPE, FieldType, Layout, ROW, START, TERMS, TEXT, TITLE, VECTOR, field_column,
};

/// Checks what an upsert brings, before anything is written.
///
/// # Errors
/// `invalid-request`: a document twice or without chunks, a chunk twice or of another document, a vector of
/// other dimensions or with values that are not finite, a metadata field of two types.
pub fn check(documents: &[DocumentChunks], dimensions: usize) -> Result<BTreeMap<String, FieldType>> {
    let mut fields = BTreeMap::new();
    let mut keys = HashSet::new();
    for (place, document) in documents.iter().enumerate() {
        let pointer = format!("/documents/{place}");
        if !keys.insert(&document.document) {
            return Err(Problem::field(pointer, "the same document occurs twice in one call"));
        }
        if document.chunks.is_empty() {
            return Err(Problem::field(format!("{pointer}/chunks"), "a document has at least one chunk"));
        }
        let mut numbers = HashSet::new();
        for IndexedChunk { chunk, vector } in &document.chunks {
            if chunk.document != document.document || !numbers.insert(chunk.number) {
                let detail = format!("chunk {} occurs twice or is of another document", chunk.number);
                return Err(Problem::field(format!("{pointer}/chunks"), detail));
            }
            check_vector(vector, dimensions, &format!("{pointer}/chunks/{}/vector", chunk.number))?;
            add_fields(&chunk.metadata, &mut fields, &format!("{pointer}/metadata"))?;
        }
    }
    Ok(fields)
}

/// Checks one vector; `pointer` names it.
pub fn check_vector(vector: &[f32], dimensions: usize, pointer: &str) -> Result<()> {
    if vector.len() != dimensions {
        let detail =
            format!("the vector has {} dimensions, and the collection's vectors have {dimensions}", vector.len());
        return Err(Problem::field(pointer, detail));
    }
    // The sum of squares must fit a 32-bit number too, or cosines become meaningless.
    if !vector.iter().map(|value| value * value).sum::<f32>().is_finite() {
        return Err(Problem::field(pointer, "the vector holds values that are not finite, or too large"));
    }
    Ok(())
}

fn add_fields(metadata: &Metadata, fields: &mut BTreeMap<String, FieldType>, pointer: &str) -> Result<()> {
    for (name, value) in metadata {
        if !mandi_retrieval::filter::is_field_name(name) {
            let detail = "a field's name is 1 to 64 of `a-z`, `0-9`, `_`, and begins with a letter";
            return Err(Problem::field(format!("{pointer}/{name}"), detail));
        }
        if matches!(value, Scalar::Number(number) if !number.is_finite()) {
            return Err(Problem::field(format!("{pointer}/{name}"), "the number is not finite"));
        }
        let kind = FieldType::of(value);
        let known = *fields.entry(name.clone()).or_insert(kind);
        if known != kind {
            return Err(type_conflict(pointer, name, known, kind));
        }
    }
    Ok(())
}

/// The problem of a metadata value whose type is not its field's.
pub fn type_conflict(pointer: &str, name: &str, known: FieldType, given: FieldType) -> Problem {
    let detail = format!(
        "the field `{name}` holds {} in this collection, and this value is {}; give it another name",
        known.name(),
        given.name()
    );
    Problem::field(format!("{pointer}/{name}"), detail)
}

/// The rows of documents that [`check`] has passed.
pub fn to_rows(documents: &[DocumentChunks], layout: &Layout) -> Result<RecordBatch> {
    let chunks: Vec<&IndexedChunk> = documents.iter().flat_map(|document| &document.chunks).collect();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(layout.schema.fields().len());
    for field in layout.schema.fields() {
        columns.push(column(field.name(), &chunks, layout)?);
    }
    RecordBatch::try_new(Arc::clone(&layout.schema), columns).map_err(Problem::internal)
}

fn column(name: &str, chunks: &[&IndexedChunk], layout: &Layout) -> Result<ArrayRef> {
    let texts = |of: fn(&Chunk) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(chunks.iter().map(|indexed| of(&indexed.chunk))))
    };
    let numbers = |of: fn(&Chunk) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(chunks.iter().map(|indexed| of(&indexed.chunk))))
    };
    Ok(match name {
        ENTITY_TYPE => texts(|chunk| &chunk.document.entity_type),
        ENTITY_ID => texts(|chunk| &chunk.document.entity_id),
        CHUNK => numbers(|chunk| chunk.number),
        TITLE => Arc::new(chunks.iter().map(|indexed| indexed.chunk.title.as_deref()).collect::<StringArray>()),
        TEXT => texts(|chunk| &chunk.text),
        START => numbers(|chunk| chunk.characters.start),
        END => numbers(|chunk| chunk.characters.end),
        TERMS => Arc::new(StringArray::from_iter_values(chunks.iter().map(|indexed| terms_of(&indexed.chunk)))),
        VECTOR => vectors(chunks, layout)?,
        _ => metadata(name, chunks, layout)?,
    })
}

fn terms_of(chunk: &Chunk) -> String {
    let text = mandi_retrieval::terms::terms_line(&chunk.text);
    match &chunk.title {
        Some(title) => format!("{} {text}", mandi_retrieval::terms::terms_line(title)),
        None => text,
    }
}

fn vectors(chunks: &[&IndexedChunk], layout: &Layout) -> Result<ArrayRef> {
    let length = i32::try_from(layout.dimensions).map_err(Problem::internal)?;
    let mut builder = FixedSizeListBuilder::with_capacity(Float32Builder::new(), length, chunks.len());
    for indexed in chunks {
        builder.values().append_slice(&indexed.vector);
        builder.append(true);
    }
    Ok(Arc::new(builder.finish()))
}

fn metadata(name: &str, chunks: &[&IndexedChunk], layout: &Layout) -> Result<ArrayRef> {
    let field = layout.fields.iter().find(|(field, _)| field_column(field) == name);
    let Some((field, kind)) = field else {
        return Err(Problem::internal(format!("the table has a column `{name}` of an unknown kind")));
    };
    let values = chunks.iter().map(|indexed| indexed.chunk.metadata.get(field));
    Ok(match kind {
        FieldType::Text => {
            let mut builder = StringBuilder::new();
            values.for_each(|value| match value {
                Some(Scalar::Text(text)) => builder.append_value(text),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        FieldType::Number => {
            let mut builder = Float64Builder::new();
            values.for_each(|value| match value {
                // Arrow orders -0 before 0; adding 0 makes one of the two.
                Some(Scalar::Number(number)) => builder.append_value(number + 0.0),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        FieldType::Bool => {
            let mut builder = BooleanBuilder::new();
            values.for_each(|value| match value {
                Some(Scalar::Bool(value)) => builder.append_value(*value),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
    })
}

/// The row numbers of a batch, each with the score that `score` makes of the column `score_column`.
pub fn to_candidates(rows: &RecordBatch, score_column: &str, score: fn(f32) -> f32) -> Result<Vec<Candidate>> {
    let scores = floats(rows, score_column)?;
    let numbers = of(rows, ROW)?.as_primitive_opt::<UInt64Type>().ok_or_else(|| unexpected(ROW))?;
    let candidate = |(row, number): (usize, &u64)| Candidate { row: *number, score: score(scores.value(row)) };
    Ok(numbers.values().iter().enumerate().map(candidate).collect())
}

/// The hits of a batch of rows, with the cosines of their vectors with one that is given.
pub fn to_hits(rows: &RecordBatch, layout: &Layout, toward: Option<&[f32]>) -> Result<Vec<Hit>> {
    let vectors = toward.map(|_| vectors_of(rows)).transpose()?;
    let [types, ids, titles, texts] = [ENTITY_TYPE, ENTITY_ID, TITLE, TEXT].map(|name| strings(rows, name));
    let [numbers, starts, ends] = [CHUNK, START, END].map(|name| integers(rows, name));
    let (types, ids, titles, texts) = (types?, ids?, titles?, texts?);
    let (numbers, starts, ends) = (numbers?, starts?, ends?);
    let mut hits = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        let chunk = Chunk {
            document: DocumentKey { entity_type: types.value(row).to_owned(), entity_id: ids.value(row).to_owned() },
            number: numbers.value(row),
            title: titles.is_valid(row).then(|| titles.value(row).to_owned()),
            text: texts.value(row).to_owned(),
            characters: starts.value(row)..ends.value(row),
            metadata: metadata_of(rows, row, layout)?,
        };
        let vector = vectors.map(|vectors| vector_of(vectors, row)).transpose()?;
        let cosine = toward.zip(vector).map(|(toward, vector)| cosine(toward, &vector));
        hits.push(Hit { chunk, cosine });
    }
    Ok(hits)
}

fn metadata_of(rows: &RecordBatch, row: usize, layout: &Layout) -> Result<Metadata> {
    let mut metadata = Metadata::new();
    for (field, kind) in &layout.fields {
        let column = of(rows, &field_column(field))?;
        if column.is_null(row) {
            continue;
        }
        let value = match kind {
            FieldType::Text => column.as_string_opt::<i32>().map(|column| Scalar::Text(column.value(row).to_owned())),
            FieldType::Number => {
                column.as_primitive_opt::<Float64Type>().map(|column| Scalar::Number(column.value(row)))
            }
            FieldType::Bool => column.as_boolean_opt().map(|column| Scalar::Bool(column.value(row))),
        };
        metadata.insert(field.clone(), value.ok_or_else(|| unexpected(field))?);
    }
    Ok(metadata)
}

fn vectors_of(rows: &RecordBatch) -> Result<&FixedSizeListArray> {
    of(rows, VECTOR)?.as_fixed_size_list_opt().ok_or_else(|| unexpected(VECTOR))
}

fn vector_of(vectors: &FixedSizeListArray, row: usize) -> Result<Vec<f32>> {
    let vector = vectors.value(row);
    let values = vector.as_primitive_opt::<Float32Type>().ok_or_else(|| unexpected(VECTOR))?;
    Ok(values.values().to_vec())
}

/// The cosine of two vectors of the same length; not a number when one of them has no direction.
fn cosine(one: &[f32], other: &[f32]) -> f32 {
    let dot = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f32>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

/// The vectors of a batch of rows.
pub fn to_vectors(rows: &RecordBatch) -> Result<Vec<VectorRow>> {
    let (types, ids, numbers) = (strings(rows, ENTITY_TYPE)?, strings(rows, ENTITY_ID)?, integers(rows, CHUNK)?);
    let vectors = vectors_of(rows)?;
    let mut found = Vec::with_capacity(rows.num_rows());
    for row in 0..rows.num_rows() {
        found.push(VectorRow {
            document: DocumentKey { entity_type: types.value(row).to_owned(), entity_id: ids.value(row).to_owned() },
            number: numbers.value(row),
            vector: vector_of(vectors, row)?,
        });
    }
    Ok(found)
}

fn of<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    rows.column_by_name(name).ok_or_else(|| unexpected(name))
}

fn strings<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    of(rows, name)?.as_string_opt::<i32>().ok_or_else(|| unexpected(name))
}

fn integers<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a UInt32Array> {
    of(rows, name)?.as_primitive_opt::<UInt32Type>().ok_or_else(|| unexpected(name))
}

fn floats<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a arrow_array::Float32Array> {
    of(rows, name)?.as_primitive_opt::<Float32Type>().ok_or_else(|| unexpected(name))
}

fn unexpected(column: &str) -> Problem {
    Problem::internal(format!("the index gave no column `{column}` of the expected type"))
}
