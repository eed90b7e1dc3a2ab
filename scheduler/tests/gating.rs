//! Gated output (DESIGN §4): nothing outside notices what is not durable.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::failure::Failure;
use jalm_kernel::machine::{Event, Status};
use jalm_kernel::ports::Journal;
use jalm_scheduler::{SubmitError, Waited};
use serde_json::json;
use std::time::Duration;
use support::{Reply, Script, World, keyed, output, soon, submission, until};

const PURE_THEN_WRITE: &str = "
intent: a
steps:
  - { id: p, atom: pure, input: { x: 1 } }
  - { id: l, atom: look, input: { x: 2 } }
  - { id: w, atom: act, input: { x: '{{ steps.p.output + steps.l.output }}' } }
  - { id: q, atom: pure, input: { x: '{{ steps.w.output }}' } }
";

#[tokio::test]
async fn steps_without_effects_run_ahead_and_a_write_waits_for_all_before_it_and_its_own_start() {
    let world = World::new(Script::echo());
    world.store.hold();
    let engine = world.engine.clone();
    let run = tokio::spawn(async move {
        engine.run(submission(PURE_THEN_WRITE), Duration::from_mins(1)).await
    });
    world.script.wait_for("l#1").await;
    until("the first record", || world.store.waiting() == 1).await;
    // Everything up to the gate is one record; nothing can move before it is durable.
    assert_eq!(world.script.started(), ["p#1", "l#1"]);
    world.store.flush_one();
    world.script.wait_for("w#1").await;
    let id = world.store.unfinished().await.unwrap()[0];
    let durable = world.journal(id).await;
    assert!(
        matches!(durable.last(), Some(Event::Calling { place, .. }) if &*place.step == "w"),
        "{durable:#?}"
    );
    until("the record behind the write", || world.store.waiting() == 1).await;
    assert!(!run.is_finished(), "an end is shown that is not durable");
    world.store.let_go();
    let Waited::Ended(view) = soon("the end", run).await.unwrap().unwrap() else {
        panic!("runs on")
    };
    assert_eq!(output(&view), json!(3));
    assert_eq!(world.script.started(), ["p#1", "l#1", "w#1", "q#1"]);
}

#[tokio::test]
async fn of_two_writes_the_second_waits_for_the_record_of_the_first() {
    let world = World::new(Script::echo());
    let source = "intent: a\nsteps: [{ id: v, atom: act }, { id: w, atom: act }]\n";
    world.store.hold();
    let engine = world.engine.clone();
    let receipt = tokio::spawn(async move { engine.submit(submission(source)).await });
    for (flushes, started) in [(0, 0), (1, 1), (2, 2)] {
        until("a record", || world.store.waiting() == 1).await;
        assert_eq!(world.script.count(), started, "after {flushes} flushes");
        world.store.flush_one();
    }
    let receipt = receipt.await.unwrap().unwrap();
    assert_eq!(world.end(receipt.id).await.summary.status, Status::Completed);
}

#[tokio::test]
async fn writes_beside_each_other_go_through_one_gate() {
    let world = World::new(Script::new(|_| Reply::Held));
    let source =
        "intent: a\nsteps: [{ id: f, foreach: [1, 2, 3, 4], concurrency: 4, atom: act }]\n";
    world.store.hold();
    let engine = world.engine.clone();
    let receipt = tokio::spawn(async move { engine.submit(submission(source)).await });
    until("a record", || world.store.waiting() == 1).await;
    assert_eq!(world.script.count(), 0);
    world.store.let_go();
    world.script.wait_for_calls(4).await;
    world.script.let_go(4);
    let id = receipt.await.unwrap().unwrap().id;
    assert_eq!(world.end(id).await.summary.status, Status::Completed);
}

#[tokio::test]
async fn nothing_is_shown_of_a_submission_before_it_is_durable() {
    let world = World::new(Script::echo());
    world.store.hold();
    let engine = world.engine.clone();
    let submit = tokio::spawn(async move { engine.submit(keyed(PURE_THEN_WRITE, "k")).await });
    until("the first record", || world.store.waiting() == 1).await;
    // The same key may not answer with an execution that a crash takes back.
    let engine = world.engine.clone();
    let again = tokio::spawn(async move { engine.submit(keyed(PURE_THEN_WRITE, "k")).await });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!submit.is_finished() && !again.is_finished());
    assert_eq!(
        world
            .engine
            .list(jalm_kernel::ports::Filter { limit: 9, ..Default::default() })
            .await
            .unwrap(),
        []
    );
    world.store.flush_one();
    let first = soon("a receipt", submit).await.unwrap().unwrap();
    let second = soon("a receipt", again).await.unwrap().unwrap();
    assert_eq!((first.id, first.existing, second.existing), (second.id, false, true));
    // What is shown is what is durable, though more is known.
    until("the record of the write", || world.store.waiting() == 1).await;
    let view = world.engine.view(first.id).await.unwrap().unwrap();
    let status = |step: usize| view.steps[step].status.name();
    assert_eq!((status(1), status(2), status(3)), ("completed", "running", "pending"));
    let watch = world.engine.watch(first.id).expect("it runs here");
    assert_eq!(*watch.borrow(), world.journal(first.id).await.len() as u64);
    world.store.let_go();
    world.end(first.id).await;
}

