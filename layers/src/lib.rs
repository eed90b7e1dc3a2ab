//! The atoms: what a step can do, grouped in the six layers.
//!
//! An atom is one file in its layer's folder: a typed input and output whose doc comments become
//! the schema's descriptions, a [`Card`] with its promises, examples that a test runs, and one
//! async `run`. A new atom is that file and one line in the list of its layer's `mod.rs`.
//!
//! [`Layers`] is what the rest of the runner sees: the kernel's `Catalog` and `Runner`.
//!
//! **Invariants.** Nothing outside is touched before [`access`] allowed it: the operator's policy
//! is the ceiling, an intent's grants narrow it. Dropping the future of a call aborts its work.
//! An atom that needs no waiting answers at its first poll, without a task or a thread.
//!
//! **Not here, on purpose:** retries, timeouts and the journal (`scheduler`), running foreign code
//! (`isolates`), keeping values and messages (`state-store`, behind the kernel's ports).

mod access;
mod age;
mod atom;
mod blocking;
mod catalog;
mod compression;
mod content;
mod context;
mod dates;
mod egress;
mod files;
mod input;
mod jwks;
mod marks;
mod net;
mod oauth;
mod options;
mod parse;
mod passwords;
mod payments;
mod runner;
mod script;
mod sealing;
mod service;
mod sqlite;
mod tokens;
mod transfer;

mod compute_script;
mod io_db;
mod io_file;
mod io_http;
mod notify_mq;
mod render_html;

#[cfg(test)]
mod testing;

pub use access::{PatternError, UrlPattern};
pub use atom::{Atom, Blocker, Card, Entry, Example, Frequency, IoType, Setup};
pub use catalog::{AtomCatalog, catalog};
pub use context::Cx;
pub use options::{Options, Policy, SetupError};
pub use runner::Layers;
pub use script::ScriptLimits;
