//! Python on `runtime: wasi`, in every strength of sandbox: the contract is that of native Python.
//!
//! A host on which `scripts/setup.sh` could not build the component passes these tests over, and
//! says so.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail by panicking, and say what this host does not give"
)]

mod abuse;
mod contract;
mod lives;
mod world;
