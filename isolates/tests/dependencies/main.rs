//! Packages that scripts depend on: pinned, installed outside, seen inside.
//!
//! Most tests use an index of their own, a folder of wheels; those in `registries` use the real
//! registries and need a network.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

mod crates;
mod installers;
mod python;
mod registries;
mod world;
