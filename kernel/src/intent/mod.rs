//! The intent model: what an author can say, as types.

mod model;
mod keys;
mod decode;
mod schema;

pub use decode::decode;
pub use model::*;
pub use schema::json_schema;
