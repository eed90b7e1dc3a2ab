//! What must hold.

use crate::world::{After, Attempt};
use jalm_kernel::ids::Place;
use jalm_kernel::machine::{Event, StepStatus, StepView, View};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// For each step the containers around it.
pub(crate) struct Groups(BTreeMap<String, BTreeSet<String>>);

impl Groups {
    pub(crate) fn of(intent: &Value) -> Self {
        let mut groups = Self(BTreeMap::new());
        groups.add(&intent["steps"], &BTreeSet::new());
        groups
    }

    fn add(&mut self, steps: &Value, around: &BTreeSet<String>) {
        for step in steps.as_array().into_iter().flatten() {
            let id = step["id"].as_str().expect("the generator names every step").to_owned();
            let mut inside = around.clone();
            inside.insert(id.clone());
            self.add(&step["steps"], &inside);
            self.add(&step["parallel"], &inside);
            self.0.insert(id, around.clone());
        }
    }

    fn around(&self, step: &str) -> &BTreeSet<String> {
        &self.0[step]
    }

    /// Whether `place` lies inside the container at `container`, or is one of its turns.
    fn holds(&self, container: &Place, place: &Place) -> bool {
        let inside = self.around(&place.step).contains(&*container.step)
            || (place.step == container.step && place.items.len() > container.items.len());
        inside && place.items.starts_with(&container.items)
    }
}

/// What a person sees, without the times.
pub(crate) fn seen(view: &View) -> Value {
    let steps: Vec<Value> = view
        .steps
        .iter()
        .map(|step| {
            json!({
                "id": &*step.id, "status": step.status, "output": step.output, "input": step.input,
                "attempts": step.attempts,
                "error": step.error.as_ref().map(|error| &error.message),
            })
        })
        .collect();
    json!({
        "status": view.summary.status, "output": view.output, "steps": steps,
        "error": view.error.as_ref().map(|error| &error.message),
    })
}

/// One end and nothing behind it; each attempt starts once and ends once, each success is recorded
/// once. A container that is tried again runs its steps again.
pub(crate) fn journal(events: &[Event], groups: &Groups) {
    let mut started: BTreeSet<Attempt> = BTreeSet::new();
    let mut ended: BTreeSet<Attempt> = BTreeSet::new();
    let mut done: BTreeSet<Place> = BTreeSet::new();
    let mut ends = 0;
    for event in events {
        assert_eq!(ends, 0, "{event:?} comes after the end");
        match event {
            Event::Entered { place: container, .. } => {
                started.retain(|(place, _)| !groups.holds(container, place));
                ended.retain(|(place, _)| !groups.holds(container, place));
                done.retain(|place| !groups.holds(container, place));
            }
            Event::Calling { place, n, .. } => {
                assert!(started.insert((place.clone(), *n)), "{place} starts attempt {n} twice");
                assert!(!done.contains(place), "{place} starts again after it was done");
            }
            Event::Done { place, n, .. } => {
                assert!(done.insert(place.clone()), "{place} is recorded as done twice");
                assert!(ended.insert((place.clone(), *n)), "{place} ends attempt {n} twice");
            }
            Event::Failed { place, n, .. } => {
                assert!(ended.insert((place.clone(), *n)), "{place} ends attempt {n} twice");
                assert!(!done.contains(place), "{place} fails after it was done");
            }
            event => ends += usize::from(event.is_end()),
        }
    }
    assert_eq!(ends, 1, "one end, not {ends}");
}

/// Attempts whose start is recorded and whose end is not.
pub(crate) fn open_ends(events: &[Event], groups: &Groups) -> BTreeSet<Attempt> {
    let mut open: BTreeSet<Attempt> = BTreeSet::new();
    for event in events {
        match event {
            Event::Entered { place: container, .. } => {
                open.retain(|(place, _)| !groups.holds(container, place));
            }
            Event::Calling { place, n, .. } => {
                open.insert((place.clone(), *n));
            }
            Event::Done { place, n, .. } | Event::Failed { place, n, .. } => {
                open.remove(&(place.clone(), *n));
            }
            _ => {}
        }
    }
    open
}

