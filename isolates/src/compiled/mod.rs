//! Rust and Go: compiled in a sandbox, kept by content, run in a process that is locked in before.
//!
//! **How a script is written** (`wrap/`). A whole program, with `main`, reads the variables as a
//! JSON object from its standard input and prints its result. A script that defines `run` gives it
//! back instead, and a bare body does with `return`; docs/atoms/compute_script.md has the forms.
//!
//! **Compiling.** Compilers read what their input tells them to, so they are locked in like the
//! programs they make: the toolchain read-only, a folder of their own, no network. Rust's compiler
//! may start its linker, and what Landlock names besides; Go's start nothing. The text is wrapped
//! in that sandbox, too: the server reads nothing of a script, and of a compiler's answer only its
//! messages.
//!
//! **Keeping.** The server keeps programs in memory, sealed, under the hash of source and toolchain,
//! as many bytes as `compiled_kept` says, the least used ones going first; and on disk under a seal
//! (`shelf`), for servers to come. What is read from there is copied into memory and runs from there.
//! No sandbox can reach either; a program sees its own copy only, which nobody can change.
//!
//! **Running.** A process is always ready, once there was a first script: confined, but without a
//! program. It is handed one, with its input and output, locks itself in for good and becomes it.
//!
//! | file | part |
//! |---|---|
//! | `toolchain` | finds `rustc` and `go`, and what they need to be seen |
//! | `standard` | Go's standard library, compiled once for all scripts |
//! | `wrap` | from a script to the files of a program |
//! | `builder` | the worker's side of compiling |
//! | `build` | the server's side of it |
//! | `crates` | compiling with crates, by Cargo |
//! | `memory` | watching what that takes |
//! | `messages` | what compilers say, for the author |
//! | `kept` | programs in memory |
//! | `enter` | the worker's side of running |
//! | `run` | one script |
//! | `ended` | from the end of a program to a result |

mod build;
mod builder;
mod crates;
mod ended;
mod enter;
mod kept;
mod memory;
mod messages;
mod run;
mod standard;
mod toolchain;
mod wrap;

pub(crate) use builder::become_builder;
pub(crate) use enter::become_program;
pub(crate) use kept::sealed;
pub(crate) use run::Compiled;

/// The second argument of a worker that is to compile, before its settings.
pub(crate) const BUILD: &str = "build";

/// The second argument of a worker that is to become a compiled program.
pub(crate) const RUN: &str = "program";
