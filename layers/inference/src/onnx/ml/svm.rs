//! `SVMRegressor` and `SVMClassifier`: support vectors with a kernel, or one weight for each feature.

use super::{Array, BuildFault, Labels, Operator, RunFault, Value, class_labels, floats, numbers, places_of_greatest};
use crate::onnx::attributes::Attributes;
use crate::onnx::post_transform::{PostTransform, Second, logistic};

/// How alike two vectors are.
#[derive(Clone, Copy, Debug)]
enum Kernel {
    Linear,
    Polynomial { gamma: f64, bias: f64, degree: f64 },
    Radial { gamma: f64 },
    Sigmoid { gamma: f64, bias: f64 },
}

impl Kernel {
    fn of(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let parameters = numbers(attributes, "kernel_params");
        if !parameters.is_empty() && parameters.len() != 3 {
            let reason = format!("has {} values; it takes gamma, coef0 and degree", parameters.len());
            return Err(BuildFault::attribute("kernel_params", reason));
        }
        let parameter = |place: usize| parameters.get(place).copied().map_or(0.0, f64::from);
        let (gamma, bias, degree) = (parameter(0), parameter(1), parameter(2));
        match attributes.text("kernel_type")? {
            None | Some("LINEAR") => Ok(Self::Linear),
            Some("POLY") => Ok(Self::Polynomial { gamma, bias, degree }),
            Some("RBF") => Ok(Self::Radial { gamma }),
            Some("SIGMOID") => Ok(Self::Sigmoid { gamma, bias }),
            Some(other) => Err(BuildFault::attribute("kernel_type", format!("has the value `{other}`"))),
        }
    }

    fn of_two(self, one: &[f32], other: &[f32]) -> f64 {
        let pairs = || one.iter().zip(other).map(|(one, other)| (f64::from(*one), f64::from(*other)));
        let dot = || pairs().map(|(one, other)| one * other).sum::<f64>();
        match self {
            Self::Linear => dot(),
            Self::Polynomial { gamma, bias, degree } => (gamma * dot() + bias).powf(degree),
            Self::Radial { gamma } => (-gamma * pairs().map(|(one, other)| (one - other).powi(2)).sum::<f64>()).exp(),
            Self::Sigmoid { gamma, bias } => (gamma * dot() + bias).tanh(),
        }
    }
}

/// The rows of an input, which must have so many columns.
fn rows<'a>(x: &'a Array<f32>, features: usize) -> Result<impl Iterator<Item = &'a [f32]> + use<'a>, RunFault> {
    let (_, width) = x.rows()?;
    if width != features {
        return Err(RunFault::Shape { expected: format!("{features} columns"), found: x.shape.clone() });
    }
    Ok(x.data.chunks_exact(width))
}

/// The length of each of so many vectors that lie one after the other.
fn width_of(name: &str, values: &[f32], vectors: usize) -> Result<usize, BuildFault> {
    match values.len().checked_div(vectors) {
        Some(width) if width > 0 && width * vectors == values.len() => Ok(width),
        _ => Err(BuildFault::attribute(name, format!("has {} values for {vectors} vectors", values.len()))),
    }
}

/// A weighted sum of the kernel with each support vector.
#[derive(Debug)]
pub(super) struct SvmRegressor {
    kernel: Kernel,
    vectors: Vec<f32>,
    weights: Vec<f32>,
    features: usize,
    bias: f32,
    /// Only whether it is above zero counts: 1, else -1.
    one_class: bool,
    post_transform: PostTransform,
}

