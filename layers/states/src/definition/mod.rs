//! State machines as their definitions say, read from Amazon States Language and checked.
//! Source: the Amazon States Language (states-language.net) and the Step Functions developer guide.

mod choice;
mod fields;
mod graph;
mod map;
mod read;
mod retry;
mod scopes;
mod states;
mod tasks;
mod templates;

use indexmap::IndexMap;
use serde_json::Value;

pub use choice::{Comparison, Condition, Operand, Operator, Order, Rule, Test};
pub use map::{
    Batcher, CsvHeaders, InputType, Map, Mode, OutputType, Reader, ReaderConfig, ReaderResource, Transformation,
    Writer, WriterConfig,
};
pub use read::{Fault, Machine, Severity, check, parse};
pub use retry::{Catcher, Jitter, Retrier};
pub use tasks::{Pattern, Resource};

use crate::query::{Language, Path, ReferencePath, Template};

/// States and where they begin: a machine, a branch of a `Parallel` state, or the processor of a `Map` state.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The first state.
    pub start_at: String,
    /// The states by name, in the order of the definition.
    pub states: IndexMap<String, State>,
}

/// One state.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// The language of its fields.
    pub language: Language,
    /// What it does.
    pub kind: Kind,
    /// How it changes data.
    pub data: Data,
    /// What it does when it fails, in order.
    pub retry: Vec<Retrier>,
    /// Where it goes when it fails for good, in order.
    pub catch: Vec<Catcher>,
    /// What comes after it.
    pub next: Next,
}

/// What comes after a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another state.
    State(String),
    /// Nothing: its output is that of its graph.
    End,
}

/// How a state changes data.
#[derive(Clone, Debug)]
pub struct Data {
    /// `InputPath`.
    pub input_path: DataPath,
    /// `Parameters` or `Arguments`.
    pub arguments: Option<Template>,
    /// `ResultSelector`.
    pub result_selector: Option<Template>,
    /// `ResultPath`.
    pub result_path: ResultPath,
    /// `OutputPath`.
    pub output_path: DataPath,
    /// `Output`.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Assign,
}

/// The variables that a state sets, each with its value.
pub type Assign = Vec<(String, Template)>;

/// `InputPath` or `OutputPath`.
#[derive(Clone, Debug)]
pub enum DataPath {
    /// All of it.
    Whole,
    /// An empty object (`null` in the definition).
    Nothing,
    /// What a path finds.
    At(Path),
}

/// Where a result goes in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultPath {
    /// It takes the input's place.
    Whole,
    /// It is dropped (`null` in the definition).
    Discard,
    /// It is put at a place in the input.
    At(ReferencePath),
}

/// What a state does.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Passes its input on, or a fixed result.
    Pass {
        /// `Result`.
        result: Option<Value>,
    },
    /// Has work done.
    Task(Task),
    /// Chooses what comes next.
    Choice {
        /// The rules, in order.
        rules: Vec<Rule>,
        /// Where to go when no rule holds.
        default: Option<String>,
    },
    /// Waits.
    Wait(Wait),
    /// Ends its graph well.
    Succeed,
    /// Ends the execution with an error.
    Fail {
        /// Its name.
        error: Option<Template>,
        /// Its cause.
        cause: Option<Template>,
    },
    /// Runs branches at the same time.
    Parallel {
        /// The branches.
        branches: Vec<Graph>,
    },
    /// Runs its processor for each item.
    Map(Box<Map>),
}

impl Kind {
    /// The `Type` of the definition.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "Pass",
            Self::Task(_) => "Task",
            Self::Choice { .. } => "Choice",
            Self::Wait(_) => "Wait",
            Self::Succeed => "Succeed",
            Self::Fail { .. } => "Fail",
            Self::Parallel { .. } => "Parallel",
            Self::Map(_) => "Map",
        }
    }
}

/// Work that a task runner does.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is called.
    pub resource: Resource,
    /// The longest time, in seconds.
    pub timeout: Option<Template>,
    /// The longest time between heartbeats, in seconds.
    pub heartbeat: Option<Template>,
}

/// How long a `Wait` state waits.
#[derive(Clone, Debug)]
pub enum Wait {
    /// So many seconds.
    Seconds(Template),
    /// Until a moment, as RFC 3339.
    Timestamp(Template),
}
