//! Functions on the hot path, one by one: compiling, one whole execution, encoding, replay.

use criterion::{Criterion, criterion_group, criterion_main};
use jalm_kernel::ids::{ExecutionId, Timestamp};
use jalm_kernel::machine::{
    Action, Event, Execution, Input, JOURNAL_FORMAT, Submitted, decode, encode, replay,
};
use jalm_kernel::plan::Plan;
use jalm_kernel::ports::Answer;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_764_000_000_000);

/// Ten steps in sequence, each with the output of the one before.
fn source() -> String {
    let step = |n: u32| {
        let data = match n {
            1 => "{{ params.n }}".to_owned(),
            _ => format!("{{{{ steps.s{}.output.data }}}}", n - 1),
        };
        json!({ "id": format!("s{n}"), "atom": "render_json", "input": { "data": data } })
    };
    json!({ "intent": "bench", "steps": (1..=10).map(step).collect::<Vec<Value>>() }).to_string()
}

fn submitted(plan: &Plan) -> Submitted {
    Submitted {
        format: JOURNAL_FORMAT,
        at: NOW,
        intent: plan.name.clone(),
        version: plan.version.clone(),
        plan: plan.hash,
        params: plan.check_params(Some(json!({ "n": 1 }))).expect("the params fit"),
        env: std::collections::BTreeMap::new(),
        key: None,
        timeout: None,
    }
}

/// Runs to the end, answering each call with its own input; gives all events.
fn run(plan: &Arc<Plan>) -> Vec<Event> {
    let submitted = submitted(plan);
    let mut events = vec![Event::Submitted(submitted.clone())];
    let mut execution = Execution::new(ExecutionId(uuid::Uuid::nil()), plan.clone(), submitted);
    let mut inputs = VecDeque::from([Input::Start]);
    while let Some(input) = inputs.pop_front() {
        let decision = execution.handle(input, NOW);
        events.extend(decision.events);
        for action in decision.actions {
            if let Action::Call { id, call, .. } = action {
                let result = Ok(Answer { output: call.input, isolation: None });
                inputs.push_back(Input::Answered { call: id, result, us: 1, lock: None });
            }
        }
        if decision.more {
            inputs.push_back(Input::Continue);
        }
    }
    events
}

fn kernel(criterion: &mut Criterion) {
    let source = source();
    let plan =
        Arc::new(Plan::compile(&source, jalm_layers::catalog()).expect("the intent is good"));
    let events = run(&plan);
    assert!(events.last().is_some_and(Event::is_end), "the execution ends");
    let bytes = encode(&events);
    criterion.bench_function("compile, 10 steps", |bench| {
        bench.iter(|| Plan::compile(black_box(&source), jalm_layers::catalog()));
    });
    criterion.bench_function("execution, 10 steps", |bench| bench.iter(|| run(black_box(&plan))));
    criterion
        .bench_function("encode its events", |bench| bench.iter(|| encode(black_box(&events))));
    criterion.bench_function("decode its events", |bench| bench.iter(|| decode(black_box(&bytes))));
    criterion.bench_function("replay its events", |bench| {
        bench.iter(|| {
            let events = decode(&bytes).expect("they were just encoded");
            replay(ExecutionId(uuid::Uuid::nil()), plan.clone(), events).expect("they fit")
        });
    });
}

criterion_group!(benches, kernel);
criterion_main!(benches);
