//! What the core needs from outside, as traits. Adapters implement them and need not know each
//! other; only `scheduler` and `api` call them.

mod runner;
mod store;

pub use runner::*;
pub use store::*;

/// A boxed future; `std` only, so that the kernel stays free of any runtime.
pub type Future<'a, T> = std::pin::Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;
