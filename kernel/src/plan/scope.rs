//! Which names exist where an expression stands.

use super::build::Builder;
use super::node::{BlockIx, Kind, NodeIx};
use crate::expr::{NameError, Names, Root};
use crate::source::closest;
use std::sync::Arc;

/// The names that an expression of `node` can use.
pub(super) struct NodeNames<'a> {
    pub(super) builder: &'a Builder<'a>,
    /// Where the expression stands. None for the intent's `output`: everything has ended there.
    pub(super) node: Option<NodeIx>,
    /// Whether it stands under the node's own `output` key.
    pub(super) response: bool,
}

/// Names with a fixed meaning; no variable and no `as` may take them.
pub(super) const RESERVED: [&str; 10] = [
    "params",
    "context",
    "steps",
    "item",
    "index",
    "execution",
    "secrets",
    "env",
    "response",
    "self",
];

impl NodeNames<'_> {
    /// The loops around the node, outermost first.
    fn loops(&self) -> Vec<NodeIx> {
        let mut loops = Vec::new();
        let mut block = self.node.map(|node| self.builder.node(node).block);
        while let Some(ix) = block {
            let parent = self.builder.blocks[ix.0 as usize].parent;
            if let Some(parent) = parent
                && matches!(self.builder.node(parent).kind, Kind::Loop { .. })
            {
                loops.push(parent);
            }
            block = parent.map(|parent| self.builder.node(parent).block);
        }
        loops.reverse();
        loops
    }

    /// Whether `target` has surely ended, and is not inside a loop that this node is outside of.
    fn sees(&self, target: NodeIx) -> Result<(), Hidden> {
        let Some(node) = self.node else { return self.climb(target, None) };
        // Own place at each level: the node itself and each container around it.
        let mut chain = vec![node];
        while let Some(parent) = self.builder.parent(*chain.last().unwrap_or(&node)) {
            chain.push(parent);
        }
        self.climb(target, Some(&chain))
    }

    /// Climbs from `target` to a block that is also around this node, and compares there.
    fn climb(&self, target: NodeIx, chain: Option<&[NodeIx]>) -> Result<(), Hidden> {
        let mut at = target;
        loop {
            let block = self.builder.node(at).block;
            match chain {
                Some(chain) => {
                    let here = chain.iter().find(|own| self.builder.node(**own).block == block);
                    if let Some(own) = here {
                        return self.compare(at, *own, target);
                    }
                }
                None if block == BlockIx(0) => return Ok(()),
                None => {}
            }
            let Some(parent) = self.builder.parent(at) else { return Err(Hidden::Later) };
            if matches!(self.builder.node(parent).kind, Kind::Loop { .. }) {
                return Err(Hidden::InsideLoop(parent));
            }
            at = parent;
        }
    }

    fn compare(&self, theirs: NodeIx, own: NodeIx, target: NodeIx) -> Result<(), Hidden> {
        if theirs == own {
            return Err(if Some(target) == self.node { Hidden::Itself } else { Hidden::Around });
        }
        let node = self.builder.node(own);
        let order = self.builder.orders.get(&node.block);
        let precedes =
            order.is_some_and(|order| order.precedes(self.builder.node(theirs).slot, node.slot));
        if precedes { Ok(()) } else { Err(Hidden::Later) }
    }

    fn variable(&self, name: &str) -> Result<Root, NameError> {
        let binders = self.builder.binders.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut bound_by: Vec<NodeIx> =
            binders.iter().copied().filter(|node| self.sees(*node).is_ok()).collect();
        bound_by.reverse();
        if !bound_by.is_empty() {
            return Ok(Root::Variable { name: name.into(), bound_by });
        }
        if let Some(binder) = binders.first() {
            return Err(NameError {
                code: "not_yet_known",
                message: format!("`{name}` is not set yet here"),
                hint: format!(
                    "let this step follow step `{}`, which sets it",
                    self.builder.node(*binder).id
                ),
            });
        }
        if self.builder.first_node(name).is_some_and(|node| self.sees(node).is_ok()) {
            return Err(unknown(name, format!("did you mean `steps.{name}.output`?")));
        }
        let loops = self.loops();
        let mut known: Vec<&str> = vec!["params", "context", "steps", "execution", "env"];
        known.extend(loops.iter().filter_map(|node| self.builder.as_name(*node)));
        known.extend(self.builder.binders.keys().map(|name| &**name));
        if !loops.is_empty() {
            known.extend(["item", "index"]);
        }
        if self.response {
            known.push("response");
        }
        Err(unknown(
            name,
            match closest(name, known.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("the names here are {}", known.join(", ")),
            },
        ))
    }
}

