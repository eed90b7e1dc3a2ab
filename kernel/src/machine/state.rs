//! What an execution is between two inputs: frames of slots.
//!
//! A *frame* is a block that is running: the intent's steps, a group, one turn of a loop. A *slot*
//! is one step in it. Turns of a loop have frames only while they run; the frame of a group stays,
//! since later steps may read what its steps gave.

use super::event::Submitted;
use super::view::{Items, Status};
use crate::expr::Datum;
use crate::failure::Failure;
use crate::ids::{ExecutionId, Place, Timestamp};
use crate::plan::{BlockIx, Plan};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One durable run of a plan.
#[derive(Debug)]
pub struct Execution {
    pub(super) id: ExecutionId,
    pub(super) plan: Arc<Plan>,
    pub(super) submitted: Submitted,
    pub(super) params: Datum,
    pub(super) phase: Phase,
    pub(super) started_at: Option<Timestamp>,
    pub(super) frames: Vec<Option<Frame>>,
    pub(super) free: Vec<u32>,
    pub(super) serial: u32,
    /// How many events were applied.
    pub(super) count: u64,
    /// What the dependencies of steps are pinned to, by the step's id.
    pub(super) locks: BTreeMap<Arc<str>, Arc<Value>>,
    // What follows is derived while applying events and consumed while deciding. After a replay
    // it holds everything that is still to be done, and stale entries that are skipped.
    pub(super) ready: VecDeque<SlotKey>,
    pub(super) attention: VecDeque<Attention>,
    pub(super) aborts: Vec<CallId>,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Phase {
    Pending,
    Running,
    Completed { at: Timestamp, out: Arc<Value> },
    Failed { at: Timestamp, step: Option<Place>, error: Failure },
    Cancelled { at: Timestamp, reason: String },
}

impl Phase {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Running => Status::Running,
            Self::Completed { .. } => Status::Completed,
            Self::Failed { .. } => Status::Failed,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }
}

/// A frame's place in the table. The serial tells a frame from a later one in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FrameKey {
    pub(super) index: u32,
    pub(super) serial: u32,
}

/// A slot of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SlotKey {
    pub(super) frame: FrameKey,
    pub(super) slot: u32,
}

/// One attempt of one slot: what a late answer is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    pub(super) at: SlotKey,
    pub(super) attempt: u32,
}

/// Something that ended and whose container must be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attention {
    Container(SlotKey),
    Root,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) serial: u32,
    pub(super) block: BlockIx,
    pub(super) parent: Option<SlotKey>,
    /// Item numbers of the loops around, outermost first.
    pub(super) items: Vec<u32>,
    /// The item, in the frame of a loop's turn. None until the list is known again after a replay.
    pub(super) item: Option<Datum>,
    pub(super) slots: Box<[Slot]>,
    /// Slots that have not ended.
    pub(super) open: u32,
    /// The first failure that no step kept to itself.
    pub(super) failed: Option<Box<(Place, Failure)>>,
}

#[derive(Debug)]
pub(super) enum Slot {
    /// Waits for that many others.
    Waiting(u32),
    /// May start its next attempt, which has this number.
    Ready(u32),
    /// A call is out.
    Running(Running),
    /// Waits for its next attempt.
    Backoff(Box<Backoff>),
    /// A container whose steps run.
    Open(Box<Open>),
    Ended(Box<Ended>),
}

