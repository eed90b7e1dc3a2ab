//! One owner per store: an advisory lock that the system frees when the process dies.

use crate::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held as long as the store is open. The file stays when it is released: removing it would let
/// two runners lock two different files of the same name.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file frees the lock")] File);

impl Lock {
    /// Locks `<store>.lock` and writes this process's id into it.
    pub(super) fn take(store: &Path) -> Result<Self, OpenError> {
        let mut name = store.as_os_str().to_owned();
        name.push(".lock");
        let failed = |error: &std::io::Error| of_io(store, error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(PathBuf::from(name))
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The id is for the message only; one that cannot be read is left out.
                file.read_to_string(&mut text).ok();
                let pid = text.trim().parse().ok();
                return Err(OpenError::Locked { path: store.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(|error| failed(&error))?;
        Ok(Self(file))
    }
}

/// An error of the file system, by what the operator does about it.
pub(super) fn of_io(path: &Path, error: &std::io::Error) -> OpenError {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let (path, reason, kind) = (path.to_owned(), error.to_string(), error.kind());
    if matches!(kind, PermissionDenied | ReadOnlyFilesystem) {
        OpenError::ReadOnly { path, reason }
    } else if matches!(kind, StorageFull | QuotaExceeded) {
        OpenError::Full { path }
    } else {
        OpenError::Io { path, reason }
    }
}
