//! `TreeEnsembleRegressor` and `TreeEnsembleClassifier`: the votes of [`trees`](crate::trees), with base values, post
//! transform and labels.

use super::{Array, BuildFault, Built, Labels, Operator, RunFault, Tensor, Value, class_labels, input, targets};
use crate::onnx::attributes::Attributes;
use crate::onnx::post_transform::{PostTransform, Second};
use crate::onnx::tree_ensemble::{Voters, aggregate, aggregate_5, ensemble, ensemble_5};
use crate::trees::{Aggregate, Ensemble, Forest, Scores};

/// The same trees for rows of either type: each is compared in its own.
#[derive(Debug)]
struct Forests {
    floats: Forest<f32>,
    doubles: Forest<f64>,
    targets: usize,
}

impl Forests {
    fn new(ensemble: &Ensemble, aggregate: Aggregate) -> Self {
        let targets = ensemble.targets();
        Self { floats: Forest::new(ensemble, aggregate), doubles: Forest::new(ensemble, aggregate), targets }
    }

    fn run(&self, inputs: &[&Value]) -> Result<(usize, Scores), RunFault> {
        match input(inputs, 0)?.tensor()? {
            Tensor::Double(x) => Ok((x.rows()?.0, self.doubles.scores(&x.data, self.width(x)?))),
            other => {
                let x = other.to_floats()?;
                Ok((x.rows()?.0, self.floats.scores(&x.data, self.width(&x)?)))
            }
        }
    }

    fn width<T>(&self, x: &Array<T>) -> Result<usize, RunFault> {
        let (_, width) = x.rows()?;
        let least = self.floats.features().max(1);
        if width < least {
            return Err(RunFault::Shape { expected: format!("at least {least} columns"), found: x.shape.clone() });
        }
        Ok(width)
    }
}

/// A score for each target.
#[derive(Debug)]
struct TreeRegressor {
    forests: Forests,
    /// One for each target.
    base: Vec<f64>,
    post_transform: PostTransform,
}

pub(super) fn regressor(attributes: Attributes<'_>) -> Built {
    let targets = targets(attributes, "n_targets")?;
    let trees = ensemble(attributes, Voters::Targets, targets)?;
    let base = attributes.numbers("base_values")?;
    let base = match base.len() {
        0 => vec![0.0; targets],
        values if values == targets => base,
        values => {
            let reason = format!("has {values} values for {targets} targets");
            return Err(BuildFault::attribute("base_values", reason));
        }
    };
    let forests = Forests::new(&trees, aggregate(attributes)?);
    Ok(Box::new(TreeRegressor { forests, base, post_transform: PostTransform::of(attributes)? }))
}

impl Operator for TreeRegressor {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.forests.targets)
    }

    fn is_by_rows(&self) -> bool {
        true
    }

    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let (rows, Scores { scores, voted }) = self.forests.run(inputs)?;
        let targets = self.forests.targets;
        let shown = |(place, (score, voted)): (usize, (f64, bool))| {
            let base = self.base[place % targets];
            // Of several targets, one without votes scores 0 in ONNX Runtime, whatever its base value is.
            let unvoted = if targets == 1 { base } else { 0.0 };
            (if voted { score + base } else { unvoted }) as f32
        };
        let mut data: Vec<f32> = scores.into_iter().zip(voted).enumerate().map(shown).collect();
        data.chunks_exact_mut(targets).for_each(|row| self.post_transform.apply(row));
        Ok(vec![Array::table(rows, targets, data).into()])
    }
}

/// `TreeEnsemble`: a score for each target, in the type of the input.
#[derive(Debug)]
struct TreeEnsemble(TreeRegressor);

pub(super) fn ensemble_operator(attributes: Attributes<'_>) -> Built {
    let targets = targets(attributes, "n_targets")?;
    let trees = ensemble_5(attributes, targets)?;
    let forests = Forests::new(&trees, aggregate_5(attributes)?);
    let post_transform = PostTransform::of_number(attributes)?;
    Ok(Box::new(TreeEnsemble(TreeRegressor { forests, base: vec![0.0; targets], post_transform })))
}

impl Operator for TreeEnsemble {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.0.forests.targets)
    }

    fn is_by_rows(&self) -> bool {
        true
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let Tensor::Double(_) = input(inputs, 0)?.tensor()? else { return self.0.run(inputs) };
        if self.0.post_transform == PostTransform::None {
            let (rows, Scores { scores, voted }) = self.0.forests.run(inputs)?;
            let shown = scores.into_iter().zip(voted).map(|(score, voted)| if voted { score } else { 0.0 });
            let table = Array::table(rows, self.0.forests.targets, shown.collect());
            return Ok(vec![Value::Tensor(Tensor::Double(table))]);
        }
        let shown = self.0.run(inputs)?;
        shown.into_iter().map(|value| Ok(Value::Tensor(Tensor::Double(doubled(value.tensor()?)?)))).collect()
    }
}

