//! A plan in words, for `jalm plan` and for a person who must decide whether to run it.

use super::Plan;
use super::node::{Block, Kind, NodeIx};
use crate::atom::{Effect, Layer};
use crate::expr::Template;
use crate::ids::PlanHash;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a plan will do.
#[derive(Clone, Debug, Serialize)]
pub struct Description {
    /// The intent's name.
    pub intent: Arc<str>,
    /// The intent's version.
    pub version: Option<Arc<str>>,
    /// SHA-256 of the source.
    pub hash: PlanHash,
    /// All steps in the author's order, containers before their steps.
    pub steps: Vec<StepDescription>,
    /// What the intent asks to touch; none means the operator's default.
    pub grants: Option<Arc<crate::intent::Grants>>,
    /// The atoms it uses.
    pub atoms: BTreeSet<String>,
}

/// One step of a [`Description`].
#[derive(Clone, Debug, Serialize)]
pub struct StepDescription {
    /// The step's id.
    pub id: Arc<str>,
    /// The container it is inside of.
    pub parent: Option<Arc<str>>,
    /// How deep inside containers; 0 outside.
    pub depth: u32,
    /// The layer, for steps that call an atom.
    pub layer: Option<Layer>,
    /// The atom, or the control form.
    pub atom: Arc<str>,
    /// Steps that must have ended before it starts.
    pub needs: Vec<Arc<str>>,
    /// The strongest effect it can have, as far as known before the run.
    pub effect: Effect,
    /// Whether it runs once per item of a list.
    pub foreach: bool,
    /// Whether it runs only on a condition.
    pub conditional: bool,
}

pub(super) fn describe(plan: &Plan) -> Description {
    let mut steps = Vec::with_capacity(plan.nodes.len());
    walk(plan, plan.block(Plan::ROOT), None, 0, &mut steps);
    let atoms = plan
        .nodes
        .iter()
        .filter_map(|node| match &node.kind {
            Kind::Call { atom, .. } => Some(atom.name.to_owned()),
            Kind::Set(_) | Kind::Group { .. } | Kind::Loop { .. } => None,
        })
        .collect();
    Description {
        intent: plan.name.clone(),
        version: plan.version.clone(),
        hash: plan.hash,
        steps,
        grants: plan.grants.clone(),
        atoms,
    }
}

fn walk(
    plan: &Plan,
    block: &Block,
    parent: Option<&Arc<str>>,
    depth: u32,
    out: &mut Vec<StepDescription>,
) {
    for (slot, ix) in block.nodes.iter().enumerate() {
        let node = plan.node(*ix);
        // A loop is shown as its one inner step, marked as repeated.
        let inner = body_of(plan, *ix);
        let (kind, foreach) = (&plan.node(inner).kind, inner != *ix);
        let needs = block
            .nodes
            .iter()
            .map(|other| plan.node(*other))
            .filter(|other| other.successors.iter().any(|next| *next as usize == slot))
            .map(|other| other.id.clone())
            .collect();
        let (layer, effect) = match kind {
            Kind::Call { atom, input } => (Some(atom.layer), effect_before_run(*atom, input)),
            Kind::Set(_) | Kind::Group { .. } | Kind::Loop { .. } => (None, Effect::None),
        };
        out.push(StepDescription {
            id: node.id.clone(),
            parent: parent.cloned(),
            depth,
            layer,
            atom: kind.name().into(),
            needs,
            effect,
            foreach,
            conditional: node.when.is_some(),
        });
        if let Kind::Group { block, .. } = kind {
            walk(plan, plan.block(*block), Some(&node.id), depth + 1, out);
        }
    }
}

/// The inner node of a loop; the node itself otherwise.
pub(crate) fn body_of(plan: &Plan, ix: NodeIx) -> NodeIx {
    match &plan.node(ix).kind {
        Kind::Loop { body, .. } => plan.block(*body).nodes[0],
        Kind::Call { .. } | Kind::Set(_) | Kind::Group { .. } => ix,
    }
}

/// Exact when the input is known already, else the strongest that the atom can have.
fn effect_before_run(atom: super::AtomUse, input: &Template) -> Effect {
    match input {
        Template::Literal(value) => (atom.effect_of)(value),
        Template::Map(entries) => {
            // The keys that decide (method, query) are often literal while others are computed.
            let literal = entries
                .iter()
                .filter_map(|(key, value)| match value {
                    Template::Literal(value) => Some((key.clone(), value.clone())),
                    Template::Expr(_)
                    | Template::Text(_)
                    | Template::List(_)
                    | Template::Map(_) => None,
                })
                .collect();
            (atom.effect_of)(&serde_json::Value::Object(literal))
        }
        Template::Expr(_) | Template::Text(_) | Template::List(_) => atom.effect,
    }
}
