//! What the beginning of a CSV file tells about how it is written.

use super::{CsvBoundaries, Delimiter, Dialect, Fields, Header, Quote};
use crate::inspect::{Evidence, Found};
use crate::number;
use crate::records::Boundaries as _;
use crate::time;

/// How many records are looked at.
const RECORDS: usize = 200;
/// What may separate fields; of two that fit alike the earlier one is taken, because a decimal comma fits as well.
const CANDIDATES: [char; 4] = ['\t', ';', '|', ','];

/// What the caller knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints<'a> {
    pub(crate) delimiter: Option<Delimiter>,
    pub(crate) quote: Option<Quote>,
    pub(crate) header: Option<Header>,
    /// Names of columns, of which some are in the header if there is one.
    pub(crate) names: &'a [String],
}

/// The dialect, and the first record's fields.
pub(crate) fn sniff(sample: &[u8], hints: &Hints<'_>) -> (Dialect, Vec<Vec<u8>>) {
    let quote = hints.quote.map_or_else(|| found_quote(sample), Found::stated);
    let delimiter = hints.delimiter.map_or_else(|| found_delimiter(sample, quote.value), Found::stated);
    let records = split(sample, delimiter.value, quote.value);
    let header = hints.header.map_or_else(|| found_header(&records, hints.names), Found::stated);
    (Dialect { delimiter, quote, header }, records.into_iter().next().unwrap_or_default())
}

/// The first records. The last one may be cut off, and counts only where it is alone.
fn split(sample: &[u8], delimiter: Delimiter, quote: Quote) -> Vec<Vec<Vec<u8>>> {
    let mut boundaries = CsvBoundaries::new(delimiter, quote);
    let fields = Fields::new(delimiter, quote);
    let mut records: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut rest = sample;
    while records.len() < RECORDS {
        rest = rest.get(boundaries.blanks(rest)..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        boundaries.begin();
        let end = boundaries.end(rest);
        if end.is_none() && records.len() > 1 {
            break;
        }
        let record = rest.get(..end.map_or(rest.len(), |end| end - 1)).unwrap_or_default();
        let (mut text, mut spans) = (Vec::new(), Vec::new());
        fields.split(record, &mut text, &mut spans);
        records.push(spans.into_iter().map(|span| text.get(span).unwrap_or_default().to_vec()).collect());
        rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default();
    }
    records
}

/// A single quote is taken for one only where fields begin and end with it and no double quote does.
fn found_quote(sample: &[u8]) -> Found<Quote> {
    let opens = |quote: u8| {
        let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| b"\r\n,;\t|".contains(byte));
        let before = |at: usize| at.checked_sub(1).and_then(|before| sample.get(before));
        let places = memchr::memchr_iter(quote, sample);
        let (mut opening, mut closing) = (0_usize, 0_usize);
        for at in places {
            opening += usize::from(is_edge(before(at)));
            closing += usize::from(is_edge(sample.get(at + 1)));
        }
        opening.min(closing)
    };
    match (opens(b'"'), opens(b'\'')) {
        (0, 0) => Found { value: Quote::Double, by: Evidence::Assumed },
        (0, _) => Found { value: Quote::Single, by: Evidence::Detected },
        _ => Found { value: Quote::Double, by: Evidence::Detected },
    }
}

/// The delimiter that gives most records as many fields as the first one has.
fn found_delimiter(sample: &[u8], quote: Quote) -> Found<Delimiter> {
    let rate = |delimiter: Delimiter| {
        let records = split(sample, delimiter, quote);
        let columns = records.first().map_or(0, Vec::len);
        let alike = records.iter().filter(|record| record.len() == columns).count();
        // In thousandths, because a few bad rows say nothing.
        (columns > 1).then(|| (alike * 1000 / records.len().max(1)).min(950))
    };
    let mut best: Option<(usize, Delimiter)> = None;
    for delimiter in CANDIDATES.into_iter().filter_map(|character| Delimiter::new(character).ok()) {
        if let Some(rating) = rate(delimiter)
            && best.is_none_or(|(highest, _)| rating > highest)
        {
            best = Some((rating, delimiter));
        }
    }
    match best {
        Some((_, delimiter)) => Found { value: delimiter, by: Evidence::Detected },
        None => Found { value: Delimiter::COMMA, by: Evidence::Assumed },
    }
}

/// The first record names the columns unless it holds values.
fn found_header(records: &[Vec<Vec<u8>>], names: &[String]) -> Found<Header> {
    let Some((first, rows)) = records.split_first() else {
        return Found { value: Header::Present, by: Evidence::Assumed };
    };
    if first.iter().any(|cell| names.iter().any(|name| name.as_bytes() == cell)) {
        return Found { value: Header::Present, by: Evidence::Detected };
    }
    // pandas numbers columns without names from 0.
    if first.len() > 1 && first.iter().enumerate().all(|(place, cell)| place.to_string().as_bytes() == cell) {
        return Found { value: Header::Present, by: Evidence::Assumed };
    }
    if first.iter().any(|cell| is_value(cell)) {
        return Found { value: Header::Absent, by: Evidence::Detected };
    }
    let has_values = rows.iter().any(|row| row.iter().any(|cell| is_value(cell)));
    Found { value: Header::Present, by: if has_values { Evidence::Detected } else { Evidence::Assumed } }
}

/// A number, also with a decimal comma, or a moment: what no column is named.
fn is_value(cell: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(cell) else { return false };
    let has_digit = cell.iter().any(u8::is_ascii_digit);
    has_digit && (number::number(text.replacen(',', ".", 1).as_bytes()).is_some() || time::parse(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(sample: &str) -> (char, Quote, Header) {
        let (found, _) = sniff(sample.as_bytes(), &Hints::default());
        (found.delimiter.value.into(), found.quote.value, found.header.value)
    }

    #[test]
    fn given_a_beginning_when_it_is_looked_at_then_its_dialect_is_found() {
        use Header::{Absent, Present};
        use Quote::{Double, Single};
        for (sample, expected) in [
            ("a,b\n1,2\n", (',', Double, Present)),
            ("a;b\n1,5;2,5\n", (';', Double, Present)),
            ("1,5;2,5\n3,5;4,5\n", (';', Double, Absent)),
            ("a\tb\r\nx, y\t2\r\n", ('\t', Double, Present)),
            ("a|b\n'x|y'|2\n", ('|', Single, Present)),
            ("a,b\nit's,it's\n", (',', Double, Present)),
            ("name,\"the, note\"\nx,\"1;2;3\n4\"\n", (',', Double, Present)),
            ("id\n1\n2\n", (',', Double, Present)),
            ("2024-01-01,x\n2024-01-02,y\n", (',', Double, Absent)),
            ("0,1,2\n5,6,7\n", (',', Double, Present)),
        ] {
            assert_eq!(dialect(sample), expected, "{sample:?}");
        }
    }

    #[test]
    fn given_a_header_of_numbers_when_a_wanted_name_is_in_it_then_it_is_a_header() {
        let names = ["2024".to_owned()];
        let (found, _) = sniff(b"2024,2025\n1,2\n", &Hints { names: &names, ..Hints::default() });
        assert_eq!(found.header.value, Header::Present);
    }

    #[test]
    fn given_a_file_of_text_when_it_is_looked_at_then_the_header_is_said_to_be_assumed() {
        let (found, _) = sniff(b"name,town\nAnn,Pune\n", &Hints::default());
        assert_eq!(found.header, Found { value: Header::Present, by: Evidence::Assumed });
    }
}
