//! The file: how it is opened, what is in it, and how old ones become new ones.
//!
//! **Format 1** (`PRAGMA user_version`; `application_id` is `JALM`):
//!
//! | table | a row is | remarks |
//! |---|---|---|
//! | `executions` | one execution as lists show it | `id`: the 16 bytes of its UUIDv7; `status`: see `codec`; `plan`: a row of `plans`; times in ms |
//! | `journal` | one or more consecutive records | `first`, `count`: its events; `parts`: borders of joined records, or null (see `codec::parts_of`); in order of arrival, so that a commit of a hundred executions fills a few pages instead of touching a hundred |
//! | `plans`, `sources` | a plan in use | by hash; `uses` counts its executions, the last one takes it along |
//! | `kv` | a value with an end of life | JSON text; a row that has run out is invisible and swept later |
//! | `messages` | a message of the embedded queue | in order of `seq` |
//!
//! **What must stay true.** A migration is never edited after a release: a change is a new one
//! behind it. Each runs in one transaction with its version number.

use super::fault;
use super::lock::{Lock, of_io};
use crate::OpenError;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `JALM` in ASCII.
const APPLICATION_ID: i64 = 0x4A41_4C4D;

/// What leads from each format to the next; a new store runs them all.
const MIGRATIONS: &[&str] = &[
    // To format 1. There is no index of unfinished executions: `executions_status` finds them,
    // and one index less is one page less in every commit.
    "CREATE TABLE executions (
         id BLOB NOT NULL PRIMARY KEY,
         intent TEXT NOT NULL,
         status INTEGER NOT NULL,
         created_at INTEGER NOT NULL,
         started_at INTEGER,
         completed_at INTEGER,
         plan INTEGER NOT NULL,
         key TEXT
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX executions_status ON executions (status, id);
     CREATE INDEX executions_intent ON executions (intent, status, id);
     CREATE UNIQUE INDEX executions_key ON executions (key) WHERE key IS NOT NULL;
     CREATE TABLE journal (
         seq INTEGER PRIMARY KEY,
         id BLOB NOT NULL,
         first INTEGER NOT NULL,
         count INTEGER NOT NULL,
         parts BLOB,
         record BLOB NOT NULL,
         UNIQUE (id, first)
     ) STRICT;
     CREATE TABLE plans (
         id INTEGER PRIMARY KEY,
         hash BLOB NOT NULL UNIQUE,
         uses INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE sources (plan INTEGER PRIMARY KEY, source TEXT NOT NULL) STRICT;
     CREATE TABLE kv (
         space TEXT NOT NULL,
         key TEXT NOT NULL,
         value TEXT NOT NULL,
         expires INTEGER,
         PRIMARY KEY (space, key)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX kv_expires ON kv (expires) WHERE expires IS NOT NULL;
     CREATE TABLE messages (
         seq INTEGER PRIMARY KEY,
         queue TEXT NOT NULL,
         id TEXT NOT NULL,
         body TEXT NOT NULL,
         headers TEXT NOT NULL,
         at INTEGER NOT NULL,
         UNIQUE (queue, id)
     ) STRICT;
     CREATE INDEX messages_order ON messages (queue, seq);",
];

/// A store that is ours.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) lock: Lock,
}

/// Opens the store for writing, makes it if it is not there, brings it to the newest format.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let path = place(path)?;
    let lock = Lock::take(&path)?;
    let created = !path.exists();
    let all_in_one = logged(&path) == 0;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(|e| of_sql(&path, &e))?;
    let found = identify(&connection, &path)?;
    if all_in_one && found > 0 {
        check_length(&connection, &path)?;
    }
    configure(&connection, &path)?;
    migrate(&connection, found).map_err(|error| of_sql(&path, &error))?;
    if created {
        // The name of a new file is durable only when its folder is.
        let folder = path.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|it| it.sync_all()).map_err(|error| of_io(&path, &error))?;
    }
    Ok(Opened { path, connection, lock })
}

