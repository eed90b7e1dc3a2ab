//! JavaScript and TypeScript on the host's Node, Deno or Bun: processes that are started and locked in before
//! their script is known, each for one script.
//!
//! None of them can fork, and Node takes 50 ms to start. So one is always ready, once there was a first
//! script: it has loaded what it needs, and waits on a socket of its own. As soon as it is taken,
//! the next one is begun. The memory that it may have is fixed as it starts, so a script that may
//! have more or less than the last one waits for a process of its own.
//!
//! TypeScript becomes JavaScript in a child of the isolates' worker first, as for QuickJS: Node's
//! own way of it came with version 22, and leaves out enums, namespaces and parameter properties. A
//! script means the same on both runtimes, and the server never reads it.
//!
//! | file | part |
//! |---|---|
//! | `flavour` | where the three differ |
//! | `program` | finds the host's `node`, and what it needs to be seen |
//! | `enter` | the worker's side: locks itself in, becomes Node |
//! | `child.js` | what Node runs: waits for the script, runs it, answers |
//! | `run` | one script in one process |
//!
//! Processes that are ready: `native/ahead.rs`; the life of one: `native/start.rs`.
//! How the one start of a program is allowed, and no other: `sandbox/program.rs`.

mod enter;
mod flavour;
mod program;
mod run;

pub(crate) use enter::become_node;
pub(crate) use flavour::Flavour;
pub(crate) use run::{Code, Node};

/// The second argument of a worker that is to become Node, before its settings.
pub(crate) const NODE: &str = "node";
