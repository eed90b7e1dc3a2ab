//! What `&anchors` name and `*aliases` repeat, within bounds.
//!
//! A few lines of aliases to aliases can stand for billions of values ("billion laughs"). So the
//! values that are copied are counted, and the text in them is.

use crate::source::{Data, Node};
use std::collections::BTreeMap;

/// So many values may be copied.
const MAX_NODES: usize = 20_000;
/// So many bytes of text may be copied.
const MAX_TEXT: usize = 2 * 1024 * 1024;

/// The values that have an anchor, and what copying has cost so far.
#[derive(Default)]
pub(super) struct Anchors {
    named: BTreeMap<usize, Node>,
    nodes: usize,
    text: usize,
}

/// Why an alias gives nothing.
pub(super) enum NoCopy {
    /// The anchor is still being read: it would hold itself.
    Inside,
    /// The copies are too many or too large.
    TooMuch,
}

impl Anchors {
    /// Keeps a copy of `node` under `anchor`; 0 is no anchor.
    pub(super) fn name(&mut self, anchor: usize, node: &Node) -> Result<(), NoCopy> {
        if anchor == 0 {
            return Ok(());
        }
        self.pay(node)?;
        self.named.insert(anchor, node.clone());
        Ok(())
    }

    /// A copy of what `anchor` names. All places in it are those of the original.
    pub(super) fn copy(&mut self, anchor: usize) -> Result<Node, NoCopy> {
        let node = self.named.remove(&anchor).ok_or(NoCopy::Inside)?;
        let paid = self.pay(&node);
        let copy = paid.map(|()| node.clone());
        self.named.insert(anchor, node);
        copy
    }

    /// Counts what a copy of `node` costs, before it is made.
    pub(super) fn pay(&mut self, node: &Node) -> Result<(), NoCopy> {
        self.nodes += 1;
        match &node.data {
            Data::Null | Data::Bool(_) | Data::Number(_) => {}
            Data::Text(text) => self.text += text.len(),
            Data::List(items) => items.iter().try_for_each(|item| self.pay(item))?,
            Data::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                self.text += key.text.len();
                self.pay(value)
            })?,
        }
        if self.nodes > MAX_NODES || self.text > MAX_TEXT {
            return Err(NoCopy::TooMuch);
        }
        Ok(())
    }
}
