//! The data folder: one holder at a time, a secret that is made once, a format that is checked.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use mandi_core::{Problem, ProblemKind, SystemClock};
use mandi_local::{DataDir, DataDirError, Found, look, secret_of};

#[test]
fn a_folder_that_is_held_is_refused_with_its_name_the_holder_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let held = DataDir::open(folder.path()).unwrap();

    let refused = DataDir::open(folder.path()).unwrap_err();

    assert!(matches!(refused, DataDirError::InUse { .. }));
    let problem = Problem::from(refused);
    assert_eq!(problem.kind, ProblemKind::Conflict);
    for part in [folder.path().to_str().unwrap(), &format!("process {}", std::process::id()), "MANDI_DATA"] {
        assert!(problem.detail.contains(part), "{part} is not in: {}", problem.detail);
    }
    drop(held);
    DataDir::open(folder.path()).unwrap();
}

#[test]
fn the_secret_is_made_once_and_only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = DataDir::open(folder.path().join("new/data")).unwrap();
    let path = first.path().join("secret");

    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(first.secret().as_bytes().len(), 32);
    assert!(!format!("{first:?}").contains(&format!("{:?}", &first.secret().as_bytes()[..4])[1..8]));

    let while_held = secret_of(first.path()).unwrap();
    assert_eq!(while_held.as_bytes(), first.secret().as_bytes());

    let other = DataDir::open(folder.path().join("other")).unwrap();
    assert_ne!(other.secret().as_bytes(), first.secret().as_bytes());
}

#[test]
fn a_secret_that_others_could_read_is_tightened() {
    let folder = tempfile::tempdir().unwrap();
    drop(DataDir::open(folder.path()).unwrap());
    let path = folder.path().join("secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

    DataDir::open(folder.path()).unwrap();

    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_secret_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "short").unwrap();
    assert!(matches!(DataDir::open(folder.path()), Err(DataDirError::DamagedSecret(_))));
}

#[test]
fn a_folder_of_another_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("format"), "2\n").unwrap();

    let refused = DataDir::open(folder.path()).unwrap_err();

    assert!(matches!(&refused, DataDirError::OtherFormat { found, .. } if found == "2"), "{refused}");
    assert!(!folder.path().join("secret").exists());
}

#[test]
fn a_file_in_place_of_the_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    let refused = DataDir::open(&path).unwrap_err();
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
}

#[test]
fn what_a_killed_process_left_half_written_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("objects/.temporary/half");
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    fs::write(&left, "half").unwrap();

    let data = DataDir::open(folder.path()).unwrap();
    let doorway = mandi_local::Doorway::new("http://127.0.0.1/x", data.secret().clone(), Arc::new(SystemClock));
    mandi_local::FileObjects::open(&data, doorway).unwrap();

    assert!(!left.exists());
}

#[test]
fn given_no_folder_when_its_secret_is_asked_for_then_what_was_looked_for_is_said_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("data");

    let refused = secret_of(&missing).unwrap_err().to_string();

    let looked_in = format!("{} is not there (looked in {})", missing.display(), folder.path().display());
    assert!(refused.contains(&looked_in) && refused.contains("--data or MANDI_DATA"), "{refused}");
    assert!(!missing.exists());
}

#[test]
fn given_a_folder_without_a_secret_when_it_is_asked_for_then_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(secret_of(folder.path()), Err(DataDirError::NoSecret(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn given_no_folder_when_it_is_looked_at_then_it_can_be_made_and_is_not() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(look(&folder.path().join("new/data")).unwrap(), Found::Nothing);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = look(&file.join("data")).unwrap_err();
    assert!(matches!(&refused, DataDirError::NotAFolder(path) if *path == file), "{refused}");
}

#[test]
fn given_a_folder_when_it_is_looked_at_then_what_would_be_refused_is_said_and_its_files_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(look(folder.path()).unwrap(), Found::Free);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let held = DataDir::open(folder.path()).unwrap();
    assert!(matches!(look(folder.path()), Err(DataDirError::InUse { .. })));
    drop(held);
    assert_eq!(look(folder.path()).unwrap(), Found::Free);

    fs::write(folder.path().join("secret"), "short").unwrap();
    assert!(matches!(look(folder.path()), Err(DataDirError::DamagedSecret(_))));
    fs::write(folder.path().join("format"), "2\n").unwrap();
    assert!(matches!(look(folder.path()), Err(DataDirError::OtherFormat { .. })));
    assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "short");
}
