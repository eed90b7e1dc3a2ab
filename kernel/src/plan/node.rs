//! The parts of a plan: nodes in blocks.

use crate::atom::{AtomSpec, Effect, Layer, RetrySafety};
use crate::expr::{Expr, Template};
use crate::ids::Millis;
use crate::intent::{OnError, OnItemError, Retry};
use serde_json::Value;
use std::sync::Arc;

/// A node's number in [`super::Plan::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub u32);

/// A block's number in [`super::Plan::blocks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockIx(pub u32);

/// Steps that run in one frame: the intent's own, those of a group, the body of a loop.
#[derive(Debug)]
pub struct Block {
    /// In the author's order; a node's place here is its slot.
    pub nodes: Vec<NodeIx>,
    /// The container; none for the intent's own steps.
    pub parent: Option<NodeIx>,
    /// How many loops are around it: the length of its places' `items`.
    pub depth: u32,
}

/// One step, ready to run.
#[derive(Debug)]
pub struct PlanNode {
    /// The author's id. A loop and the one node of its body share it, at different depths.
    pub id: Arc<str>,
    /// For people.
    pub name: Option<Arc<str>>,
    /// Where it runs.
    pub block: BlockIx,
    /// Its place in that block.
    pub slot: u32,
    /// How many nodes of the block must end before it starts.
    pub needs: u32,
    /// Slots of the nodes that wait for it.
    pub successors: Vec<u32>,
    /// Runs only if this holds.
    pub when: Option<Condition>,
    /// What it does.
    pub kind: Kind,
    /// The longest time of one attempt; none for containers without a `timeout` of their own.
    pub timeout: Option<Millis>,
    /// When to try again.
    pub retry: Retry,
    /// What its final failure does.
    pub on_error: OnError,
    /// Makes the output from `response`.
    pub reshape: Option<Template>,
}

/// A `when`.
#[derive(Debug)]
pub enum Condition {
    /// Written as `true` or `false`.
    Fixed(bool),
    /// Computed.
    Expr(Expr),
}

/// What a node does.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the intent's model")]
pub enum Kind {
    /// Calls an atom.
    Call { atom: AtomUse, input: Template },
    /// Computes values under names.
    Set(Vec<(Arc<str>, Template)>),
    /// Runs a block once.
    Group { block: BlockIx, parallel: bool },
    /// Runs a block of one node once per item.
    Loop {
        list: Template,
        body: BlockIx,
        concurrency: u32,
        on_item_error: OnItemError,
        as_name: Option<Arc<str>>,
    },
}

/// The facts of an atom that a running plan needs.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "as in `AtomSpec`")]
pub struct AtomUse {
    pub name: &'static str,
    pub layer: Layer,
    pub effect: Effect,
    pub effect_of: fn(&Value) -> Effect,
    pub retry: RetrySafety,
}

impl std::fmt::Debug for AtomUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl AtomUse {
    /// The facts of an atom, in an intent whose scripts have the network or do not.
    pub(super) fn of(spec: &AtomSpec, network: bool) -> Self {
        let offline = Self {
            name: spec.name,
            layer: spec.layer,
            effect: spec.effect,
            effect_of: spec.effect_of,
            retry: spec.retry,
        };
        match spec.online.filter(|_| network) {
            Some(effect_of) => {
                Self { effect: Effect::Write, effect_of, retry: RetrySafety::Never, ..offline }
            }
            None => offline,
        }
    }
}

impl Kind {
    /// The atom's name, or the name of the control form.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Call { atom, .. } => atom.name,
            Self::Set(_) => "set",
            Self::Group { parallel: false, .. } => "group",
            Self::Group { parallel: true, .. } => "parallel",
            Self::Loop { .. } => "foreach",
        }
    }
}