impl SvmRegressor {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let (mut kernel, weights) = (Kernel::of(attributes)?, numbers(attributes, "coefficients"));
        let count = usize::try_from(attributes.int("n_supports").unwrap_or(0)).unwrap_or(0);
        let (vectors, weights, features) = if count > 0 {
            let vectors = numbers(attributes, "support_vectors");
            let features = width_of("support_vectors", &vectors, count)?;
            if weights.len() != count {
                let reason = format!("has {} values for {count} support vectors", weights.len());
                return Err(BuildFault::attribute("coefficients", reason));
            }
            (vectors, weights, features)
        } else {
            // The weights are the only vector.
            kernel = Kernel::Linear;
            let features = width_of("coefficients", &weights, 1)?;
            (weights, vec![1.0], features)
        };
        let Some(bias) = numbers(attributes, "rho").first().copied() else {
            return Err(BuildFault::attribute("rho", "is needed"));
        };
        let one_class = attributes.int("one_class").unwrap_or(0) != 0;
        let post_transform = PostTransform::of(attributes)?;
        Ok(Self { kernel, vectors, weights, features, bias, one_class, post_transform })
    }
}

impl Operator for SvmRegressor {
    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = floats(inputs)?;
        let score = |row: &[f32]| {
            let vectors = self.vectors.chunks_exact(self.features).zip(&self.weights);
            let sum: f64 = vectors.map(|(vector, weight)| f64::from(*weight) * self.kernel.of_two(row, vector)).sum();
            let score = (sum + f64::from(self.bias)) as f32;
            if self.one_class { if score > 0.0 { 1.0 } else { -1.0 } } else { score }
        };
        let mut scores: Vec<f32> = rows(&x, self.features)?.map(score).collect();
        scores.chunks_exact_mut(1).for_each(|row| self.post_transform.apply(row));
        Ok(vec![Array::table(scores.len(), 1, scores).into()])
    }
}

/// What tells classes apart.
#[derive(Debug)]
enum Machine {
    /// Weights for each class.
    Linear { weights: Vec<f32>, bias: f32 },
    /// A machine for each pair of classes.
    Pairs(Pairs),
}

/// A vote for each pair of classes, and, if the file has what it takes, a probability (Platt).
#[derive(Debug)]
struct Pairs {
    kernel: Kernel,
    vectors: Vec<f32>,
    /// The support vectors of each class: where they begin, and how many there are.
    classes: Vec<(usize, usize)>,
    /// For each class but one, a weight of each support vector.
    weights: Vec<f32>,
    biases: Vec<f32>,
    platt: Vec<(f32, f32)>,
}

/// The class with the most votes, or the greatest score.
#[derive(Debug)]
pub(super) struct SvmClassifier {
    machine: Machine,
    features: usize,
    labels: Labels,
    /// Whether a linear machine of two classes takes its score for a probability.
    positive_weights: bool,
    post_transform: PostTransform,
}

impl SvmClassifier {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, BuildFault> {
        let labels = class_labels(attributes, "classlabels_ints", "classlabels_strings")?;
        if labels.len() < 2 || labels.len() > 65_535 {
            let reason = format!("names {} classes; it takes 2 to 65535", labels.len());
            return Err(BuildFault::attribute("classlabels_ints", reason));
        }
        let weights = numbers(attributes, "coefficients");
        let positive_weights = weights.iter().all(|weight| *weight >= 0.0);
        let biases = numbers(attributes, "rho");
        let counts = attributes.ints("vectors_per_class");
        let post_transform = PostTransform::of(attributes)?;
        let (machine, features) = if counts.iter().any(|count| *count != 0) {
            let pairs = Pairs::new(attributes, &labels, weights, biases)?;
            let features = pairs.features();
            if labels.len() == 2 && pairs.platt.is_empty() && post_transform == PostTransform::Probit {
                let reason = "is `PROBIT`, which has no meaning for a single score";
                return Err(BuildFault::attribute("post_transform", reason));
            }
            (Machine::Pairs(pairs), features)
        } else {
            let features = width_of("coefficients", &weights, labels.len())?;
            let Some(bias) = biases.first().copied() else {
                return Err(BuildFault::attribute("rho", "is needed"));
            };
            (Machine::Linear { weights, bias }, features)
        };
        Ok(Self { machine, features, labels, positive_weights, post_transform })
    }

