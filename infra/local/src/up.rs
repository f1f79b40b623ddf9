//! `mandi up`: serves the platform.

use std::io::{ErrorKind, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use mandi_core::settings::{self, Settings};
use mandi_core::uploads::Uploads;
use mandi_core::{Problem, ProblemKind, Result};
use mandi_embedding::Jobs;
use mandi_local::{LocalOrchestrator, RedbRecords};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::commands::Up;
use crate::platform::Platform;
use crate::{demo, shutdown, terminal};

/// How many files and connections the process wants to have open.
const WANTED_FILES: u64 = 65_536;
/// How often expired records and uploads are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// How often jobs that nobody works on are looked for, as the schedule does in AWS.
const RESUME_EVERY: Duration = Duration::from_secs(300);

/// How long shadows and captured calls may take once requests are drained.
const FINISH: Duration = Duration::from_secs(5);

/// How often executions of state machines that nobody runs are looked for.
const TAKE_UP_EVERY: Duration = Duration::from_secs(5);

/// What is logged where a person reads along.
const LOG_FOR_PEOPLE: &str = "warn";

/// Serves until SIGTERM or Ctrl-C, then drains.
pub async fn run(settings: Settings, up: &Up) -> Result<()> {
    let for_people = is_for_people(&settings, up);
    let settings = if for_people { settings.with(settings::LOG, LOG_FOR_PEOPLE) } else { settings };
    mandi_http::logging::init(&settings)?;
    if let Err(error) = rlimit::increase_nofile_limit(WANTED_FILES) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let port = match up.port {
        Some(port) => port,
        None => settings.parsed(settings::PORT)?,
    };
    let listener = listen(port).await?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    let drain = Duration::from_millis(settings.parsed(settings::DRAIN_MS)?);
    let base_url = settings.optional(settings::PUBLIC_URL).map_or_else(|| format!("http://{address}"), str::to_owned);
    let platform = Platform::open(&settings, base_url.trim_end_matches('/')).await?;
    let Platform {
        router,
        jobs,
        runner,
        tasks,
        records,
        orchestrator,
        uploads,
        prediction,
        captures,
        capture_writer,
        courier,
    } = platform;

    let stopping = CancellationToken::new();
    let stopped = stopping.clone().cancelled_owned();
    let server = axum::serve(listener, router).with_graceful_shutdown(stopped).into_future();
    let server = tokio::spawn(server);
    let running = tokio::spawn(runner.run(jobs.clone()));
    let resumed = jobs.resume_all().await?;
    if resumed > 0 {
        tracing::info!(resumed, "jobs of an earlier process go on");
    }
    let resumer = tokio::spawn(resume(jobs));
    let resumed = orchestrator.resume_all().await?;
    if resumed > 0 {
        tracing::info!(resumed, "executions of an earlier process go on");
    }
    let executions = tokio::spawn(take_up(orchestrator));
    let capture_writer = tokio::spawn(capture_writer.run());
    let courier = courier.map(|courier| tokio::spawn(courier.run()));
    let sweeper = tokio::spawn(sweep(records, uploads));
    let mut asked = pin!(shutdown::asked());
    terminal::say(&format!("listening on http://{address}"));
    if for_people {
        let usual = settings::LOG.default.unwrap_or_default();
        terminal::say(&format!("only warnings are logged; set MANDI_LOG={usual} to see each request"));
    }
    tokio::select! {
        shown = show_demo(&settings, up, address) => {
            shown?;
            // Whoever started it and stopped reading wants it no more.
            if terminal::is_read() {
                asked.await;
            }
        }
        () = &mut asked => {}
    }
    tracing::info!("asked to stop; requests that run are drained");
    stopping.cancel();
    tasks.close();
    let drained = tokio::time::timeout(drain, async {
        tasks.wait().await;
        // An error here is a connection that broke, which is what is to come anyhow.
        let _ = server.await;
    });
    if drained.await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    if tokio::time::timeout(FINISH, prediction.finish()).await.is_err() {
        tracing::warn!("what predictions left to be done did not end in time and was cut off");
    }
    captures.close();
    if let Err(error) = capture_writer.await {
        tracing::error!(%error, "the writer of captured predictions broke down");
    }
    // What is still to be delivered is in the store, for the next process.
    if let Some(courier) = courier {
        courier.abort();
    }
    sweeper.abort();
    executions.abort();
    resumer.abort();
    running.abort();
    Ok(())
}

/// Loads the demo tenant, if that was asked for, and says what to do with it.
async fn show_demo(settings: &Settings, up: &Up, address: SocketAddr) -> Result<()> {
    if up.demo {
        terminal::say("loading the demo tenant's documents");
        demo::load(settings, address).await?;
        demo::say_what_next(settings, address)?;
    }
    Ok(())
}

/// Whether a person reads along, and did not say what is to be logged.
fn is_for_people(settings: &Settings, up: &Up) -> bool {
    let read_along = up.demo || std::io::stderr().is_terminal();
    read_along && settings.referred(settings::LOG.name).is_none()
}

async fn resume(jobs: Jobs) {
    loop {
        tokio::time::sleep(RESUME_EVERY).await;
        match jobs.resume_abandoned().await {
            Ok(0) => {}
            Ok(resumed) => tracing::info!(resumed, "jobs that nobody worked on go on"),
            Err(problem) => tracing::warn!(causes = problem.causes(), "jobs were not looked for"),
        }
    }
}

/// Takes up executions that a process left which was killed, when their lease has run out.
async fn take_up(orchestrator: LocalOrchestrator) {
    loop {
        tokio::time::sleep(TAKE_UP_EVERY).await;
        match orchestrator.resume().await {
            Ok(0) => {}
            Ok(resumed) => tracing::info!(resumed, "executions that nobody ran go on"),
            Err(error) => tracing::warn!(%error, "executions were not looked for"),
        }
    }
}

async fn sweep(records: RedbRecords, uploads: Uploads) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = records.sweep().await {
            tracing::warn!(%error, "expired records were not removed");
        }
        if let Err(problem) = uploads.expire().await {
            tracing::warn!(causes = problem.causes(), "uploads that nobody used were not removed");
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => {
            let detail = format!(
                "port {port} is in use; stop what listens there, or choose another with `--port` (0 picks a free one)"
            );
            Problem::new(ProblemKind::Conflict, detail)
        }
        ErrorKind::PermissionDenied => {
            Problem::new(ProblemKind::Forbidden, format!("port {port} needs more rights; choose one from 1024 up"))
        }
        _ => Problem::internal(error),
    })
}
