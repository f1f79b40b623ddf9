//! The columns of a table, and how metadata maps to them.
//!
//! Format 1, as schema metadata `mandi:format` says:
//!
//! | column | type | what it is |
//! |---|---|---|
//! | `entity_type`, `entity_id`, `chunk` | Utf8, Utf8, UInt32 | the key of a row |
//! | `title` | Utf8, nullable | the document's title |
//! | `text` | Utf8 | the chunk, verbatim |
//! | `start`, `end` | UInt32 | its characters in the document's extracted text |
//! | `terms` | Utf8 | the keyword terms of title and text, separated by spaces |
//! | `vector` | FixedSizeList<Float32, dimensions> | its vector |
//! | `m_<name>` | Utf8, Float64 or Boolean, nullable | a metadata field, from the first document that has it |

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use mandi_core::{Problem, ProblemKind, Result};
use mandi_retrieval::Scalar;

pub const ENTITY_TYPE: &str = "entity_type";
pub const ENTITY_ID: &str = "entity_id";
pub const CHUNK: &str = "chunk";
pub const TITLE: &str = "title";
pub const TEXT: &str = "text";
pub const START: &str = "start";
pub const END: &str = "end";
pub const TERMS: &str = "terms";
pub const VECTOR: &str = "vector";
/// What LanceDB calls the number of a row in a version.
pub const ROW: &str = "_rowid";

/// The columns that name a row.
pub const KEY: [&str; 3] = [ENTITY_TYPE, ENTITY_ID, CHUNK];
/// What every chunk is read from, beside the metadata fields.
pub const FIXED: [&str; 7] = [ENTITY_TYPE, ENTITY_ID, CHUNK, TITLE, TEXT, START, END];

/// How many metadata fields a table may have.
pub const MAX_FIELDS: usize = 100;
/// The most dimensions that a vector may have.
pub const MAX_DIMENSIONS: usize = 8192;

const FORMAT_KEY: &str = "mandi:format";
const FORMAT: &str = "1";
const FIELD_PREFIX: &str = "m_";

/// The type of a metadata field: that of its first value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Utf8.
    Text,
    /// Float64.
    Number,
    /// Boolean.
    Bool,
}

impl FieldType {
    pub const fn of(value: &Scalar) -> Self {
        match value {
            Scalar::Text(_) => Self::Text,
            Scalar::Number(_) => Self::Number,
            Scalar::Bool(_) => Self::Bool,
        }
    }

    /// Its name in messages to the caller.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Number => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }

    fn of_column(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Utf8 => Some(Self::Text),
            DataType::Float64 => Some(Self::Number),
            DataType::Boolean => Some(Self::Bool),
            _ => None,
        }
    }
}

/// The column of a metadata field.
pub fn field_column(name: &str) -> String {
    format!("{FIELD_PREFIX}{name}")
}

/// The columns of metadata fields, as they are added to a table.
pub fn field_columns<'a>(fields: impl IntoIterator<Item = (&'a String, &'a FieldType)>) -> SchemaRef {
    let columns = fields.into_iter().map(|(name, kind)| Field::new(field_column(name), kind.data_type(), true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// The schema of a new table.
pub fn of_new_table(dimensions: usize) -> Result<SchemaRef> {
    let length = i32::try_from(dimensions).ok().filter(|_| (1..=MAX_DIMENSIONS).contains(&dimensions));
    let Some(length) = length else {
        let detail = format!("vectors have 1 to {MAX_DIMENSIONS} dimensions, not {dimensions}");
        return Err(Problem::field("/dimensions", detail));
    };
    // LanceDB takes the key columns from this, so that two processes that insert the same chunk at the same
    // time conflict, and one of them does its work again.
    let key = |name: &str, data_type: DataType, place: usize| {
        Field::new(name, data_type, false).with_metadata(HashMap::from([
            ("lance-schema:unenforced-primary-key".to_owned(), "true".to_owned()),
            ("lance-schema:unenforced-primary-key:position".to_owned(), place.to_string()),
        ]))
    };
    let element = Arc::new(Field::new("item", DataType::Float32, true));
    let columns = vec![
        key(ENTITY_TYPE, DataType::Utf8, 1),
        key(ENTITY_ID, DataType::Utf8, 2),
        key(CHUNK, DataType::UInt32, 3),
        Field::new(TITLE, DataType::Utf8, true),
        Field::new(TEXT, DataType::Utf8, false),
        Field::new(START, DataType::UInt32, false),
        Field::new(END, DataType::UInt32, false),
        Field::new(TERMS, DataType::Utf8, false),
        Field::new(VECTOR, DataType::FixedSizeList(element, length), false),
    ];
    let metadata = HashMap::from([(FORMAT_KEY.to_owned(), FORMAT.to_owned())]);
    Ok(Arc::new(Schema::new_with_metadata(columns, metadata)))
}

/// What a table holds at one version.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Its columns.
    pub schema: SchemaRef,
    /// The length of its vectors.
    pub dimensions: usize,
    /// Its metadata fields.
    pub fields: BTreeMap<String, FieldType>,
}

impl Layout {
    /// Reads it off a table's schema.
    ///
    /// # Errors
    /// `unavailable` when the table is of a format that this version does not know.
    pub fn read(schema: SchemaRef) -> Result<Self> {
        let format = schema.metadata().get(FORMAT_KEY).map_or("none", String::as_str);
        let dimensions = match schema.field_with_name(VECTOR).map(Field::data_type) {
            Ok(DataType::FixedSizeList(_, length)) => usize::try_from(*length).ok(),
            _ => None,
        };
        let (FORMAT, Some(dimensions)) = (format, dimensions) else {
            let detail = format!(
                "the collection's index is of format `{format}`, and this version reads format `{FORMAT}`; use the \
                 version that wrote it, or load the documents into a new collection"
            );
            return Err(Problem::new(ProblemKind::Unavailable, detail));
        };
        let fields = schema.fields().iter().filter_map(|field| {
            let name = field.name().strip_prefix(FIELD_PREFIX)?;
            Some((name.to_owned(), FieldType::of_column(field.data_type())?))
        });
        let fields = fields.collect();
        Ok(Self { schema, dimensions, fields })
    }

    /// The columns that chunks are read from, and one more if it is wanted.
    pub fn chunk_columns(&self, more: Option<&'static str>) -> Vec<String> {
        let fixed = FIXED.into_iter().chain(more).map(str::to_owned);
        fixed.chain(self.fields.keys().map(|name| field_column(name))).collect()
    }

    /// The names of the metadata fields, for messages.
    pub fn known_fields(&self) -> String {
        if self.fields.is_empty() {
            return "its documents have no metadata fields".to_owned();
        }
        let names: Vec<String> = self.fields.iter().map(|(name, kind)| format!("`{name}` ({})", kind.name())).collect();
        format!("its fields are {}", names.join(", "))
    }
}
