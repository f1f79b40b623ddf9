//! `mandi load` on folders as people have them: with entries that cannot be loaded, among those that can.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use mandi_acceptance::{Server, Setup, mandi};
use serde_json::{Value, json};

/// A running server, and a folder to load.
struct Scene {
    server: Server,
    files: tempfile::TempDir,
    _data: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let server = Setup::on(data.path()).with("MANDI_LOG", "").start().await;
        Self { server, files: tempfile::tempdir().unwrap(), _data: data }
    }

    /// A file of the folder, with a text that its name is part of.
    fn text(&self, name: impl AsRef<OsStr>) {
        let name = name.as_ref();
        let text = format!("The buyer of {} shall pay within 30 days.", name.to_string_lossy());
        fs::write(self.files.path().join(name), text).unwrap();
    }

    fn json(&self, name: &str, content: &Value) {
        fs::write(self.files.path().join(name), content.to_string()).unwrap();
    }

    /// Loads the folder into the collection `notes`: whether it succeeds, and what it prints.
    fn load(&self) -> (bool, String) {
        run(load(self.server.data(), self.server.base(), self.files.path()))
    }
}

/// The words of a load into the collection `notes`.
fn load(data: &Path, url: &str, path: &Path) -> Command {
    let mut command = Command::new(mandi());
    command.args(["load", "--tenant", "demo", "--collection", "notes", "--url", url, "--data"]).arg(data).arg(path);
    command
}

fn run(mut command: Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout) + &text(output.stderr))
}

/// The same command by somebody whom permissions bind, which they do not bind the administrator.
fn bound_by_permissions(command: &Command, closed: &Path) -> Command {
    if fs::read_dir(closed).is_err() {
        let mut same = Command::new(command.get_program());
        same.args(command.get_args());
        return same;
    }
    let mut bound = Command::new("setpriv");
    bound.arg("--bounding-set=-dac_override,-dac_read_search").arg(command.get_program()).args(command.get_args());
    bound
}

fn summary(loaded: usize, failed: usize) -> String {
    format!("{loaded} loaded into `notes`, 0 there already unchanged, {failed} failed\n")
}

#[tokio::test]
async fn given_a_folder_that_cannot_be_read_when_the_one_above_is_loaded_then_the_rest_is_and_it_is_a_failure() {
    let scene = Scene::new().await;
    scene.text("a.md");
    scene.text("z.md");
    let closed = scene.files.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let words = load(scene.server.data(), scene.server.base(), scene.files.path());
    let (success, told) = run(bound_by_permissions(&words, &closed));
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    assert!(!success && told.contains(&summary(2, 1)), "{told}");
    assert!(told.contains("  closed: it cannot be read: Permission denied"), "{told}");
}

#[tokio::test]
async fn given_names_that_are_not_utf_8_when_they_are_loaded_then_each_fails_with_the_way_out_and_others_go_on() {
    let scene = Scene::new().await;
    scene.text("अनुबंध \"1\".md");
    scene.text(OsStr::from_bytes(b"a\xfe.md"));
    scene.text(OsStr::from_bytes(b"a\xff.md"));
    let (success, told) = scene.load();
    assert!(!success && told.contains(&summary(1, 2)), "{told}");
    for name in [r#""a\xFE.md""#, r#""a\xFF.md""#] {
        assert!(told.contains(&format!("  {name}: its name is not UTF-8 text")), "{told}");
    }
    assert!(told.contains("rename it"), "{told}");
}

#[tokio::test]
async fn given_links_pipes_and_hidden_files_when_they_are_passed_over_then_the_end_says_how_many_of_which_kind() {
    let scene = Scene::new().await;
    scene.text("a.md");
    scene.text(".hidden.md");
    fs::create_dir(scene.files.path().join(".git")).unwrap();
    symlink("a.md", scene.files.path().join("link.md")).unwrap();
    symlink("loop", scene.files.path().join("loop")).unwrap();
    assert!(Command::new("mkfifo").arg(scene.files.path().join("pipe.md")).status().unwrap().success());
    let (success, told) = scene.load();
    assert!(success && told.contains(&summary(1, 0)), "{told}");
    assert!(told.contains("passed over: 2 hidden files or folders, 2 symbolic links, 1 pipe\n"), "{told}");
}

