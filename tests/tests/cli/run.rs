//! `jalm run`.

use crate::{call, hello, snapshot};
use jalm_tests::{World, until};
use serde_json::json;

#[tokio::test]
async fn a_completed_run_prints_its_output_and_shows_its_steps() {
    let world = World::new().await;
    hello(&world);
    let ended = world.jalm(["run", "hello.yaml", "--param", "who=you", "-p", "n=5"]).run().await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.json(), json!({ "text": "Hello you", "n": 5 }));
    snapshot!("run_completed", ended.err);
    assert!(!ended.err.contains('\u{1b}'), "colours without a terminal");
}

#[tokio::test]
async fn a_failed_run_ends_with_one_and_says_which_step_and_what_to_do() {
    let world = World::new().await;
    world.file(
        "broken.yaml",
        "intent: broken\nsteps:\n  - { id: ok, set: { x: 1 } }\n  - { id: rows, atom: db_query, input: { query: \"select * from nowhere\" } }\n  - { id: never, set: { x: 1 } }\n",
    );
    let ended = world.jalm(["run", "broken.yaml"]).run().await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:#?}");
    snapshot!("run_failed", ended.err);
}

#[tokio::test]
async fn a_bad_config_or_bad_params_end_with_two_before_anything_runs() {
    let world = World::new().await;
    hello(&world);
    world.file("bad.yaml", "intent: bad\nsteps:\n  - atom: exec_htp\n");
    for (arguments, part) in [
        (["run", "bad.yaml", "--json"], "did you mean `exec_http`?"),
        (["run", "hello.yaml", "--json"], "who"),
        (["run", "hello.yaml", "--param=who=5"], "who"),
        (["run", "hello.yaml", "--param=who"], "--param NAME=VALUE"),
        (["run", "missing.yaml", "--json"], "cannot read missing.yaml"),
        (["run", "hello.yaml", "--params=missing"], "cannot read missing"),
        (["run", "hello.yaml", "--timeout=soon"], "not a duration"),
        (["run", "--resume", "x"], "not an execution id"),
        (["run", "--resume", "0192f7c4-0000-7000-8000-000000000000"], "there is no execution"),
    ] {
        let ended = world.jalm(arguments).run().await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {ended:#?}");
        assert!(ended.err.contains(part), "{arguments:?}: {ended:#?}");
    }
}

#[tokio::test]
async fn json_is_the_whole_execution_and_nothing_else() {
    let world = World::new().await;
    hello(&world);
    let ended = world.jalm(["run", "hello.yaml", "--json", "--param", "who=you"]).run().await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:#?}");
    let execution = ended.json();
    assert_eq!(execution["status"], "completed");
    assert_eq!(execution["steps"].as_array().unwrap().len(), 2);
    assert_eq!(execution["output"]["text"], "Hello you");
}

#[tokio::test]
async fn params_come_from_stdin_or_a_file_with_single_ones_laid_over() {
    let world = World::new().await;
    hello(&world);
    let typed = world.jalm(["run", "hello.yaml", "--params", "-", "--param", "n=7"]);
    let ended = typed.input("who: all\nn: 3\n").run().await;
    assert_eq!(ended.json(), json!({ "text": "Hello all", "n": 7 }), "{ended:#?}");
    world.file("params.json", r#"{"who": "file"}"#);
    let ended = world.jalm(["run", "hello.yaml", "--params", "params.json"]).run().await;
    assert_eq!(ended.json()["text"], "Hello file", "{ended:#?}");
    // The intent itself from stdin.
    let typed = world.jalm(["run", "-"]);
    let ended =
        typed.input("intent: x\nsteps:\n  - { id: a, set: { x: 1 } }\noutput: 1\n").run().await;
    assert_eq!((ended.code, ended.out.trim()), (Some(0), "1"), "{ended:#?}");
}

#[tokio::test]
async fn ctrl_c_cancels_and_ends_with_130() {
    let world = World::new().await;
    call(&world, "/held");
    world.stub().hold("/held");
    let typed = world.jalm(["run", "call.yaml", "--json"]);
    let ended = typed.interrupt_when(world.stub().wait_for_hit("/held")).await;
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert_eq!(ended.json()["status"], "cancelled");
    assert!(ended.err.contains("cancelling"), "{ended:#?}");
}

#[tokio::test]
async fn a_run_that_was_killed_is_resumed_by_its_id() {
    let world = World::new().await;
    call(&world, "/held");
    world.stub().hold("/held");
    let errors = world.folder().join("errors");
    let mut id = String::new();
    let ready = async {
        world.stub().wait_for_hit("/held").await;
        id = until("the execution's id", async || {
            let said = std::fs::read_to_string(&errors).ok()?;
            said.lines().find_map(|line| line.strip_prefix("execution ")).map(str::to_owned)
        })
        .await;
    };
    let killed = world.jalm(["run", "call.yaml"]).errors_to(errors.clone()).kill_when(ready).await;
    assert_eq!(killed.code, None);
    world.stub().release("/held");
    let ended = world.jalm(["run", "--resume"]).arg(&id).arg("--json").run().await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.json()["execution_id"], id);
    assert_eq!(world.stub().hits("/held"), 2);
}

#[tokio::test]
async fn a_timeout_ends_the_run() {
    let world = World::new().await;
    call(&world, "/held");
    world.stub().hold("/held");
    let ended = world.jalm(["run", "call.yaml", "--json", "--timeout", "200ms"]).run().await;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(ended.json()["error"]["code"], "timeout");
}
