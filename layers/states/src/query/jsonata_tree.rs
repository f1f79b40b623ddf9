//! What a JSONata expression refers to, and what of it Step Functions refuses.

use std::collections::BTreeSet;

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};
use jsonata_core::value::with_stack;

/// What an expression refers to.
#[derive(Debug, Default)]
pub(super) struct Uses {
    names: BTreeSet<String>,
    bound: BTreeSet<String>,
    /// The members of `$states` that it refers to; all of them when it uses `$states` as a whole.
    pub(super) states: BTreeSet<String>,
    /// Those that it names.
    pub(super) named: BTreeSet<String>,
    refused: Option<&'static str>,
}

const STATES: [&str; 4] = ["input", "context", "result", "errorOutput"];

/// Whether `$` has a meaning in a part of an expression: it has none outside paths, predicates and functions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Absent,
    Present,
}

impl Uses {
    pub(super) fn of(tree: &AstNode) -> Self {
        let mut uses = Self::default();
        uses.visit(tree, Item::Absent);
        uses
    }

    /// The variables that have to come from outside.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        let free = |name: &&String| !self.bound.contains(*name) && *name != "states" && !is_function(name);
        self.names.iter().filter(free).map(String::as_str)
    }

    /// Whether the expression binds a variable of this name itself.
    pub(super) fn binds(&self, name: &str) -> bool {
        self.bound.contains(name)
    }

    /// Why Step Functions does not take the expression.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refused.map(str::to_owned)
    }

    fn refuse(&mut self, why: &'static str) {
        self.refused.get_or_insert(why);
    }

    fn variable(&mut self, name: &str, item: Item) {
        match name {
            "" | "$" if item == Item::Absent => {
                self.refuse("`$` and `$$` have no value at the top level of an expression; use $states or a variable");
            }
            "eval" => self.refuse("`$eval` is not allowed; `$parse` reads JSON from a text"),
            "" | "$" => {}
            "states" => self.states.extend(STATES.map(str::to_owned)),
            name => drop(self.names.insert(name.to_owned())),
        }
    }

    fn visit(&mut self, node: &AstNode, item: Item) {
        with_stack(|| self.visit_here(node, item));
    }

    fn visit_here(&mut self, node: &AstNode, item: Item) {
        match node {
            AstNode::Variable(name) => self.variable(name, item),
            AstNode::ParentVariable(_) => self.variable("$", item),
            AstNode::Name(_) | AstNode::Wildcard | AstNode::Descendant if item == Item::Absent => {
                self.refuse(
                    "a name at the top level of an expression refers to nothing; begin with $states or a variable",
                );
            }
            AstNode::Path { steps } => self.path(steps, item),
            AstNode::Binary { op: BinaryOp::Coalesce, .. } => {
                self.refuse(
                    "the operator `??` is of JSONata 2.1, and Step Functions has 2.0.6; use $exists(..) ? .. : ..",
                );
            }
            AstNode::Binary { op: BinaryOp::Default, .. } => {
                self.refuse("the operator `?:` is of JSONata 2.1, and Step Functions has 2.0.6; use .. ? .. : ..");
            }
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
                if let AstNode::Variable(name) = lhs.as_ref() {
                    self.bound.insert(name.clone());
                }
                self.visit(rhs, item);
            }
            AstNode::Function { name, args, .. } => {
                self.variable(name, Item::Present);
                args.iter().for_each(|argument| self.visit(argument, item));
            }
            AstNode::Lambda { params, body, .. } => {
                self.bound.extend(params.iter().cloned());
                self.visit(body, item);
            }
            AstNode::ObjectTransform { input, pattern } => {
                self.visit(input, item);
                for (name, value) in pattern {
                    self.visit(name, Item::Present);
                    self.visit(value, Item::Present);
                }
            }
            AstNode::Sort { input, terms } => {
                self.visit(input, item);
                terms.iter().for_each(|(term, _)| self.visit(term, Item::Present));
            }
            AstNode::Transform { location, update, delete } => {
                self.visit(location, Item::Present);
                self.visit(update, Item::Present);
                if let Some(delete) = delete {
                    self.visit(delete, Item::Present);
                }
            }
            other => children(other).into_iter().for_each(|child| self.visit(child, item)),
        }
    }

    fn path(&mut self, steps: &[PathStep], item: Item) {
        if let [first, second, ..] = steps
            && let (AstNode::Variable(variable), AstNode::Name(member)) = (&first.node, &second.node)
            && variable == "states"
            && first.stages.is_empty()
        {
            self.states.insert(member.clone());
            self.named.insert(member.clone());
            self.steps(steps.get(1..).unwrap_or_default(), Item::Present);
            return;
        }
        self.steps(steps, item);
    }

    fn steps(&mut self, steps: &[PathStep], first: Item) {
        let mut item = first;
        for step in steps {
            self.visit(&step.node, item);
            self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
            for stage in &step.stages {
                match stage {
                    Stage::Filter(predicate) => self.visit(predicate, Item::Present),
                    Stage::Index(name) => drop(self.bound.insert(name.clone())),
                    Stage::KeepArray => {}
                }
            }
            item = Item::Present;
        }
    }
}

/// The parts of a node that [`Uses::visit`] does not treat on their own.
fn children(node: &AstNode) -> Vec<&AstNode> {
    match node {
        AstNode::Binary { lhs, rhs, .. } => vec![lhs, rhs],
        AstNode::Unary { operand, .. } => vec![operand],
        AstNode::Call { procedure, args } => std::iter::once(procedure.as_ref()).chain(args).collect(),
        AstNode::Array(items) | AstNode::ArrayGroup(items) | AstNode::Block(items) => items.iter().collect(),
        AstNode::Object(members) => members.iter().flat_map(|(name, value)| [name, value]).collect(),
        AstNode::Conditional { condition, then_branch, else_branch } => {
            [condition, then_branch].into_iter().chain(else_branch).map(AsRef::as_ref).collect()
        }
        AstNode::FunctionApplication(inner) => vec![inner],
        _ => Vec::new(),
    }
}

/// The functions of the language, and those that Step Functions adds.
fn is_function(name: &str) -> bool {
    const FUNCTIONS: &[&str] = &[
        "string",
        "length",
        "substring",
        "substringBefore",
        "substringAfter",
        "uppercase",
        "lowercase",
        "trim",
        "pad",
        "contains",
        "split",
        "join",
        "match",
        "replace",
        "base64encode",
        "base64decode",
        "encodeUrlComponent",
        "encodeUrl",
        "decodeUrlComponent",
        "decodeUrl",
        "number",
        "abs",
        "floor",
        "ceil",
        "round",
        "power",
        "sqrt",
        "random",
        "formatNumber",
        "formatBase",
        "formatInteger",
        "parseInteger",
        "sum",
        "max",
        "min",
        "average",
        "boolean",
        "not",
        "exists",
        "count",
        "append",
        "sort",
        "reverse",
        "shuffle",
        "distinct",
        "zip",
        "keys",
        "lookup",
        "spread",
        "merge",
        "sift",
        "each",
        "error",
        "assert",
        "type",
        "map",
        "filter",
        "reduce",
        "single",
        "now",
        "millis",
        "fromMillis",
        "toMillis",
        "partition",
        "range",
        "hash",
        "uuid",
        "parse",
    ];
    FUNCTIONS.contains(&name)
}
