//! What SQLite's errors mean here: what to retry, what to refuse, what to tell a person.

use jalm_kernel::ports::StoreError;
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// Whether one command is to blame, so that it fails the same way each time. Everything else may
/// pass: the disk, a lock, a file that someone mends.
pub(super) fn is_of_command(error: &Error) -> bool {
    error.sqlite_error_code().is_none_or(|code| {
        matches!(
            code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange
        )
    })
}

/// Whether what is stored cannot be read, now or later.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            Error::FromSqlConversionFailure(..)
                | Error::IntegralValueOutOfRange(..)
                | Error::InvalidColumnType(..)
                | Error::Utf8Error(..)
        )
}

/// The file was moved or deleted under the open store.
pub(super) fn moved() -> Error {
    Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY_DBMOVED), None)
}

/// What happened and what to do, for a file that cannot be written or read.
pub(super) fn explain(error: &Error) -> (String, &'static str) {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    let (what, remedy) = match error.sqlite_error_code() {
        _ if extended == Some(rusqlite::ffi::SQLITE_READONLY_DBMOVED) => (
            "it was moved, replaced or deleted while jalm had it open",
            "put the file back where it was, or stop jalm and restore a backup",
        ),
        Some(ErrorCode::DiskFull) => ("the disk is full", "free some space"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            "it may not be written",
            "make the file and its folder writable for the user that runs jalm",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ("another program holds it locked", "end that program (a `sqlite3` shell, a backup)")
        }
        Some(ErrorCode::SystemIoFailure) => {
            ("the disk reports an error", "check the disk and its mount (`dmesg`)")
        }
        Some(ErrorCode::OutOfMemory) => ("memory ran out", "give the process more memory"),
        _ if is_damage(error) => ("it is damaged", "stop jalm and restore a backup"),
        _ => ("SQLite gave up", "check that the file is there and that nobody changed its tables"),
    };
    (format!("{what} ({error})"), remedy)
}

/// A failed read, for whoever asked.
pub(super) fn of_read(path: &Path, error: &Error) -> StoreError {
    let (what, remedy) = explain(error);
    let message = format!("cannot read the store `{}`: {what}; {remedy}", path.display());
    if is_damage(error) {
        StoreError::Corrupt { message }
    } else {
        StoreError::Unavailable { message }
    }
}

/// A command that can never be written, for whoever gave it.
pub(super) fn of_command(path: &Path, error: &Error) -> StoreError {
    let message = format!(
        "the store `{}` refuses this change: {error}; repeating it will not help",
        path.display()
    );
    StoreError::Corrupt { message }
}