/// The one true path, so that two ways to the same file meet the same lock. Makes the folder.
fn place(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |error: std::io::Error| of_io(path, &error);
    let Some(name) = path.file_name() else {
        return Err(OpenError::BadUrl { what: format!("`{}` names no file", path.display()) });
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let path = folder.canonicalize().map_err(failed)?.join(name);
    if path.is_dir() {
        return Err(OpenError::BadUrl { what: format!("`{}` is a folder", path.display()) });
    }
    // A link to a file that is not there yet stays as it is; SQLite creates what it names.
    Ok(path.canonicalize().unwrap_or(path))
}

/// The format of the file, 0 for a new one; refuses what is not ours.
fn identify(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        connection.busy_timeout(Duration::from_secs(1))?;
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get(0));
        Ok((
            number("PRAGMA application_id")?,
            number("PRAGMA user_version")?,
            number("SELECT count(*) FROM sqlite_schema")?,
        ))
    };
    let (application, version, objects) = read().map_err(|error| of_sql(path, &error))?;
    let foreign = |reason: &str| {
        Err(OpenError::NotAStore { path: path.to_owned(), reason: reason.to_owned() })
    };
    match (application, version) {
        (0, 0) if objects == 0 => Ok(0),
        (APPLICATION_ID, 1..) if version > known => {
            Err(OpenError::Newer { path: path.to_owned(), found: version, known })
        }
        (APPLICATION_ID, 1..) => Ok(version),
        _ => foreign("it is a SQLite database of another program"),
    }
}

/// How long the log is.
fn logged(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

/// Without a log the file must be as long as it says; SQLite would notice a missing end only when
/// it comes there.
fn check_length(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |sql: &str| -> rusqlite::Result<u64> {
        connection.query_row(sql, [], |row| row.get(0)).map(i64::cast_unsigned)
    };
    let says = number("PRAGMA page_count")
        .and_then(|pages| Ok(pages * number("PRAGMA page_size")?))
        .map_err(|error| of_sql(path, &error))?;
    let is = std::fs::metadata(path).map_err(|error| of_io(path, &error))?.len();
    if is >= says {
        return Ok(());
    }
    let reason = format!("it should have {says} bytes and has {is}");
    Err(OpenError::Damaged { path: path.to_owned(), reason })
}

/// The settings of the writing connection.
fn configure(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let run = || -> rusqlite::Result<String> {
        // The page size holds for new files only. With 8 KiB a commit of many executions writes
        // a third less than with 4 KiB, and a commit of one waits the same.
        connection.execute_batch(
            "PRAGMA page_size = 8192;
             PRAGMA synchronous = FULL;
             PRAGMA trusted_schema = OFF;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -4096;",
        )?;
        // A checkpoint of 16 MiB stalls commits for some milliseconds; a greater one for longer,
        // a smaller one more often. The log then starts over in blocks that exist already, which
        // makes its flushes faster. Quiet moments are used before (see `writer`).
        connection.pragma_update(None, "wal_autocheckpoint", 2000)?;
        connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        // A foreign lock is reported soon; the writer tries again by itself.
        connection.busy_timeout(Duration::from_millis(200))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
    };
    match run().map_err(|error| of_sql(path, &error))?.as_str() {
        "wal" => Ok(()),
        other => Err(OpenError::Io {
            path: path.to_owned(),
            reason: format!(
                "SQLite's write-ahead log does not work there (it stays in mode `{other}`); a \
                 local disk is needed, not a network share"
            ),
        }),
    }
}

fn migrate(connection: &Connection, found: i64) -> rusqlite::Result<()> {
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             {sql}
             PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {version};
             COMMIT;"
        ))?;
        tracing::info!(version, "store format set");
    }
    Ok(())
}

/// An error of SQLite while opening, by what the operator does about it.
fn of_sql(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode;
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotAStore { path, reason },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, reason },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            OpenError::ReadOnly { path, reason }
        }
        Some(ErrorCode::DiskFull) => OpenError::Full { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            OpenError::Locked { path, pid: None }
        }
        _ => OpenError::Io { path, reason: fault::explain(error).0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_format_is_the_number_of_migrations() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("s.db")).unwrap();
        let version = identify(&opened.connection, &opened.path).unwrap();
        assert_eq!(version, i64::try_from(MIGRATIONS.len()).unwrap());
    }

    /// Less would lose acknowledged records when the power fails, and no other test can see it.
    #[test]
    fn every_commit_reaches_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        for _ in ["new", "old"] {
            let opened = open(&path).unwrap();
            let ask = |sql: &str| opened.connection.query_row(sql, [], |row| row.get(0));
            let full: i64 = ask("PRAGMA synchronous").unwrap();
            assert_eq!(full, 2);
        }
    }
}
