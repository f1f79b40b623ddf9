//! The conformance suite of the objects, against S3 as moto emulates it.

mod emulator;

use std::sync::Arc;

use mandi_testkit::moto::Server;
use mandi_testkit::objects::{Differences, EmptyParts, Fixture};

async fn fixture() -> Fixture {
    let (server, bucket) = (Server::shared(), Server::fresh_name("objects"));
    server.create_bucket(&bucket);
    Fixture {
        store: Arc::new(emulator::clients(&server.url()).await.objects(bucket)),
        differences: Differences { empty_parts: EmptyParts::Kept },
        writers: 6,
        keep: Box::new(server),
    }
}

mandi_testkit::objects_suite!(fixture);
