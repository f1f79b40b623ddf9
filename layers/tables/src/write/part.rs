//! A part of results as text.

use std::io::Write;

use super::text::{json_names, push_csv_row, push_json_row};
use super::{ResultLayout, TextFormat};
use crate::batch::Column;
use crate::error::TableError;

/// Writes one part. The same rows give the same bytes.
#[derive(Debug)]
pub struct PartWriter<W> {
    sink: W,
    format: TextFormat,
    layout: ResultLayout,
    /// For JSON Lines, what comes before each cell.
    names: Vec<Vec<u8>>,
    buffer: Vec<u8>,
}

impl<W: Write> PartWriter<W> {
    /// Begins a part.
    #[must_use]
    pub fn new(sink: W, format: TextFormat, layout: ResultLayout) -> Self {
        let names = json_names(layout.columns().iter().map(|column| column.name.as_str()));
        Self { sink, format, layout, names, buffer: Vec::new() }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The columns are not those of the layout, have different lengths, or the sink does not take them.
    pub fn write(&mut self, columns: &[&Column]) -> Result<(), TableError> {
        let rows = self.layout.rows(columns)?;
        self.buffer.clear();
        for row in 0..rows {
            match self.format {
                TextFormat::Csv => push_csv_row(&mut self.buffer, columns, row),
                TextFormat::Jsonl => {
                    push_json_row(&mut self.buffer, &self.names, columns, row).map_err(TableError::Write)?;
                }
            }
        }
        self.sink.write_all(&self.buffer).map_err(TableError::Write)
    }

    /// Ends the part.
    ///
    /// # Errors
    /// The sink does not take the last bytes.
    pub fn finish(mut self) -> Result<W, TableError> {
        self.sink.flush().map_err(TableError::Write)?;
        Ok(self.sink)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
mod tests {
    use super::super::{ResultColumn, ResultLayout};
    use super::*;
    use crate::schema::Kind;

    fn written(format: TextFormat) -> String {
        let column = |name: &str, kind| ResultColumn { name: name.to_owned(), kind };
        let layout = ResultLayout::new(vec![
            column("id", Kind::Verbatim),
            column("prediction", Kind::Single),
            column("seen", Kind::Timestamp),
        ]);
        let layout = layout.unwrap();
        let mut bytes = layout.head(format);
        let mut writer = PartWriter::new(&mut bytes, format, layout);
        let id = Column::String([Some("a,\"b\""), None].into_iter().collect());
        let prediction = Column::Single([Some(0.1), Some(f32::INFINITY)].into_iter().collect());
        let seen = Column::Timestamp([Some(0), None].into_iter().collect());
        writer.write(&[&id, &prediction, &seen]).unwrap();
        writer.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn given_results_when_they_are_written_as_csv_then_only_what_must_be_is_quoted() {
        assert_eq!(written(TextFormat::Csv), "id,prediction,seen\n\"a,\"\"b\"\"\",0.1,1970-01-01T00:00:00Z\n,inf,\n");
    }

    #[test]
    fn given_results_when_they_are_written_as_json_lines_then_what_json_cannot_hold_is_null() {
        assert_eq!(
            written(TextFormat::Jsonl),
            "{\"id\":\"a,\\\"b\\\"\",\"prediction\":0.1,\"seen\":\"1970-01-01T00:00:00Z\"}\n\
             {\"id\":null,\"prediction\":null,\"seen\":null}\n"
        );
    }

    #[test]
    fn given_two_columns_of_one_name_when_a_layout_is_made_then_it_is_refused() {
        let column = || ResultColumn { name: "prediction".to_owned(), kind: Kind::Number };
        assert!(matches!(ResultLayout::new(vec![column(), column()]), Err(TableError::Results(_))));
    }
}
