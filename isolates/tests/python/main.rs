//! Native Python, in every strength of sandbox that this host gives it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail by panicking, and say what this host does not give"
)]

mod abuse;
mod contract;
mod layers;
mod limits;
#[path = "../shared/users.rs"]
mod shared;
mod users;
mod world;
