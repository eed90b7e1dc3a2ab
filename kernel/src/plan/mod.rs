//! From an intent to a plan: names resolved, expressions compiled, edges drawn, effects known.

mod build;
mod describe;
mod input;
mod node;
mod order;
mod params;
mod scope;

pub(crate) use describe::body_of;
pub use describe::{Description, StepDescription};
pub use node::{AtomUse, Block, BlockIx, Condition, Kind, NodeIx, PlanNode};
pub use params::ParamsProblem;

use crate::atom::Catalog;
use crate::expr::{Datum, Template};
use crate::ids::{Millis, PlanHash};
use crate::intent::{self, Grants};
use crate::source::{Problem, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an execution may take when the intent does not say.
pub const DEFAULT_EXECUTION_TIMEOUT: Millis = Millis(24 * 3_600_000);

/// What one attempt of a call may take when the intent does not say.
pub const DEFAULT_STEP_TIMEOUT: Millis = Millis(30_000);

/// A checked, compiled intent. Immutable; shared by all executions of the same source.
#[derive(Debug)]
pub struct Plan {
    /// Of the source text.
    pub hash: PlanHash,
    /// The text it was compiled from.
    pub source: Arc<str>,
    /// The intent's name.
    pub name: Arc<str>,
    /// The intent's version, if given.
    pub version: Option<Arc<str>>,
    /// What to tell the author although it runs.
    pub warnings: Vec<Problem>,
    /// Names of `env.NAME` that the intent reads, and where; the operator must allow each.
    pub env_names: Vec<(String, Span)>,
    /// What the intent asks to touch; none means the operator's default.
    pub grants: Option<Arc<Grants>>,
    /// The longest time of a whole execution.
    pub timeout: Millis,
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) by_id: BTreeMap<(Arc<str>, u32), NodeIx>,
    pub(crate) context: Datum,
    pub(crate) output: Option<Template>,
    params: params::ParamsCheck,
}

impl Plan {
    /// Compiles `source`; all problems at once.
    pub fn compile(source: &str, catalog: &dyn Catalog) -> Result<Self, Vec<Problem>> {
        let (intent, problems) = intent::read_partly(source);
        let Some(intent) = intent else { return Err(problems) };
        if problems.iter().all(|problem| problem.warning) {
            return build::build(source, intent, problems, catalog);
        }
        // Its shape is wrong somewhere. What else is wrong is worth knowing now, except for names
        // that may be missing only because the step that has them could not be read.
        let mut all =
            build::build(source, intent, problems.clone(), catalog).err().unwrap_or(problems);
        all.retain(|problem| {
            !matches!(problem.code, "unknown_step" | "unknown_name" | "not_yet_known")
        });
        Err(all)
    }

    /// Checks `params` against the intent's `input` and fills in defaults.
    pub fn check_params(&self, params: Option<Value>) -> Result<Arc<Value>, Vec<ParamsProblem>> {
        self.params.check(params)
    }

    /// What it will do, for people.
    pub fn describe(&self) -> Description {
        describe::describe(self)
    }

    /// The block of the intent's own steps.
    pub(crate) const ROOT: BlockIx = BlockIx(0);

    pub(crate) fn node(&self, ix: NodeIx) -> &PlanNode {
        &self.nodes[ix.0 as usize]
    }

    pub(crate) fn block(&self, ix: BlockIx) -> &Block {
        &self.blocks[ix.0 as usize]
    }
}
