//! The event loop: the only place that owns time and effects.
//!
//! An execution is driven by whoever brings it an input: the caller that submits it, a call that
//! came back, a timer, the store after a flush. The driver holds the execution's lock only while
//! the kernel decides, never across an `await`; there is no thread or task per execution, and one
//! that sleeps is nothing but a few hundred bytes and an entry in the table of timers.
//!
//! **Gated output** (DESIGN §4). Calls without effects start at once and run ahead of the disk.
//! Calls with effects, and every answer to the outside, wait until the store has made all events
//! up to them durable.
//!
//! **Not here:** what happens next (`kernel`), how a call is made (`layers`), where journals lie
//! (`state-store`).

mod calls;
mod drive;
mod engine;
mod live;
mod plans;
mod read;
mod resume;
mod submit;
mod timers;

pub use engine::*;
