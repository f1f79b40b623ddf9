//! Exact contributions of features to the outputs of trees.

use pulp::{Arch, Simd, WithSimd};

use super::grown::{self, MAX_PLAYERS, Tree};
use super::interventional::{self, Pairs, Ways};
use super::leaf::Scratch;
use super::logistic::{logistic, slope};
use super::lookup::Block;
use super::model::TreeModel;
use super::path_dependent::{self, Points, Shares};
use super::patterns::Patterns;
use super::pieces::Plan;
use super::quadrature;
use crate::explain::contributions::count;
use crate::explain::{Contributions, ExplainFault, Game, Rows, Space};

/// Rows of a background at most.
pub const MAX_BACKGROUND: usize = 1000;
/// Rows that are looked up at a time; fewer are looked up by the next number.
const MANY: usize = 32;
const SOME: usize = 8;
/// Sums of a block at most: beyond, rows go one by one.
const MAX_SUMS: usize = 1 << 14;

/// How leaves without a table are walked to.
#[derive(Debug)]
enum Walk {
    Interventional(Ways),
    PathDependent(Shares),
}

/// A tree that is ready.
#[derive(Debug)]
struct Prepared {
    tree: Tree,
    plan: Plan,
    walk: Option<Walk>,
}

/// What the background's rows count.
#[derive(Debug)]
enum Weights {
    /// All the same.
    Equal,
    /// By how much steeper or flatter the logistic function is between their margins and that of a row.
    Margins(Vec<f64>),
}

/// An ensemble that is ready to be explained with one background.
///
/// Making one costs some tenths of a second for 500 trees of 50 leaves; keep it for as long as model and background are
/// the same. It does not need them any more.
#[derive(Debug)]
pub struct TreeExplainer {
    trees: Vec<Prepared>,
    features: usize,
    game: Game,
    base_values: Vec<f64>,
    base: Vec<f64>,
    weights: Weights,
    background: usize,
    pairs: Pairs,
    points: Vec<Points>,
}

impl TreeExplainer {
    /// Explains sums. A background has up to [`MAX_BACKGROUND`] rows, tables take up to `table_bytes`; what they have no
    /// room for is explained as exactly, but slower. Of 500 trees of 50 leaves they take 14 MB.
    ///
    /// # Errors
    /// The background has no or too many rows or too few columns, or trees are too deep.
    pub fn new(model: &TreeModel, game: Game, background: Rows<'_>, table_bytes: usize) -> Result<Self, ExplainFault> {
        let mut explainer = Self::bare(model, game, background)?;
        let mut scratch = Scratch::default();
        let points: Vec<_> = (0..=MAX_PLAYERS).map(|players| quadrature::points(quadrature::enough(players))).collect();
        let (mut budget, mut most) = (table_bytes, 0);
        for prepared in &mut explainer.trees {
            prepared.prepare(game, background, explainer.features, &mut budget, &points, &mut scratch);
            most = most.max(prepared.plan.walked[0]);
        }
        let lanes = u32::try_from(path_dependent::LANES).unwrap_or(1);
        let points = quadrature::enough(most).next_multiple_of(lanes);
        explainer.points = Points::groups(&quadrature::points(points));
        Ok(explainer)
    }

    /// Explains probabilities, the logistic function of the one margin of a model, with the interventional game: for each
    /// row of the background the contributions to the margin are scaled so that they make the difference of the
    /// probabilities, as `shap` does with `model_output="probability"`. There are no tables for it.
    ///
    /// # Errors
    /// As [`new`](Self::new); and the model has more than one output.
    pub fn probability(model: &TreeModel, background: Rows<'_>) -> Result<Self, ExplainFault> {
        let targets = model.ensemble().targets();
        if targets != 1 {
            return Err(ExplainFault::Link(targets));
        }
        let mut explainer = Self::bare(model, Game::Interventional, background)?;
        for prepared in &mut explainer.trees {
            prepared.walk = Some(Walk::Interventional(Ways::of(&prepared.tree, background)));
        }
        let margins: Vec<f64> = background.iter().map(|row| explainer.raw(row)[0]).collect();
        explainer.base = vec![margins.iter().map(|margin| logistic(*margin)).sum::<f64>() / count(margins.len())];
        explainer.weights = Weights::Margins(margins);
        Ok(explainer)
    }

    /// Without tables and walks.
    fn bare(model: &TreeModel, game: Game, background: Rows<'_>) -> Result<Self, ExplainFault> {
        let features = model.ensemble().features().max(1);
        background.background(features, MAX_BACKGROUND)?;
        let grown = grown::grow(model.ensemble(), model.scale())?;
        let prepared = |tree: Tree| Prepared { plan: Plan::new(&tree, &mut 0), tree, walk: None };
        let mut explainer = Self {
            trees: grown.into_iter().map(prepared).collect(),
            features: background.width(),
            game,
            base_values: model.base_values().to_vec(),
            base: vec![0.0; model.ensemble().targets()],
            weights: Weights::Equal,
            background: background.len(),
            pairs: Pairs::new(),
            points: Vec::new(),
        };
        for row in background.iter() {
            let own = explainer.raw(row);
            explainer.base.iter_mut().zip(own).for_each(|(base, own)| *base += own);
        }
        explainer.base.iter_mut().for_each(|base| *base /= count(background.len()));
        Ok(explainer)
    }

    /// How many leaves no row of the background comes to. In the path-dependent game a branch that none comes to is taken
    /// to send half of them each way; `shap` refuses such a background. Always 0 in the other game.
    #[must_use]
    pub fn uncovered_leaves(&self) -> usize {
        let uncovered = |prepared: &Prepared| prepared.plan.uncovered;
        self.trees.iter().map(uncovered).sum()
    }

