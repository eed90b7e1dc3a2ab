//! What only a store in a file can do wrong.

mod crash;
mod opening;
mod plans;
mod trouble;

use super::Sqlite;
use crate::conformance;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A folder for one store, and the path of the store in it.
fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    (folder, path)
}

/// The stored id of execution `n`.
fn bytes(n: u64) -> [u8; 16] {
    *conformance::id(n).0.as_bytes()
}

fn open(path: &std::path::Path) -> Sqlite {
    Sqlite::open(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let (path, number) = (folder.path(), AtomicU32::new(0));
    let fresh = || -> Arc<dyn jalm_kernel::ports::Store> {
        let number = number.fetch_add(1, Ordering::Relaxed);
        Arc::new(open(&path.join(format!("{number}.db"))))
    };
    conformance::check(&fresh).await;
}
