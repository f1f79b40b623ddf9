//! The adapters of this machine: records in redb, objects in files, both in one data folder that one process
//! holds at a time; and an orchestrator that runs state machines over them.

mod data_dir;
mod faults;
mod objects;
mod orchestrator;
mod records;

pub use data_dir::{DataDir, DataDirError, Found, Secret, look, secret_of};
pub use objects::{Doorway, FileObjects, GetQuery, Part, PutQuery, ReceiveFault, SendFault, Sending};
pub use orchestrator::{ClockTimer, FolderItems, LocalOrchestrator, Machines, OrchestratorParts, TaskTokens};
pub use records::RedbRecords;