impl Slot {
    /// The frame of a group, running or ended.
    pub(super) fn group(&self) -> Option<FrameKey> {
        match self {
            Self::Open(open) => match &open.inner {
                Inner::Group(frame) => Some(*frame),
                Inner::Loop(_) => None,
            },
            Self::Ended(ended) => ended.group,
            Self::Waiting(_) | Self::Ready(_) | Self::Running(_) | Self::Backoff(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) attempt: u32,
    pub(super) started: Timestamp,
    /// Whether its start is in the journal: only calls with effects are recorded before they end.
    pub(super) recorded: bool,
}

#[derive(Debug)]
pub(super) struct Backoff {
    pub(super) failed_attempt: u32,
    pub(super) until: Timestamp,
    pub(super) error: Failure,
    pub(super) started: Timestamp,
    pub(super) us: u64,
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) attempt: u32,
    pub(super) started: Timestamp,
    pub(super) inner: Inner,
}

#[derive(Debug)]
pub(super) enum Inner {
    Group(FrameKey),
    Loop(Turns),
}

/// A loop that runs. Items start in order, so `next` says which have started.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) total: u32,
    pub(super) next: u32,
    pub(super) live: BTreeMap<u32, FrameKey>,
    pub(super) outputs: Vec<Option<Datum>>,
    pub(super) progress: Items,
    /// About how many bytes the outputs have.
    pub(super) bytes: usize,
    pub(super) failed: Option<Box<(Place, Failure)>>,
    /// The list; computed again on first use after a replay.
    pub(super) list: Option<Arc<Vec<Value>>>,
}

#[derive(Debug)]
pub(super) struct Ended {
    pub(super) how: How,
    pub(super) attempts: u32,
    pub(super) started: Option<Timestamp>,
    pub(super) us: Option<u64>,
    pub(super) isolation: Option<Arc<str>>,
    pub(super) progress: Option<Items>,
    /// The frame of a group, where later steps find what its steps gave.
    pub(super) group: Option<FrameKey>,
}

#[derive(Debug)]
pub(super) enum How {
    /// A group without `output` has none of its own: it is put together from its steps.
    Completed(Option<Datum>),
    Failed(Failure),
    Skipped,
    Cancelled,
}

impl Execution {
    /// An execution that has just been submitted: the fold of its first event.
    pub fn new(id: ExecutionId, plan: Arc<Plan>, submitted: Submitted) -> Self {
        Self {
            id,
            plan,
            params: Datum::new(submitted.params.clone()),
            submitted,
            phase: Phase::Pending,
            started_at: None,
            frames: Vec::new(),
            free: Vec::new(),
            serial: 0,
            count: 1,
            locks: BTreeMap::new(),
            ready: VecDeque::new(),
            attention: VecDeque::new(),
            aborts: Vec::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// The plan it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The submitter's idempotency key.
    pub fn key(&self) -> Option<Arc<str>> {
        self.submitted.key.clone()
    }

    /// Whether it was submitted with the same plan and params.
    pub fn is_of(&self, submitted: &Submitted) -> bool {
        self.submitted.plan == submitted.plan && self.submitted.params == submitted.params
    }

    /// Its state.
    pub fn status(&self) -> Status {
        self.phase.status()
    }

    /// How many events it is the fold of; also the number of the next one.
    pub fn event_count(&self) -> u64 {
        self.count
    }

    pub(super) fn frame(&self, key: FrameKey) -> Option<&Frame> {
        self.frames.get(key.index as usize)?.as_ref().filter(|frame| frame.serial == key.serial)
    }

    pub(super) fn frame_mut(&mut self, key: FrameKey) -> Option<&mut Frame> {
        self.frames.get_mut(key.index as usize)?.as_mut().filter(|frame| frame.serial == key.serial)
    }

    pub(super) fn slot(&self, key: SlotKey) -> Option<&Slot> {
        self.frame(key.frame)?.slots.get(key.slot as usize)
    }

    pub(super) fn slot_mut(&mut self, key: SlotKey) -> Option<&mut Slot> {
        self.frame_mut(key.frame)?.slots.get_mut(key.slot as usize)
    }

    /// The key of the intent's own frame. It is opened first and never freed.
    pub(super) fn root(&self) -> Option<FrameKey> {
        self.frames.first()?.as_ref().map(|frame| FrameKey { index: 0, serial: frame.serial })
    }

    /// The place of a slot, as the journal names it.
    pub(super) fn place(&self, key: SlotKey) -> Place {
        let Some(frame) = self.frame(key.frame) else {
            return Place { step: "?".into(), items: Vec::new() };
        };
        let node = self.plan.block(frame.block).nodes[key.slot as usize];
        Place { step: self.plan.node(node).id.clone(), items: frame.items.clone() }
    }
}
