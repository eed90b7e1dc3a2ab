//! Why a store did not open.

use std::path::PathBuf;

/// Why a store did not open, split by what the operator does about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message below is the documentation")]
pub enum OpenError {
    #[error("the store URL cannot be used: {what}")]
    BadUrl { what: String },
    #[error("stores of kind `{scheme}:` are not supported yet")]
    NotSupportedYet { scheme: String },
    #[error("the store `{}` is in use by another runner{}", path.display(), owner(*pid))]
    Locked { path: PathBuf, pid: Option<u32> },
    #[error("the store `{}` cannot be written: {reason}", path.display())]
    ReadOnly { path: PathBuf, reason: String },
    #[error("the file `{}` is not a store of jalm: {reason}", path.display())]
    NotAStore { path: PathBuf, reason: String },
    #[error("the store `{}` has format {found}; this jalm knows formats up to {known}", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the store `{}` is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the disk of the store `{}` is full", path.display())]
    Full { path: PathBuf },
    #[error("the store `{}` cannot be opened: {reason}", path.display())]
    Io { path: PathBuf, reason: String },
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => {
                "write `sqlite:/var/lib/jalm/jalm.db` (no options behind the path), or `memory:`"
            }
            Self::NotSupportedYet { .. } => "use `sqlite:PATH` for now",
            Self::Locked { .. } => "stop that runner, or give this one another store",
            Self::ReadOnly { .. } => {
                "make the file and its folder writable for the user that runs jalm, or choose \
                 another path"
            }
            Self::NotAStore { .. } => "choose another path; this file was left as it is",
            Self::Newer { .. } => "run the jalm that wrote it, or a newer one; nothing was changed",
            Self::Damaged { .. } => {
                "keep a copy of the file, its `-wal` and its `-shm`, then restore a backup; \
                 `sqlite3 FILE .recover` saves what is still readable"
            }
            Self::Full { .. } => "free some space, then start again",
            Self::Io { .. } => "check the disk and the limit of open files (`ulimit -n`)",
        }
    }
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}
