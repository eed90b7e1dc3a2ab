//! The event loop: the only place that owns time and effects.

mod engine;

pub use engine::*;
