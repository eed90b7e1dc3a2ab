//! The journal: what is recorded of an execution, in order.
//!
//! **Format 1.** An event is one JSON object; a journal record is one or more events, each on its
//! own line, ended by `\n`. Its `t` names the kind. The fields below are the format: a released
//! field keeps its name and meaning, new ones are optional. Described in `docs/journal.md`.

use crate::failure::Failure;
use crate::ids::{Millis, Place, PlanHash, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One recorded fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Event {
    /// Always the first event: what is to be run, with what.
    Submitted(Submitted),
    /// A runner took it up for the first time.
    Started {
        /// When.
        at: Timestamp,
    },
    /// A container (group, parallel, loop) was opened.
    Entered {
        /// Which one.
        #[serde(flatten)]
        place: Place,
        /// The how-manieth time; from 1.
        n: u32,
        /// When.
        at: Timestamp,
        /// How many items a loop has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        items: Option<u32>,
    },
    /// A call with side effects is about to start. Durable before the call is made.
    Calling {
        /// Which step.
        #[serde(flatten)]
        place: Place,
        /// The how-manieth attempt; from 1.
        n: u32,
        /// When.
        at: Timestamp,
    },
    /// A step ended well.
    Done {
        /// Which step.
        #[serde(flatten)]
        place: Place,
        /// The attempt that succeeded.
        n: u32,
        /// When that attempt started.
        at: Timestamp,
        /// How long it took, in microseconds.
        us: u64,
        /// Its output; absent for a container whose output is put together from its steps.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "super::json::present"
        )]
        out: Option<Arc<Value>>,
        /// The isolation that was in force, for foreign code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        iso: Option<Arc<str>>,
        /// What the step's dependencies are pinned to from now on, if that is new.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "super::json::present"
        )]
        lock: Option<Arc<Value>>,
    },
    /// An attempt failed.
    Failed {
        /// Which step.
        #[serde(flatten)]
        place: Place,
        /// Which attempt.
        n: u32,
        /// When that attempt started.
        at: Timestamp,
        /// How long it took, in microseconds.
        us: u64,
        /// Why.
        error: Failure,
        /// When the next attempt is due; absent when this was the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
        /// What the step's dependencies are pinned to from now on, if that is new.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "super::json::present"
        )]
        lock: Option<Arc<Value>>,
    },
    /// `when` was false.
    Skipped {
        /// Which step.
        #[serde(flatten)]
        place: Place,
        /// When.
        at: Timestamp,
    },
    /// The end: all steps are through and the output is known.
    Completed {
        /// When.
        at: Timestamp,
        /// The execution's output.
        #[serde(deserialize_with = "super::json::exact")]
        out: Arc<Value>,
    },
    /// The end: a step failed, or the execution ran out of time.
    Broken {
        /// When.
        at: Timestamp,
        /// The step that broke it, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<Place>,
        /// Why.
        error: Failure,
    },
    /// The end: somebody stopped it.
    Cancelled {
        /// When.
        at: Timestamp,
        /// In the words of whoever stopped it.
        reason: String,
    },
}

/// What is to be run, with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The format of this journal: 1.
    pub format: u32,
    /// When.
    pub at: Timestamp,
    /// The intent's name.
    pub intent: Arc<str>,
    /// The intent's version, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Arc<str>>,
    /// Which source text; the store keeps it.
    pub plan: PlanHash,
    /// Checked and with defaults filled in.
    #[serde(deserialize_with = "super::json::exact")]
    pub params: Arc<Value>,
    /// The allowed environment values that the intent reads, as they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The submitter's key: the same key answers with the same execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// A bound on the whole execution that the submitter asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

impl Event {
    /// When it happened (for a step's end: when its last attempt started).
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Submitted(submitted) => submitted.at,
            Self::Started { at }
            | Self::Entered { at, .. }
            | Self::Calling { at, .. }
            | Self::Done { at, .. }
            | Self::Failed { at, .. }
            | Self::Skipped { at, .. }
            | Self::Completed { at, .. }
            | Self::Broken { at, .. }
            | Self::Cancelled { at, .. } => *at,
        }
    }

    /// Whether nothing can follow.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Broken { .. } | Self::Cancelled { .. })
    }
}

/// The newest journal format that this code writes and reads.
pub const JOURNAL_FORMAT: u32 = 1;

/// The events as one journal record: a JSON object a line.
///
/// # Panics
/// Never: events hold nothing that JSON cannot.
pub fn encode<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    for event in events {
        serde_json::to_writer(&mut bytes, event)
            .expect("events hold only JSON, and a Vec takes every byte");
        bytes.push(b'\n');
    }
    bytes
}

/// Reads one journal record. The error names the line.
pub fn decode(record: &[u8]) -> Result<Vec<Event>, String> {
    record
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .enumerate()
        .map(|(number, line)| {
            serde_json::from_slice(line).map_err(|error| format!("event {number}: {error}"))
        })
        .collect()
}