fn doubled(tensor: &Tensor) -> Result<Array<f64>, RunFault> {
    let floats = tensor.to_floats()?;
    Ok(floats.like(floats.data.iter().copied().map(f64::from).collect()))
}

/// The class with the greatest score. With two classes the leaves may vote for one of them alone: its score is a
/// probability when no weight is negative, else a margin.
#[derive(Debug)]
struct TreeClassifier {
    forests: Forests,
    base: Vec<f64>,
    labels: Labels,
    /// All votes are for one class.
    one_voted: bool,
    positive_weights: bool,
    post_transform: PostTransform,
}

pub(super) fn classifier(attributes: Attributes<'_>) -> Built {
    let labels = class_labels(attributes, "classlabels_int64s", "classlabels_strings")?;
    let trees = ensemble(attributes, Voters::Classes, labels.len())?;
    let base = attributes.numbers("base_values")?;
    if !base.is_empty() && base.len() != labels.len() && !(base.len() == 1 && labels.len() == 2) {
        let reason = format!("has {} values for {} classes", base.len(), labels.len());
        return Err(BuildFault::attribute("base_values", reason));
    }
    let first = trees.votes().first().map(|vote| vote.target);
    let one_voted = trees.votes().iter().all(|vote| Some(vote.target) == first);
    let positive_weights = trees.votes().iter().all(|vote| vote.weight >= 0.0);
    let forests = Forests::new(&trees, Aggregate::Sum);
    let post_transform = PostTransform::of(attributes)?;
    Ok(Box::new(TreeClassifier { forests, base, labels, one_voted, positive_weights, post_transform }))
}

impl TreeClassifier {
    /// More than two classes, or one: each has its score.
    fn many(&self, scores: &mut [f32], voted: &[bool]) -> usize {
        let mut best: Option<usize> = None;
        for (class, score) in scores.iter().enumerate() {
            let counts = voted[class] || !self.base.is_empty();
            if counts && best.is_none_or(|best| *score > scores[best]) {
                best = Some(class);
            }
        }
        self.post_transform.apply(scores);
        best.unwrap_or(0)
    }

    /// Two classes. What ONNX Runtime 1.31 does with base values is kept, though no exporter seems to write them so: a
    /// class without votes scores 0, and two base values are for the margin of the second class.
    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn two(&self, scores: &[f64], voted: &[bool]) -> (usize, [f32; 2]) {
        let [first, second] = [scores[0], scores[1]];
        let (first, second) = match self.base[..] {
            [_, base] if voted[1] => (-(base + first), Some(base + first)),
            [base, _] => return self.by_both((first + base) as f32, None),
            [base] => (first + base, voted[1].then_some(second)),
            _ => (first, voted[1].then_some(second)),
        };
        match second {
            Some(second) => self.by_both(if voted[0] { first as f32 } else { 0.0 }, Some(second as f32)),
            None => self.by_one(first as f32),
        }
    }

    /// Two classes by the score of one of them, which stands for the second.
    fn by_one(&self, score: f32) -> (usize, [f32; 2]) {
        let probability = self.one_voted && self.positive_weights;
        let second = if probability { Second::Complement } else { Second::Opposite };
        let shown = match self.post_transform {
            PostTransform::Probit => {
                let mut shown = [score];
                PostTransform::Probit.apply(&mut shown);
                [shown[0], 0.0]
            }
            other => other.second(score, second),
        };
        (self.wins(score), shown)
    }

    fn by_both(&self, first: f32, second: Option<f32>) -> (usize, [f32; 2]) {
        let mut shown = [first, second.unwrap_or(0.0)];
        let class = self.wins(second.unwrap_or(first));
        self.post_transform.apply(&mut shown);
        (class, shown)
    }

    /// Whether a score makes the second class win.
    fn wins(&self, score: f32) -> usize {
        usize::from(score > if self.one_voted && self.positive_weights { 0.5 } else { 0.0 })
    }
}

impl Operator for TreeClassifier {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.labels.len())
    }

    fn is_by_rows(&self) -> bool {
        true
    }

    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let (rows, Scores { scores, voted }) = self.forests.run(inputs)?;
        let classes = self.labels.len();
        let (mut places, mut shown) = (Vec::with_capacity(rows), Vec::with_capacity(scores.len()));
        for (scores, voted) in scores.chunks_exact(classes).zip(voted.chunks_exact(classes)) {
            if classes == 2 {
                let (class, scores) = self.two(scores, voted);
                places.push(class);
                shown.extend(scores);
                continue;
            }
            let with_base = |(class, score): (usize, &f64)| (score + self.base.get(class).unwrap_or(&0.0)) as f32;
            let mut scores: Vec<f32> = scores.iter().enumerate().map(with_base).collect();
            places.push(self.many(&mut scores, voted));
            shown.extend(scores);
        }
        let labels = if classes == 2 && !self.one_voted { self.labels.positions() } else { self.labels.clone() };
        Ok(vec![Value::Tensor(labels.take(&places)), Array::table(rows, classes, shown).into()])
    }
}
