//! A signature as whoever registers a version gives it: what the file does not tell.

use std::collections::HashSet;

use mandi_core::FieldError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Feature, Kind, Missing, Output, Range, Role, Scalar, Signature, Unknown, derive};
use crate::onnx::{self, Dimension};

/// The longest name of a feature, in characters.
const MAX_NAME_CHARACTERS: usize = 200;
/// The most categories of a feature.
const MAX_CATEGORIES: usize = 10_000;

/// What is given of a signature.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SignatureDraft)]
pub struct Draft {
    /// Features: by the name of the file's input where each has one; otherwise in the order of its columns.
    pub inputs: Vec<FeatureDraft>,
    /// Outputs, by name; those that are not given keep what the file tells.
    pub outputs: Vec<OutputDraft>,
}

/// What is given of a feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureDraft {
    /// Its name.
    pub name: String,
    /// What it is; what the file tells when it is not given.
    #[serde(rename = "type", default)]
    pub kind: Option<Kind>,
    /// The numbers that it may have.
    #[serde(default)]
    pub range: Option<Range>,
    /// The values that it may have. A text that goes to an input of numbers becomes its place among them.
    #[serde(default)]
    pub categories: Option<Vec<Scalar>>,
    /// What becomes of a value that is none of them.
    #[serde(default)]
    pub unknown: Unknown,
    /// The value that takes the place of a missing one.
    #[serde(default)]
    pub default: Option<Scalar>,
    /// What becomes of a missing value: by default its default, if it has one.
    #[serde(default)]
    pub missing: Option<Missing>,
    /// Its values are redacted before anything is captured.
    #[serde(default)]
    pub private: bool,
}

/// What is given of an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputDraft {
    /// Its name in the file.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub role: Option<Role>,
    /// The names of the classes, in the order of its columns.
    #[serde(default)]
    pub classes: Option<Vec<Scalar>>,
    /// Of `lower` and `upper`: the share of outcomes that the interval is to hold.
    #[serde(default)]
    pub coverage: Option<f64>,
}

impl Draft {
    /// The whole signature: what the file tells, completed by what is given.
    ///
    /// # Errors
    /// Each field that is wrong, by its JSON pointer within the draft.
    pub fn complete(&self, file: &onnx::Signature) -> Result<Signature, Vec<FieldError>> {
        let mut derived = derive(&self.widened(file)).map_err(|detail| vec![fault("/inputs", detail)])?;
        let mut faults = Vec::new();
        if !self.inputs.is_empty() {
            self.name_features(file, &mut derived, &mut faults);
        }
        for (place, output) in self.outputs.iter().enumerate() {
            match derived.outputs.iter_mut().find(|derived| derived.name == output.name) {
                Some(derived) => output.complete(derived, &format!("/outputs/{place}"), &mut faults),
                None => {
                    let names: Vec<&str> = derived.outputs.iter().map(|output| output.name.as_str()).collect();
                    let detail = format!("the file has no output `{}`; it has {}", output.name, names.join(", "));
                    faults.push(fault(format!("/outputs/{place}/name"), detail));
                }
            }
        }
        if faults.is_empty() { Ok(derived) } else { Err(faults) }
    }

    /// What the file tells, in which a lone input of any width has as many columns as features are given.
    fn widened(&self, file: &onnx::Signature) -> onnx::Signature {
        let mut widened = file.clone();
        if let [input] = &mut widened.inputs[..]
            && matches!(input.shape.as_deref(), None | Some([_, Dimension::Free(_)]))
            && !self.inputs.is_empty()
        {
            input.shape = Some(vec![Dimension::Free(None), Dimension::Fixed(self.inputs.len())]);
        }
        widened
    }

    /// Takes over what is given of each feature.
    fn name_features(&self, file: &onnx::Signature, derived: &mut Signature, faults: &mut Vec<FieldError>) {
        let by_name = file.inputs.len() > 1 && derived.inputs.len() == file.inputs.len();
        if !by_name && self.inputs.len() != derived.inputs.len() {
            let detail = format!(
                "{} features are given; the file's input has {} columns",
                self.inputs.len(),
                derived.inputs.len()
            );
            faults.push(fault("/inputs", detail));
            return;
        }
        let mut names = HashSet::new();
        for (place, draft) in self.inputs.iter().enumerate() {
            let pointer = format!("/inputs/{place}");
            if !names.insert(&draft.name) {
                faults.push(fault(format!("{pointer}/name"), format!("there are two features `{}`", draft.name)));
            }
            let target = if by_name {
                derived.inputs.iter_mut().find(|feature| feature.name == draft.name)
            } else {
                derived.inputs.get_mut(place)
            };
            match target {
                Some(feature) => draft.complete(feature, &pointer, faults),
                None => {
                    let names: Vec<&str> = file.inputs.iter().map(|input| input.name.as_str()).collect();
                    let detail = format!("the file has no input `{}`; it has {}", draft.name, names.join(", "));
                    faults.push(fault(format!("{pointer}/name"), detail));
                }
            }
        }
    }
}

