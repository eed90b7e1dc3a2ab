//! The binary from outside: what the black-box suites in `tests/` stand on.
//!
//! A [`World`] is one test's own folder with a [`Stub`] beside it, the only other server that its
//! steps may reach. A [`Runner`] is the real `jalm serve` as a process of its own, on a port of its
//! own; it dies with its handle. Whoever waits, waits for a fact ([`until`]), never for a duration.
//!
//! **Not here, on purpose:** anything of the product's own crates. What cannot be seen through a
//! socket, a file, an exit code or `/proc` is not tested from here.

mod binary;
mod chance;
mod cli;
mod events;
mod processes;
mod runner;
mod server;
mod stub;
mod wait;
mod world;

pub use binary::binary;
pub use chance::{Chance, seed};
pub use cli::{Finished, Typed};
pub use events::{Event, Events};
pub use processes::{Process, below, of_program};
pub use runner::{Answer, Runner};
pub use server::Server;
pub use stub::{Seen, Stub};
pub use wait::until;
pub use world::World;
