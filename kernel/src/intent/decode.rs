use super::Intent; use crate::source::{Node, Problem};
/// Reads an intent; all problems at once. Warnings come along with a good intent.
pub fn decode(_node: &Node) -> Result<(Intent, Vec<Problem>), Vec<Problem>> { Err(Vec::new()) }
