//! What the kernel knows of an atom: its name and its promises, never its code.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The six layers of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documentation; `about` has a sentence on each")]
pub enum Layer {
    IoHttp,
    IoDb,
    IoFile,
    ComputeScript,
    RenderHtml,
    NotifyMq,
}

impl Layer {
    /// All layers in the order of the specification.
    pub const ALL: [Self; 6] = [
        Self::IoHttp,
        Self::IoDb,
        Self::IoFile,
        Self::ComputeScript,
        Self::RenderHtml,
        Self::NotifyMq,
    ];

    /// The name as written in an intent.
    pub fn name(self) -> &'static str {
        match self {
            Self::IoHttp => "io-http",
            Self::IoDb => "io-db",
            Self::IoFile => "io-file",
            Self::ComputeScript => "compute-script",
            Self::RenderHtml => "render-html",
            Self::NotifyMq => "notify-mq",
        }
    }

    /// The layer of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// What it is for, in one sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::IoHttp => "Speaks HTTP: asks services, calls APIs, sends webhooks.",
            Self::IoDb => {
                "Works with databases, and with a cache whose values have an end of life."
            }
            Self::IoFile => "Reads and writes files below the file root.",
            Self::ComputeScript => "Computes: scripts, transformations, ids and times.",
            Self::RenderHtml => "Makes pages and documents from templates and data.",
            Self::NotifyMq => "Tells others: queues and messages.",
        }
    }

    /// The atom that a step gets when it names only the layer.
    pub fn default_atom(self) -> &'static str {
        match self {
            Self::IoHttp => "exec_http",
            Self::IoDb => "db_query",
            Self::IoFile => "file_read",
            Self::ComputeScript => "compute_script",
            Self::RenderHtml => "render_html",
            Self::NotifyMq => "notify_mq",
        }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a call does to the world outside the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Nothing; the answer depends on the input, or is a recorded value such as a time.
    None,
    /// Looks at the world and leaves it as it was.
    Read,
    /// Changes the world: starts only after everything before it is durable.
    Write,
}

/// What may be done with a call whose answer was lost in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetrySafety {
    /// Run it again.
    Safe,
    /// Run it again under the same idempotency key.
    WithKey,
    /// Nobody can know: it ends as `outcome_unknown`.
    Never,
}

/// The facts of one atom that planning needs.
#[derive(Debug)]
pub struct AtomSpec {
    /// `exec_http`.
    pub name: &'static str,
    /// The layer it belongs to.
    pub layer: Layer,
    /// One sentence, for lists.
    pub summary: &'static str,
    /// The strongest effect any input can have.
    pub effect: Effect,
    /// The effect of this very input (already evaluated); never stronger than `effect`.
    pub effect_of: fn(&Value) -> Effect,
    /// The effect of this input where the intent's grants give scripts the network, for atoms that
    /// run foreign code: nobody knows what that does with it. Such a call is never made again
    /// when its answer was lost.
    pub online: Option<fn(&Value) -> Effect>,
    /// What to do when the answer was lost.
    pub retry: RetrySafety,
    /// Top-level input keys whose text is taken as written: scripts, queries, templates.
    /// `{{ … }}` inside them belongs to the script, not to the intent.
    pub verbatim: &'static [&'static str],
    /// JSON Schema of the input.
    pub input_schema: Value,
    /// JSON Schema of the output.
    pub output_schema: Value,
    /// Checks those parts of an input that are known before the run (no expressions in them).
    /// Called with each literal top-level key; answers what is wrong with it.
    pub check_literal: fn(key: &str, value: &Value) -> Result<(), Failure>,
}

/// The atoms that exist.
pub trait Catalog: Send + Sync {
    /// The atom of this name.
    fn atom(&self, name: &str) -> Option<&AtomSpec>;
    /// All names, for lists and for "did you mean".
    fn names(&self) -> Vec<&'static str>;
}
