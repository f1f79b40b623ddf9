//! Conditions on rows, as expressions for LanceDB.
//!
//! Values never pass through SQL text: an expression holds them as literals, so there is nothing to escape.
//! Every condition on a field is written so that it is false, and not unknown, where the field is absent;
//! then `not` means what [`Filter::matches`] says.

use std::collections::BTreeMap;
use std::ops::Not;

use lancedb::expr::{DfExpr, col, lit};
use mandi_core::{Problem, Result};
use mandi_retrieval::filter::{FieldRange, FieldValue, FieldValues};
use mandi_retrieval::{DocumentKey, Filter, Scalar};

use crate::schema::{ENTITY_ID, ENTITY_TYPE, FieldType, Layout, field_column};

/// The rows of these documents.
pub fn of_documents<'a>(documents: impl IntoIterator<Item = &'a DocumentKey>) -> DfExpr {
    let mut by_type: BTreeMap<&str, Vec<DfExpr>> = BTreeMap::new();
    for document in documents {
        by_type.entry(&document.entity_type).or_default().push(lit(document.entity_id.as_str()));
    }
    let types = by_type
        .into_iter()
        .map(|(entity_type, ids)| col(ENTITY_TYPE).eq(lit(entity_type)).and(col(ENTITY_ID).in_list(ids, false)));
    types.reduce(DfExpr::or).unwrap_or_else(|| lit(false))
}

/// The rows whose document passes a filter.
///
/// # Errors
/// `invalid-request` with a pointer below `/filter`, when a field is not one of the table's, or a value is of
/// another type than its field.
pub fn of_filter(filter: &Filter, layout: &Layout) -> Result<DfExpr> {
    Translation { layout }.filter(filter, "/filter")
}

/// What makes one expression of two.
type Join = fn(DfExpr, DfExpr) -> DfExpr;

struct Translation<'a> {
    layout: &'a Layout,
}

impl Translation<'_> {
    fn filter(&self, filter: &Filter, pointer: &str) -> Result<DfExpr> {
        match filter {
            Filter::Equals(condition) => self.equals(condition, &format!("{pointer}/equals")),
            Filter::In(condition) => self.one_of(condition, &format!("{pointer}/in")),
            Filter::Range(condition) => self.range(condition, &format!("{pointer}/range")),
            Filter::Exists(condition) => {
                self.known(&condition.field, &format!("{pointer}/exists"))?;
                Ok(column(&condition.field).is_not_null())
            }
            Filter::Documents(documents) => Ok(of_documents(documents)),
            Filter::And(filters) => self.joined(filters, &format!("{pointer}/and"), DfExpr::and, true),
            Filter::Or(filters) => self.joined(filters, &format!("{pointer}/or"), DfExpr::or, false),
            Filter::Not(filter) => Ok(self.filter(filter, &format!("{pointer}/not"))?.not()),
        }
    }

    fn joined(&self, filters: &[Filter], pointer: &str, join: Join, of_none: bool) -> Result<DfExpr> {
        let mut all = Vec::with_capacity(filters.len());
        for (place, filter) in filters.iter().enumerate() {
            all.push(self.filter(filter, &format!("{pointer}/{place}"))?);
        }
        Ok(all.into_iter().reduce(join).unwrap_or_else(|| lit(of_none)))
    }

    fn equals(&self, condition: &FieldValue, pointer: &str) -> Result<DfExpr> {
        let kind = self.known(&condition.field, pointer)?;
        let value = typed(&condition.value, kind, &condition.field, &format!("{pointer}/value"))?;
        Ok(present(&condition.field, column(&condition.field).eq(value)))
    }

    fn one_of(&self, condition: &FieldValues, pointer: &str) -> Result<DfExpr> {
        let kind = self.known(&condition.field, pointer)?;
        let mut values = Vec::with_capacity(condition.values.len());
        for (place, value) in condition.values.iter().enumerate() {
            values.push(typed(value, kind, &condition.field, &format!("{pointer}/values/{place}"))?);
        }
        if values.is_empty() {
            return Ok(lit(false));
        }
        Ok(present(&condition.field, column(&condition.field).in_list(values, false)))
    }

    fn range(&self, condition: &FieldRange, pointer: &str) -> Result<DfExpr> {
        let kind = self.known(&condition.field, pointer)?;
        if kind == FieldType::Bool {
            let detail = format!("the field `{}` is true or false, which has no order", condition.field);
            return Err(Problem::field(format!("{pointer}/field"), detail));
        }
        let bounds: [(&str, &Option<Scalar>, Join); 4] = [
            ("gt", &condition.gt, DfExpr::gt),
            ("gte", &condition.gte, DfExpr::gt_eq),
            ("lt", &condition.lt, DfExpr::lt),
            ("lte", &condition.lte, DfExpr::lt_eq),
        ];
        let mut within = column(&condition.field).is_not_null();
        for (name, bound, compare) in bounds {
            if let Some(bound) = bound {
                let bound = typed(bound, kind, &condition.field, &format!("{pointer}/{name}"))?;
                within = within.and(compare(column(&condition.field), bound));
            }
        }
        Ok(within)
    }

    fn known(&self, field: &str, pointer: &str) -> Result<FieldType> {
        self.layout.fields.get(field).copied().ok_or_else(|| {
            let detail =
                format!("no document of this collection has the field `{field}`; {}", self.layout.known_fields());
            Problem::field(format!("{pointer}/field"), detail)
        })
    }
}

fn column(field: &str) -> DfExpr {
    col(field_column(field))
}

fn present(field: &str, condition: DfExpr) -> DfExpr {
    column(field).is_not_null().and(condition)
}

fn typed(value: &Scalar, kind: FieldType, field: &str, pointer: &str) -> Result<DfExpr> {
    match (value, kind) {
        (Scalar::Text(text), FieldType::Text) => Ok(lit(text.as_str())),
        (Scalar::Bool(value), FieldType::Bool) => Ok(lit(*value)),
        // Arrow orders -0 before 0; adding 0 makes one of the two. Rows are written the same way.
        (Scalar::Number(number), FieldType::Number) => Ok(lit(*number + 0.0)),
        _ => {
            let detail =
                format!("the field `{field}` is {}, and this value is {}", kind.name(), FieldType::of(value).name());
            Err(Problem::field(pointer, detail))
        }
    }
}
