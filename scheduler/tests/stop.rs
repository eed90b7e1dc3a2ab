//! Stopping: what runs may end, what waits is told, what did not end goes on at the next start.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests explain themselves by their names and may fail by panicking"
)]

mod support;

use jalm_kernel::atom::{AtomSpec, Catalog, Effect, Layer, RetrySafety};
use jalm_kernel::machine::{Event, Status};
use jalm_kernel::ports::{Journal, StoreError};
use jalm_scheduler::{CancelError, Engine, Options, SubmitError, Waited};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use support::{
    HeldStore, Reply, Runs, Script, World, error, keyed, output, soon, submission, until,
};

const GRACE: Duration = Duration::from_mins(1);

const THREE: &str = "
intent: a
steps:
  - { id: s, atom: act, input: { x: 1 } }
  - { id: t, atom: pure, input: { x: 2 } }
  - { id: u, atom: act, input: { x: 3 } }
";

#[tokio::test]
async fn a_shutdown_lets_running_calls_end_and_records_what_they_gave() {
    let world = World::new(Script::new(|_| Reply::Held));
    let id = world.submit(THREE).await.id;
    world.script.wait_for("s#1").await;
    let engine = world.engine.clone();
    let shutdown = tokio::spawn(async move { engine.shutdown(GRACE).await });
    // An intent that does not compile is refused for that as long as the engine takes anything.
    soon("the refusal", async {
        while !matches!(
            world.engine.submit(submission("no intent")).await,
            Err(SubmitError::ShuttingDown)
        ) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!shutdown.is_finished());
    world.script.let_go(3);
    soon("the shutdown", shutdown).await.unwrap();
    let done = world.journal(id).await.iter().filter(|it| matches!(it, Event::Done { .. })).count();
    assert!(done >= 1, "what the call gave is lost");
    assert_eq!(world.script.alive(), 0);
}

#[tokio::test]
async fn a_shutdown_without_grace_drops_calls_and_the_next_engine_goes_on() {
    let world = World::new(Script::new(|call| match (call.attempt, &*call.place.step) {
        (1, "s") => Reply::Held,
        _ => Reply::Later,
    }));
    let id = world.submit(THREE).await.id;
    world.script.wait_for("s#1").await;
    soon("the shutdown", world.engine.shutdown(Duration::ZERO)).await;
    until("the call is dropped", || world.script.alive() == 0).await;
    let next = World::with(world.store.reopen(), world.script.clone(), Options::default());
    world.script.let_go(1);
    assert_eq!(next.engine.resume_unfinished().await.unwrap(), 1);
    assert_eq!(output(&next.end(id).await), json!(3));
    // The same attempt under the same key, once more; what follows once only.
    assert_eq!(world.script.started(), ["s#1", "s#1", "t#1", "u#1"]);
    let keys = world.script.keys();
    assert_eq!(keys[0], keys[1]);
    assert_eq!(next.engine.stats().resumed, 1);
    assert_eq!(next.engine.resume_unfinished().await.unwrap(), 0);
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_runner_stops() {
    let world = World::new(Script::new(|_| Reply::Held));
    let (engine, waiting) = (world.engine.clone(), world.engine.clone());
    let run = tokio::spawn(async move { engine.run(submission(THREE), GRACE * 60).await });
    world.script.wait_for("s#1").await;
    let id = world.store.unfinished().await.unwrap()[0];
    let wait = tokio::spawn(async move { waiting.wait(id, GRACE * 60).await });
    let watch = world.engine.watch(id).expect("it runs here");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    soon("the shutdown", world.engine.shutdown(Duration::ZERO)).await;
    let Waited::Running(receipt) = soon("an answer", run).await.unwrap().unwrap() else {
        panic!("it cannot have ended")
    };
    assert_eq!(receipt.id, id);
    // The view comes from the store, which this test leaves open.
    let view = soon("an answer", wait).await.unwrap().unwrap().expect("it exists");
    assert_eq!(view.summary.status, Status::Running);
    drop(watch);
}

#[tokio::test]
async fn a_stopped_engine_answers_and_does_nothing() {
    let world = World::new(Script::new(|_| Reply::Held));
    let id = world.submit(THREE).await.id;
    world.script.wait_for("s#1").await;
    soon("the shutdown", world.engine.shutdown(Duration::ZERO)).await;
    soon("a second shutdown", world.engine.shutdown(Duration::ZERO)).await;
    let calls = world.script.count();
    let submit = soon("an answer", world.engine.submit(submission(THREE))).await;
    assert!(matches!(submit, Err(SubmitError::ShuttingDown)));
    let cancel = soon("an answer", world.engine.cancel(id, "x")).await;
    assert!(matches!(cancel, Err(CancelError::Store(StoreError::Closed))), "{cancel:?}");
    assert!(!soon("an answer", world.engine.resume(id)).await.unwrap());
    assert_eq!(soon("an answer", world.engine.resume_unfinished()).await.unwrap(), 0);
    assert_eq!(world.script.count(), calls);
}

/// Submissions that meet the shutdown in every moment: each gets an answer, and each receipt is
/// kept by the next engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_that_meets_the_shutdown_is_kept_or_refused_never_left_alone() {
    for round in 0..40_u32 {
        let world = World::new(Script::new(|_| Reply::Later));
        let submits: Vec<_> = (0..20)
            .map(|n| {
                let engine = world.engine.clone();
                let key = format!("k{n}");
                tokio::spawn(async move {
                    if n % 2 == 0 {
                        engine.submit(submission(THREE)).await
                    } else {
                        engine.submit(keyed(THREE, &key)).await
                    }
                })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        soon("the shutdown", world.engine.shutdown(Duration::ZERO)).await;
        let next = World::with(world.store.reopen(), world.script.clone(), Options::default());
        next.engine.resume_unfinished().await.unwrap();
        for submit in submits {
            match soon("an answer", submit).await.unwrap() {
                Ok(receipt) => assert_eq!(output(&next.end(receipt.id).await), json!(3)),
                Err(SubmitError::ShuttingDown | SubmitError::Store(StoreError::Closed)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test]
async fn what_sleeps_goes_on_sleeping_in_the_next_engine_until_its_old_time() {
    let fail = jalm_kernel::failure::Failure::transient("busy", "busy");
    let world = World::new(Script::new(move |call| match call.attempt {
        1 => Reply::Fail(fail.clone()),
        _ => Reply::Echo,
    }));
    let source = |delay: &str| {
        format!(
            "intent: a\nsteps: [{{ id: s, atom: pure, input: {{ x: 1 }}, retry: {{ attempts: 2, delay: {delay} }} }}]\n"
        )
    };
    let long = world.submit(&source("1h")).await.id;
    let short = world.submit(&source("50ms")).await.id;
    until("both sleep", || world.engine.stats().steps_failed == 2).await;
    let world = world.crash().await;
    let resumed = world.engine.resume_unfinished().await.unwrap();
    assert!((1..=2).contains(&resumed));
    assert_eq!(output(&world.end(short).await), json!(1));
    let view = world.engine.view(long).await.unwrap().unwrap();
    assert!(view.waiting_for.is_some_and(|what| what.contains("attempt 2 of step `s`")));
    assert_eq!(world.engine.stats().timers, 2, "its pause and its deadline");
}

/// A catalogue whose atom panics when it is asked about its input.
struct Broken(AtomSpec);

impl Catalog for Broken {
    fn atom(&self, name: &str) -> Option<&AtomSpec> {
        (name == self.0.name).then_some(&self.0)
    }
    fn names(&self) -> Vec<&'static str> {
        vec![self.0.name]
    }
}

#[tokio::test]
async fn a_panic_while_deciding_ends_that_execution_and_leaves_the_engine_alone() {
    let catalog = Broken(AtomSpec {
        name: "moody",
        layer: Layer::ComputeScript,
        summary: "made up for tests",
        effect: Effect::Write,
        effect_of: |input| {
            assert_ne!(input["x"], json!("bad"), "told to panic");
            Effect::None
        },
        online: None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        input_schema: json!({}),
        output_schema: json!({}),
        check_literal: |_, _| Ok(()),
    });
    let store = HeldStore::new();
    let fail = jalm_kernel::failure::Failure::transient("busy", "busy");
    let script = Script::new(move |call| match (&*call.place.step, call.attempt) {
        ("first", 1) => Reply::Fail(fail.clone()),
        ("held", _) => Reply::Held,
        _ => Reply::Echo,
    });
    let engine = Engine::start(
        store.clone(),
        Arc::new(catalog),
        Arc::new(Runs(script.clone())),
        Options::default(),
    );
    // The panic comes in the submitter's task, and in the one task that all timers share.
    let sources = [
        "intent: a\nsteps: [{ id: s, atom: moody, input: { x: bad } }]\n",
        "
intent: b
steps:
  - { id: held, needs: [], atom: moody }
  - { id: first, needs: [], atom: moody, retry: { attempts: 2, delay: 1ms } }
  - { id: s, needs: [first], atom: moody, input: { x: bad } }
",
    ];
    for source in sources {
        let waited = soon("the end", engine.run(submission(source), GRACE)).await.unwrap();
        let Waited::Ended(view) = waited else { panic!("it runs on") };
        assert_eq!((view.summary.status, error(&view)), (Status::Failed, "bug"));
        let stored = engine.view(view.summary.execution_id).await.unwrap().unwrap();
        assert_eq!(stored.summary.status, Status::Failed);
    }
    until("no call is left", || script.alive() == 0).await;
    let good = "intent: c\nsteps: [{ id: first, atom: moody, input: { x: 1 }, retry: { attempts: 2, delay: 1ms } }]\n";
    let waited = soon("the end", engine.run(submission(good), GRACE)).await.unwrap();
    let Waited::Ended(view) = waited else { panic!("it runs on") };
    assert_eq!(output(&view), json!(1), "the timers' task is gone");
    assert_eq!((engine.stats().in_flight, engine.stats().timers), (0, 0));
}
