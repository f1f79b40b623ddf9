//! The one writer: a thread that does all writes that wait, in one durable transaction.
//!
//! A durable commit costs a wait for the disk, whatever is in it. Writes that arrive while one is under way
//! wait together and share the next (group commit). Each has an outcome of its own: conditions are judged
//! inside the transaction, in the order of arrival, and a write whose condition fails leaves no trace.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mandi_core::ports::limits::{self, MalformedTransaction};
use mandi_core::ports::{Condition, Record, RecordsError, Write};
use mandi_core::{Clock, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::codec::with_stored_end;
use super::database::Database;
use super::fault::Fault;
use super::tables::Tables;

/// The most jobs that share a transaction.
const MOST_JOBS: usize = 256;

/// How many jobs may wait before callers wait to hand in theirs.
const WAITING_JOBS: usize = 256;

/// How long a transaction's token is remembered, in seconds (as long as DynamoDB does).
const TOKEN_S: i64 = 600;

/// What the writer is asked to do.
#[derive(Debug)]
pub enum Work {
    /// A transaction; a single write is one of its own.
    Writes {
        /// The writes, checked for size and shape.
        writes: Vec<Write>,
        /// The token, if it has one.
        token: Option<String>,
    },
    /// Removing up to so many expired records.
    Sweep(usize),
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// The writes are done; with the record that the last update left.
    Written(Option<Record>),
    /// So many records were removed.
    Swept(usize),
}

type Outcome = Result<Done, RecordsError>;

#[derive(Debug)]
struct Job {
    work: Work,
    reply: oneshot::Sender<Outcome>,
}

/// The writer's thread. Dropping it does what waits, then ends the thread.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(database: Arc<Database>, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING_JOBS);
        let thread =
            thread::Builder::new().name("records-writer".to_owned()).spawn(move || run(waiting, &database, &*clock))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Has work done, and waits until it is durable.
    pub async fn does(&self, work: Work) -> Outcome {
        let stopped = || RecordsError::Unavailable("the writer of the records has stopped".into());
        let (reply, outcome) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(Job { work, reply }).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the records panicked");
        }
    }
}

fn run(mut waiting: mpsc::Receiver<Job>, database: &Database, clock: &dyn Clock) {
    let mut batch = Vec::new();
    while waiting.blocking_recv_many(&mut batch, MOST_JOBS) > 0 {
        let (work, replies): (Vec<_>, Vec<_>) = batch.drain(..).map(|job| (job.work, job.reply)).unzip();
        let outcomes = match do_batch(database, &work, clock.now()) {
            // Nothing was done; the fault was before this batch.
            Err(Fault::Stale) => database.reopen().and_then(|()| do_batch(database, &work, clock.now())),
            outcomes => outcomes,
        };
        if let Err(fault) = &outcomes {
            tracing::error!(?fault, writes = work.len(), "the database refused a batch of writes");
            if let Err(fault) = database.reopen() {
                tracing::error!(?fault, "the database could not be opened again");
            }
        }
        let outcomes = outcomes.unwrap_or_else(|fault| work.iter().map(|_| Err(fault.clone().into())).collect());
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            // A caller that no longer waits has no use for the answer; the write is done all the same.
            let _ = reply.send(outcome);
        }
    }
}

/// Does a batch in one durable transaction. Each piece has its own outcome; a fault is everyone's.
fn do_batch(database: &Database, batch: &[Work], now: Timestamp) -> Result<Vec<Outcome>, Fault> {
    database.write(|transaction| {
        let mut tables = Tables::open(transaction)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for work in batch {
            outcomes.push(match work {
                Work::Writes { writes, token } => do_writes(&mut tables, writes, token.as_deref(), now)?,
                Work::Sweep(limit) => Ok(Done::Swept(tables.sweep(second(now), *limit)?)),
            });
        }
        let changed = outcomes.iter().any(Result::is_ok);
        Ok((outcomes, changed))
    })
}

const fn second(now: Timestamp) -> i64 {
    now.unix_ms().div_euclid(1000)
}

fn do_writes(tables: &mut Tables<'_>, writes: &[Write], token: Option<&str>, now: Timestamp) -> Result<Outcome, Fault> {
    let now_s = second(now);
    let digest = token.map(|token| (token, limits::digest_of_writes(writes)));
    if let Some((token, digest)) = digest
        && let Some(done) = tables.done_under(token, now_s)?
    {
        return Ok(repeated(done == digest));
    }
    // All are judged before any is done. They are of different keys, so that none changes what another sees.
    let mut changes = Vec::with_capacity(writes.len());
    for (place, write) in writes.iter().enumerate() {
        match judge(tables, write, place, now_s)? {
            Ok(change) => changes.push(change),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    let mut last = None;
    for change in changes {
        match change {
            Change::Put(record) => tables.put(record)?,
            Change::Updated(record) => {
                let record = with_stored_end(record);
                tables.put(&record)?;
                last = Some(record);
            }
            Change::Remove(write) => {
                tables.remove(write.key())?;
            }
            Change::None => {}
        }
    }
    if let Some((token, digest)) = digest {
        tables.keep_token(token, now_s.saturating_add(TOKEN_S), digest)?;
    }
    Ok(Ok(Done::Written(last)))
}

fn repeated(same_writes: bool) -> Outcome {
    if same_writes {
        return Ok(Done::Written(None));
    }
    let reason = MalformedTransaction("its token was used with other writes".to_owned());
    Err(RecordsError::Unavailable(Box::new(reason)))
}

/// What a write whose condition holds changes.
enum Change<'a> {
    Put(&'a Record),
    Updated(Record),
    Remove(&'a Write),
    None,
}

fn judge<'a>(
    tables: &Tables<'_>,
    write: &'a Write,
    place: usize,
    now_s: i64,
) -> Result<Result<Change<'a>, RecordsError>, Fault> {
    let (Write::Put(_, condition)
    | Write::Update(_, _, condition)
    | Write::Delete(_, condition)
    | Write::Check(_, condition)) = write;
    // The record is read only where something depends on it.
    let matters = *condition != Condition::Always || matches!(write, Write::Update(..));
    let present = if matters { tables.live(write.key(), now_s)? } else { None };
    if !condition.holds(present.as_ref()) {
        return Ok(Err(RecordsError::ConditionFailed { write: place }));
    }
    Ok(match write {
        Write::Put(record, _) => Ok(Change::Put(record)),
        Write::Update(key, update, _) => {
            let mut record = present.unwrap_or_else(|| Record::new(key.clone()));
            update.apply(&mut record);
            limits::check_record(&record).map(|()| Change::Updated(record))
        }
        Write::Delete(..) => Ok(Change::Remove(write)),
        Write::Check(..) => Ok(Change::None),
    })
}
