//! The conformance suite of the orchestrator, against Step Functions as moto emulates it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod emulator;

use std::sync::Arc;

use mandi_testkit::moto::Server;
use mandi_testkit::orchestrator::{Differences, Fixture, MACHINES, Running, StopReason};

const ROLE: &str = "arn:aws:iam::123456789012:role/machines";

async fn fixture() -> Fixture {
    let (server, prefix) = (Server::shared(), Server::fresh_name("machines"));
    let clients = emulator::clients(&server.url()).await;
    let client = aws_sdk_sfn::Client::new(clients.config());
    for (name, definition) in MACHINES {
        let create = client.create_state_machine().name(format!("{prefix}-{name}"));
        create.definition(definition).role_arn(ROLE).send().await.unwrap();
    }
    let prefix = format!("arn:aws:states:ap-south-1:123456789012:stateMachine:{prefix}-");
    Fixture {
        orchestrator: Arc::new(clients.orchestrator(prefix)),
        differences: Differences {
            running: Running::Never(
                "moto keeps executions and does not run them; its runner needs a LocalStack of its own",
            ),
            stop_reason: StopReason::Lost("moto does not keep the error and the cause of a stop"),
        },
        keep: Box::new(server),
    }
}

mandi_testkit::orchestrator_suite!(fixture);
