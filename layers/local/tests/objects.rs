//! The conformance suite of the objects, against files.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use mandi_local::{DataDir, FileObjects};
use mandi_testkit::objects::{Differences, EmptyParts, Fixture};

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::open(folder.path().join("data")).unwrap();
    Fixture {
        store: Arc::new(FileObjects::open(&data).unwrap()),
        differences: Differences { empty_parts: EmptyParts::Kept },
        writers: 64,
        keep: Box::new(folder),
    }
}

mandi_testkit::objects_suite!(fixture);
