//! Very many at once.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::failure::Failure;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::Journal;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Reply, Script, World, output, submission, until};

const SLEEPERS: usize = 20_000;

/// No task, no call, no permit: a sleeping execution is an entry in two tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_executions_sleep_in_a_pause_and_none_holds_a_task() {
    let world = World::new(Script::new(|call| match call.attempt {
        1 => Reply::Fail(Failure::transient("busy", "busy")),
        _ => Reply::Echo,
    }));
    let source = "
intent: sleeper
steps:
  - { id: p, set: { x: 1 } }
  - { id: s, atom: look, input: { x: 2 }, retry: { attempts: 2, delay: 1h } }
";
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut ids = Vec::with_capacity(SLEEPERS);
    for _ in 0..SLEEPERS {
        ids.push(world.engine.submit(submission(source)).await.unwrap().id);
    }
    let stats = world.engine.stats();
    assert_eq!((stats.in_flight, stats.calls_running), (SLEEPERS as u64, 0));
    assert_eq!(stats.timers, 2 * SLEEPERS as u64, "a pause and a deadline each");
    until("no task is left", || tasks() <= before).await;
    // Each can be stopped, and the rest goes on sleeping in the next process.
    for id in ids.iter().step_by(100) {
        world.engine.cancel(*id, "enough").await.unwrap();
    }
    let left = SLEEPERS - SLEEPERS / 100;
    assert_eq!(world.engine.stats().timers, 2 * left as u64);
    let world = world.crash().await;
    assert_eq!(world.engine.resume_unfinished().await.unwrap(), left);
    assert_eq!(world.engine.stats().timers, 2 * left as u64);
    assert_eq!(world.script.count(), SLEEPERS, "a sleeper was called before its time");
    assert_eq!(world.store.unfinished().await.unwrap().len(), left);
}

/// Pauses end at about the same time; nobody is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_wake_together_and_all_end() {
    let world = World::new(Script::new(|call| match call.attempt {
        1 => Reply::Fail(Failure::transient("busy", "busy")),
        _ => Reply::Echo,
    }));
    let source = "intent: a\nsteps: [{ id: s, atom: act, input: { x: 1 }, retry: { attempts: 2, delay: 200ms, backoff: constant, jitter: false } }]\n";
    let mut ids = Vec::new();
    for _ in 0..3000 {
        ids.push(world.engine.submit(submission(source)).await.unwrap().id);
    }
    for id in ids {
        assert_eq!(output(&world.end(id).await), json!(1));
    }
    until("nothing is left", || {
        let stats = world.engine.stats();
        (stats.in_flight, stats.timers, stats.calls_running) == (0, 0, 0)
    })
    .await;
}

/// Everything at once, on several threads, over a store whose flushes come late and in lumps: no
/// wake-up may be lost between a gate that closes and a flush that opens it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_gate_stays_shut_when_flushes_and_drives_race() {
    let world = World::new(Script::new(|call| match call.place.items.first() {
        Some(item) if item % 3 == 0 => Reply::Later,
        _ => Reply::Echo,
    }));
    world.store.hold();
    let store = world.store.clone();
    let running = std::sync::Arc::new(AtomicUsize::new(300));
    let left = running.clone();
    // A thread of its own, as the real writer is.
    let flusher = std::thread::spawn(move || {
        while left.load(Ordering::SeqCst) > 0 {
            let lump = store.waiting().min(7);
            (0..lump).for_each(|_| {
                store.flush_one();
            });
            std::thread::yield_now();
        }
        store.let_go();
    });
    let source = "
intent: a
steps:
  - { id: f, foreach: [1, 2, 3, 4, 5, 6], concurrency: 3, steps: [{ id: p, atom: pure, input: { x: '{{ item }}' } }, { id: w, atom: act, input: { x: '{{ item }}' } }] }
  - { id: q, parallel: [{ id: r, atom: act }, { id: t, atom: look }] }
output: '{{ steps.f.output | length }}'
";
    let runs = (0..300).map(|_| {
        let (engine, running) = (world.engine.clone(), running.clone());
        tokio::spawn(async move {
            let waited = engine.run(submission(source), std::time::Duration::from_mins(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            waited
        })
    });
    for run in futures_util::future::join_all(runs).await {
        let jalm_scheduler::Waited::Ended(view) = run.unwrap().unwrap() else {
            panic!("an execution stands still")
        };
        assert_eq!(view.summary.status, Status::Completed);
    }
    flusher.join().unwrap();
    assert_eq!(world.script.count(), 300 * 14);
}
