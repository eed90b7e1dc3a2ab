//! Every control form and common key, run to its end in a world without faults or with chosen ones.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Millis, Timestamp};
use jalm_kernel::machine::{
    Action, CallId, Event, Execution, Input, JOURNAL_FORMAT, Status, Submitted, Timer, View, replay,
};
use jalm_kernel::plan::Plan;
use jalm_kernel::ports::{Answer, Call};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use support::Atoms;

const START: Timestamp = Timestamp(1_700_000_000_000);

/// An execution in a world of one's own making.
struct Run {
    execution: Execution,
    events: Vec<Event>,
    waiting: VecDeque<(CallId, Call)>,
    timers: BTreeSet<(Timestamp, Timer)>,
    now: Timestamp,
    /// Most calls that were out at the same time.
    most: usize,
    calls: Vec<String>,
}

impl Run {
    fn new(intent: &str, params: Value) -> Self {
        let plan = match Plan::compile(intent, &Atoms::new()) {
            Ok(plan) => Arc::new(plan),
            Err(problems) => panic!("{problems:#?}"),
        };
        let submitted = Submitted {
            format: JOURNAL_FORMAT,
            at: START,
            intent: plan.name.clone(),
            version: None,
            plan: plan.hash,
            params: plan.check_params(Some(params)).unwrap(),
            env: BTreeMap::new(),
            key: None,
            timeout: None,
        };
        let events = vec![Event::Submitted(submitted.clone())];
        let id = ExecutionId(uuid::Uuid::from_u128(1));
        let execution = Execution::new(id, plan, submitted);
        let mut run = Self {
            execution,
            events,
            waiting: VecDeque::new(),
            timers: BTreeSet::new(),
            now: START,
            most: 0,
            calls: Vec::new(),
        };
        run.give(Input::Start);
        run
    }

    fn give(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let decision = self.execution.handle(input, self.now);
            self.events.extend(decision.events);
            for action in decision.actions {
                match action {
                    Action::Call { id, call, .. } => {
                        self.calls.push(format!("{}#{}", call.place, call.attempt));
                        self.waiting.push_back((id, call));
                    }
                    Action::Abort(id) => self.waiting.retain(|(call, _)| *call != id),
                    Action::Timer(at, timer) => {
                        self.timers.insert((at, timer));
                    }
                }
            }
            self.most = self.most.max(self.waiting.len());
            if decision.more {
                next = Some(Input::Continue);
            }
        }
    }

    /// Runs to the end; `world` answers each call.
    fn end(mut self, mut world: impl FnMut(&Call) -> Result<Value, Failure>) -> Ended {
        while !self.execution.status().is_end() {
            match self.waiting.pop_front() {
                Some((id, call)) => {
                    let result = world(&call).map(|output| Answer { output, isolation: None });
                    self.give(Input::Answered { call: id, result, us: 10, lock: None });
                }
                None => {
                    let (at, timer) = self.timers.pop_first().expect("something is due");
                    self.now = self.now.max(at);
                    self.give(Input::Due(timer));
                }
            }
        }
        let view = self.execution.view();
        let plan = self.execution.plan().clone();
        let again = replay(self.execution.id(), plan, self.events.clone()).unwrap();
        assert_eq!(again.view(), view, "a replay shows something else");
        Ended { view, run: self }
    }
}

struct Ended {
    view: View,
    run: Run,
}

impl Ended {
    fn output(&self) -> Value {
        assert_eq!(self.view.summary.status, Status::Completed, "{:#?}", self.view);
        (**self.view.output.as_ref().unwrap()).clone()
    }
    fn status(&self, step: &str) -> &'static str {
        self.view
            .steps
            .iter()
            .find(|view| &*view.id == step)
            .expect("the step exists")
            .status
            .name()
    }
    fn error(&self) -> String {
        self.view.error.as_ref().expect("it failed").message.clone()
    }
}

/// Gives back its input's `x`.
fn echo(call: &Call) -> Result<Value, Failure> {
    Ok(call.input["x"].clone())
}

fn run(intent: &str) -> Ended {
    Run::new(intent, json!({})).end(echo)
}

