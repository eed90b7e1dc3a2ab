//! An execution as people and programs see it.

use crate::failure::Failure;
use crate::ids::{ExecutionId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// The states of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the contract of DESIGN §4")]
pub enum Status {
    Pending,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether nothing can follow.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The word in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// The states of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the contract of DESIGN §4")]
pub enum StepStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Skipped,
    Cancelled,
}

impl StepStatus {
    /// The word in the API and in expressions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One line of a list of executions; also what the store keeps outside the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract of DESIGN §8")]
pub struct Summary {
    pub execution_id: ExecutionId,
    pub intent: Arc<str>,
    pub status: Status,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
}

/// A whole execution: what `GET /exec/{id}` shows. Times are milliseconds since the epoch here;
/// the API prints them as RFC 3339.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract of DESIGN §8")]
pub struct View {
    pub summary: Summary,
    pub version: Option<Arc<str>>,
    pub params: Arc<Value>,
    /// In the intent's order, containers before their steps.
    pub steps: Vec<StepView>,
    pub output: Option<Arc<Value>>,
    pub error: Option<Failure>,
    /// The step that broke the execution.
    pub failed_step: Option<String>,
    /// What a running execution waits for: `retry of mail at …`.
    pub waiting_for: Option<String>,
}

/// One step of a [`View`].
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the contract of DESIGN §8")]
pub struct StepView {
    pub id: Arc<str>,
    pub name: Option<Arc<str>>,
    pub layer: Option<crate::atom::Layer>,
    /// The atom, or the control form: `set`, `group`, `parallel`, `foreach`.
    pub atom: Arc<str>,
    /// The container this step is inside of.
    pub parent: Option<Arc<str>>,
    pub status: StepStatus,
    pub input: Option<Value>,
    pub output: Option<Arc<Value>>,
    pub error: Option<Failure>,
    pub attempts: u32,
    pub isolation: Option<Arc<str>>,
    /// What its dependencies are pinned to.
    pub lock: Option<Arc<Value>>,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// Microseconds of the last attempt.
    pub execution_us: Option<u64>,
    /// Progress of a loop.
    pub items: Option<Items>,
}

/// Progress of a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Items {
    pub total: u32,
    pub completed: u32,
    pub failed: u32,
}

/// About how many bytes `value` has as JSON text; exact up to escapes and floats.
pub fn json_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number
            .as_i64()
            .map_or(20, |n| n.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 2),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| json_size(item) + 1).sum::<usize>(),
        Value::Object(entries) => {
            2 + entries.iter().map(|(key, value)| key.len() + 4 + json_size(value)).sum::<usize>()
        }
    }
}
