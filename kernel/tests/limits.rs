//! What no intent, no answer and no journal may do to the runner: eat its memory, write what
//! cannot be read back, run on when its time is over.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Millis, Place, Timestamp};
use jalm_kernel::machine::{
    Action, CallId, Decision, Event, Execution, Input, JOURNAL_FORMAT, Status, Submitted, Timer,
    decode, encode, replay,
};
use jalm_kernel::plan::Plan;
use jalm_kernel::ports::{Answer, Call};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::Atoms;

const START: Timestamp = Timestamp(1_700_000_000_000);

struct Run {
    execution: Execution,
    events: Vec<Event>,
    calls: Vec<(CallId, Call)>,
    timers: Vec<(Timestamp, Timer)>,
}

impl Run {
    fn new(intent: &str) -> Self {
        let plan = Arc::new(Plan::compile(intent, &Atoms::new()).unwrap());
        let submitted = Submitted {
            format: JOURNAL_FORMAT,
            at: START,
            intent: plan.name.clone(),
            version: None,
            plan: plan.hash,
            params: Arc::new(json!({})),
            env: BTreeMap::new(),
            key: None,
            timeout: None,
        };
        let events = vec![Event::Submitted(submitted.clone())];
        let execution = Execution::new(ExecutionId(uuid::Uuid::from_u128(1)), plan, submitted);
        Self { execution, events, calls: Vec::new(), timers: Vec::new() }
    }

    fn started(intent: &str) -> Self {
        let mut run = Self::new(intent);
        run.give(Input::Start, START);
        run
    }

    fn give(&mut self, input: Input, now: Timestamp) {
        let Decision { events, actions, .. } = self.execution.handle(input, now);
        self.events.extend(events);
        for action in actions {
            match action {
                Action::Call { id, call, .. } => self.calls.push((id, call)),
                Action::Abort(id) => self.calls.retain(|(call, _)| *call != id),
                Action::Timer(at, timer) => self.timers.push((at, timer)),
            }
        }
    }

    fn answer(&mut self, result: Result<Value, Failure>) {
        let (call, _) = self.calls.remove(0);
        let result = result.map(|output| Answer { output, isolation: None });
        self.give(Input::Answered { call, result, us: 1, lock: None }, START);
    }

    fn again(&self) -> Execution {
        let events = decode(&encode(&self.events)).unwrap();
        replay(self.execution.id(), self.execution.plan().clone(), events).unwrap()
    }

