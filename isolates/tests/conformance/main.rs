//! What every sandbox must hold, whatever its strength: run with the real worker process, by the
//! public interface. A new engine or layer is done when it passes here.
//!
//! Tests inside `at_each_strength!` run three times, as `a::`, `b::` and `c::`. A strength that
//! this host does not give is reported and passed over; `users.rs` runs the whole suite again as
//! an ordinary user, and where user namespaces are refused.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may fail by panicking, and say what this host does not give"
)]

#[macro_use]
mod common;

mod abuse;
mod ahead;
mod javascript;
mod jq;
mod layers;
mod lives;
mod neighbours;
mod probes;
#[path = "../shared/users.rs"]
mod shared;
mod templates;
mod typescript;
mod users;
