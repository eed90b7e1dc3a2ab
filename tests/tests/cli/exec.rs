//! `jalm exec`: the client, against a real server.

use crate::{call, hello};
use jalm_tests::World;
use serde_json::json;

#[tokio::test]
async fn submit_show_list_watch_and_cancel_work_against_a_server() {
    let world = World::new().await;
    hello(&world);
    call(&world, "/held");
    world.stub().hold("/held");
    let runner = world.start().await;
    let jalm = |arguments: [&str; 3]| {
        world
            .jalm(["exec"])
            .arg(arguments[0])
            .arg(arguments[1])
            .arg(arguments[2])
            .env("JALM_SERVER", runner.base())
    };

    let waited = jalm(["submit", "hello.yaml", "--wait"]).arg("--param").arg("who=you").run().await;
    assert_eq!(waited.code, Some(0), "{waited:#?}");
    assert_eq!(waited.json()["output"], json!({ "text": "Hello you", "n": 1 }));

    let receipt = jalm(["submit", "call.yaml", "--key=once"]).run().await;
    assert_eq!(receipt.code, Some(0), "{receipt:#?}");
    let id = receipt.json()["execution_id"].as_str().unwrap().to_owned();
    let again = jalm(["submit", "call.yaml", "--key=once"]).run().await.json();
    assert_eq!(again["execution_id"], id);
    world.stub().wait_for_hit("/held").await;
    let shown = world.jalm(["exec", "show", &id, "--server", runner.base()]).run().await.json();
    assert_eq!((&shown["status"], &shown["intent"]), (&json!("running"), &json!("call")));

    let list = jalm(["list", "--status", "running"]).run().await;
    assert_eq!(list.out.lines().count(), 2, "{list:#?}");
    assert!(list.out.contains(&id) && list.out.contains("call"), "{list:#?}");
    let list = jalm(["list", "--json", "--intent=hello"]).run().await.json();
    assert_eq!(list["executions"].as_array().unwrap().len(), 1);

    let cancelled = jalm(["cancel", &id, "--reason=enough"]).run().await;
    assert_eq!(cancelled.json()["status"], "cancelled", "{cancelled:#?}");
    let watched = world.jalm(["exec", "watch", &id, "--server", runner.base()]).run().await;
    assert_eq!(watched.code, Some(130), "{watched:#?}");
    let end = watched.out.lines().last().unwrap();
    assert!(end.contains("cancelled") && end.contains("enough"), "{end}");
    let late = jalm(["cancel", &id, "--reason=late"]).run().await;
    assert_eq!(late.code, Some(1));
    assert!(late.err.contains("has ended already"), "{late:#?}");
}

#[tokio::test]
async fn watch_goes_on_when_the_server_comes_back() {
    let world = World::new().await;
    call(&world, "/held");
    world.stub().hold("/held");
    let runner = world.start().await;
    let address = runner.address().to_owned();
    let submitted =
        world.jalm(["exec", "submit", "call.yaml", "--server", runner.base()]).run().await;
    let id = submitted.json()["execution_id"].as_str().unwrap().to_owned();
    world.stub().wait_for_hit("/held").await;
    let watch = world.jalm(["exec", "watch", &id, "--server", runner.base()]).run();
    let restart = async {
        // The watcher has its first events as soon as the server counts its stream.
        jalm_tests::until("the watcher", async || {
            let metrics = runner.get("/metrics").await.body;
            metrics.as_str()?.contains("events\",method=\"GET\",status=\"200\"").then_some(())
        })
        .await;
        runner.kill().await;
        let runner = world.server().listen(&address).start().await;
        world.stub().wait_for_hits("/held", 2).await;
        world.stub().release("/held");
        runner.wait(&id).await;
        runner
    };
    let (watched, _runner) = tokio::join!(watch, restart);
    assert_eq!(watched.code, Some(0), "{watched:#?}");
    let kinds = |kind: &str| watched.out.matches(&format!("\"t\":\"{kind}\"")).count();
    assert_eq!((kinds("submitted"), kinds("completed")), (1, 1), "{watched:#?}");
}

#[tokio::test]
async fn what_the_server_refuses_is_shown_with_its_hints() {
    let world = World::new().await;
    world.file("bad.yaml", "intent: bad\nsteps:\n  - atom: exec_htp\n");
    hello(&world);
    let runner = world.server().env("JALM_TOKEN", "t0ken").start().await;
    let base = runner.base();
    let bad = world
        .jalm(["exec", "submit", "bad.yaml", "--server", base, "--token", "t0ken"])
        .run()
        .await;
    assert_eq!(bad.code, Some(2), "{bad:#?}");
    assert!(bad.err.contains("3:11") && bad.err.contains("did you mean `exec_http`?"), "{bad:#?}");
    let params = world
        .jalm(["exec", "submit", "hello.yaml", "--server", base, "--token", "t0ken"])
        .run()
        .await;
    assert_eq!(params.code, Some(2), "{params:#?}");
    let wrong = world.jalm(["exec", "list", "--server", base, "--token", "other"]).run().await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("401") && !wrong.err.contains("other"), "{wrong:#?}");
    let right =
        world.jalm(["exec", "list", "--server", base]).env("JALM_TOKEN", "t0ken").run().await;
    assert_eq!(right.code, Some(0), "{right:#?}");
    let unknown = world.jalm(["exec", "show", "0192f7c4-0000-7000-8000-000000000000"]);
    let unknown = unknown.env("JALM_SERVER", base).env("JALM_TOKEN", "t0ken").run().await;
    assert_eq!(unknown.code, Some(1), "{unknown:#?}");
    let nobody = world.jalm(["exec", "list", "--server", "http://127.0.0.1:1"]).run().await;
    assert_eq!(nobody.code, Some(1));
    assert!(
        nobody.err.contains("does not answer") && nobody.err.contains("jalm serve"),
        "{nobody:#?}"
    );
}