    /// How many bytes the tables take.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        let bytes = |prepared: &Prepared| -> usize {
            prepared.plan.pieces.iter().map(|piece| piece.bytes(&prepared.tree)).sum()
        };
        self.trees.iter().map(bytes).sum()
    }

    /// The sums that are explained, by target.
    fn raw(&self, row: &[f64]) -> Vec<f64> {
        let mut sums = self.base_values.clone();
        self.trees.iter().for_each(|prepared| prepared.tree.add_votes(row, &mut sums));
        sums
    }

    /// The contributions of rows as wide as the background. Takes time in proportion to the rows.
    ///
    /// # Errors
    /// The rows have another width.
    pub fn explain(&self, rows: Rows<'_>) -> Result<Contributions, ExplainFault> {
        if rows.width() != self.features {
            let (found, expected) = (rows.width(), self.features);
            return Err(ExplainFault::Width { what: "rows to explain", found, expected });
        }
        let width = self.base.len() * self.features;
        let mut values = vec![0.0; rows.len() * width];
        Arch::new().dispatch(LookUp { explainer: self, rows, values: &mut values });
        self.walk(rows, &mut values);
        let space = match self.weights {
            Weights::Equal => Space::Raw,
            Weights::Margins(_) => Space::Probability,
        };
        Ok(Contributions { game: self.game, space, base: self.base.clone(), features: self.features, values })
    }

    /// Adds what comes from leaves without a table.
    fn walk(&self, rows: Rows<'_>, values: &mut [f64]) {
        if self.trees.iter().all(|prepared| prepared.walk.is_none()) {
            return;
        }
        let mut weights = vec![1.0 / count(self.background); self.background];
        let mut by_share = path_dependent::Walker::new(self.features);
        let mut by_row = interventional::Walker::new(&self.pairs, self.features);
        for (row, found) in rows.iter().zip(values.chunks_exact_mut(self.base.len() * self.features)) {
            if let Weights::Margins(margins) = &self.weights {
                let own = self.raw(row)[0];
                for (weight, margin) in weights.iter_mut().zip(margins) {
                    *weight = slope(own, *margin) / count(self.background);
                }
            }
            for Prepared { tree, plan, walk } in &self.trees {
                let walked = &plan.walked[..];
                match walk {
                    Some(Walk::Interventional(ways)) => {
                        by_row.add(interventional::Subject { tree, ways, walked, weights: &weights }, row, found);
                    }
                    Some(Walk::PathDependent(Shares { shares, .. })) => {
                        by_share.add(path_dependent::Subject { tree, shares, walked }, &self.points, row, found);
                    }
                    None => {}
                }
            }
        }
    }

    /// Adds what tables say of rows, as many at a time as a block takes.
    #[inline(always)]
    fn look_up<const ROWS: usize>(&self, rows: Rows<'_>, values: &mut [f64]) {
        let nodes = self.trees.iter().map(|prepared| prepared.tree.nodes.len()).max().unwrap_or(0);
        let (targets, features) = (self.base.len(), self.features);
        let mut block = Block::<ROWS>::new(features, targets, nodes);
        for (rows, values) in rows.chunks(ROWS).zip(values.chunks_mut(ROWS * targets * features)) {
            block.load(rows, features);
            for Prepared { tree, plan, .. } in self.trees.iter().filter(|prepared| !prepared.plan.pieces.is_empty()) {
                block.look_up(tree, plan);
            }
            for (row, values) in values.chunks_exact_mut(targets * features).enumerate() {
                block.add_to(row, values);
            }
        }
    }
}

impl Prepared {
    fn prepare(
        &mut self,
        game: Game,
        background: Rows<'_>,
        features: usize,
        budget: &mut usize,
        points: &[Vec<quadrature::Point>],
        scratch: &mut Scratch,
    ) {
        let tree = &self.tree;
        self.plan = Plan::new(tree, budget);
        let plan = &mut self.plan;
        let walks = plan.walked[0] > 0;
        let patterns = match game {
            Game::Interventional => {
                self.walk = walks.then(|| Walk::Interventional(Ways::of(tree, background)));
                Patterns::of_rows(tree, plan, features, background)
            }
            Game::PathDependent => {
                let shares = Shares::of(tree, background);
                plan.uncovered = shares.uncovered;
                let patterns = Patterns::of_shares(tree, plan, &shares.shares);
                self.walk = walks.then_some(Walk::PathDependent(shares));
                patterns
            }
        };
        for (piece, path) in plan.pieces.iter_mut().zip(&plan.paths) {
            piece.fill(tree, path, points, |place| patterns.of_leaf(tree, place), scratch);
        }
    }
}

/// [`TreeExplainer::look_up`], compiled for what the processor can do.
struct LookUp<'a> {
    explainer: &'a TreeExplainer,
    rows: Rows<'a>,
    values: &'a mut [f64],
}

impl WithSimd for LookUp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { explainer, rows, values } = self;
        let width = explainer.base.len() * explainer.features;
        let (many, few) = if width > MAX_SUMS { (0, 0) } else { (rows.len() / MANY * MANY, rows.len() / SOME * SOME) };
        let part = |from: usize, to: usize| rows.part(from, to);
        explainer.look_up::<MANY>(part(0, many), &mut values[..many * width]);
        explainer.look_up::<SOME>(part(many, few), &mut values[many * width..few * width]);
        explainer.look_up::<1>(part(few, rows.len()), &mut values[few * width..]);
    }
}
