//! The part of the core runner that decides, and does nothing else.
//!
//! An *intent* is text in YAML or JSON ([`source`], [`intent`]); it becomes a checked [`plan`];
//! an *execution* of a plan is a fold over its journal ([`machine`]). The state machine reads no
//! clock, opens no socket and spawns no task, so a crash at any point is the same as folding the
//! journal again: recovery is a replay.
//!
//! **Invariants.** No files, network, clock, randomness or async runtime in this crate (see
//! `kernel/clippy.toml`). Only `Execution::apply` changes what is recorded of an execution. A
//! released journal event is never edited: it gets a new variant, and the old one stays readable.
//!
//! **Not here, on purpose:** performing actions (`scheduler`), storing events (`state-store`),
//! knowing how an atom works (`layers`), the shapes of HTTP (`api`).

pub mod atom;
pub mod expr;
pub mod failure;
pub mod ids;
pub mod intent;
pub mod machine;
pub mod plan;
pub mod ports;
pub mod source;
