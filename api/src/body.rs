//! Executions as JSON, written straight from the engine's view.

use jalm_kernel::ids::{Millis, Timestamp};
use jalm_kernel::machine::{Items, StepView, Summary, View};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A moment as RFC 3339.
struct Moment(Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn moment(at: Option<Timestamp>) -> Option<Moment> {
    at.map(Moment)
}

#[expect(clippy::cast_precision_loss, reason = "times are shown to the microsecond")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1_000_000.0
}

/// A whole execution: the answer of `GET /exec/{execution_id}` (DESIGN §8).
#[derive(Clone, Copy, Debug)]
pub struct ExecutionBody<'a>(pub &'a View);

impl Serialize for ExecutionBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = self.0;
        let summary = &view.summary;
        let mut body = serializer.serialize_struct("Execution", 14)?;
        body.serialize_field("execution_id", &summary.execution_id)?;
        body.serialize_field("intent", &summary.intent)?;
        body.serialize_field("version", &view.version)?;
        body.serialize_field("status", &summary.status)?;
        body.serialize_field("params", &view.params)?;
        body.serialize_field("steps", &Steps(&view.steps))?;
        body.serialize_field("output", &view.output)?;
        body.serialize_field("error", &view.error)?;
        body.serialize_field("failed_step", &view.failed_step)?;
        body.serialize_field("waiting_for", &view.waiting_for)?;
        body.serialize_field("created_at", &Moment(summary.created_at))?;
        body.serialize_field("started_at", &moment(summary.started_at))?;
        body.serialize_field("completed_at", &moment(summary.completed_at))?;
        body.serialize_field("total_time", &total(summary))?;
        body.end()
    }
}

/// Seconds from start to end.
fn total(summary: &Summary) -> Option<f64> {
    let Millis(ms) = summary.completed_at?.since(summary.started_at?);
    Some(seconds(ms.saturating_mul(1000)))
}

struct Steps<'a>(&'a [StepView]);

impl Serialize for Steps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(StepBody))
    }
}

struct StepBody<'a>(&'a StepView);

impl Serialize for StepBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = self.0;
        let mut body = serializer.serialize_struct("Step", 16)?;
        body.serialize_field("id", &step.id)?;
        optional(&mut body, "name", step.name.as_ref())?;
        body.serialize_field("layer", &step.layer)?;
        body.serialize_field("atom", &step.atom)?;
        optional(&mut body, "parent", step.parent.as_ref())?;
        body.serialize_field("status", &step.status)?;
        body.serialize_field("input", &step.input)?;
        body.serialize_field("output", &step.output)?;
        body.serialize_field("error", &step.error)?;
        body.serialize_field("attempts", &step.attempts)?;
        body.serialize_field("isolation", &step.isolation)?;
        optional(&mut body, "dependencies", step.lock.as_deref().map(Dependencies).as_ref())?;
        optional(&mut body, "items", step.items.as_ref().map(|items: &Items| items))?;
        body.serialize_field("started_at", &moment(step.started_at))?;
        body.serialize_field("completed_at", &moment(step.completed_at))?;
        body.serialize_field("execution_time", &step.execution_us.map(seconds))?;
        body.end()
    }
}

/// What a step's dependencies were pinned to: a short name of the lock, and its packages.
struct Dependencies<'a>(&'a serde_json::Value);

impl Serialize for Dependencies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Dependencies", 2)?;
        let digest = self.0["digest"].as_str().unwrap_or_default();
        body.serialize_field("digest", digest.get(..16).unwrap_or(digest))?;
        body.serialize_field("packages", &self.0["packages"])?;
        body.end()
    }
}

/// Fields that most steps do not have are left out.
fn optional<S: SerializeStruct, T: Serialize>(
    body: &mut S,
    name: &'static str,
    value: Option<&T>,
) -> Result<(), S::Error> {
    match value {
        Some(value) => body.serialize_field(name, value),
        None => body.skip_field(name),
    }
}

/// One line of a list.
#[derive(Clone, Copy, Debug)]
pub struct SummaryBody<'a>(pub &'a Summary);

impl Serialize for SummaryBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let summary = self.0;
        let mut body = serializer.serialize_struct("Summary", 7)?;
        body.serialize_field("execution_id", &summary.execution_id)?;
        body.serialize_field("intent", &summary.intent)?;
        body.serialize_field("status", &summary.status)?;
        body.serialize_field("created_at", &Moment(summary.created_at))?;
        body.serialize_field("started_at", &moment(summary.started_at))?;
        body.serialize_field("completed_at", &moment(summary.completed_at))?;
        body.serialize_field("total_time", &total(summary))?;
        body.end()
    }
}
