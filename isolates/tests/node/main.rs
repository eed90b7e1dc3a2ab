//! JavaScript and TypeScript on the host's Node, in every strength of sandbox that it may run in.
//!
//! A host without Node passes these tests over, and says so.

mod abuse;
mod contract;
mod layers;
mod lives;
mod world;