#[tokio::test]
async fn a_run_that_waits_no_longer_still_answers_only_what_is_durable() {
    let world = World::new(Script::new(|_| Reply::Held));
    world.store.hold();
    let engine = world.engine.clone();
    let run =
        tokio::spawn(async move { engine.run(submission(PURE_THEN_WRITE), Duration::ZERO).await });
    until("the first record", || world.store.waiting() == 1).await;
    assert!(!run.is_finished());
    world.store.let_go();
    assert!(matches!(soon("an answer", run).await.unwrap(), Ok(Waited::Running(_))));
}

#[tokio::test]
async fn an_execution_runs_ahead_of_the_disk_only_so_far() {
    let world = World::new(Script::echo());
    let source = "
intent: a
steps: [{ id: f, foreach: '{{ range(30000) | list }}', atom: pure, input: { x: '{{ item }}' } }]
output: '{{ steps.f.output | sum }}'
";
    world.store.hold();
    let engine = world.engine.clone();
    let run =
        tokio::spawn(async move { engine.run(submission(source), Duration::from_mins(1)).await });
    // It stands still when what waits for the disk does not grow any more.
    let mut seen = (0, 0);
    until("a standstill", || {
        std::thread::sleep(Duration::from_millis(20));
        let now = (world.script.count(), world.store.waiting());
        now.0 > 0 && std::mem::replace(&mut seen, now) == now
    })
    .await;
    assert!(world.script.count() < 5000, "{} calls ran ahead", world.script.count());
    // A part of it is durable: it goes on for as much.
    let before = world.script.count();
    while world.store.flush_one() {}
    world.script.wait_for_calls(before + 1000).await;
    world.store.let_go();
    let Waited::Ended(view) = soon("the end", run).await.unwrap().unwrap() else {
        panic!("runs on")
    };
    assert_eq!(output(&view), json!(29999 * 30000 / 2));
    assert_eq!(world.script.count(), 30000);
}

#[tokio::test]
async fn a_store_that_cannot_write_takes_nothing_new_and_loses_nothing_old() {
    let world = World::new(Script::echo());
    world.store.hold();
    let engine = world.engine.clone();
    let old = tokio::spawn(async move { engine.submit(submission(PURE_THEN_WRITE)).await });
    until("the first record", || world.store.waiting() == 1).await;
    world.store.set_health(Some("the disk is full; free some space"));
    let refused = world.engine.submit(submission(PURE_THEN_WRITE)).await.unwrap_err();
    assert!(matches!(&refused, SubmitError::Store(error) if error.to_string().contains("full")));
    assert_eq!(world.engine.stats().in_flight, 1);
    world.store.set_health(None);
    world.store.let_go();
    let id = soon("a receipt", old).await.unwrap().unwrap().id;
    assert_eq!(world.end(id).await.summary.status, Status::Completed);
    world.submit(PURE_THEN_WRITE).await;
}

#[tokio::test]
async fn an_execution_that_the_store_will_never_take_stops_and_says_so() {
    let world = World::new(Script::new(|_| Reply::Held));
    let source = "intent: a\nsteps: [{ id: p, atom: pure }, { id: w, atom: act }]\n";
    let receipt = world.submit(source).await;
    world.script.wait_for("p#1").await;
    let corrupt =
        jalm_kernel::ports::StoreError::Corrupt { message: "refused for ever".to_owned() };
    world.store.refuse(corrupt.clone());
    world.script.let_go(1);
    until("it is given up", || world.engine.stats().in_flight == 0).await;
    until("its timers are gone", || world.engine.stats().timers == 0).await;
    assert_eq!(world.script.times("w#1"), 0, "a write started that was never recorded");
    let cancelled = world.engine.cancel(receipt.id, "no use").await.unwrap_err();
    assert!(cancelled.to_string().contains("refused for ever"), "{cancelled}");
    let new = world.engine.submit(submission(source)).await.unwrap_err();
    assert!(new.to_string().contains("refused for ever"), "{new}");
    assert_eq!(world.engine.stats().in_flight, 0);
}

/// Two gates, one event apart: the flush that opens the first leaves the second shut.
#[tokio::test]
async fn a_gate_waits_for_its_own_event_and_not_for_the_one_before() {
    let world = World::new(Script::new(|call| match (&*call.place.step, call.attempt) {
        ("p", _) => Reply::Held,
        ("b", 1) => Reply::Fail(Failure::transient("busy", "busy")),
        _ => Reply::Echo,
    }));
    let source = "
intent: a
steps:
  - id: both
    parallel:
      - { id: b, atom: act, retry: { attempts: 2, delay: 50ms, jitter: false } }
      - { id: a, steps: [{ id: p, atom: pure }, { id: w, atom: act }] }
";
    let id = world.submit(source).await.id;
    world.script.wait_for("b#1").await;
    until("all is durable", || world.engine.stats().steps_failed == 1).await;
    world.store.hold();
    world.script.let_go(1);
    until("two gates are shut", || world.store.waiting() == 2).await;
    for _ in 0..2 {
        world.store.flush_one();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let durable = world.journal(id).await;
        for (call, step, attempt) in [("w#1", "w", 1), ("b#2", "b", 2)] {
            let known = durable.iter().any(|event| {
                matches!(event, Event::Calling { place, n, .. } if &*place.step == step && *n == attempt)
            });
            assert_eq!(world.script.times(call) > 0, known, "{call}");
        }
    }
    world.store.let_go();
    assert_eq!(world.end(id).await.summary.status, Status::Completed);
}
