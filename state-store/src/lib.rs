//! Keeps journals, and answers questions about them.
//!
//! A store implements the three ports of [`jalm_kernel::ports`]: [`Journal`], [`Kv`] and
//! [`Queue`]. [`open`] picks one by the scheme of its URL; [`STORES`] is the whole list.
//!
//! | URL | what | survives |
//! |---|---|---|
//! | `sqlite:PATH`, `sqlite://PATH` | one SQLite file, created when it is not there | SIGKILL, power loss |
//! | `memory:` | this process's memory | nothing |
//!
//! **The promise that gating stands on.** `append` only queues. `on_durable(Ok)` is called after
//! the record, and every earlier record of the same execution, is on disk (for `memory:`: is
//! visible). Until then no reader of the store can see it. So whoever waits for the callback
//! before an effect or an answer can never show what a crash takes back.
//!
//! **What must stay true.**
//! 1. An acknowledged append is never lost. While the disk refuses, records wait in memory, in
//!    order; [`Health::Degraded`] says for what, and writing goes on when the cause is gone.
//! 2. Appends of one execution become durable in the order in which they were made, and each
//!    continues where the one before ended: one with a gap or an overlap is refused, alone.
//! 3. One bad command never harms those that share its commit.
//! 4. A store has one owner: a second process that opens it is refused.
//! 5. Every store passes [`conformance`] unchanged, and all answer alike (a differential test).
//! 6. Ids carry their time: `Filter::since` leaves out ids whose UUIDv7 time is more than two
//!    seconds before it, so `created_at` must be the moment at which the id was made.
//!
//! **Not here, on purpose:** what events mean (`kernel::machine`), what runs and when
//! (`scheduler`), back-pressure (the engine bounds what is in flight; a store queues what it gets).
//!
//! [`Journal`]: jalm_kernel::ports::Journal
//! [`Kv`]: jalm_kernel::ports::Kv
//! [`Queue`]: jalm_kernel::ports::Queue
//! [`Health::Degraded`]: jalm_kernel::ports::Health::Degraded

mod codec;
mod error;
mod memory;
mod sqlite;

#[cfg(any(test, feature = "testkit"))]
pub mod conformance;
#[cfg(test)]
mod differential;

pub use error::OpenError;

use jalm_kernel::ports::Store;
use std::sync::Arc;

/// Opens what follows the scheme in a store URL.
pub type Open = fn(rest: &str) -> Result<Arc<dyn Store>, OpenError>;

/// Every kind of store: the scheme of its URL, and what opens it.
pub const STORES: &[(&str, Open)] = &[("sqlite", sqlite::open), ("memory", memory::open)];

/// Schemes that are planned; they get a better answer than "unknown".
const PLANNED: &[&str] = &["postgres", "postgresql"];

/// Opens the store that `url` names. Blocks for the disk: a few milliseconds.
///
/// The store closes when [`close`](jalm_kernel::ports::Journal::close) is called, or when its
/// last handle is dropped; both write what is queued first.
pub fn open(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    // Only the scheme goes into messages: the rest of a URL may hold a password.
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(OpenError::BadUrl { what: "a store URL needs a scheme".to_owned() });
    };
    if let Some((_, open)) = STORES.iter().find(|(name, _)| *name == scheme) {
        return open(rest);
    }
    if PLANNED.contains(&scheme) {
        return Err(OpenError::NotSupportedYet { scheme: scheme.to_owned() });
    }
    Err(OpenError::BadUrl { what: format!("there is no store `{scheme}:`") })
}

/// An empty store in memory: for tests, and for runs that need not survive.
pub fn memory() -> Arc<dyn Store> {
    Arc::new(memory::Memory::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(url: &str) -> String {
        let error = open(url).map(|_| ()).unwrap_err();
        format!("{error}; {}", error.hint())
    }

    #[test]
    fn a_url_that_no_store_takes_is_explained() {
        let cases = [
            ("/var/jalm.db", "needs a scheme", "sqlite:/var/lib"),
            ("redis://localhost", "no store `redis:`", "`memory:`"),
            ("postgres://me:hunter2@db/jalm", "not supported yet", "sqlite:"),
            ("sqlite:", "names no file", "sqlite:/var/lib"),
            ("sqlite:x.db?mode=ro", "`?`", "sqlite:/var/lib"),
            ("memory:x", "`memory:`", "memory:"),
        ];
        for (url, what, hint) in cases {
            let message = message(url);
            assert!(message.contains(what) && message.contains(hint), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn both_spellings_of_a_sqlite_url_are_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/deep/s.db");
        for prefix in ["sqlite:", "sqlite://"] {
            drop(open(&format!("{prefix}{}", path.display())).unwrap());
            assert!(path.is_file(), "{prefix}");
        }
    }
}