#[tokio::test]
async fn given_the_documents_of_the_demo_when_they_are_loaded_then_all_are_there() {
    let scene = Scene::new().await;
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/documents");
    let (success, told) = run(load(scene.server.data(), scene.server.base(), &documents));
    assert!(success && told.contains(&summary(fs::read_dir(documents).unwrap().count(), 0)), "{told}");
    let found = scene.server.client("demo").get("/v1/collections/notes/documents/contract/SC-2026-014").await;
    assert_eq!(found.expect(200)["status"], "indexed");
}

#[tokio::test]
async fn given_json_of_another_form_when_it_is_loaded_then_it_says_what_a_json_file_holds() {
    let scene = Scene::new().await;
    let one = json!({"entity_type": "text", "entity_id": "1", "content": "The buyer pays within 30 days."});
    scene.json("one.json", &one);
    scene.json("several.json", &json!({"documents": [one]}));
    scene.json("fields.json", &json!({"customer_id": "C-1"}));
    fs::write(scene.files.path().join("broken.json"), "{").unwrap();
    let (success, told) = scene.load();
    assert!(!success && told.contains(&summary(1, 3)), "{told}");
    let line = |name: &str| told.lines().find(|line| line.starts_with(&format!("  {name}: "))).unwrap().to_owned();
    assert!(line("several.json").contains("it holds several documents, so put each into a file of its own"), "{told}");
    assert!(line("broken.json").contains("it is not JSON: "), "{told}");
    for name in ["several.json", "fields.json"] {
        for part in ["\"entity_type\"", "\"entity_id\"", "\"content\"", "--entity-type"] {
            assert!(line(name).contains(part), "{part} is not in: {told}");
        }
    }
}

#[tokio::test]
async fn given_a_file_above_the_limit_of_a_request_when_it_is_loaded_then_it_is_not_sent_and_the_way_out_is_said() {
    const SIZE: u64 = 4 * 1024 * 1024;
    let scene = Scene::new().await;
    File::create(scene.files.path().join("large.md")).unwrap().set_len(SIZE).unwrap();
    let (success, told) = scene.load();
    assert!(!success && told.contains(&summary(0, 1)), "{told}");
    let line = format!("  large.md: it has {SIZE} bytes, and a file may have 4190208; split it");
    assert!(told.contains(&line), "{told}");
    let log = scene.server.log();
    assert!(log.contains("/v1/collections/") && !log.contains("/documents"), "{log}");
}

#[test]
fn given_a_server_that_goes_away_when_a_folder_is_loaded_then_it_stops_and_says_once_how_many_files_were_not_sent() {
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(data.path().join("secret"), [7; 32]).unwrap();
    for file in 0..40 {
        fs::write(files.path().join(format!("{file}.md")), "The buyer pays within 30 days.").unwrap();
    }
    // A server that makes the collection, and is gone.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let made = std::thread::spawn(move || {
        let mut connection = server.accept().unwrap().0;
        drop(server);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n{}") {
            let mut part = [0; 1024];
            let count = connection.read(&mut part).unwrap();
            request.extend_from_slice(&part[..count]);
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
    });
    let (success, told) = run(load(data.path(), &url, files.path()));
    made.join().unwrap();
    assert!(!success && told.contains(&summary(0, 0)), "{told}");
    let line = format!("no server answers at {url}; start one with `make run` or `mandi up`; 40 files were not sent");
    assert!(told.contains(&line) && told.contains("type the same command again"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn given_a_name_that_no_collection_can_have_when_it_is_loaded_into_then_the_rule_is_said_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["../x", "", "x?y=1", "x/y", "X"] {
        let mut command = Command::new(mandi());
        command.args(["load", "--tenant", "demo", "--collection", name, "--data"]).arg(folder.path()).arg(".");
        let (success, told) = run(command);
        assert!(!success && told.contains("a collection's name is 1 to 64 of `a-z`"), "{name}: {told}");
    }
}
