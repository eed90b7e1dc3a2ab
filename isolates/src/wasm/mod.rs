//! WebAssembly, in wasmtime, in processes that are locked in like every other one.
//!
//! A module goes two ways. It is *compiled* once, in a child of the isolate worker that lives for
//! nothing else; what comes out is machine code, which the server keeps in memory under the hash of
//! the source, unread. It *runs* in a *runner*: a process of one thread that takes one job at a
//! time, each in a store of its own, and keeps the machine code that it was given. A runner that
//! hangs or dies takes its own job with it and is replaced.
//!
//! **What must stay true.** Machine code is loaded only if our own compiler made it in this
//! server's lifetime, and only for the source that it was made from: whoever breaks the compiler
//! gains nothing over other modules. The interpreter of Python is our own; compiled, it is kept on
//! disk under a seal (`shelf`). Its instances begin with the memory that it had when it was built,
//! which is mapped and copied as it is written to.
//! Nothing is linked but WASI, without folders, environment,
//! network. No store is used twice.
//!
//! | file | part |
//! |---|---|
//! | `engine` | the settings that compiler and runner share |
//! | `compile` | the child's side: from source to machine code |
//! | `source` | what a script may be: text, base64 |
//! | `wire` | what server and runner say to each other |
//! | `cache` | the server's side: what was compiled |
//! | `process` | the server's side: a runner |
//! | `pool` | the server's side: runners, and one job in one of them |
//! | `run` | the server's side: a module and its jobs |
//! | `python` | the server's side: the interpreter of Python, and its jobs |
//! | `runner` | the runner's side |

mod cache;
mod compile;
mod engine;
mod pool;
mod process;
mod python;
mod run;
mod runner;
mod source;
mod wire;

pub(crate) use compile::{compile, compile_python};
pub(crate) use pool::Place;
pub(crate) use python::Python;
pub(crate) use run::Wasm;
pub(crate) use runner::become_runner;

/// The second argument of a worker that is to become a runner.
pub(crate) const RUNNER: &str = "wasm";

/// The third one of a runner that begins with the interpreter of Python, as its standard output.
pub(crate) const PYTHON: &str = "python";
