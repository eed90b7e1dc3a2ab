//! From an intent to a plan: names resolved, expressions compiled, edges drawn, effects known.

use crate::atom::{Catalog, Effect, Layer};
use crate::ids::PlanHash;
use crate::source::{Problem, Span};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

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
}

/// What is wrong with `params`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParamsProblem {
    /// `/day`: JSON Pointer into params; empty for params as a whole.
    pub path: String,
    /// What is wrong, in the author's words.
    pub message: String,
    /// What to send instead.
    pub hint: String,
}

/// What a plan will do, for `jalm plan` and for a person who must decide whether to run it.
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

impl Plan {
    /// Compiles `source`; all problems at once.
    pub fn compile(source: &str, catalog: &dyn Catalog) -> Result<Self, Vec<Problem>> {
        let _ = (source, catalog);
        unimplemented!()
    }

    /// Checks `params` against the intent's `input` and fills in defaults.
    pub fn check_params(&self, params: Option<Value>) -> Result<Arc<Value>, Vec<ParamsProblem>> {
        let _ = params;
        unimplemented!()
    }

    /// What it will do, for people.
    pub fn describe(&self) -> Description {
        unimplemented!()
    }
}
