//! Speaks HTTP: bytes in, answers and problems out.
//!
//! Everything it shows comes from the engine's durable view; it decides nothing and stores nothing.
//! Errors are RFC 9457 problem documents with a stable `code` and a way out.
//!
//! **Not here:** what an intent means (`kernel`), running it (`scheduler`), pages (`ui`).

mod auth;
mod body;
mod catalog;
mod events;
mod exec;
mod info;
mod metrics;
mod openapi;
mod problem;
mod routes;
mod serve;
mod state;
mod submit;

pub use auth::Auth;
pub use body::{ExecutionBody, SummaryBody};
pub use openapi::document as openapi;
pub use problem::Problem;
pub use routes::router;
pub use serve::serve;
pub use state::State;
