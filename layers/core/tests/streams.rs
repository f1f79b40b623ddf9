//! Streams over a real store: order, resumption, fencing, and writers that die.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mandi_core::ports::{Condition, Key, Partition, Record, Records, Write};
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
