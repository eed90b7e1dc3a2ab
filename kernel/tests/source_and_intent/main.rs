//! From text to a decoded intent, through the public surface.

mod good;
mod messages;
mod properties;
mod schema;
