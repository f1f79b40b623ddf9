//! The adapters of this machine: records in redb, objects and captured predictions in files, all in one data folder that
//! one process holds at a time; an orchestrator that runs state machines over them; and a bus with a webhook.

mod bus;
mod captures;
mod data_dir;
mod faults;
mod objects;
mod orchestrator;
mod records;

pub use bus::{Courier, DeliveryCounts, Heard, LocalBus, RetryPolicy, SigningSecret, Subscription, Webhook};
pub use captures::CaptureFiles;
pub use data_dir::{DataDir, DataDirError, Found, Secret, look, secret_of};
pub use objects::{Doorway, FileObjects, GetQuery, Part, PutQuery, ReceiveFault, SendFault, Sending};
pub use orchestrator::{ClockTimer, FolderItems, LocalOrchestrator, Machines, OrchestratorParts, TaskTokens};
pub use records::RedbRecords;
