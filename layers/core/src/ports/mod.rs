//! The ports: what the platform needs of the outside, and nothing of how it is done.

mod attachment;
mod bus;
mod capture_store;
mod embedder;
mod language_model;
pub mod limits;
mod objects;
mod orchestrator;
mod records;

pub use attachment::content_disposition;
pub use bus::{Bus, BusError, BusEvent, DamagedEvent, EventKind, MAX_EVENT_BYTES, Severity};
pub use capture_store::{
    CaptureError, CaptureLine, CaptureStore, LineTooLong, MAX_CAPTURE_BATCH_BYTES, MAX_CAPTURE_BATCH_LINES,
    MAX_CAPTURE_LINE_BYTES,
};
pub use embedder::{Embedder, Embedding, EmbeddingModel, EmbeddingPurpose, Reranker, TokenSpans};
pub use language_model::{
    Abilities, ChatMessage, Delta, FinishReason, Generation, GenerationStream, LanguageModel, ModelError, ModelRef,
    Role, TimeoutPhase, TokenUsage,
};
pub use objects::{
    GetGrant, ObjectKey, ObjectPage, ObjectPrefix, ObjectWriter, Objects, ObjectsError, PutGrant, PutOutcome, SignedPut,
};
pub use orchestrator::{
    ExecutionDescription, ExecutionError, ExecutionKey, ExecutionStatus, MAX_EXECUTION_INPUT_BYTES, MachineName,
    Orchestrator, OrchestratorError, StartOutcome, check_input,
};
pub use records::{
    Condition, Fields, Key, MAX_RECORD_BYTES, MAX_SORT_BYTES, MAX_TRANSACTION_WRITES, Order, Page, Partition, Query,
    Range, Record, Records, RecordsError, Update, Value, Write,
};
