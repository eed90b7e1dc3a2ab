//! Where bytes from outside enter the kernel, each as one function over bytes that panics when a
//! promise is broken. The fuzz targets (`fuzz/`) and this crate's own smoke test run the same.

use super::Atoms;
use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::machine::{
    Action, Event, Execution, Input, JOURNAL_FORMAT, Submitted, decode, encode, replay,
};
use jalm_kernel::plan::Plan;
use jalm_kernel::ports::Answer;
use jalm_kernel::source::Problem;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An entry: its name is that of its folder of seeds and of its fuzz target.
pub(crate) type Entry = (&'static str, fn(&[u8]));

pub(crate) const ENTRIES: [Entry; 4] =
    [("intent", intent), ("expression", expression), ("params", params), ("journal", journal)];

/// An intent, YAML or JSON: compiles, or has problems that can be shown.
pub(crate) fn intent(bytes: &[u8]) {
    let Ok(source) = std::str::from_utf8(bytes) else { return };
    match Plan::compile(source, &Atoms::new()) {
        Ok(plan) => {
            plan.describe();
            run(Arc::new(plan), json!({}));
        }
        Err(problems) => {
            assert!(problems.iter().any(|problem| !problem.warning), "refused without a reason");
            show(&problems, source);
        }
    }
}

/// An expression over a little data of every kind: has a value or fails.
pub(crate) fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let intent = json!({
        "intent": "fuzzed",
        "context": {
            "n": 7, "f": 2.5, "t": "text é 😀", "e": "", "yes": true, "nothing": null,
            "list": [3, 1, 2, "x", null], "map": { "a": 1, "b c": [1, { "d": "e" }] },
            "rows": [{ "k": "a", "v": 1 }, { "k": "b", "v": 2 }, { "k": "a", "v": -3.5 }],
        },
        "steps": [
            { "id": "s", "set": { "x": [1, "two", { "three": 3 }] } },
            { "id": "l", "foreach": "{{ context.list }}", "on_error": "continue",
              "set": { "looped": format!("{{{{ {text} }}}}") } },
            { "id": "w", "when": format!("{{{{ {text} }}}}"), "on_error": "continue",
              "set": { "y": 1 } },
            { "id": "v", "set": { "value": format!("{{{{ {text} }}}}"), "inside": format!("a {{{{ {text} }}}} b") } },
        ],
    });
    if let Ok(plan) = Plan::compile(&intent.to_string(), &Atoms::new()) {
        run(Arc::new(plan), json!({}));
    }
}

/// A schema and params, with a line of three dashes between them: what is accepted stays accepted
/// and unchanged.
pub(crate) fn params(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (schema, params) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return };
    let source =
        json!({ "intent": "fuzzed", "input": schema, "steps": [{ "id": "s", "atom": "pure" }] });
    let source = source.to_string();
    let plan = match Plan::compile(&source, &Atoms::new()) {
        Ok(plan) => plan,
        Err(problems) => return show(&problems, &source),
    };
    let Ok(given) = serde_json::from_str::<Value>(params) else { return };
    match plan.check_params(Some(given)) {
        Ok(checked) => {
            let again = plan.check_params(Some((*checked).clone()));
            assert_eq!(again.as_ref(), Ok(&checked), "accepted once, and then not");
        }
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|it| !it.message.is_empty()));
        }
    }
}

/// A journal record: is decoded to events that encode to the same, or refused; events that fold
/// give a state that can be shown and gone on with.
pub(crate) fn journal(bytes: &[u8]) {
    let Ok(events) = decode(bytes) else { return };
    let text = encode(&events);
    assert_eq!(decode(&text).as_ref(), Ok(&events), "what was decoded does not come back");
    let plan = Arc::new(Plan::compile(JOURNAL_INTENT, &Atoms::new()).expect("it is a good one"));
    let Ok(mut execution) = replay(ID, plan.clone(), events.clone()) else { return };
    assert_eq!(execution.event_count(), events.len() as u64);
    let shown = execution.view();
    assert_eq!(replay(ID, plan, events).map(|it| it.view()), Ok(shown));
    finish(&mut execution, Input::Recover, Vec::new());
}

/// What the journals of the entry `journal` are about: every form, loops in loops.
pub(crate) const JOURNAL_INTENT: &str = r#"{
    "intent": "journalled",
    "steps": [
        { "id": "a", "atom": "act", "input": { "x": 1 }, "retry": { "attempts": 3 } },
        { "id": "b", "atom": "act_once", "needs": [] },
        { "id": "g", "needs": ["a"], "retry": { "attempts": 2 }, "timeout": "1m", "steps": [
            { "id": "p", "atom": "pure", "on_error": "continue" },
            { "id": "q", "parallel": [{ "id": "r", "atom": "look" }, { "id": "v", "set": { "w": 1 } }] }
        ] },
        { "id": "l", "foreach": [1, 2, 3], "concurrency": 2, "on_item_error": "collect", "steps": [
            { "id": "m", "foreach": "{{ [item, index] }}", "atom": "act", "input": { "x": "{{ item }}" } }
        ] }
    ]
}"#;

const ID: ExecutionId = ExecutionId(uuid::Uuid::from_u128(1));
const START: Timestamp = Timestamp(1_700_000_000_000);

fn show(problems: &[Problem], source: &str) {
    for problem in problems {
        assert!(!problem.message.is_empty() && !problem.code.is_empty());
    }
    assert!(!jalm_kernel::source::render("fuzzed.yaml", source, problems, false).is_empty());
}

fn run(plan: Arc<Plan>, params: Value) {
    let Ok(params) = plan.check_params(Some(params)) else { return };
    let submitted = Submitted {
        format: JOURNAL_FORMAT,
        at: START,
        intent: plan.name.clone(),
        version: None,
        plan: plan.hash,
        params,
        env: BTreeMap::new(),
        key: None,
        timeout: None,
    };
    let events = vec![Event::Submitted(submitted.clone())];
    let mut execution = Execution::new(ID, plan, submitted);
    finish(&mut execution, Input::Start, events);
}

/// Answers calls and lets timers come until it ends, at most so many times; `events` is the whole
/// journal so far, or empty when it is not known. What was recorded must come back by a replay.
fn finish(execution: &mut Execution, input: Input, mut events: Vec<Event>) {
    let whole = !events.is_empty();
    let (mut inputs, mut timers, mut now) = (vec![input], Vec::new(), START);
    for _ in 0..300 {
        let Some(input) = inputs.pop().or_else(|| {
            let (at, timer) = timers.pop()?;
            now = now.max(at);
            Some(Input::Due(timer))
        }) else {
            break;
        };
        let decision = execution.handle(input, now);
        events.extend(decision.events);
        for action in decision.actions {
            match action {
                Action::Call { id, call, .. } => {
                    let result = Ok(Answer { output: call.input, isolation: None });
                    inputs.push(Input::Answered { call: id, result, us: 1, lock: None });
                }
                Action::Timer(at, timer) => timers.push((at, timer)),
                Action::Abort(_) => {}
            }
        }
        if decision.more {
            inputs.push(Input::Continue);
        }
    }
    let decoded = decode(&encode(&events));
    assert_eq!(decoded.as_ref(), Ok(&events), "what is recorded cannot be read back");
    if whole && execution.status().is_end() {
        let again = replay(ID, execution.plan().clone(), events).map(|it| it.view());
        assert_eq!(again, Ok(execution.view()), "a replay shows something else");
    }
}
