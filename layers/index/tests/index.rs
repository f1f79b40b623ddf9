//! What `LanceIndex` promises, against real LanceDB tables in temporary folders. One binary, since each
//! binary that links LanceDB is large.
#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

#[path = "index/concurrency.rs"]
mod concurrency;
#[path = "index/faults.rs"]
mod faults;
#[path = "index/filters.rs"]
mod filters;
#[path = "index/fixture.rs"]
mod fixture;
#[path = "index/s3.rs"]
mod s3;
#[path = "index/searching.rs"]
mod searching;
#[path = "index/upkeep.rs"]
mod upkeep;
#[path = "index/writing.rs"]
mod writing;