/// An effect is had once for each time that its start is recorded, and once more at most for each
/// crash that cut it off; what has ended well has had it.
pub(crate) fn effects(after: &After) {
    let mut starts: BTreeMap<Attempt, u32> = BTreeMap::new();
    let mut answers: BTreeMap<Attempt, u32> = BTreeMap::new();
    for event in &after.events {
        match event {
            Event::Calling { place, n, .. } => {
                *starts.entry((place.clone(), *n)).or_default() += 1;
            }
            Event::Done { place, n, .. } => {
                *answers.entry((place.clone(), *n)).or_default() += 1;
            }
            _ => {}
        }
    }
    for (attempt, times) in &after.effects {
        let started = starts.get(attempt).copied().unwrap_or(0);
        let interrupted = after.interrupted.get(attempt).copied().unwrap_or(0);
        assert!(started > 0, "{attempt:?} had its effect and its start is not recorded");
        assert!(
            *times <= started + interrupted,
            "{attempt:?} had its effect {times} times: started {started}, cut off {interrupted}"
        );
    }
    for attempt in starts.keys() {
        let times = after.effects.get(attempt).copied().unwrap_or(0);
        let answered = answers.get(attempt).copied().unwrap_or(0);
        assert!(times >= answered, "{attempt:?} is done and had no effect");
    }
    // Never twice: what may not be repeated is not, whatever happens.
    for event in &after.events {
        if let Event::Failed { place, n, error, .. } = event
            && error.code == "outcome_unknown"
            // A container fails with the words of the step inside.
            && let Some(started) = starts.get(&(place.clone(), *n))
        {
            let times = after.effects.get(&(place.clone(), *n)).copied().unwrap_or(0);
            assert!(times <= *started, "{place}, attempt {n}, had its effect {times} times");
        }
    }
}

pub(crate) fn has_unknown_outcome(events: &[Event]) -> bool {
    events.iter().any(
        |event| matches!(event, Event::Failed { error, .. } if error.code == "outcome_unknown"),
    )
}

pub(crate) fn timed_out(view: &View) -> bool {
    view.error.as_ref().is_some_and(|error| {
        error.code == "timeout" && error.message.starts_with("the execution was not done")
    })
}

/// What was shown as ended is shown so for ever, unless a container around it is tried again.
pub(crate) fn nothing_is_taken_back(before: &View, now: &View, groups: &Groups) {
    let (old, new) = (before.summary.status, now.summary.status);
    assert!(old <= new && (!old.is_end() || old == new), "{old:?} becomes {new:?}");
    if old.is_end() {
        assert_eq!(before, now, "an end that was shown changes");
    }
    let step = |view: &'_ View, id: &str| {
        let step = view.steps.iter().find(|step| &*step.id == id);
        step.map(|step| (step.attempts, step.error.is_some(), step.status))
    };
    for (old, new) in before.steps.iter().zip(&now.steps) {
        // A container that waits for its next attempt has forgotten its steps; it may be stopped
        // while it waits.
        let again = groups.around(&old.id).iter().any(|container| {
            match (step(before, container), step(now, container)) {
                (_, Some((_, _, StepStatus::Cancelled))) => true,
                (Some((n, failed, _)), Some((m, fails, _))) => n != m || failed != fails,
                (before, now) => before != now,
            }
        });
        if !ended(old) {
            continue;
        }
        assert!(
            again || (ended(new) && old == new),
            "{} was shown as {:?} and becomes {:?}\n{:#}\n{:#}",
            old.id,
            old.status,
            new.status,
            seen(before),
            seen(now)
        );
    }
}

fn ended(step: &StepView) -> bool {
    !matches!(step.status, StepStatus::Pending | StepStatus::Running)
}
