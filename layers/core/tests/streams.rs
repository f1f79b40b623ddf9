//! Streams over a real store: order, resumption, fencing, and writers that die.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::ports::{Condition, Key, Page, Partition, Query, Record, Records, RecordsError, Update, Write};
use mandi_core::streams::{Orphan, OrphanHandler, StoredEvent, StreamId, StreamPolicy, Streams, Writer};
use mandi_core::time::FixedClock;
use mandi_core::{Clock, ProblemKind, Result, TenantId, Timestamp};
use mandi_local::{DataDir, RedbRecords};

const LEASE: Duration = Duration::from_secs(10);

struct Bench {
    records: Arc<dyn Records>,
    clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::from_unix_ms(1_800_000_000_000)));
        let records = Arc::new(RedbRecords::open(&data, clock.clone() as Arc<dyn Clock>).unwrap());
        Self { records, clock, _folder: folder }
    }

    /// Streams as another instance sees them: they share the store and nothing else.
    fn instance(&self) -> Streams {
        let policy = StreamPolicy {
            lease: LEASE,
            poll: Duration::from_millis(5),
            gather: Duration::ZERO,
            ..StreamPolicy::default()
        };
        Streams::new(self.records.clone(), self.clock.clone(), policy)
    }
}

fn id() -> StreamId {
    StreamId { tenant: TenantId::from_stored("demo").unwrap(), name: "msg_1".to_owned() }
}

fn meter_key() -> Key {
    Key::new(Partition::of(&id().tenant, &["meter"]), "charge")
}

#[derive(Debug)]
struct Charging;

#[async_trait]
impl OrphanHandler for Charging {
    async fn close(&self, orphan: &Orphan) -> Result<((String, String), Vec<Write>)> {
        let record = Record::new(meter_key()).with("tokens", i64::try_from(orphan.events.len()).unwrap());
        Ok((
            ("error".to_owned(), r#"{"type":"/problems/stream-interrupted"}"#.to_owned()),
            vec![Write::Put(record, Condition::Absent)],
        ))
    }
}

/// A store that counts the records that its queries give.
#[derive(Debug)]
struct Counting {
    records: Arc<dyn Records>,
    given: AtomicUsize,
}

#[async_trait]
impl Records for Counting {
    async fn get(&self, key: &Key) -> Result<Option<Record>, RecordsError> {
        self.records.get(key).await
    }

    async fn put(&self, record: Record, condition: Condition) -> Result<(), RecordsError> {
        self.records.put(record, condition).await
    }

    async fn update(&self, key: &Key, update: Update, condition: Condition) -> Result<Record, RecordsError> {
        self.records.update(key, update, condition).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), RecordsError> {
        self.records.delete(key, condition).await
    }

    async fn query(&self, query: Query) -> Result<Page, RecordsError> {
        let page = self.records.query(query).await?;
        self.given.fetch_add(page.records.len(), Ordering::Relaxed);
        Ok(page)
    }