    /// Weights for each class: its scores, and the place of its label.
    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn linear(&self, row: &[f32], weights: &[f32], bias: f32) -> (usize, Vec<f32>) {
        let score = |weights: &[f32]| (Kernel::Linear.of_two(row, weights) + f64::from(bias)) as f32;
        let mut scores: Vec<f32> = weights.chunks_exact(self.features).map(score).collect();
        let greatest = places_of_greatest(&scores, scores.len())[0];
        let score = scores[greatest];
        let above = if self.positive_weights { score >= 0.5 } else { score > 0.0 };
        let class = if scores.len() == 2 && above { 1 } else { greatest };
        self.post_transform.apply(&mut scores);
        (class, scores)
    }

    fn of_pairs(&self, row: &[f32], pairs: &Pairs) -> (usize, Vec<f32>) {
        let scores = pairs.scores(row);
        let class = pairs.winner(&scores);
        if !pairs.platt.is_empty() {
            let mut shown = pairs.probabilities(&scores);
            self.post_transform.apply(&mut shown);
            return (class, shown);
        }
        let mut shown: Vec<f32> = scores;
        if let [score] = shown[..] {
            let second = if self.post_transform == PostTransform::None { Second::Opposite } else { Second::Complement };
            shown = self.post_transform.second(score, second).to_vec();
        } else {
            self.post_transform.apply(&mut shown);
        }
        (class, shown)
    }
}

impl Operator for SvmClassifier {
    fn needed(&self, _: &[&Value], rows: usize) -> usize {
        rows.saturating_mul(self.labels.len().saturating_mul(self.labels.len()))
    }

    fn is_by_rows(&self) -> bool {
        true
    }

    fn run(&self, inputs: &[&Value]) -> Result<Vec<Value>, RunFault> {
        let x = floats(inputs)?;
        let of_row = |row: &[f32]| match &self.machine {
            Machine::Linear { weights, bias } => self.linear(row, weights, *bias),
            Machine::Pairs(pairs) => self.of_pairs(row, pairs),
        };
        let (classes, scores): (Vec<usize>, Vec<Vec<f32>>) = rows(&x, self.features)?.map(of_row).unzip();
        let width = scores.first().map_or(0, Vec::len);
        Ok(vec![Value::Tensor(self.labels.take(&classes)), Array::table(classes.len(), width, scores.concat()).into()])
    }
}

impl Pairs {
    fn new(
        attributes: Attributes<'_>,
        labels: &Labels,
        weights: Vec<f32>,
        biases: Vec<f32>,
    ) -> Result<Self, BuildFault> {
        let counts = attributes.ints("vectors_per_class");
        let count = |count: &i64| usize::try_from(*count).ok();
        let counts: Option<Vec<usize>> = counts.iter().map(count).collect();
        let Some(counts) = counts.filter(|counts| counts.len() == labels.len()) else {
            let reason = format!("must have a count for each of the {} classes", labels.len());
            return Err(BuildFault::attribute("vectors_per_class", reason));
        };
        let mut total = 0_usize;
        let mut classes = Vec::with_capacity(counts.len());
        for count in counts {
            classes.push((total, count));
            total = total.saturating_add(count);
        }
        let vectors = numbers(attributes, "support_vectors");
        width_of("support_vectors", &vectors, total)?;
        let pairs = classes.len() * (classes.len() - 1) / 2;
        let (a, b) = (numbers(attributes, "prob_a"), numbers(attributes, "prob_b"));
        for (name, found, expected) in [
            ("coefficients", weights.len(), total.saturating_mul(classes.len() - 1)),
            ("rho", biases.len(), pairs),
            ("prob_a", a.len(), if a.is_empty() { 0 } else { pairs }),
            ("prob_b", b.len(), a.len()),
        ] {
            if found != expected {
                return Err(BuildFault::attribute(name, format!("has {found} values where {expected} are needed")));
            }
        }
        let platt = a.into_iter().zip(b).collect();
        Ok(Self { kernel: Kernel::of(attributes)?, vectors, classes, weights, biases, platt })
    }

