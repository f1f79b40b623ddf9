//! Texts.

use std::collections::HashSet;

use super::shape::{joined, refused, stretched};
use super::{Array, Attributes, Budget, Family, Inputs, Outputs, RunFault, Standard, Tensor, boxed, one};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    AsItIs,
    Lower,
    Upper,
}

/// Stop words left out, and letters made small or large.
#[derive(Debug)]
struct StringNormalizer {
    case: Case,
    exact: bool,
    stop: HashSet<String>,
}

#[derive(Debug)]
struct StringConcat;

pub(super) fn build(name: &str, attributes: Attributes<'_>, _: i64) -> Family {
    match name {
        "StringConcat" => boxed(StringConcat),
        "StringNormalizer" => {
            let case = match attributes.text("case_change_action") {
                Ok(None | Some("NONE")) => Case::AsItIs,
                Ok(Some("LOWER")) => Case::Lower,
                Ok(Some("UPPER")) => Case::Upper,
                Ok(Some(other)) => return refused("case_change_action", format!("has the value `{other}`")),
                Err(fault) => return Some(Err(fault.into())),
            };
            // Letters of other languages than English change by Unicode here, whatever the locale is.
            let exact = attributes.flag("is_case_sensitive");
            match attributes.texts("stopwords") {
                Ok(stop) => {
                    let stop = stop.into_iter().map(|word| if exact { word.to_owned() } else { word.to_lowercase() });
                    boxed(StringNormalizer { case, exact, stop: stop.collect() })
                }
                Err(fault) => Some(Err(fault.into())),
            }
        }
        _ => None,
    }
}

impl Standard for StringNormalizer {
    fn run(&self, inputs: Inputs<'_>, _: &Budget) -> Outputs {
        let x = inputs.array::<String>(0)?;
        if !matches!(x.shape[..], [_] | [1, _]) {
            return Err(RunFault::Shape { expected: "one line of texts".to_owned(), found: x.shape.clone() });
        }
        let kept =
            |word: &&String| !self.stop.contains(&if self.exact { (*word).clone() } else { word.to_lowercase() });
        let shown = |word: &String| match self.case {
            Case::AsItIs => word.clone(),
            Case::Lower => word.to_lowercase(),
            Case::Upper => word.to_uppercase(),
        };
        let mut data: Vec<String> = x.data.iter().filter(kept).map(shown).collect();
        if data.is_empty() {
            // Nothing is left: one empty text.
            data.push(String::new());
        }
        let mut shape = x.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = data.len();
        }
        one(Tensor::String(Array { shape, data }))
    }
}

impl Standard for StringConcat {
    fn run(&self, inputs: Inputs<'_>, budget: &Budget) -> Outputs {
        let (a, b) = (inputs.array::<String>(0)?, inputs.array::<String>(1)?);
        let longest = |texts: &Array<String>| texts.data.iter().map(String::len).max().unwrap_or(0);
        let count: usize = joined(&a.shape, &b.shape)?.iter().product();
        budget.values(longest(a).saturating_add(longest(b)).saturating_mul(count))?;
        one(Tensor::String(stretched(a, b, budget, |a, b| format!("{a}{b}"))?))
    }
}
