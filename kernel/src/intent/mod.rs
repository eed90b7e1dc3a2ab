//! The intent model: what an author can say, as types.
//!
//! The keys, their shapes and their descriptions stand in one place, the tables of `keys`; both
//! [`decode`] and [`json_schema`] are driven by them.

mod decode;
mod duration;
mod fields;
mod keys;
mod model;
mod report;
mod schema;
mod steps;

pub use decode::{decode, read, read_partly};
pub use keys::LANGUAGES;
pub use model::*;
pub use schema::json_schema;
pub use steps::{MAX_NESTING, MAX_STEPS};