impl Names for NodeNames<'_> {
    fn name(&self, name: &str) -> Result<Root, NameError> {
        let loops = self.loops();
        let depth = u32::try_from(loops.len()).unwrap_or(u32::MAX);
        match name {
            "params" => Ok(Root::Params),
            "context" => Ok(Root::Context),
            "execution" => Ok(Root::Execution),
            "env" => Ok(Root::Env),
            "response" if self.response => Ok(Root::Response),
            "response" => {
                Err(unknown(name, "`response` exists under a step's `output` key only".to_owned()))
            }
            "item" if depth > 0 => Ok(Root::Item { name: name.into(), depth }),
            "index" if depth > 0 => Ok(Root::Index { depth }),
            "item" | "index" => {
                Err(unknown(name, format!("`{name}` exists inside a `foreach` only")))
            }
            "secrets" => Err(NameError {
                code: "not_supported_yet",
                message: "`secrets` are not supported yet".to_owned(),
                hint:
                    "pass the value as a param, or allow an environment variable and use `env.NAME`"
                        .to_owned(),
            }),
            _ => {
                let named =
                    loops.iter().rposition(|node| self.builder.as_name(*node) == Some(name));
                match named {
                    Some(at) => Ok(Root::Item {
                        name: name.into(),
                        depth: u32::try_from(at + 1).unwrap_or(u32::MAX),
                    }),
                    None => self.variable(name),
                }
            }
        }
    }

    fn step(&self, id: &str) -> Result<Root, NameError> {
        let Some(node) = self.builder.first_node(id) else {
            let ids = self.builder.ids();
            let dashed = ids
                .iter()
                .find(|known| known.starts_with(id) && known[id.len()..].starts_with('-'));
            let hint = match (dashed, closest(id, ids.iter().map(|id| &**id))) {
                (Some(dashed), _) => format!("an id with `-` needs quotes: `steps['{dashed}']`"),
                (None, Some(close)) => format!("did you mean `steps.{close}`?"),
                (None, None) => "name a step by its `id`".to_owned(),
            };
            return Err(NameError {
                code: "unknown_step",
                message: format!("there is no step `{id}`"),
                hint,
            });
        };
        let hidden = match self.sees(node) {
            Ok(()) => return Ok(Root::Step { id: Arc::from(id), node }),
            Err(hidden) => hidden,
        };
        let (message, hint) = match hidden {
            Hidden::Later => (
                format!("step `{id}` may not have ended when this runs"),
                format!("add `{id}` to this step's `needs`, or move this step after it"),
            ),
            Hidden::Itself => (
                format!("step `{id}` refers to itself before it has run"),
                "under its `output` key use `response`; elsewhere name an earlier step".to_owned(),
            ),
            Hidden::Around => (
                format!("this runs inside step `{id}`, which has not ended"),
                "name the steps inside it one by one".to_owned(),
            ),
            Hidden::InsideLoop(outer) => {
                let outer = &self.builder.node(outer).id;
                (
                    format!("step `{id}` runs once per item of loop `{outer}`"),
                    format!("from outside use the list `steps.{outer}.output`"),
                )
            }
        };
        Err(NameError { code: "not_yet_known", message, hint })
    }

    fn steps(&self) -> Vec<Root> {
        let ids = self.builder.ids();
        ids.iter().filter_map(|id| self.step(id).ok()).collect()
    }
}

fn unknown(name: &str, hint: String) -> NameError {
    NameError { code: "unknown_name", message: format!("there is no `{name}` here"), hint }
}

/// Why a step cannot be seen.
enum Hidden {
    Later,
    Itself,
    Around,
    InsideLoop(NodeIx),
}
