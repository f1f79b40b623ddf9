//! `LinearRegressor` and `LinearClassifier`.

use super::{
    Array, BuildFault, Labels, Operator, RunFault, Value, class_labels, floats, numbers, places_of_greatest, targets,
};
use crate::onnx::attributes::Attributes;
use crate::onnx::post_transform::{PostTransform, Second};

/// `x * coefficients + intercept` for each target.
#[derive(Debug)]
pub(in crate::onnx) struct LinearPart {
    /// Target by target.
    pub(in crate::onnx) coefficients: Vec<f32>,
    pub(in crate::onnx) intercepts: Vec<f32>,
    features: usize,
}

impl LinearPart {
    /// That of a `LinearRegressor`.
    pub(in crate::onnx) fn of_regressor(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let targets = targets(attributes, "targets")?;
        let mut intercepts = numbers(attributes, "intercepts");
        if intercepts.is_empty() {
            intercepts = vec![0.0; targets];
        }
        Self::new(numbers(attributes, "coefficients"), intercepts, targets)
    }

    /// That of a `LinearClassifier`, with its labels.
    pub(in crate::onnx) fn of_classifier(attributes: Attributes<'_>) -> Result<(Self, Labels), BuildFault> {
        let labels = class_labels(attributes, "classlabels_ints", "classlabels_strings")?;
        let mut intercepts = numbers(attributes, "intercepts");
        if intercepts.is_empty() {
            intercepts = vec![0.0; labels.len()];
        }
        let classes = intercepts.len();
        if labels.len() != classes && (labels.len(), classes) != (2, 1) {
            let reason = format!("has {classes} values for {} classes", labels.len());
            return Err(BuildFault::attribute("intercepts", reason));
        }
        Ok((Self::new(numbers(attributes, "coefficients"), intercepts, classes)?, labels))
    }

    fn new(coefficients: Vec<f32>, intercepts: Vec<f32>, targets: usize) -> Result<Self, BuildFault> {
        if targets == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(targets) {
            let reason = format!("has {} values for {targets} targets", coefficients.len());
            return Err(BuildFault::attribute("coefficients", reason));
        }
        if intercepts.len() != targets {
            let reason = format!("has {} values for {targets} targets", intercepts.len());
            return Err(BuildFault::attribute("intercepts", reason));
        }
        let features = coefficients.len() / targets;
        Ok(Self { coefficients, intercepts, features })
    }

    /// Row by row, target by target; sums are of 64-bit floats.
    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn scores(&self, x: &Array<f32>) -> Result<(usize, Vec<f32>), RunFault> {
        let (rows, width) = x.rows()?;
        if width != self.features {
            let expected = format!("{} columns", self.features);
            return Err(RunFault::Shape { expected, found: x.shape.clone() });
        }
        let score = |row: &[f32], (coefficients, intercept): (&[f32], &f32)| {
            let products = row.iter().zip(coefficients).map(|(x, weight)| f64::from(*x) * f64::from(*weight));
            (products.sum::<f64>() + f64::from(*intercept)) as f32
        };
        let of_row = |row| {
            let targets = self.coefficients.chunks_exact(self.features).zip(&self.intercepts);
            targets.map(move |target| score(row, target))
        };
        Ok((rows, x.data.chunks_exact(width).flat_map(of_row).collect()))
    }
}

/// A score for each target.
#[derive(Debug)]
pub(super) struct LinearRegressor {
    linear: LinearPart,
    post_transform: PostTransform,
}

impl LinearRegressor {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let linear = LinearPart::of_regressor(attributes)?;
        Ok(Self { linear, post_transform: PostTransform::of(attributes)? })
    }
}

impl Operator for LinearRegressor {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.linear.intercepts.len())
    }

    fn is_by_rows(&self) -> bool {
        true
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let (rows, mut scores) = self.linear.scores(&*floats(inputs)?)?;
        let targets = self.linear.intercepts.len();
        scores.chunks_exact_mut(targets).for_each(|row| self.post_transform.apply(row));
        Ok(vec![Array::table(rows, targets, scores).into()])
    }
}

/// The class with the greatest score; with one score, the second class above zero.
#[derive(Debug)]
pub(super) struct LinearClassifier {
    linear: LinearPart,
    labels: Labels,
    post_transform: PostTransform,
}

impl LinearClassifier {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let (linear, labels) = LinearPart::of_classifier(attributes)?;
        let classes = linear.intercepts.len();
        let post_transform = PostTransform::of(attributes)?;
        if classes == 1 && post_transform == PostTransform::Probit {
            return Err(BuildFault::attribute(
                "post_transform",
                "is `PROBIT`, which has no meaning for a single score",
            ));
        }
        Ok(Self { linear, labels, post_transform })
    }

    /// Two classes with one score: the margin of the second.
    fn of_one_score(&self, rows: usize, scores: &[f32]) -> Vec<Value> {
        let labels = match &self.labels {
            Labels::Ints(labels) if labels.len() == 1 => Labels::Ints(vec![0, 1]),
            Labels::Strings(labels) if labels.len() == 1 => Labels::Strings(vec!["0".to_owned(), "1".to_owned()]),
            labels => labels.clone(),
        };
        let places: Vec<usize> = scores.iter().map(|score| usize::from(*score > 0.0)).collect();
        let shown = if self.labels.len() == 2 {
            let both = scores.iter().flat_map(|score| self.post_transform.second(*score, Second::Complement));
            Array::table(rows, 2, both.collect())
        } else {
            Array::table(rows, 1, scores.to_vec())
        };
        vec![Value::Tensor(labels.take(&places)), shown.into()]
    }
}

impl Operator for LinearClassifier {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.labels.len().max(self.linear.intercepts.len()))
    }

    fn is_by_rows(&self) -> bool {
        true
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let (rows, mut scores) = self.linear.scores(&*floats(inputs)?)?;
        let classes = self.linear.intercepts.len();
        if classes == 1 {
            return Ok(self.of_one_score(rows, &scores));
        }
        let labels = self.labels.take(&places_of_greatest(&scores, classes));
        scores.chunks_exact_mut(classes).for_each(|row| self.post_transform.apply(row));
        Ok(vec![Value::Tensor(labels), Array::table(rows, classes, scores).into()])
    }
}
