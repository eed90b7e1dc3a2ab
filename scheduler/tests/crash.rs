//! The engine itself under crashes: random intents over a store whose flushes come when chance
//! wants, and a process that dies when chance wants. It ends as without crashes, and each effect
//! was known to the disk before it began. (The kernel's own simulation has many more cases; this
//! one has the real gates, tasks and timers.)
//!
//! `JALM_SIM_SEED=17` runs one case, `JALM_SIM_CASES=5000` a soak.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::failure::Failure;
use jalm_kernel::machine::{Event, Status, View, decode};
use jalm_kernel::ports::{Call, Journal};
use jalm_scheduler::{Options, Waited};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::kernel::intents::Writer;
use support::kernel::{Chance, hash};
use support::{HeldStore, Reply, Script, World, keyed, soon, submission};

const CASES: u64 = 150;

/// The answer depends on the place and the attempt alone.
fn script(faults: u64, seen: Option<Arc<Mutex<Arc<HeldStore>>>>) -> Arc<Script> {
    Script::new(move |call| {
        if let Some(store) = &seen {
            check_gate(&store.lock().unwrap().clone(), call);
        }
        let dice = hash(&[&call.place.to_string(), &call.attempt.to_string(), call.atom]);
        match dice % 100 {
            dice if dice < faults / 2 => Reply::Fail(Failure::transient("busy", "busy")),
            dice if dice < faults => Reply::Fail(Failure::permanent("wrong", "no")),
            dice if dice % 2 == 0 => Reply::Later,
            _ => Reply::Now(json!({ "saw": call.input["x"] })),
        }
    })
}

/// When an effect begins, the disk knows of it. The memory store answers at the first poll.
fn check_gate(store: &HeldStore, call: &Call) {
    use futures_util::FutureExt;
    if !call.atom.starts_with("act") {
        return;
    }
    let records = store.records(call.execution, 0).now_or_never().expect("at once").unwrap();
    let known = records.iter().flat_map(|record| decode(&record.record).unwrap()).any(|event| {
        matches!(event, Event::Calling { place, n, .. } if place == call.place && n == call.attempt)
    });
    assert!(known, "the effect of {} begins before its gate", call.place);
}

fn seen(view: &View) -> Value {
    let steps: Vec<Value> = view
        .steps
        .iter()
        .map(|step| json!([&*step.id, step.status, step.output, step.attempts]))
        .collect();
    json!([view.summary.status, view.output, steps])
}

async fn case(seed: u64) {
    let mut chance = Chance::new(seed);
    let mut intent = Writer::new(&mut chance, false).intent();
    quicken(&mut intent);
    let source = intent.to_string();
    let faults = [0, 0, 15, 40][chance.below(4)];
    let calm = World::new(script(faults, None)).run(&source).await;

    let store = Arc::new(Mutex::new(HeldStore::new()));
    let first = store.lock().unwrap().clone();
    let mut world = World::with(first, script(faults, Some(store.clone())), Options::default());
    world.store.hold();
    // The caller submits under a key until it has a receipt, over all crashes.
    let mut receipt = None;
    let mut crashes = 0;
    let after = loop {
        let engine = world.engine.clone();
        let text = source.clone();
        let run =
            tokio::spawn(
                async move { engine.run(keyed(&text, "once"), Duration::from_mins(1)).await },
            );
        let mut died = false;
        for turn in 0_u32.. {
            match chance.below(10) {
                0..5 => {
                    world.store.flush_one();
                }
                5 if crashes < 6 && chance.percent(30) => {
                    died = true;
                    break;
                }
                _ => {}
            }
            if run.is_finished() {
                break;
            }
            if turn % 50 == 49 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
        if !died {
            let Waited::Ended(view) = soon("an end", run).await.unwrap().unwrap() else {
                panic!("it stands still: {intent:#}")
            };
            break *view;
        }
        crashes += 1;
        run.abort();
        // What was promised to somebody must be there after the crash.
        if let Ok(Ok(Waited::Ended(view))) = run.await {
            receipt = Some(view.summary.execution_id);
        }
        world = world.crash().await;
        world.store.hold();
        *store.lock().unwrap() = world.store.clone();
        if let Some(id) = receipt {
            assert!(world.engine.view(id).await.unwrap().unwrap().summary.status.is_end());
        }
        world.engine.resume_unfinished().await.unwrap();
    };
    let all = jalm_kernel::ports::Filter { limit: 9, ..Default::default() };
    assert_eq!(world.engine.list(all).await.unwrap().len(), 1, "one key, one execution");
    if let Some(id) = receipt {
        assert_eq!(after.summary.execution_id, id);
    }
    let text = source.as_str();
    let race = ["\"needs\"", "\"parallel\"", "\"concurrency\":2", "\"concurrency\":3"]
        .iter()
        .any(|sign| text.contains(sign));
    if faults > 0 && race {
        assert_eq!(after.summary.status, calm.summary.status, "{intent:#}");
    } else {
        assert_eq!(
            seen(&after),
            seen(&calm),
            "{intent:#}\n{:#?}",
            world.journal(after.summary.execution_id).await
        );
    }
    world.store.let_go();
    soon("the shutdown", world.engine.shutdown(Duration::ZERO)).await;
    assert_eq!(world.script.alive(), 0);
}

/// Real time passes here: pauses are short.
fn quicken(intent: &mut Value) {
    match intent {
        Value::Object(entries) => {
            if entries.contains_key("delay") {
                entries.insert("delay".to_owned(), json!("1ms"));
            }
            entries.values_mut().for_each(quicken);
        }
        Value::Array(items) => items.iter_mut().for_each(quicken),
        _ => {}
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn the_engine_ends_what_it_promised_however_often_it_dies() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(seed) = number("JALM_SIM_SEED") {
        return runtime().block_on(case(seed));
    }
    for seed in 0..number("JALM_SIM_CASES").unwrap_or(CASES) {
        let run = std::panic::AssertUnwindSafe(|| runtime().block_on(case(seed)));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("replay with JALM_SIM_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[tokio::test]
async fn an_ended_execution_is_not_taken_up_again() {
    let world = World::new(script(0, None));
    let view = world.run("intent: a\nsteps: [{ id: s, atom: act }]\n").await;
    let world = world.crash().await;
    assert_eq!(world.engine.resume_unfinished().await.unwrap(), 0);
    assert!(!world.engine.resume(view.summary.execution_id).await.unwrap());
    assert_eq!(
        world.engine.view(view.summary.execution_id).await.unwrap().unwrap().summary.status,
        Status::Completed
    );
    let id = world
        .engine
        .submit(submission("intent: a\nsteps: [{ id: s, atom: act }]\n"))
        .await
        .unwrap()
        .id;
    assert_ne!(id, view.summary.execution_id);
}
