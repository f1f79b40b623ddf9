//! Storage that fails, and what the caller is told.

use std::path::{Path, PathBuf};

use mandi_core::ProblemKind;
use mandi_index::{IndexOptions, LanceIndex};
use mandi_retrieval::ports::ChunkIndex as _;

use crate::fixture::{DIMENSIONS, Fixture, document, keyword, nearest, table};

fn files_of(fixture: &Fixture, kind: &str) -> Vec<PathBuf> {
    let folder = fixture.folder.path().join("demo.contracts.1.lance").join(kind);
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

async fn after_damage(damage: impl Fn(&Path), kind: &str) -> [ProblemKind; 2] {
    let fixture = Fixture::new().await;
    fixture.upsert(vec![document("a", &["some words"])]).await;
    files_of(&fixture, kind).iter().for_each(|file| damage(file));
    let restarted = fixture.other_process();
    let by_keyword = keyword(&restarted, &fixture.table, "words", 5, None).await;
    let by_vector = nearest(&restarted, &fixture.table, &[1.0; DIMENSIONS], 5, None).await;
    [by_keyword.unwrap_err().kind, by_vector.unwrap_err().kind]
}

#[tokio::test]
async fn a_damaged_or_missing_file_is_unavailable_and_not_the_callers_fault() {
    let garble = |file: &Path| std::fs::write(file, b"not what was written").unwrap();
    let empty = |file: &Path| std::fs::write(file, b"").unwrap();
    let remove = |file: &Path| std::fs::remove_file(file).unwrap();
    let unavailable = [ProblemKind::Unavailable; 2];
    assert_eq!(after_damage(garble, "data").await, unavailable, "garbled data");
    assert_eq!(after_damage(empty, "data").await, unavailable, "empty data");
    assert_eq!(after_damage(remove, "data").await, unavailable, "missing data");
    assert_eq!(after_damage(garble, "_versions").await, unavailable, "garbled manifests");
    assert_eq!(after_damage(empty, "_versions").await, unavailable, "empty manifests");
    assert_eq!(after_damage(remove, "_versions").await, [ProblemKind::NotFound; 2], "no manifest: no table");
}

#[tokio::test]
async fn a_table_that_was_never_made_is_not_found() {
    let fixture = Fixture::new().await;
    let absent = table("demo", "absent");
    let problem = fixture.index.upsert(&absent, vec![document("a", &["one"])]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotFound);
    assert_eq!(keyword(&fixture.index, &absent, "one", 5, None).await.unwrap_err().kind, ProblemKind::NotFound);
    assert!(!fixture.folder.path().join("demo.absent.1.lance").exists(), "nothing is made by asking");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_unavailable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = file.path().join("vectors");
    let index = LanceIndex::open(below_a_file.to_str().unwrap(), IndexOptions::default()).unwrap();
    let problem = index.create(&table("demo", "contracts"), DIMENSIONS).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unavailable, "{problem}: {}", problem.causes());
}

#[tokio::test]
async fn a_place_of_an_unknown_kind_is_refused_at_start() {
    for uri in ["", "gs://bucket/x", "db://cloud", "http://host"] {
        let problem = LanceIndex::open(uri, IndexOptions::default()).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::InvalidRequest, "`{uri}`");
    }
}

/// The folder of the small file system that the test below mounts for the one after it.
const SMALL_DISK: &str = "MANDI_TEST_SMALL_DISK";

#[test]
#[expect(clippy::print_stderr, reason = "what was not tested must be said")]
fn a_full_disk_is_storage_full_and_leaves_what_was_there() {
    let folder = tempfile::TempDir::new().unwrap();
    let mount = r#"mount -t tmpfs -o size=2m none "$1" && shift && exec "$@""#;
    let status = std::process::Command::new("unshare")
        .args(["-rm", "sh", "-c", mount, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "faults::on_a_small_disk", "--ignored"])
        .env(SMALL_DISK, folder.path())
        .status();
    match status {
        // The mount came before the test, and has codes of its own.
        Ok(status) if matches!(status.code(), Some(1 | 32)) => {
            eprintln!("not tested: this user may not mount a small file system ({status})");
        }
        Ok(status) => assert!(status.success(), "on a small disk: {status}"),
        Err(error) => eprintln!("not tested: there is no `unshare` ({error})"),
    }
}

#[tokio::test]
#[ignore = "needs the small file system that `a_full_disk_is_storage_full_and_leaves_what_was_there` mounts"]
async fn on_a_small_disk() {
    let folder = std::env::var(SMALL_DISK).unwrap();
    let options = IndexOptions { background_upkeep: false, ..IndexOptions::default() };
    let index = LanceIndex::open(&folder, options).unwrap();
    let table = table("demo", "contracts");
    index.create(&table, DIMENSIONS).await.unwrap();
    index.upsert(&table, vec![document("first", &["first words"])]).await.unwrap();
    let long = "words that fill a disk ".repeat(2_000);
    let mut problem = None;
    for n in 0..200 {
        // Not compressible to nothing: each text is another one.
        let text = format!("{n} {}", long.replace("words", &format!("words{n}")));
        if let Err(full) = index.upsert(&table, vec![document(&format!("d{n}"), &[&text])]).await {
            problem = Some(full);
            break;
        }
    }
    let problem = problem.unwrap();
    assert_eq!(problem.kind, ProblemKind::StorageFull, "{problem}: {}", problem.causes());
    assert_eq!(keyword(&index, &table, "first", 5, None).await.unwrap().len(), 1);
}