    async fn transact(&self, writes: Vec<Write>, token: Option<&str>) -> Result<(), RecordsError> {
        self.records.transact(writes, token).await
    }
}

async fn begin(bench: &Bench, streams: &Streams) -> Writer {
    let (writes, writer) = streams.begin(id());
    bench.records.transact(writes, None).await.unwrap();
    writer
}

async fn read_all(streams: &Streams, after: u64) -> Vec<StoredEvent> {
    let mut reader = streams.reader(id(), after, Arc::new(Charging));
    let mut events = Vec::new();
    while let Some(event) = reader.next().await.unwrap() {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn every_resumption_gives_exactly_the_rest() {
    let bench = Bench::new();
    let streams = bench.instance();
    let mut writer = begin(&bench, &streams).await;
    for number in 0..64 {
        writer.add("token", format!("{number}")).await.unwrap();
        if number % 7 == 0 {
            writer.flush().await.unwrap();
        }
    }
    writer.finish("done", "{}".to_owned(), Vec::new()).await.unwrap();

    let whole = read_all(&bench.instance(), 0).await;
    assert_eq!(whole.iter().map(|event| event.id).collect::<Vec<_>>(), (1..=65).collect::<Vec<_>>());
    for cut in 0..=65_u64 {
        let rest = read_all(&bench.instance(), cut).await;
        assert_eq!(rest, whole[usize::try_from(cut).unwrap()..], "cut after event {cut}");
    }
}

#[tokio::test]
async fn given_a_reader_that_stops_when_the_stream_is_long_then_the_rest_stays_in_the_store() {
    let bench = Bench::new();
    let streams = bench.instance();
    let mut writer = begin(&bench, &streams).await;
    for number in 0..500 {
        writer.add("token", format!("{number}")).await.unwrap();
    }
    writer.finish("done", "{}".to_owned(), Vec::new()).await.unwrap();

    let read = Arc::new(Counting { records: bench.records.clone(), given: AtomicUsize::new(0) });
    let there = Streams::new(read.clone(), bench.clock.clone(), StreamPolicy::default());
    let mut reader = there.reader(id(), 0, Arc::new(Charging));
    for number in 1..=3 {
        assert_eq!(reader.next().await.unwrap().unwrap().id, number);
    }
    let given = read.given.load(Ordering::Relaxed);
    assert!(given <= 100, "{given} groups were read for three events");
    assert_eq!(read_all(&there, 3).await.len(), 498);
}

#[tokio::test]
async fn a_reader_elsewhere_follows_a_writer_that_lives() {
    let bench = Bench::new();
    let here = bench.instance();
    let mut writer = begin(&bench, &here).await;
    let there = bench.instance();
    let reading = tokio::spawn(async move { read_all(&there, 0).await });
    let following = tokio::spawn(async move { read_all(&here, 0).await });
    for number in 0..20 {
        writer.add("token", format!("{number}")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    writer.finish("done", "{}".to_owned(), Vec::new()).await.unwrap();
    let (there, here) = (reading.await.unwrap(), following.await.unwrap());
    assert_eq!(there.len(), 21);
    assert_eq!(there, here);
}

#[tokio::test]
async fn a_dead_writers_stream_is_closed_once_for_all_readers() {
    let bench = Bench::new();
    let streams = bench.instance();
    let mut writer = begin(&bench, &streams).await;
    writer.add("token", "1".to_owned()).await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    bench.clock.advance(LEASE + Duration::from_secs(1));

    let readers: Vec<_> = (0..4)
        .map(|_| {
            let streams = bench.instance();
            tokio::spawn(async move { read_all(&streams, 0).await })
        })
        .collect();
    let mut seen = Vec::new();
    for reader in readers {
        seen.push(reader.await.unwrap());
    }
    assert_eq!(seen[0].iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["token", "error"]);
    assert!(seen.iter().all(|events| *events == seen[0]));
    assert_eq!(bench.records.get(&meter_key()).await.unwrap().unwrap().int("tokens"), Some(1));
}

#[tokio::test]
async fn given_a_late_renewal_when_the_writer_lives_in_the_readers_process_then_the_stream_goes_on() {
    let bench = Bench::new();
    let streams = bench.instance();
    let mut writer = begin(&bench, &streams).await;
    writer.add("token", "1".to_owned()).await.unwrap();
    writer.flush().await.unwrap();
    bench.clock.advance(LEASE + Duration::from_secs(1));

    assert_eq!(streams.is_live(&id()).await.unwrap(), Some(true));
    assert!(!streams.close_if_orphaned(&id(), &Charging).await.unwrap());
    let reading = tokio::spawn(async move { read_all(&streams, 0).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    writer.finish("done", "{}".to_owned(), Vec::new()).await.unwrap();
    let seen = reading.await.unwrap();
    assert_eq!(seen.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["token", "done"]);
    assert_eq!(bench.records.get(&meter_key()).await.unwrap(), None);
}

#[tokio::test]
async fn given_a_writer_that_is_dropped_when_its_lease_runs_out_then_readers_of_its_process_close_the_stream() {
    let bench = Bench::new();
    let streams = bench.instance();
    let mut writer = begin(&bench, &streams).await;
    writer.add("token", "1".to_owned()).await.unwrap();
    writer.flush().await.unwrap();
    let reader = streams.clone();
    let reading = tokio::spawn(async move { read_all(&reader, 0).await });
    drop(writer);
    bench.clock.advance(LEASE + Duration::from_secs(1));
    let seen = reading.await.unwrap();
    assert_eq!(seen.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["token", "error"]);
}

#[tokio::test]
async fn a_writer_that_comes_back_too_late_is_fenced_off() {
    let bench = Bench::new();
    let streams = bench.instance();
    let mut writer = begin(&bench, &streams).await;
    writer.add("token", "1".to_owned()).await.unwrap();
    writer.flush().await.unwrap();
    bench.clock.advance(LEASE + Duration::from_secs(1));
    assert!(bench.instance().close_if_orphaned(&id(), &Charging).await.unwrap());

    let problem = writer.finish("done", "{}".to_owned(), Vec::new()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::StreamInterrupted);
    assert_eq!(read_all(&bench.instance(), 0).await.last().unwrap().event, "error");
}

#[tokio::test]
async fn the_end_and_its_writes_are_one_step() {
    let bench = Bench::new();
    let streams = bench.instance();
    let writer = begin(&bench, &streams).await;
    let refused = vec![Write::Put(Record::new(meter_key()), Condition::Present)];
    assert!(writer.finish("done", "{}".to_owned(), refused).await.is_err());
    assert_eq!(bench.instance().is_live(&id()).await.unwrap(), Some(true));
}
