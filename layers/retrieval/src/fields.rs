//! Lines of records, `Label: value`, and how far a label is what a question asks for.

use crate::citations::labelled;
use crate::question::Asked;
use crate::reading::related;
use crate::terms::terms;

/// A line of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// What it is called.
    pub(crate) label: &'a str,
    /// What it is.
    pub(crate) value: &'a str,
}

/// The field that a sentence is, if it is one line `Label: value`.
pub(crate) fn field(sentence: &str) -> Option<Field<'_>> {
    let (label, value) = labelled(sentence).filter(|_| !sentence.contains('\n'))?;
    Some(Field { label, value: value.trim() })
}

/// How far a label is what is asked for, 0 to 1: the harmonic mean of the share of its terms that are wanted, and of
/// the wanted terms that it has (`Total amount`, wanted `total`: 2/3). A question for how many calls for a quantity,
/// one for yes or no for a status, and where for a place, though they do not name it.
pub(crate) fn share_of_label(label: &str, wanted: &[&str], asked: Asked) -> f32 {
    let label = terms(label);
    let called: &[&str] = match asked {
        Asked::HowMuch => &["quantiti"],
        Asked::Whether => &["status"],
        Asked::Where => &["warehous", "locat", "address", "place"],
        _ => &[],
    };
    let called = called.iter().find(|term| label.iter().any(|other| other == *term));
    let by_kind = called.map_or(0.0, |term| share(&label, &[term]));
    share(&label, wanted).max(by_kind)
}

#[expect(clippy::cast_precision_loss, reason = "labels and questions have few words")]
fn share(label: &[String], wanted: &[&str]) -> f32 {
    let named = label.iter().filter(|term| wanted.iter().any(|other| related(other, term))).count();
    let met = wanted.iter().filter(|term| label.iter().any(|other| related(term, other))).count();
    if named == 0 {
        return 0.0;
    }
    let (precision, recall) = (named as f32 / label.len() as f32, met as f32 / wanted.len() as f32);
    2.0 * precision * recall / (precision + recall)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_record_has_a_label_and_a_value() {
        assert_eq!(field("Total amount: INR 500"), Some(Field { label: "Total amount", value: "INR 500" }));
        for sentence in ["The buyer pays.", "at 9: the gate", "One of the many terms here: x"] {
            assert_eq!(field(sentence), None, "{sentence}");
        }
    }

    #[test]
    fn the_label_that_is_asked_for_is_worth_most() {
        let worth = |label| share_of_label(label, &["due", "date"], Asked::Other);
        assert!((worth("Payment due date") - 0.8).abs() < 1e-6);
        assert!((worth("Invoice date") - 0.5).abs() < 1e-6);
        assert!(worth("Seller").abs() < 1e-6);
    }

    #[test]
    fn a_kind_of_question_calls_for_its_label() {
        let worth = |label, asked| share_of_label(label, &["bag"], asked);
        assert!((worth("Quantity in stock", Asked::HowMuch) - 2.0 / 3.0).abs() < 1e-6);
        assert!((worth("Status", Asked::Whether) - 1.0).abs() < 1e-6);
        assert!(worth("Quantity", Asked::When).abs() < 1e-6);
    }
}
