//! Native Python, in every strength of sandbox that this host gives it.

mod contract;
mod world;
