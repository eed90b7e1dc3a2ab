//! What SQLite says, in words for the author of the step.

use jalm_kernel::failure::Failure;
use rusqlite::{Error, ErrorCode, ffi};
use serde_json::json;

/// A failed statement. `refusal` is what the authorizer had against it.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other errors say enough themselves")]
pub(crate) fn sql_failure(error: Error, refusal: Option<String>) -> Failure {
    match error {
        Error::SqliteFailure(code, message) => {
            let message = message.unwrap_or_else(|| code.to_string());
            by_code(code, &message, refusal)
        }
        Error::SqlInputError { error, msg, sql, offset } => {
            let failure = by_code(error, &msg, refusal);
            match usize::try_from(offset).ok().and_then(|offset| sql.get(..offset)) {
                Some(before) if failure.code == "db_sql" => {
                    let line = before.matches('\n').count() + 1;
                    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                    let mut failure = failure.detail(json!({ "line": line, "column": column }));
                    failure.message = format!("{} (line {line}, column {column})", failure.message);
                    failure
                }
                Some(_) | None => failure,
            }
        }
        Error::MultipleStatement => {
            Failure::permanent("db_sql", "one statement is expected, and there are several")
                .hint("list them in `statements`; they run in one transaction")
        }
        other => Failure::permanent("db_sql", format!("the statement failed: {other}"))
            .hint("check the statement and its `params`"),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "codes that no statement of ours can cause say enough themselves"
)]
fn by_code(code: ffi::Error, message: &str, refusal: Option<String>) -> Failure {
    let permanent = |name, text: String| Failure::permanent(name, text);
    let transient = |name, text: String| Failure::transient(name, text);
    // SQLite calls a denied function by another code than a denied statement.
    if let Some(why) = refusal {
        return permanent("db_denied", format!("the statement is not allowed: {why}"))
            .hint("steps may use their own database, tables and rows, and nothing beyond");
    }
    match code.code {
        ErrorCode::ConstraintViolation => {
            permanent("db_constraint", format!("a constraint was broken: {message}"))
                .hint(constraint_hint(code.extended_code))
                .detail(json!({ "constraint": constraint(code.extended_code) }))
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::SchemaChanged => {
            transient("db_busy", format!("the database is locked: {message}"))
                .hint("another process writes to it; `retry` tries again")
        }
        ErrorCode::OperationInterrupted | ErrorCode::OperationAborted => {
            permanent("aborted", "the statement was aborted".to_owned())
                .hint("it ran out of time or was cancelled")
        }
        ErrorCode::DiskFull => transient("db_full", "the disk is full".to_owned())
            .hint("free some space; `retry` tries again"),
        ErrorCode::SystemIoFailure => transient("db_io", format!("the disk failed: {message}"))
            .hint("check the disk; `retry` tries again"),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            permanent("db_corrupt", format!("the database file is damaged: {message}"))
                .hint("restore it from a backup, or look with `PRAGMA integrity_check`")
        }
        ErrorCode::CannotOpen => {
            permanent("db_open", format!("cannot open the database: {message}"))
                .hint("check the connection's path and the rights of the runner's user")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
            permanent("db_read_only", format!("the database cannot be written: {message}"))
                .hint("check the rights of the file and its folder")
        }
        ErrorCode::TooBig => permanent("db_too_big", format!("a value is too large: {message}"))
            .hint("a value may have 64 MiB; keep larger ones in files"),
        ErrorCode::OutOfMemory => transient("db_memory", "there is not enough memory".to_owned())
            .hint("read fewer rows at once"),
        _ => {
            permanent("db_sql", format!("the statement failed: {message}")).hint(hint_for(message))
        }
    }
}

fn hint_for(message: &str) -> &'static str {
    if message.starts_with("no such table") {
        "create it once with `db_update` and `query: create table if not exists …`"
    } else if message.starts_with("no such column") {
        "check the spelling; texts stand in single quotes, or better in `params`"
    } else {
        "check the statement and its `params`"
    }
}

fn constraint(extended: i32) -> &'static str {
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE => "unique",
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => "primary_key",
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => "foreign_key",
        ffi::SQLITE_CONSTRAINT_NOTNULL => "not_null",
        ffi::SQLITE_CONSTRAINT_CHECK => "check",
        ffi::SQLITE_CONSTRAINT_TRIGGER => "trigger",
        ffi::SQLITE_CONSTRAINT_DATATYPE => "datatype",
        _ => "other",
    }
}

fn constraint_hint(extended: i32) -> &'static str {
    match constraint(extended) {
        "unique" | "primary_key" => {
            "the row is there already; `on_conflict: ignore`, `replace` or `update` settles that"
        }
        "foreign_key" => "insert the row it refers to first, or delete those that refer to it",
        "not_null" => "give the column a value",
        _ => "change the values so that they fit the table",
    }
}
