//! JavaScript and TypeScript on the host's Node, Deno and Bun, in every strength of sandbox that it may run in.
//!
//! A host without one of them passes its tests over, and says so.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail by panicking, and say what this host does not give"
)]

mod abuse;
mod contract;
mod layers;
mod limits;
mod lives;
#[path = "../shared/users.rs"]
mod shared;
mod users;
mod world;
