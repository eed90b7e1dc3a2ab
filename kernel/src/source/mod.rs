//! From text to a tree that remembers where everything stood, and problems that point there.

mod span;
mod node;
mod problem;
mod json;
mod yaml;
mod suggest;

pub use node::{Data, Key, Node};
pub use problem::{Problem, Report};
pub use span::Span;
pub use suggest::closest;

/// Reads `text` as JSON when it starts like JSON (`{` or `[`) and as YAML 1.2 otherwise.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => json::parse(text),
        _ => yaml::parse(text),
    }
}
