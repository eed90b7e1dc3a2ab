//! WebAssembly, in every strength of sandbox that this host gives it.

mod abuse;
mod contract;
mod errors;
mod lives;
mod sandbox;
mod world;
