//! A world with a disk that loses what was not flushed, and a clock that moves when it is told.

use crate::check::{self, Groups};
use crate::support::{Chance, hash};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Millis, Place, Timestamp};
use jalm_kernel::machine::{
    Action, CallId, Event, Execution, Input, JOURNAL_FORMAT, Status, Submitted, Timer, View,
    decode, encode, replay,
};
use jalm_kernel::plan::Plan;
use jalm_kernel::ports::{Answer, Call};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

const START: Timestamp = Timestamp(1_700_000_000_000);
const MOST_CRASHES: usize = 20;

/// How it is to end.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Ends,
    Cancelled { turn: usize },
    OutOfTime { millis: u64 },
}

/// What outlives a crash.
struct Disk {
    journal: Vec<u8>,
    durable: u64,
}

/// One attempt of one step.
pub(crate) type Attempt = (Place, u32);

pub(crate) struct World<'a> {
    chance: &'a mut Chance,
    groups: &'a Groups,
    faults: u64,
    stormy: bool,
    fate: Fate,
    execution: Execution,
    unflushed: Vec<Event>,
    disk: Disk,
    gated: VecDeque<(u64, CallId, Call)>,
    calls: Vec<(CallId, Call)>,
    timers: BTreeSet<(Timestamp, Timer)>,
    now: Timestamp,
    plan: Arc<Plan>,
    turns: usize,
    crashes: usize,
    /// What was shown last.
    shown: Option<View>,
    effects: BTreeMap<Attempt, u32>,
    interrupted: BTreeMap<Attempt, u32>,
    keys: BTreeMap<Place, Arc<str>>,
}

