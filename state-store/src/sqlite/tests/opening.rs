//! Files that cannot be a store, and stores that cannot be opened now.

use super::{folder, open};
use crate::OpenError;
use crate::conformance::{append, birth, id};
use crate::sqlite::Sqlite;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::Journal;
use rusqlite::Connection;
use std::path::Path;

fn refused(path: &Path) -> OpenError {
    Sqlite::open(path).map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_reopen() {
    let (_folder, path) = folder();
    let store = open(&path);
    append(&store, birth(1, "a", Status::Pending)).await.unwrap();
    drop(store);
    let store = open(&path);
    assert!(store.load(id(1)).await.unwrap().is_some());
    store.close().await;
    // Closed, not dropped: the file is free all the same, and tidy.
    assert!(!path.with_extension("db-wal").exists());
    assert!(open(&path).load(id(1)).await.unwrap().is_some());
}

#[test]
fn a_store_has_one_owner_at_a_time() {
    let (folder, path) = folder();
    let first = open(&path);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for way in [path.clone(), folder.path().join("./../").join(folder.path()).join("s.db"), link] {
        let error = refused(&way);
        assert!(
            matches!(&error, OpenError::Locked { pid, .. } if *pid == Some(std::process::id()))
        );
        assert!(error.to_string().contains("in use by another runner"), "{error}");
    }
    drop(first);
    open(&path);
}

#[test]
fn files_of_others_are_left_alone() {
    let (_folder, path) = folder();
    std::fs::write(&path, "name,price\n".repeat(500)).unwrap();
    assert!(matches!(refused(&path), OpenError::NotAStore { .. }));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "name,price\n".repeat(500));

    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(refused(&path), OpenError::NotAStore { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_truncated_file_is_called_damaged() {
    let (_folder, path) = folder();
    let store = open(&path);
    for n in 0..50 {
        append(&store, birth(n, "a", Status::Pending)).await.unwrap();
    }
    drop(store);
    let length = std::fs::metadata(&path).unwrap().len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    for cut in [1, 8192, length / 2] {
        file.set_len(length - cut).unwrap();
        let error = refused(&path);
        assert!(matches!(error, OpenError::Damaged { .. }), "{cut} bytes less: {error}");
        assert!(error.hint().contains("backup"));
    }
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let (_folder, path) = folder();
    drop(open(&path));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(refused(&path), OpenError::Newer { path, found: 99, known: 1 });
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Nobody, not even root, makes files there.
    let path = Path::new("/sys/kernel/jalm/s.db");
    let error = refused(path);
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("/sys/kernel/jalm/s.db"), "{error}");
}

#[test]
fn a_folder_is_not_a_file() {
    let (folder, path) = folder();
    assert!(matches!(refused(folder.path()), OpenError::BadUrl { .. }));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(refused(&path.join("s.db")), OpenError::Io { .. }));
    assert!(matches!(refused(Path::new("/")), OpenError::BadUrl { .. }));
}
