//! A full disk as a client meets it: said in a problem document, nothing half done, and over once there is room.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it cannot test"
)]

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use mandi_acceptance::{Answer, Client, Server, Setup};
use serde_json::json;

/// The size of the file system, in MB: room for an empty store, with a margin.
const DISK_MB: usize = 48;

/// The server on a small file system of its own, and a file that fills what is left of it.
struct SmallDisk {
    server: Server,
    filler: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let server = Setup::on(&data).on_a_disk_of(DISK_MB).start().await;
        Self { filler: server.data().join("filler"), server, _folder: folder }
    }

    fn fill(&self) {
        let mut file = File::create(&self.filler).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(&self.filler).unwrap();
    }
}

async fn add(client: &Client, id: usize) -> Answer {
    let document = json!({"entity_type": "contract", "entity_id": format!("C-{id}"),
        "content": format!("Contract {id}. {}", "The buyer shall pay within 30 days. ".repeat(400))});
    client.post("/v1/collections/contracts/documents", &document).await
}

async fn is_there(client: &Client, id: usize) -> bool {
    client.get(&format!("/v1/collections/contracts/documents/contract/C-{id}")).await.status == 200
}

/// Whether a process here may have a file system of its own.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        eprintln!("not tested: `unshare -rm` is refused here");
    }
    may
}

#[tokio::test]
async fn given_a_full_disk_when_a_document_is_sent_then_it_is_said_nothing_is_half_done_and_later_it_works() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::start().await;
    let client = disk.server.client("demo");
    client.put("/v1/collections/contracts", &json!({})).await;
    add(&client, 0).await.expect(200);
    disk.fill();
    // What is allocated already may take one or two more.
    let mut refused = None;
    for id in 1..50 {
        let answer = add(&client, id).await;
        if answer.status != 200 {
            answer.expect_problem(507, "storage-full", "");
            refused = Some(id);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(!is_there(&client, refused).await);
    let query = json!({"query": format!("Contract {refused}"), "k": 100});
    let found = client.post("/v1/collections/contracts/search", &query).await;
    assert!(found.text.contains("C-0") && !found.text.contains(&format!("\"C-{refused}\"")), "{}", found.text);

    disk.free();
    add(&client, refused).await.expect(200);
    assert!(is_there(&client, refused).await);
}

#[tokio::test]
async fn given_a_full_disk_when_conversations_are_made_then_those_that_were_confirmed_are_there_and_no_others() {
    if !may_mount() {
        return;
    }
    let disk = SmallDisk::start().await;
    let client = disk.server.client("demo");
    disk.fill();
    let body = json!({"assistant_type": "contract", "title": "x".repeat(200)});
    let mut made = 0;
    let refusal = loop {
        let answer = client.post("/v1/conversations", &body).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
        assert!(made < 20_000, "the disk does not get full");
    };
    refusal.expect_problem(507, "storage-full", "space");
    let mut listed = 0;
    let mut path = "/v1/conversations?limit=100".to_owned();
    loop {
        let page = client.get(&path).await.expect(200);
        listed += page["conversations"].as_array().unwrap().len();
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=100&cursor={cursor}");
    }
    assert_eq!(listed, made);
    disk.free();
    client.post("/v1/conversations", &body).await.expect(201);
}