/// How it ended.
pub(crate) struct After {
    pub(crate) view: View,
    /// The whole journal as it lies on the disk.
    pub(crate) events: Vec<Event>,
    /// How often each effect was had.
    pub(crate) effects: BTreeMap<Attempt, u32>,
    /// How often the runner died between its start and its end, as the disk knows them.
    pub(crate) interrupted: BTreeMap<Attempt, u32>,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        plan: Arc<Plan>,
        chance: &'a mut Chance,
        groups: &'a Groups,
        faults: u64,
    ) -> Self {
        let mut world = Self {
            chance,
            groups,
            faults,
            stormy: false,
            fate: Fate::Ends,
            execution: Execution::new(id(), plan.clone(), submitted(&plan, None)),
            disk: Disk { journal: Vec::new(), durable: 0 },
            unflushed: Vec::new(),
            gated: VecDeque::new(),
            calls: Vec::new(),
            timers: BTreeSet::new(),
            now: START,
            plan,
            turns: 0,
            crashes: 0,
            shown: None,
            effects: BTreeMap::new(),
            interrupted: BTreeMap::new(),
            keys: BTreeMap::new(),
        };
        world.submit(None);
        world
    }

    /// Crashes come.
    pub(crate) fn stormy(mut self) -> Self {
        self.stormy = true;
        self
    }

    pub(crate) fn meet(&mut self, fate: Fate) {
        self.fate = fate;
        if let Fate::OutOfTime { millis } = fate {
            self.submit(Some(Millis(millis)));
        }
    }

    /// The submission is durable before anything else happens.
    fn submit(&mut self, timeout: Option<Millis>) {
        let submitted = submitted(&self.plan, timeout);
        let first = Event::Submitted(submitted.clone());
        self.disk = Disk { journal: encode([&first]), durable: 1 };
        self.execution = Execution::new(id(), self.plan.clone(), submitted);
    }

    pub(crate) fn run(mut self) -> After {
        self.give(Input::Start);
        for _ in 0..100_000 {
            if self.execution.status().is_end() && self.unflushed.is_empty() {
                assert!(self.calls.is_empty(), "calls are out after the end: {:?}", self.calls);
                self.show();
                let Self { execution, disk, effects, interrupted, .. } = self;
                let events = decode(&disk.journal).unwrap();
                return After { view: execution.view(), events, effects, interrupted };
            }
            self.turn();
        }
        panic!("the execution does not end: {:#?}", self.execution.view());
    }

    /// One thing happens: a crash, a cancel, a flush, an answer, or time passes.
    fn turn(&mut self) {
        self.turns += 1;
        if let Fate::Cancelled { turn } = self.fate
            && turn + 1 == self.turns
        {
            return self.give(Input::Cancel { reason: "enough".to_owned() });
        }
        if self.stormy && self.crashes < MOST_CRASHES && self.chance.percent(8) {
            return self.crash();
        }
        if !self.unflushed.is_empty() && self.chance.percent(40) {
            return self.flush();
        }
        let due = self.timers.first().is_some_and(|(at, _)| *at <= self.now);
        if due && self.chance.percent(50) {
            return self.pass_time();
        }
        if !self.calls.is_empty() {
            let (id, call) = self.calls.swap_remove(self.chance.below(self.calls.len()));
            return self.answer(id, &call);
        }
        if !self.unflushed.is_empty() {
            return self.flush();
        }
        self.pass_time();
    }

    fn pass_time(&mut self) {
        let (at, timer) =
            self.timers.pop_first().expect("nothing runs, nothing is due, and it has not ended");
        self.now = self.now.max(at);
        self.give(Input::Due(timer));
    }

    fn give(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let decision = self.execution.handle(input, self.now);
            self.unflushed.extend(decision.events);
            for action in decision.actions {
                match action {
                    Action::Call { id, call, gated: true } => {
                        self.gated.push_back((self.execution.event_count(), id, call));
                    }
                    Action::Call { id, call, gated: false } => {
                        assert!(!acts(&call), "the effect of {} has no gate", call.place);
                        self.calls.push((id, call));
                    }
                    Action::Abort(id) => {
                        self.calls.retain(|(call, _)| *call != id);
                        self.gated.retain(|(_, call, _)| *call != id);
                    }
                    Action::Timer(at, timer) => {
                        self.timers.insert((at, timer));
                    }
                }
            }
            if decision.more {
                next = Some(Input::Continue);
            }
        }
        self.open_gate();
    }

    /// The disk takes some of what waits; what is on the disk may be shown.
    fn flush(&mut self) {
        let count = 1 + self.chance.below(self.unflushed.len());
        let events: Vec<Event> = self.unflushed.drain(..count).collect();
        self.disk.journal.extend(encode(&events));
        self.disk.durable += count as u64;
        if self.chance.percent(25) {
            self.show();
        }
        self.open_gate();
    }

    /// Somebody looks: at what is durable, and at nothing else.
    fn show(&mut self) {
        let view = self.on_disk().view();
        if crate::tracing() {
            eprintln!("shown after {} turns: {:#}", self.turns, check::seen(&view));
            eprintln!("from {:#?}", decode(&self.disk.journal).unwrap());
        }
        if let Some(before) = self.shown.take() {
            check::nothing_is_taken_back(&before, &view, self.groups);
        }
        self.shown = Some(view);
    }

    fn on_disk(&self) -> Execution {
        replay(id(), self.plan.clone(), decode(&self.disk.journal).unwrap()).unwrap()
    }

    fn open_gate(&mut self) {
        while self.gated.front().is_some_and(|(needs, _, _)| *needs <= self.disk.durable) {
            let (_, id, call) = self.gated.pop_front().unwrap();
            self.check_gate(&call);
            self.calls.push((id, call));
        }
    }

    /// An effect starts: were the runner to die now, the disk alone must know of this very call.
    fn check_gate(&mut self, call: &Call) {
        let key = self.keys.entry(call.place.clone()).or_insert(call.idempotency_key.clone());
        assert_eq!(*key, call.idempotency_key, "{} changes its key", call.place);
        let events = decode(&self.disk.journal).unwrap();
        let open = check::open_ends(&events, self.groups);
        let known = open.contains(&(call.place.clone(), call.attempt));
        assert!(known, "the effect of {} starts before its gate", call.place);
        let decision = self.on_disk().handle(Input::Recover, self.now);
        let mut again = decision.actions.iter().filter_map(|action| match action {
            Action::Call { call: again, .. } if again.place == call.place => Some(again),
            _ => None,
        });
        match (again.next(), call.atom) {
            (Some(_), "act_once") => panic!("{} is repeated, which nobody may", call.place),
            (Some(again), _) => assert_eq!(
                (again.attempt, &again.idempotency_key, &again.input),
                (call.attempt, &call.idempotency_key, &call.input),
            ),
            // Something else that was lost ends the step; then its end is recorded at once.
            (None, _) => assert!(!decision.events.is_empty(), "{} is forgotten", call.place),
        }
    }

    /// The answer depends on the place and the attempt alone, so a repeated call gives it again.
    fn answer(&mut self, id: CallId, call: &Call) {
        self.have_effect(call);
        let dice = hash(&[&call.place.to_string(), &call.attempt.to_string(), call.atom]);
        let result = match dice % 100 {
            dice if dice < self.faults / 2 => {
                Err(Failure::transient("busy", "the other side is busy"))
            }
            dice if dice < self.faults => {
                Err(Failure::permanent("wrong", "the other side says no"))
            }
            _ => Ok(Answer { output: json!({ "saw": call.input["x"] }), isolation: None }),
        };
        self.now = self.now.plus(Millis(1));
        self.give(Input::Answered { call: id, result, us: 1000, lock: None });
    }

    fn have_effect(&mut self, call: &Call) {
        if acts(call) {
            *self.effects.entry((call.place.clone(), call.attempt)).or_default() += 1;
        }
    }

    /// What is in memory is gone. A call that was out may or may not have had its effect.
    fn crash(&mut self) {
        self.crashes += 1;
        for attempt in check::open_ends(&decode(&self.disk.journal).unwrap(), self.groups) {
            *self.interrupted.entry(attempt).or_default() += 1;
        }
        for (_, call) in std::mem::take(&mut self.calls) {
            if self.chance.percent(50) {
                self.have_effect(&call);
            }
        }
        self.unflushed.clear();
        self.gated.clear();
        self.timers.clear();
        self.show();
        self.execution = self.on_disk();
        assert_eq!(self.execution.event_count(), self.disk.durable);
        if self.execution.status().is_end() {
            return;
        }
        // The cancel that was lost with the memory is asked for again.
        if let Fate::Cancelled { turn } = self.fate
            && turn < self.turns
        {
            return self.give(Input::Cancel { reason: "enough".to_owned() });
        }
        let input = match self.execution.status() {
            Status::Pending => Input::Start,
            _ => Input::Recover,
        };
        self.give(input);
    }
}

/// Whether a call changes the world.
fn acts(call: &Call) -> bool {
    call.atom.starts_with("act")
}

fn id() -> ExecutionId {
    ExecutionId(uuid::Uuid::from_u128(1))
}

fn submitted(plan: &Plan, timeout: Option<Millis>) -> Submitted {
    Submitted {
        format: JOURNAL_FORMAT,
        at: START,
        intent: plan.name.clone(),
        version: None,
        plan: plan.hash,
        params: Arc::new(json!({})),
        env: BTreeMap::new(),
        key: None,
        timeout,
    }
}
