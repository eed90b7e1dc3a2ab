//! Native Python, in every strength of sandbox that this host gives it.

mod abuse;
mod contract;
mod layers;
mod world;