    fn count(&self) -> usize {
        self.classes.iter().map(|(_, count)| count).sum()
    }

    fn features(&self) -> usize {
        self.vectors.len() / self.count()
    }

    /// All pairs of classes, in the order of the file.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let classes = self.classes.len();
        (0..classes).flat_map(move |one| (one + 1..classes).map(move |other| (one, other)))
    }

    /// For each pair the margin of its first class.
    #[expect(clippy::cast_possible_truncation, reason = "scores are 32-bit floats")]
    fn scores(&self, row: &[f32]) -> Vec<f32> {
        let count = self.count();
        let kernels: Vec<f64> =
            self.vectors.chunks_exact(self.features()).map(|vector| self.kernel.of_two(row, vector)).collect();
        let part = |class: usize, row: usize| -> f64 {
            let (first, length) = self.classes[class];
            let weights = &self.weights[row * count + first..][..length];
            weights.iter().zip(&kernels[first..]).map(|(weight, kernel)| f64::from(*weight) * kernel).sum()
        };
        let score = |((one, other), bias): ((usize, usize), &f32)| {
            (part(one, other - 1) + part(other, one) + f64::from(*bias)) as f32
        };
        self.pairs().zip(&self.biases).map(score).collect()
    }

    fn winner(&self, scores: &[f32]) -> usize {
        let mut votes = vec![0_usize; self.classes.len()];
        for ((one, other), score) in self.pairs().zip(scores) {
            votes[if *score > 0.0 { one } else { other }] += 1;
        }
        (1..votes.len()).fold(0, |best, class| if votes[class] > votes[best] { class } else { best })
    }

    /// The probability of each class, from those of the pairs.
    fn probabilities(&self, scores: &[f32]) -> Vec<f32> {
        /// No pair is certain.
        const LEAST: f32 = 1e-7;
        let classes = self.classes.len();
        let mut of_pair = vec![0.0; classes * classes];
        for (((one, other), score), (a, b)) in self.pairs().zip(scores).zip(&self.platt) {
            let probability = (1.0 - logistic(score * a + b)).clamp(LEAST, 1.0 - LEAST);
            of_pair[one * classes + other] = probability;
            of_pair[other * classes + one] = 1.0 - probability;
        }
        coupled(classes, &of_pair)
    }
}

/// The probabilities of classes that agree best with those of pairs of them: Wu, Lin and Weng, "Probability estimates for
/// multi-class classification by pairwise coupling", JMLR 5 (2004), method 2; 32-bit floats, since the iteration ends
/// early and its end is what ONNX Runtime shows.
#[expect(clippy::cast_precision_loss, reason = "classes are few")]
fn coupled(classes: usize, of_pair: &[f32]) -> Vec<f32> {
    const ITERATIONS: usize = 100;
    let mut q = vec![0.0_f32; classes * classes];
    for one in 0..classes {
        for other in (0..classes).filter(|other| *other != one) {
            q[one * classes + one] += of_pair[other * classes + one] * of_pair[other * classes + one];
            q[one * classes + other] = -of_pair[other * classes + one] * of_pair[one * classes + other];
        }
    }
    let mut p = vec![1.0 / classes as f32; classes];
    let close = 0.005 / classes as f32;
    for _ in 0..ITERATIONS {
        let mut qp: Vec<f32> =
            q.chunks_exact(classes).map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f32 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        // Of scores that are no numbers it stays with equal shares, as ONNX Runtime does.
        if !qp.iter().any(|qp| (qp - pqp).abs() >= close) {
            break;
        }
        for one in 0..classes {
            let own = q[one * classes + one];
            let step = (pqp - qp[one]) / own;
            p[one] += step;
            pqp = (pqp + step * (step * own + 2.0 * qp[one])) / (1.0 + step) / (1.0 + step);
            for other in 0..classes {
                qp[other] = (qp[other] + step * q[one * classes + other]) / (1.0 + step);
                p[other] /= 1.0 + step;
            }
        }
    }
    p
}