    fn error(&self) -> Failure {
        self.execution.view().error.expect("it failed")
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

const ONE_CALL: &str = "intent: a\nsteps: [{ id: s, atom: pure, input: { x: 1 } }]\n";

#[test]
fn a_lazy_list_is_not_longer_than_an_output_may_be() {
    for expression in ["[[0] * 1000] * 1000 * 1000", "[[[0] * 9999] * 9999] * 9999"] {
        let run = Run::started(&format!(
            "intent: a\nsteps: [{{ id: s, set: {{ v: '{{{{ {expression} }}}}' }} }}]\n"
        ));
        assert_eq!(run.error().code, "too_large", "{expression}");
    }
}

#[test]
fn a_large_output_that_is_named_often_is_refused_before_it_is_copied_often() {
    let names = vec!["'{{ steps.s.output }}'"; 2000].join(", ");
    for form in
        [format!("[{names}]"), format!("{{ a: [{names}], b: 'x {{{{ steps.s.output }}}}' }}")]
    {
        let mut run = Run::started(&format!(
            "intent: a\nsteps: [{{ id: s, atom: pure, input: {{ x: 1 }} }}, {{ id: t, atom: pure, input: {{ x: {form} }} }}]\n"
        ));
        run.answer(Ok(json!("x".repeat(8 * 1024 * 1024))));
        assert_eq!(run.error().code, "too_large");
    }
}

#[test]
fn what_is_recorded_can_be_read_back_however_deep_an_answer_is() {
    let mut run = Run::started(ONE_CALL);
    run.answer(Ok(nested(100)));
    assert_eq!(run.again().view(), run.execution.view());
    assert_eq!(run.execution.status(), Status::Completed);
    for levels in [101, 127, 1000] {
        let mut run = Run::started(ONE_CALL);
        run.answer(Ok(nested(levels)));
        assert_eq!(run.error().code, "too_deep", "{levels}");
        let mut run = Run::started(ONE_CALL);
        run.answer(Err(Failure::permanent("no", "no").detail(nested(levels))));
        assert_eq!(run.error().code, "no", "{levels}");
        assert_eq!(run.again().view(), run.execution.view());
    }
}

#[test]
fn an_output_does_not_grow_too_deep_on_its_way_to_the_end() {
    let mut run = Run::started(
        "intent: a\nsteps: [{ id: s, atom: pure, input: { x: 1 } }, { id: t, set: { v: '{{ steps.s.output }}' } }]\n",
    );
    run.answer(Ok(nested(100)));
    assert_eq!(run.error().code, "too_deep");
    // A loop wraps what its turns gave once more; as the last step it is the intent's output.
    let mut run =
        Run::started("intent: a\nsteps: [{ id: s, foreach: [1], atom: pure, input: { x: 1 } }]\n");
    run.answer(Ok(nested(100)));
    assert_eq!(run.error().code, "too_deep");
    let run_of_text =
        Run::started("intent: a\nsteps: [{ id: s, set: { v: '{{ [[1]] | tojson }}' } }]\n");
    assert_eq!(run_of_text.execution.status(), Status::Completed);
}

#[test]
fn params_that_could_not_be_read_back_are_refused() {
    let plan = Plan::compile(ONE_CALL, &Atoms::new()).unwrap();
    assert!(plan.check_params(Some(json!({ "x": nested(99) }))).is_ok());
    let problems = plan.check_params(Some(json!({ "x": nested(100) }))).unwrap_err();
    assert!(problems[0].message.contains("100 levels"), "{problems:?}");
}

#[test]
fn recorded_values_come_back_as_they_were_whatever_their_keys() {
    let value =
        json!({ "$serde_json::private::RawValue": "[1]", "$serde_json::private::Number": "1" });
    for value in [value.clone(), json!([{ "$serde_json::private::RawValue": "not json" }])] {
        let mut run = Run::started(ONE_CALL);
        run.answer(Ok(value.clone()));
        let view = run.again().view();
        assert_eq!(*view.output.unwrap(), value);
        let mut run = Run::started(ONE_CALL);
        run.answer(Err(Failure::permanent("no", "no").detail(value.clone())));
        assert_eq!(run.again().view(), run.execution.view());
    }
}

#[test]
fn a_group_that_gives_null_gives_null_after_a_replay_too() {
    let run = Run::started(
        "intent: a\nsteps: [{ id: g, output: '{{ none }}', steps: [{ id: s, set: { v: 1 } }] }]\noutput: '{{ steps.g.output }}'\n",
    );
    assert_eq!(*run.execution.view().output.unwrap(), Value::Null);
    assert_eq!(run.again().view(), run.execution.view());
}

#[test]
fn an_execution_whose_time_ran_out_while_no_runner_ran_starts_nothing_more() {
    let intent = "intent: a\nlimits: { timeout: 1h }\nsteps: [{ id: s, atom: act, input: { x: 1 } }, { id: t, atom: act }]\n";
    let late = START.plus(Millis(3_600_000));
    // Stopped before it was taken up, and in the middle of its first step.
    for (mut run, input) in
        [(Run::new(intent), Input::Start), (Run::started(intent), Input::Recover)]
    {
        run.execution = run.again();
        run.calls.clear();
        run.give(input, late);
        assert_eq!(run.calls.len(), 0);
        assert_eq!(run.error().code, "timeout");
        assert_eq!(run.again().view(), run.execution.view());
    }
}

#[test]
fn a_group_whose_time_ran_out_while_no_runner_ran_starts_nothing_more() {
    let mut run = Run::started(
        "intent: a\nsteps: [{ id: g, timeout: 1m, steps: [{ id: s, atom: act, input: { x: 1 } }, { id: t, atom: act }] }]\n",
    );
    run.execution = run.again();
    run.calls.clear();
    run.give(Input::Recover, START.plus(Millis(60_000)));
    assert_eq!(run.calls.len(), 0);
    assert_eq!(run.error().code, "timeout");
    assert_eq!(run.again().view(), run.execution.view());
}

#[test]
fn a_timer_that_finds_the_clock_set_back_is_set_again() {
    let mut run = Run::started(
        "intent: a\nsteps: [{ id: s, atom: pure, input: { x: 1 }, retry: { attempts: 2, delay: 1s } }]\n",
    );
    run.answer(Err(Failure::transient("busy", "busy")));
    for (at, timer) in std::mem::take(&mut run.timers) {
        run.give(Input::Due(timer), Timestamp(at.0 - 1));
        assert_eq!(run.timers.pop(), Some((at, timer)));
        assert_eq!(run.calls.len(), 0);
    }
}

#[test]
fn a_journal_that_cannot_be_of_this_plan_is_refused_with_words() {
    let intent = "
intent: a
steps:
  - { id: l, foreach: [1, 2], atom: act }
  - { id: g, steps: [{ id: s, atom: pure }] }
  - { id: v, set: { x: 1 } }
";
    let place = |step: &str, items: &[u32]| Place { step: step.into(), items: items.to_vec() };
    let done = |step: &str, items: &[u32], n| Event::Done {
        place: place(step, items),
        n,
        at: START,
        us: 0,
        out: Some(Arc::new(json!(1))),
        iso: None,
        lock: None,
    };
    let entered = |step: &str, items: Option<u32>| Event::Entered {
        place: place(step, &[]),
        n: 1,
        at: START,
        items,
    };
    let calling =
        |step: &str, items: &[u32], n| Event::Calling { place: place(step, items), n, at: START };
    let started = Event::Started { at: START };
    let submitted = Run::new(intent).events[0].clone();
    let ended = Event::Completed { at: START, out: Arc::new(json!(1)) };
    let bad: Vec<Vec<Event>> = vec![
        vec![done("v", &[], 1)],
        vec![ended.clone()],
        vec![started.clone(), started.clone()],
        vec![started.clone(), submitted],
        vec![started.clone(), done("nobody", &[], 1)],
        vec![started.clone(), done("v", &[], 1)],
        vec![started.clone(), done("l", &[], 1)],
        vec![started.clone(), calling("l", &[], 1)],
        vec![started.clone(), entered("l", None)],
        vec![started.clone(), entered("l", Some(u32::MAX))],
        vec![started.clone(), entered("l", Some(2)), entered("l", Some(2))],
        vec![started.clone(), entered("l", Some(2)), calling("l", &[5], 1)],
        vec![started.clone(), entered("l", Some(2)), calling("l", &[0], 2)],
        vec![started.clone(), entered("l", Some(2)), calling("l", &[0, 0], 1)],
        vec![started.clone(), entered("l", Some(2)), calling("l", &[0], 1), calling("l", &[0], 1)],
        vec![started.clone(), entered("l", Some(2)), done("l", &[0], 1), done("l", &[0], 1)],
        vec![started.clone(), ended.clone(), ended],
    ];
    for events in bad {
        let mut run = Run::new(intent);
        run.events.extend(events);
        let plan = run.execution.plan().clone();
        let refused = replay(run.execution.id(), plan, run.events.clone());
        assert!(refused.is_err(), "{:#?}", run.events);
    }
}
