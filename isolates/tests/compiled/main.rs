//! Rust and Go, in every strength of sandbox that they may run in.
//!
//! A host without one of the compilers passes its tests over, and says so.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail by panicking, and say what this host does not give"
)]

mod abuse;
mod compiling;
mod contract;
mod disk;
mod limits;
mod lives;
#[path = "../shared/users.rs"]
mod shared;
mod users;
mod world;
