use super::{Node, Problem};
pub(super) fn parse(_text: &str) -> Result<Node, Vec<Problem>> { Err(Vec::new()) }
