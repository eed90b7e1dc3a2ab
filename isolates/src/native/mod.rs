//! Interpreters of the host, as single-use children of a zygote that are locked in beforehand.
//!
//! A *zygote* is the interpreter with its usual modules loaded, inside a sandbox of its own. It
//! forks children ahead of need; each one locks itself in, says so, and waits for its job on a
//! socket of its own. So a call pays for neither start nor sandbox. The zygote never sees a job.
//!
//! | file | part |
//! |---|---|
//! | `interpreter` | finds the host's `python3` and what it needs to be seen |
//! | `settings` | what a zygote is told |
//! | `enter` | the worker's side: builds the sandbox, becomes the interpreter |
//! | `zygote.py` | the zygote and its children |
//! | `contract.py` | what scripts rely on, on this and other engines |
//! | `zygote` | the server's side: children that are ready |
//! | `child` | a process that waits for a job, and the talk with it |
//! | `frames` | what a child writes |
//! | `run` | one job in one child |
//! | `start` | for other programs: a process that becomes one, from its start to its end |
//! | `ahead` | such processes that are ready |

pub(crate) mod ahead;
pub(crate) mod child;
mod enter;
pub(crate) mod frames;
pub(crate) mod interpreter;
mod run;
mod settings;
pub(crate) mod start;
pub(crate) mod threads;
mod zygote;

pub(crate) use enter::become_zygote;
pub(crate) use run::{Native, Packages, in_force, isolation, may_have_network};

/// The second argument of a worker that is to become a zygote, before its settings.
pub(crate) const PYTHON: &str = "python";
