//! The conformance suite of the records, against DynamoDB as moto emulates it.

mod emulator;

use std::sync::Arc;

use mandi_testkit::moto::Server;
use mandi_testkit::records::{Differences, Fixture, MixedTypes, Removal, RepeatedToken};

async fn fixture() -> Fixture {
    let (server, table) = (Server::shared(), Server::fresh_name("records"));
    server.create_table(&table);
    let clock = mandi_testkit::clock();
    Fixture {
        store: Arc::new(emulator::clients(&server.url()).await.records(table, clock.clone())),
        clock,
        differences: Differences {
            removal: Removal::ByTheService("DynamoDB removes expired items within days, and moto does not at all"),
            // moto itself does not know a repeated token; ours are records of the table.
            repeated_token: RepeatedToken::Recognised,
            mixed_types: MixedTypes::Unreliable("moto answers 500; DynamoDB says that the condition does not hold"),
        },
        writers: 6,
        keep: Box::new(server),
    }
}

mandi_testkit::records_suite!(fixture);