impl FeatureDraft {
    fn complete(&self, feature: &mut Feature, pointer: &str, faults: &mut Vec<FieldError>) {
        feature.name.clone_from(&self.name);
        feature.kind = self.kind.unwrap_or(feature.kind);
        feature.range = self.range;
        feature.categories.clone_from(&self.categories);
        feature.unknown = self.unknown;
        feature.default.clone_from(&self.default);
        let usual = if self.default.is_some() { Missing::Default } else { Missing::Error };
        feature.missing = self.missing.unwrap_or(usual);
        feature.private = self.private;
        faults.extend(feature.faults().map(|(field, detail)| fault(format!("{pointer}/{field}"), detail)));
    }
}

impl Feature {
    /// What of it contradicts itself, by field.
    fn faults(&self) -> impl Iterator<Item = (&'static str, String)> {
        let mut faults = Vec::new();
        let characters = self.name.chars().count();
        if !(1..=MAX_NAME_CHARACTERS).contains(&characters) {
            faults.push(("name", format!("it has {characters} characters; it is 1 to {MAX_NAME_CHARACTERS}")));
        }
        let numeric = matches!(self.kind, Kind::Number | Kind::Integer);
        if let Some(Range { min, max }) = self.range {
            let ends = [min, max].into_iter().flatten();
            if !numeric || !self.shape.is_empty() {
                faults.push(("range", "only a single number has a range".to_owned()));
            } else if !ends.clone().all(f64::is_finite) || matches!((min, max), (Some(min), Some(max)) if min > max) {
                faults.push(("range", "`min` is at most `max`, and both are finite".to_owned()));
            }
        }
        if let Some(categories) = &self.categories {
            let distinct: HashSet<String> = categories.iter().map(Scalar::to_string).collect();
            let mismatch = categories.iter().find(|category| !self.is_of_kind(category));
            if !(1..=MAX_CATEGORIES).contains(&categories.len()) {
                faults.push(("categories", format!("there are {}; 1 to {MAX_CATEGORIES} are taken", categories.len())));
            } else if distinct.len() < categories.len() {
                faults.push(("categories", "two of them are the same".to_owned()));
            } else if let Some(category) = mismatch {
                faults.push(("categories", format!("`{category}` is not of the feature's type")));
            }
        }
        match (self.missing, &self.default) {
            (Missing::Default, None) => {
                faults.push(("default", "`missing` is `default`, and there is none".to_owned()));
            }
            (Missing::Nan, _)
                if !matches!(self.kind, Kind::Number | Kind::Integer | Kind::Timestamp | Kind::Boolean) =>
            {
                faults.push(("missing", "only what the model gets as a number can be `nan`".to_owned()));
            }
            (_, Some(_)) if self.missing_cell("nothing").is_err() => {
                faults.push(("default", format!("it is not {}", self.expectation())));
            }
            _ => {}
        }
        faults.into_iter()
    }

    fn is_of_kind(&self, scalar: &Scalar) -> bool {
        match self.kind {
            Kind::Number => matches!(scalar, Scalar::Number(_) | Scalar::Integer(_)),
            Kind::Integer => matches!(scalar, Scalar::Integer(_)),
            Kind::String | Kind::Timestamp => matches!(scalar, Scalar::Text(_)),
            Kind::Boolean => matches!(scalar, Scalar::Boolean(_)),
        }
    }
}

impl OutputDraft {
    fn complete(&self, output: &mut Output, pointer: &str, faults: &mut Vec<FieldError>) {
        output.role = self.role.unwrap_or(output.role);
        self.name_classes(output, pointer, faults);
        output.coverage = self.coverage;
        let is_end = matches!(output.role, Role::Lower | Role::Upper);
        if self.coverage.is_some_and(|coverage| !(is_end && coverage > 0.0 && coverage < 1.0)) {
            let detail = "it is a share above 0 and below 1, of an output whose role is `lower` or `upper`";
            faults.push(fault(format!("{pointer}/coverage"), detail.to_owned()));
        }
    }

    /// Takes the names of the classes over, where the file does not say others.
    fn name_classes(&self, output: &mut Output, pointer: &str, faults: &mut Vec<FieldError>) {
        let Some(given) = &self.classes else { return };
        let texts = |classes: &[Scalar]| classes.iter().map(Scalar::to_string).collect::<Vec<_>>();
        let detail = match &output.classes {
            _ if output.role != Role::Probabilities => {
                "only an output whose role is `probabilities` has classes".to_owned()
            }
            Some(told) if texts(told) != texts(given) => {
                format!("the file says its classes itself: {}; leave this out", texts(told).join(", "))
            }
            _ => {
                output.classes = Some(given.clone());
                return;
            }
        };
        faults.push(fault(format!("{pointer}/classes"), detail));
    }
}

fn fault(pointer: impl Into<String>, detail: String) -> FieldError {
    FieldError { pointer: pointer.into(), detail }
}
