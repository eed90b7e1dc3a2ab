//! What becomes of an execution: retries, timeouts, panics, cancels, keys, limits.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::failure::Failure;
use jalm_kernel::ids::{ExecutionId, Millis};
use jalm_kernel::machine::Status;
use jalm_kernel::ports::Journal;
use jalm_scheduler::{CancelError, Options, Submission, SubmitError};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use support::{HeldStore, Reply, Script, World, error, keyed, output, soon, submission, until};

const ONE: &str = "intent: a\nsteps: [{ id: s, atom: pure, input: { x: 1 } }]\n";
const WRITE: &str = "intent: a\nsteps: [{ id: s, atom: act, input: { x: 1 } }]\n";

#[tokio::test]
async fn a_failed_attempt_is_tried_again_under_the_same_key_after_its_pause() {
    let world = World::new(Script::new(|call| match call.attempt {
        1 | 2 => Reply::Fail(Failure::transient("busy", "busy")),
        _ => Reply::Later,
    }));
    let source = "intent: a\nsteps: [{ id: s, atom: act, input: { x: 1 }, retry: { attempts: 3, delay: 1ms } }]\n";
    let view = world.run(source).await;
    assert_eq!((output(&view), view.steps[0].attempts), (json!(1), 3));
    let keys: BTreeSet<String> = world.script.keys().into_iter().collect();
    assert_eq!(world.script.started(), ["s#1", "s#2", "s#3"]);
    assert_eq!(keys, [format!("jalm-{}-s-0", view.summary.execution_id)].into());
    until("no timer is left", || world.engine.stats().timers == 0).await;
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_dropped_and_its_place_is_free_again() {
    let script = Script::new(|call| match &*call.place.step {
        "slow" => Reply::Held,
        _ => Reply::Later,
    });
    let options = Options { max_calls: 1, ..Options::default() };
    let world = World::with(HeldStore::new(), script, options);
    let source = "
intent: a
steps:
  - { id: slow, atom: look, timeout: 20ms, on_error: continue }
  - { id: next, atom: look, input: { x: '{{ steps.slow.error.code }}' } }
";
    assert_eq!(output(&world.run(source).await), json!("timeout"));
    assert_eq!(world.script.alive(), 0);
    assert_eq!(world.engine.stats().calls_running, 0);
}

#[tokio::test]
async fn an_execution_that_takes_too_long_ends_and_its_calls_with_it() {
    let world = World::new(Script::new(|_| Reply::Held));
    let limited = Submission { timeout: Some(Millis(30)), ..submission(WRITE) };
    let id = world.engine.submit(limited).await.unwrap().id;
    let view = world.end(id).await;
    assert_eq!((view.summary.status, error(&view)), (Status::Failed, "timeout"));
    until("the call is dropped", || world.script.alive() == 0).await;
    assert_eq!(world.engine.stats().timers, 0);
}

#[tokio::test]
async fn a_panicking_atom_ends_its_step_only() {
    let world = World::new(Script::new(|call| match call.input["x"].as_str() {
        Some("at once") => Reply::PanicAtOnce,
        Some("at first") => Reply::PanicAtFirst,
        Some("later") => Reply::PanicLater,
        _ => Reply::Later,
    }));
    for atom in ["pure", "act"] {
        for how in ["at once", "at first", "later"] {
            let source = format!(
                "intent: a\nsteps: [{{ id: s, atom: {atom}, on_error: continue, input: {{ x: {how} }} }}, {{ id: t, atom: {atom}, input: {{ x: '{{{{ steps.s.error.code }}}}' }} }}]\n"
            );
            assert_eq!(output(&world.run(&source).await), json!("bug"), "{atom} {how}");
        }
    }
    assert_eq!(world.engine.stats().in_flight, 0);
}

/// The runner may be out of permits, so that the call starts in a task of its own.
#[tokio::test]
async fn a_panic_before_the_first_await_is_noticed_in_a_queued_call_too() {
    let script = Script::new(|call| match &*call.place.step {
        "hold" => Reply::Held,
        _ => Reply::PanicAtOnce,
    });
    let options = Options { max_calls: 1, ..Options::default() };
    let world = World::with(HeldStore::new(), script, options);
    let first = world.submit("intent: a\nsteps: [{ id: hold, atom: pure }]\n").await;
    world.script.wait_for("hold#1").await;
    let second = world.submit("intent: b\nsteps: [{ id: s, atom: pure }]\n").await;
    world.script.let_go(1);
    assert_eq!(world.end(first.id).await.summary.status, Status::Completed);
    assert_eq!(error(&world.end(second.id).await), "bug");
}

#[tokio::test]
async fn no_more_calls_are_out_than_allowed_and_none_is_forgotten() {
    let options = Options { max_calls: 3, ..Options::default() };
    let world = World::with(HeldStore::new(), Script::new(|_| Reply::Later), options);
    let source = "intent: a\nsteps: [{ id: f, foreach: '{{ range(200) | list }}', concurrency: 50, atom: look, input: { x: '{{ item }}' } }]\noutput: '{{ steps.f.output | sum }}'\n";
    let runs = (0..5).map(|_| world.run(source));
    for view in futures_util::future::join_all(runs).await {
        assert_eq!(output(&view), json!(199 * 200 / 2));
    }
    assert!(world.script.most() <= 3, "{} calls were out at once", world.script.most());
}

#[tokio::test]
async fn a_cancel_stops_what_runs_and_is_durable_when_it_returns() {
    let world = World::new(Script::new(|_| Reply::Held));
    for source in [ONE, WRITE] {
        let id = world.submit(source).await.id;
        until("the call is out", || world.script.alive() == 1).await;
        soon("the cancel", world.engine.cancel(id, "not needed any more")).await.unwrap();
        let view = world.engine.view(id).await.unwrap().unwrap();
        assert_eq!(view.summary.status, Status::Cancelled);
        assert_eq!(view.error.unwrap().message, "not needed any more");
        until("the call is dropped", || world.script.alive() == 0).await;
        let again = world.engine.cancel(id, "again").await.unwrap_err();
        assert!(matches!(again, CancelError::Ended(_, Status::Cancelled)), "{again}");
    }
    assert_eq!(world.engine.stats().timers, 0);
    let nobody = ExecutionId("019ab000-0000-7000-8000-000000000000".parse().unwrap());
    let unknown = world.engine.cancel(nobody, "x").await.unwrap_err();
    assert!(matches!(unknown, CancelError::Unknown(_)));
}

#[tokio::test]
async fn a_cancel_ends_a_pause_and_a_wait_for_the_gate() {
    let world = World::new(Script::new(|_| Reply::Fail(Failure::transient("busy", "busy"))));
    let asleep = "intent: a\nsteps: [{ id: s, atom: pure, retry: { attempts: 2, delay: 1h } }]\n";
    let id = world.submit(asleep).await.id;
    until("it sleeps", || world.engine.stats().timers == 2).await;
    soon("the cancel", world.engine.cancel(id, "x")).await.unwrap();
    assert_eq!(world.engine.stats().timers, 0);
    world.store.hold();
    let engine = world.engine.clone();
    let submit = tokio::spawn(async move { engine.submit(submission(WRITE)).await });
    until("the gate is closed", || world.store.waiting() == 1).await;
    world.store.flush_one();
    // The gate is open now, or will be; the cancel and the call race, and one of them wins.
    let id = submit.await.unwrap().unwrap().id;
    let engine = world.engine.clone();
    let cancel = tokio::spawn(async move { engine.cancel(id, "x").await });
    until("records", || world.store.waiting() > 0).await;
    world.store.let_go();
    let cancelled = cancel.await.unwrap().is_ok();
    let status = world.end(id).await.summary.status;
    assert_eq!(cancelled, status == Status::Cancelled, "{status:?}");
}

#[tokio::test]
async fn a_cancel_of_an_execution_that_is_not_taken_up_starts_nothing() {
    for atom in ["act", "pure", "act_once"] {
        let world = World::new(Script::new(|_| Reply::Held));
        let source =
            format!("intent: a\nsteps: [{{ id: s, atom: {atom} }}, {{ id: t, atom: act }}]\n");
        let id = world.submit(&source).await.id;
        world.script.wait_for("s#1").await;
        let world = world.crash().await;
        let before = world.script.count();
        // Two at once: one ends it, the other learns that it has ended, or both ended it.
        let (first, second) =
            tokio::join!(world.engine.cancel(id, "x"), world.engine.cancel(id, "y"));
        for result in [first, second] {
            match result {
                Ok(()) | Err(CancelError::Ended(_, Status::Cancelled)) => {}
                Err(error) => panic!("{atom}: {error}"),
            }
        }
        let view = world.end(id).await;
        assert_eq!(view.summary.status, Status::Cancelled, "{atom}: {view:#?}");
        assert_eq!(world.script.count(), before, "{atom}: something started");
        assert_eq!(world.engine.resume_unfinished().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn taking_up_twice_at_once_runs_once() {
    for round in 0..50 {
        let world = World::new(Script::new(|_| Reply::Held));
        let id = world.submit(WRITE).await.id;
        world.script.wait_for("s#1").await;
        let world = world.crash().await;
        world.script.let_go(100);
        let (engine, other) = (world.engine.clone(), world.engine.clone());
        let late = tokio::spawn(async move {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            other.resume(id).await
        });
        let both = (engine.resume(id).await.unwrap(), late.await.unwrap().unwrap());
        assert!(both.0 ^ both.1, "taken up {both:?}");
        assert_eq!(world.end(id).await.summary.status, Status::Completed);
        assert_eq!(world.script.times("s#1"), 2, "once before the crash, once after it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_key_at_the_same_time_is_one_execution() {
    let world = World::new(Script::new(|_| Reply::Later));
    let submits = (0..200).map(|n| {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.submit(keyed(WRITE, &format!("key-{}", n % 10))).await })
    });
    let mut ids = BTreeSet::new();
    let mut new = 0;
    for submit in futures_util::future::join_all(submits).await {
        let receipt = submit.unwrap().unwrap();
        ids.insert(receipt.id);
        new += usize::from(!receipt.existing);
    }
    assert_eq!((ids.len(), new), (10, 10));
    for id in ids {
        world.end(id).await;
    }
    assert_eq!(world.script.count(), 10);
    // A key outlives its execution, and belongs to one intent with one set of params.
    assert!(world.engine.submit(keyed(WRITE, "key-1")).await.unwrap().existing);
    let other = world.engine.submit(keyed(ONE, "key-1")).await.unwrap_err();
    assert!(matches!(other, SubmitError::KeyConflict(_)), "{other}");
    let waited = world.engine.run(keyed(WRITE, "key-1"), Duration::from_mins(1)).await.unwrap();
    assert!(matches!(waited, jalm_scheduler::Waited::Ended(_)));
}

#[tokio::test]
async fn a_key_whose_first_execution_was_never_stored_is_free_again() {
    let world = World::new(Script::echo());
    world.store.hold();
    let engine = world.engine.clone();
    let lost = tokio::spawn(async move { engine.submit(keyed(WRITE, "k")).await });
    until("a record", || world.store.waiting() == 1).await;
    let world = world.crash().await;
    assert!(lost.await.unwrap().is_err());
    assert!(!world.engine.submit(keyed(WRITE, "k")).await.unwrap().existing);
}

#[tokio::test]
async fn more_than_can_be_held_is_refused_until_something_ends() {
    let options = Options { max_in_flight: 2, ..Options::default() };
    let world = World::with(HeldStore::new(), Script::new(|_| Reply::Held), options);
    let first = world.submit(ONE).await;
    world.submit(ONE).await;
    let busy = world.engine.submit(submission(ONE)).await.unwrap_err();
    assert!(matches!(busy, SubmitError::Busy(2)), "{busy}");
    world.engine.cancel(first.id, "make room").await.unwrap();
    world.submit(ONE).await;
    assert_eq!(world.store.unfinished().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_group_that_ends_in_time_leaves_no_timer_behind() {
    let world = World::new(Script::new(|call| match &*call.place.step {
        "last" => Reply::Held,
        _ => Reply::Later,
    }));
    let source = "
intent: a
steps:
  - { id: f, foreach: '{{ range(300) | list }}', concurrency: 9, timeout: 1h, steps: [{ id: s, atom: pure }] }
  - { id: last, atom: pure }
";
    let id = world.submit(source).await.id;
    world.script.wait_for("last#1").await;
    until("only the deadline is left", || world.engine.stats().timers == 1).await;
    world.script.let_go(1);
    assert_eq!(world.end(id).await.summary.status, Status::Completed);
}
