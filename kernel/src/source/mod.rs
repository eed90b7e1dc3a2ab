//! From text to a tree that remembers where everything stood, and problems that point there.
//!
//! Both readers are bounded: [`MAX_BYTES`] of text, [`MAX_DEPTH`] levels, and what aliases may
//! add. So no text exhausts the stack or the memory.

mod entries;
mod json;
mod lines;
mod node;
mod problem;
mod render;
mod span;
mod suggest;
mod yaml;

pub(crate) use lines::Lines;
pub use node::{Data, Key, Node};
pub use problem::{Problem, Report, reports, shown};
pub use render::render;
pub use span::Span;
pub use suggest::closest;

/// No config is longer, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// No config is nested deeper, in lists and maps.
pub const MAX_DEPTH: usize = 128;
/// About as many problems of one text are collected: nobody reads more, and a hostile text could
/// have millions.
pub const MOST_PROBLEMS: usize = 1000;

/// Reads `text` as JSON when it starts like JSON (`{` or `[`) and as YAML 1.2 otherwise.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    match read(text) {
        (Some(node), problems) if problems.is_empty() => Ok(node),
        (_, problems) => Err(problems),
    }
}

/// Like [`parse`], but gives the tree together with the problems when these leave its shape clear
/// (a repeated key, a missing pair of quotes), so that a reader of the tree can go on and report
/// its own problems along with them. Without a tree there is at least one problem.
pub fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    if text.len() > MAX_BYTES {
        let message =
            format!("the config has {} bytes, more than the limit of {MAX_BYTES}", text.len());
        let hint = "keep data out of the config: pass it as `params` or read it from a file";
        return (None, vec![Problem::syntax("too_large", Span::default(), message, hint)]);
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    match body.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => json::read(text),
        _ => yaml::read(text),
    }
}

/// Byte offsets as a [`Span`]; texts are far shorter than 4 GiB ([`MAX_BYTES`]).
fn span(start: usize, end: usize) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { start: offset(start), end: offset(end.max(start)) }
}
