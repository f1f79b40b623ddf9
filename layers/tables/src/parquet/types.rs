//! What the types of Parquet can be read as.

use arrow_schema::{DataType, Field, TimeUnit};

use crate::inspect::{SourceColumn, StoredType};
use crate::schema::Kind;

/// A column of the file.
pub(crate) fn column(field: &Field) -> SourceColumn {
    let (kinds, copied) = kinds(field.data_type());
    let name = match field.data_type() {
        nested if nested.is_nested() => format!("a nested type ({nested})"),
        other => other.to_string(),
    };
    SourceColumn { name: field.name().clone(), stored: Some(StoredType { name, kinds: kinds.to_vec() }), copied }
}

/// The kinds that a type can be read as, and the one by which it is copied.
fn kinds(data_type: &DataType) -> (&'static [Kind], Kind) {
    use DataType as Type;
    const NUMBER: &[Kind] = &[Kind::Number, Kind::Single, Kind::Integer, Kind::Verbatim];
    match data_type {
        Type::Int8
        | Type::Int16
        | Type::Int32
        | Type::Int64
        | Type::UInt8
        | Type::UInt16
        | Type::UInt32
        | Type::UInt64 => (NUMBER, Kind::Integer),
        Type::Float16 | Type::Float32 | Type::Float64 => (NUMBER, Kind::Number),
        Type::Decimal32(..) | Type::Decimal64(..) | Type::Decimal128(..) | Type::Decimal256(..) => {
            (NUMBER, Kind::Verbatim)
        }
        Type::Boolean => (&[Kind::Boolean, Kind::Verbatim], Kind::Boolean),
        Type::Date32
        | Type::Timestamp(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond, _) => {
            (&[Kind::Timestamp, Kind::Verbatim], Kind::Timestamp)
        }
        Type::Utf8 | Type::LargeUtf8 | Type::Utf8View => {
            (&[Kind::String, Kind::Verbatim, Kind::Timestamp], Kind::String)
        }
        // All cells of a column without a type are null.
        Type::Null => (
            &[Kind::Number, Kind::Single, Kind::Integer, Kind::Boolean, Kind::Timestamp, Kind::String, Kind::Verbatim],
            Kind::Verbatim,
        ),
        _ => (&[], Kind::Verbatim),
    }
}