#[test]
fn steps_follow_each_other_and_pass_typed_values() {
    let ended = run("
intent: a
steps:
  - { id: one, atom: pure, input: { x: { list: [1, 2], flag: true } } }
  - { id: two, atom: pure, input: { x: '{{ steps.one.output.list }}' } }
  - { id: three, atom: pure, input: { x: 'n={{ steps.two.output | length }}, {{ steps.one.output.flag }}' } }
output: { list: '{{ steps.two.output }}', text: '{{ steps.three.output }}' }
");
    assert_eq!(ended.output(), json!({ "list": [1, 2], "text": "n=2, true" }));
    assert_eq!(ended.run.most, 1);
}

#[test]
fn needs_draw_a_graph_and_what_is_independent_runs_together() {
    let ended = run("
intent: a
steps:
  - { id: left, needs: [], atom: pure, input: { x: 1 } }
  - { id: right, needs: [], atom: pure, input: { x: 2 } }
  - { id: both, needs: [left, right], atom: pure, input: { x: '{{ steps.left.output + steps.right.output }}' } }
");
    assert_eq!(ended.output(), json!(3));
    assert_eq!(ended.run.most, 2);
    assert_eq!(ended.run.calls, ["left#1", "right#1", "both#1"]);
}

#[test]
fn a_false_condition_skips_a_step_and_what_follows_runs() {
    let ended = run("
intent: a
steps:
  - { id: one, atom: pure, when: '{{ 1 > 2 }}', input: { x: 1 } }
  - { id: two, atom: pure, when: \"steps.one.status == 'skipped'\", input: { x: '{{ steps.one.output | default(7) }}' } }
  - { id: three, atom: pure, when: false, input: { x: 1 } }
output: '{{ steps.two.output }}'
");
    assert_eq!(ended.output(), json!(7));
    assert_eq!((ended.status("one"), ended.status("three")), ("skipped", "skipped"));
}

#[test]
fn set_binds_names_and_the_latest_that_ran_counts() {
    let ended = run("
intent: a
steps:
  - { id: s1, set: { n: 1, who: me } }
  - { id: s2, set: { n: '{{ n + 1 }}' } }
  - { id: s3, when: false, set: { n: 100 } }
output: '{{ who }} {{ n }} {{ steps.s1.output.n }}'
");
    assert_eq!(ended.output(), json!("me 2 1"));
}

#[test]
fn a_loop_keeps_the_order_of_its_items_whatever_ends_first() {
    let intent = "
intent: a
steps:
  - { id: each, foreach: '{{ params.items }}', as: row, concurrency: 3, atom: pure, input: { x: '{{ row }}-{{ index }}' } }
";
    let run = Run::new(intent, json!({ "items": ["a", "b", "c", "d", "e"] }));
    let ended = run.end(echo);
    assert_eq!(ended.output(), json!(["a-0", "b-1", "c-2", "d-3", "e-4"]));
    assert_eq!(ended.run.most, 3);
    let each = &ended.view.steps[0];
    assert_eq!(each.items.unwrap().completed, 5);
}

#[test]
fn loops_nest_and_inner_steps_see_outer_items() {
    let ended = run("
intent: a
steps:
  - id: outer
    foreach: [10, 20]
    as: ten
    steps:
      - { id: base, set: { b: '{{ ten }}' } }
      - { id: inner, foreach: [1, 2], as: one, atom: pure, input: { x: '{{ b + one }}' } }
output: '{{ steps.outer.output | map(attribute=\"inner\") | list }}'
");
    assert_eq!(ended.output(), json!([[11, 12], [21, 22]]));
}

#[test]
fn an_empty_list_is_a_loop_that_is_done() {
    let ended = run("
intent: a
steps: [{ id: each, foreach: [], atom: pure, input: { x: 1 } }]
");
    assert_eq!(ended.output(), json!([]));
}

#[test]
fn a_failing_item_fails_the_loop_or_is_collected() {
    let intent = |mode: &str| {
        format!(
            "
intent: a
steps:
  - {{ id: each, foreach: [1, 2, 3], on_item_error: {mode}, atom: pure, input: {{ x: '{{{{ item }}}}' }} }}
  - {{ id: after, atom: pure, input: {{ x: '{{{{ steps.each.output }}}}' }} }}
"
        )
    };
    let world = |call: &Call| match call.input["x"].as_i64() {
        Some(2) => Err(Failure::permanent("odd", "two is bad")),
        _ => echo(call),
    };
    let failed = Run::new(&intent("fail"), json!({})).end(world);
    assert_eq!(failed.error(), "step `each[1]`: two is bad");
    assert_eq!(failed.view.failed_step.as_deref(), Some("each"));
    assert_eq!(failed.status("after"), "cancelled");
    assert_eq!(failed.run.calls.len(), 2, "the third item must not start");

    let collected = Run::new(&intent("collect"), json!({})).end(world).output();
    assert_eq!(collected[0], json!(1));
    assert_eq!(collected[1]["error"]["code"], json!("odd"));
    assert_eq!(collected[2], json!(3));
}

#[test]
fn groups_and_parallel_run_inside_and_are_seen_from_outside() {
    let ended = run("
intent: a
steps:
  - id: g
    steps:
      - { id: in1, atom: pure, input: { x: 1 } }
      - id: p
        parallel:
          - { id: p1, atom: pure, input: { x: 2 } }
          - { id: p2, atom: pure, input: { x: 3 } }
output: { inner: '{{ steps.p1.output + steps.p2.output }}', group: '{{ steps.g.output }}' }
");
    assert_eq!(
        ended.output(),
        json!({ "inner": 5, "group": { "in1": 1, "p": { "p1": 2, "p2": 3 } } })
    );
    assert_eq!(ended.run.most, 2);
}

#[test]
fn a_step_is_tried_again_as_often_as_asked_with_growing_pauses() {
    let intent = "
intent: a
steps:
  - { id: s, atom: act, retry: { attempts: 3, delay: 1s, jitter: false }, input: { x: 5 } }
";
    let mut failures = 0;
    let ended = Run::new(intent, json!({})).end(|call| {
        failures += 1;
        if failures < 3 { Err(Failure::transient("busy", "busy")) } else { echo(call) }
    });
    assert_eq!(ended.output(), json!(5));
    assert_eq!(ended.view.steps[0].attempts, 3);
    assert_eq!(ended.run.now, START.plus(Millis(3000)), "1 s, then 2 s");
    let keys: BTreeSet<&String> = ended.run.calls.iter().collect();
    assert_eq!(keys.len(), 3);
}

#[test]
fn a_group_is_tried_again_as_a_whole() {
    let intent = "
intent: a
steps:
  - id: g
    retry: { attempts: 2, delay: 1s }
    steps:
      - { id: one, atom: pure, input: { x: 1 } }
      - { id: two, atom: pure, input: { x: 2 } }
";
    let mut calls = 0;
    let ended = Run::new(intent, json!({})).end(|call| {
        calls += 1;
        if calls == 2 { Err(Failure::transient("busy", "busy")) } else { echo(call) }
    });
    assert_eq!(ended.output(), json!({ "one": 1, "two": 2 }));
    assert_eq!(ended.run.calls, ["one#1", "two#1", "one#1", "two#1"]);
}

#[test]
fn an_error_that_is_allowed_is_seen_by_the_next_steps() {
    let intent = "
intent: a
steps:
  - { id: s, atom: act, on_error: continue, input: { x: 5 } }
  - { id: t, atom: pure, input: { x: '{{ steps.s.status }}: {{ steps.s.error.code }}' } }
";
    let ended = Run::new(intent, json!({})).end(|call| match &*call.place.step {
        "s" => Err(Failure::permanent("no", "no")),
        _ => echo(call),
    });
    assert_eq!(ended.output(), json!("failed: no"));
    assert_eq!(ended.status("s"), "failed");
}

#[test]
fn a_failure_stops_what_runs_beside_it() {
    let intent = "
intent: a
steps:
  - { id: bad, needs: [], atom: act, input: { x: 1 } }
  - { id: slow, needs: [], atom: act, input: { x: 2 } }
  - { id: never, needs: [slow], atom: act, input: { x: 3 } }
";
    let ended = Run::new(intent, json!({})).end(|call| match &*call.place.step {
        "bad" => Err(Failure::permanent("no", "it cannot be")),
        _ => echo(call),
    });
    assert_eq!(ended.view.summary.status, Status::Failed);
    assert_eq!(ended.error(), "it cannot be");
    assert_eq!((ended.status("slow"), ended.status("never")), ("cancelled", "cancelled"));
    assert!(ended.run.waiting.is_empty(), "the slow call is aborted");
}

#[test]
fn output_reshapes_what_a_step_gave() {
    let ended = run("
intent: a
steps:
  - { id: s, atom: pure, input: { x: { deep: { n: 4 } } }, output: { twice: '{{ response.deep.n * 2 }}' } }
  - { id: each, foreach: [1, 2], atom: pure, input: { x: '{{ item }}' }, output: '{{ response + 1 }}' }
output: { s: '{{ steps.s.output.twice }}', each: '{{ steps.each.output }}' }
");
    assert_eq!(ended.output(), json!({ "s": 8, "each": [2, 3] }));
}

#[test]
fn undefined_values_end_the_step_with_the_names_that_exist() {
    let ended = run("
intent: a
steps:
  - { id: one, atom: pure, input: { x: { name: 1 } } }
  - { id: two, atom: pure, input: { x: '{{ steps.one.output.nmae }}' } }
");
    assert_eq!(
        ended.error(),
        "`steps.one.output.nmae` is undefined: there is no `nmae`, but there is `name`"
    );
    assert_eq!(ended.view.failed_step.as_deref(), Some("two"));
}

#[test]
fn a_container_that_takes_too_long_fails_and_its_steps_stop() {
    let intent = "
intent: a
steps:
  - id: g
    timeout: 5s
    steps: [{ id: s, atom: act, retry: { attempts: 100, delay: 3s, backoff: constant, jitter: false }, input: { x: 1 } }]
";
    let ended = Run::new(intent, json!({})).end(|_| Err(Failure::transient("busy", "busy")));
    assert_eq!(ended.error(), "not done within 5s");
    assert_eq!(ended.run.now, START.plus(Millis(5000)));
}

#[test]
fn an_execution_that_takes_too_long_says_which_step_it_was() {
    let intent = "
intent: a
limits: { timeout: 10s }
steps: [{ id: s, atom: act, retry: { attempts: 100, delay: 60s, backoff: constant, jitter: false }, input: { x: 1 } }]
";
    let ended = Run::new(intent, json!({})).end(|_| Err(Failure::transient("busy", "busy")));
    assert_eq!(ended.error(), "the execution was not done within 10s");
    assert_eq!(ended.run.now, START.plus(Millis(10_000)));
}

#[test]
fn cancelling_stops_everything_and_is_final() {
    let mut run = Run::new(
        "
intent: a
steps: [{ id: s, atom: act, input: { x: 1 } }, { id: t, atom: act, input: { x: 1 } }]
",
        json!({}),
    );
    let (late, _) = run.waiting[0].clone();
    run.give(Input::Cancel { reason: "enough".into() });
    assert_eq!(run.execution.status(), Status::Cancelled);
    assert!(run.waiting.is_empty());
    let before = run.events.len();
    let result = Ok(Answer { output: json!(1), isolation: None });
    run.give(Input::Answered { call: late, result, us: 1, lock: None });
    run.give(Input::Cancel { reason: "again".into() });
    assert_eq!(run.events.len(), before, "what comes late changes nothing");
}

#[test]
fn after_a_crash_a_call_of_unknown_outcome_is_settled_by_its_promise() {
    let intent =
        |atom: &str| format!("intent: a\nsteps: [{{ id: s, atom: {atom}, input: {{ x: 1 }} }}]\n");
    for (atom, again) in [("act", true), ("act_once", false), ("look", true)] {
        let run = Run::new(&intent(atom), json!({}));
        let plan = run.execution.plan().clone();
        let mut back = replay(run.execution.id(), plan, run.events.clone()).unwrap();
        let decision = back.handle(Input::Recover, START);
        let called = decision.actions.iter().any(|action| matches!(action, Action::Call { .. }));
        assert_eq!(called, again, "{atom}");
        if !again {
            let view = back.view();
            assert_eq!(view.error.unwrap().code, "outcome_unknown");
        }
    }
}

#[test]
fn large_outputs_are_refused_with_a_way_out() {
    let ended = Run::new("intent: a\nsteps: [{ id: s, atom: pure, input: { x: 1 } }]\n", json!({}))
        .end(|_| Ok(json!("x".repeat(17 * 1024 * 1024))));
    assert_eq!(ended.view.error.unwrap().code, "output_too_large");
}

#[test]
fn params_are_checked_and_completed() {
    let intent = "
intent: a
input:
  type: object
  properties: { day: { type: string }, limit: { type: integer, default: 10 } }
  required: [day]
steps: [{ id: s, atom: pure, input: { x: '{{ params.limit }}' } }]
";
    let ended = Run::new(intent, json!({ "day": "today" })).end(echo);
    assert_eq!(ended.output(), json!(10));
    let plan = Plan::compile(intent, &Atoms::new()).unwrap();
    let problems = plan.check_params(Some(json!({ "limit": "many" }))).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
}

#[test]
fn names_that_cannot_be_known_are_found_before_the_run() {
    let codes = |steps: &str| -> Vec<&'static str> {
        let intent = format!("intent: a\nsteps:\n{steps}");
        let problems = Plan::compile(&intent, &Atoms::new()).unwrap_err();
        problems.iter().map(|problem| problem.code).collect()
    };
    let cases = [
        (
            "  - { id: a, atom: pure, input: { x: '{{ steps.b.output }}' } }\n  - { id: b, atom: pure }\n",
            "not_yet_known",
        ),
        ("  - { id: a, atom: pure, input: { x: '{{ steps.nope.output }}' } }\n", "unknown_step"),
        ("  - { id: a, atom: pure, input: { x: '{{ steps.a.output }}' } }\n", "not_yet_known"),
        ("  - { id: a, atom: pure, input: { x: '{{ parms.x }}' } }\n", "unknown_name"),
        ("  - { id: a, atom: pure, input: { x: '{{ item }}' } }\n", "unknown_name"),
        ("  - { id: a, atom: pure, input: { x: '{{ 1 + }}' } }\n", "expression_syntax"),
        ("  - { id: a, atom: pure, input: { x: '{{ steps.a' } }\n", "expression_syntax"),
        ("  - { id: a, atom: pure, input: { y: 1 } }\n", "unknown_key"),
        ("  - { id: a, atom: pure, input: { n: text } }\n", "wrong_type"),
        ("  - { id: a, atom: prue }\n", "unknown_atom"),
        ("  - { id: a, atom: pure, needs: [b] }\n", "unknown_step"),
        (
            "  - { id: a, atom: pure, needs: [b] }\n  - { id: b, atom: pure, needs: [a] }\n",
            "needs_circle",
        ),
        ("  - { id: a, atom: pure, needs: [a] }\n", "needs_itself"),
        (
            "  - { id: l, foreach: [1], steps: [{ id: a, atom: pure }] }\n  - { id: b, atom: pure, input: { x: '{{ steps.a.output }}' } }\n",
            "not_yet_known",
        ),
        (
            "  - { id: a, needs: [], atom: pure }\n  - { id: b, needs: [], atom: pure, input: { x: '{{ steps.a.output }}' } }\n",
            "not_yet_known",
        ),
        ("  - { id: a, atom: pure, input: { x: '{{ secrets.KEY }}' } }\n", "not_supported_yet"),
        ("  - { id: a, set: { params: 1 } }\n", "bad_name"),
        ("  - { id: a, atom: pure, input: { x: '{{ steps.a.outptu }}' } }\n", "not_yet_known"),
    ];
    for (steps, code) in cases {
        assert_eq!(codes(steps), [code], "{steps}");
    }
}

#[test]
fn an_endless_expression_ends() {
    let ended = run("
intent: a
steps:
  - { id: s, atom: pure, input: { x: '{{ range(100000) | map(\"string\") | join(\",\") | replace(\"1\", \"2222222222222\" * 1000) | length }}' } }
");
    assert_eq!(ended.view.summary.status, Status::Failed, "{:?}", ended.view.output);
}

#[test]
fn a_script_with_the_network_counts_as_a_step_that_writes() {
    let gated = |grants: &str| {
        let text = format!("intent: a\n{grants}steps: [{{ id: s, atom: pure, input: {{}} }}]");
        let mut run = Run::new(&text, json!({}));
        let calling = run.events.iter().any(|event| matches!(event, Event::Calling { .. }));
        (calling, run.execution.handle(Input::Recover, START))
    };
    let network = "grants: { http: [\"https://a.test\"], script: { network: true } }\n";
    assert!(!gated("").0);
    assert!(!gated("grants: { http: [\"https://a.test\"] }\n").0);
    let (calling, recovered) = gated(network);
    assert!(calling);
    // Nobody knows what it had done.
    let again = recovered.actions.iter().any(|action| matches!(action, Action::Call { .. }));
    assert!(!again, "{:?}", recovered.actions);
    let text = format!("{:?}", recovered.events);
    assert!(text.contains("outcome_unknown"), "{text}");
}
