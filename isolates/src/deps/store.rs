//! Where environments and locks lie.
//!
//! ```text
//! <data>/deps/python/<key>/   an environment, read-only, shown to scripts that need it
//! <data>/deps/npm/<key>/ …    the same for the others
//! <data>/deps/locks/<key>     what some requirements were pinned to, and when
//! <data>/deps/tmp/<name>/     half-done; gone with the server
//! ```
//!
//! An environment is made in `tmp` and moved to its place when it is whole, so what is in its place
//! is whole. Everything here can be made again: the folder may be removed while no server runs.

use super::error::DependencyError;
use super::lock::Lock;
use super::wanted::Source;
use crate::mutex::lock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    next: AtomicU64,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A folder that goes with this value.
#[derive(Debug)]
pub(super) struct Temporary(PathBuf);

impl Temporary {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), DependencyError> {
        let path = self.0.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text)).map_err(|error| {
            DependencyError::unavailable(&format!("cannot write {}", path.display()), &error)
        })
    }

    pub(super) fn read(&self, name: &str) -> Result<String, DependencyError> {
        let path = self.0.join(name);
        std::fs::read_to_string(&path).map_err(|error| {
            DependencyError::unavailable(&format!("cannot read {}", path.display()), &error)
        })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What stays is removed at the next start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A lock, and when it was made.
#[derive(Serialize, Deserialize)]
struct Dated {
    /// Seconds since 1970.
    at: u64,
    lock: Lock,
}

impl Store {
    /// Opens the store; what an earlier server left half-done is removed.
    pub(super) fn open(data: &Path) -> Result<Self, DependencyError> {
        let failed = |error: std::io::Error| {
            DependencyError::unavailable("the folder of dependencies cannot be used", &error)
        };
        let folder = data.join("deps");
        let _ = std::fs::remove_dir_all(folder.join("tmp"));
        for name in ["tmp", "locks", "python", "npm", "cargo", "go"] {
            std::fs::create_dir_all(folder.join(name)).map_err(failed)?;
        }
        let folder = folder.canonicalize().map_err(failed)?;
        Ok(Self { folder, next: AtomicU64::new(0), turns: Mutex::default() })
    }

    /// The folder of all environments of a source.
    pub(super) fn environments(&self, source: Source) -> PathBuf {
        self.folder.join(source.name())
    }

    /// An environment that is there.
    pub(super) fn environment(&self, source: Source, key: &str) -> Option<PathBuf> {
        Some(self.environments(source).join(key)).filter(|folder| folder.is_dir())
    }

    /// One at a time for each name.
    pub(super) async fn turn(&self, name: String) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.turns);
            // Nobody waits for those that only this table holds.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(name).or_default().clone()
        };
        turn.lock_owned().await
    }

    pub(super) fn temporary(&self) -> Result<Temporary, DependencyError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join("tmp").join(format!("{}-{number}", std::process::id()));
        let made = std::fs::create_dir_all(&path);
        made.map_err(|error| {
            DependencyError::unavailable(&format!("cannot make {}", path.display()), &error)
        })?;
        Ok(Temporary(path))
    }

    /// Puts a whole environment into its place.
    pub(super) fn keep(
        &self,
        built: &Path,
        source: Source,
        key: &str,
    ) -> Result<PathBuf, DependencyError> {
        make_read_only(built);
        let place = self.environments(source).join(key);
        match std::fs::rename(built, &place) {
            Ok(()) => Ok(place),
            // Somebody else was faster, with the same.
            Err(_) if place.is_dir() => Ok(place),
            Err(error) => Err(DependencyError::unavailable(
                &format!("cannot make {}", place.display()),
                &error,
            )),
        }
    }

    /// What these requirements were pinned to, and how long ago.
    pub(super) fn lock(&self, key: &str) -> Option<(Lock, Duration)> {
        let text = std::fs::read(self.folder.join("locks").join(key)).ok()?;
        let Dated { at, lock } = serde_json::from_slice(&text).ok()?;
        Some((lock, Duration::from_secs(seconds().saturating_sub(at))))
    }

    /// Notes what requirements were pinned to. If that fails, the next one asks again.
    pub(super) fn note(&self, key: &str, lock: &Lock) {
        let noted = || -> std::io::Result<()> {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let half = self.folder.join("tmp").join(format!("lock-{number}"));
            let dated = Dated { at: seconds(), lock: lock.clone() };
            std::fs::write(&half, serde_json::to_vec(&dated)?)?;
            std::fs::rename(half, self.folder.join("locks").join(key))
        };
        if let Err(error) = noted() {
            tracing::warn!(%error, "a lock of dependencies cannot be kept");
        }
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Nobody changes an environment by mistake. What keeps scripts from it is their sandbox.
fn make_read_only(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => make_read_only(&entry.path()),
            Ok(found) if found.is_file() => {
                let mode = found.permissions().mode() & 0o555 | 0o444;
                let _ =
                    std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode));
            }
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_done_is_never_in_its_place() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).unwrap();
        let half = store.temporary().unwrap();
        half.write("env/a.py", "1").unwrap();
        assert_eq!(store.environment(Source::Python, "k"), None);
        let place = store.keep(&half.path().join("env"), Source::Python, "k").unwrap();
        assert_eq!(store.environment(Source::Python, "k"), Some(place.clone()));
        let mode = place.join("a.py").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o222, 0);
        // The same once more: what is there stays.
        half.write("env/a.py", "2").unwrap();
        store.keep(&half.path().join("env"), Source::Python, "k").unwrap();
        assert_eq!(std::fs::read_to_string(place.join("a.py")).unwrap(), "1");
        let path = half.path().to_owned();
        drop(half);
        assert!(!path.exists());
        std::fs::create_dir_all(data.path().join("deps/tmp/left")).unwrap();
        Store::open(data.path()).unwrap();
        assert!(!data.path().join("deps/tmp/left").exists());
    }
}
