//! Packages of scripts: pinned once for an execution, whatever happens to it.

use jalm_tests::{Server, World, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A uv that finds a newer version each time it is asked.
const UV: &str = "#!/bin/sh
here=$(dirname \"$0\")
case $2 in
compile)
  echo >> $here/asked
  printf 'first==%s.0 --hash=sha256:ab\\n' $(wc -l < $here/asked) > requirements.txt ;;
install)
  echo >> $here/installed
  sed 's/first==\\(.*\\).0 .*/value = \\1/' pinned.txt > built/first.py ;;
esac
";

fn uv(world: &World) -> PathBuf {
    let path = world.file("uv", UV);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn server(world: &World) -> Server {
    world
        .server()
        .env("JALM_ISOLATION__UV", uv(world))
        .env("JALM_ISOLATION__DEPENDENCY_LOCK_AGE", "0s")
}

/// How often the uv of this world did this.
fn times(world: &World, what: &str) -> usize {
    std::fs::read_to_string(world.folder().join(what)).unwrap_or_default().lines().count()
}

fn intent(script: &str, more: &Value) -> Value {
    let mut step = json!({ "id": "script", "atom": "compute_script", "timeout": "2m",
        "input": { "language": "python", "script": script, "dependencies": ["first"] } });
    for (key, value) in more.as_object().into_iter().flatten() {
        step[key] = value.clone();
    }
    json!({ "intent": "script", "steps": [step] })
}

#[tokio::test]
async fn an_attempt_uses_what_the_first_one_was_pinned_to() {
    let world = World::new().await;
    let runner = server(&world).start().await;
    let script = "import first\nraise ValueError(first.value)";
    let retry = json!({ "retry": { "attempts": 3, "delay": "1ms", "on": ["script_error"] } });
    let id = runner.exec(intent(script, &retry)).await;
    let execution = runner.wait(&id).await;
    let step = &execution["steps"][0];
    assert_eq!((&step["attempts"], &step["status"]), (&json!(3), &json!("failed")), "{step:#}");
    assert_eq!(step["error"]["message"], "ValueError: 1");
    assert_eq!(step["dependencies"]["packages"], json!(["first==1.0"]));
    assert_eq!(step["dependencies"]["digest"].as_str().map(str::len), Some(16));
    assert_eq!((times(&world, "asked"), times(&world, "installed")), (1, 1));
    // Another execution is pinned anew, since what was found may be this old here: not at all.
    let script = "import first\nreturn first.value";
    let execution = runner.run(intent(script, &Value::Null)).await;
    assert_eq!(execution["steps"][0]["output"]["result"], 2, "{execution:#}");
    assert_eq!(execution["steps"][0]["dependencies"]["packages"], json!(["first==2.0"]));
}

#[tokio::test]
async fn an_execution_that_is_resumed_elsewhere_uses_the_same() {
    let world = World::new().await;
    let runner = server(&world).start().await;
    let script = "import first\nraise ValueError(first.value)";
    let retry = json!({ "retry": { "attempts": 2, "delay": "10s", "on": ["script_error"] } });
    let id = runner.exec(intent(script, &retry)).await;
    let shown = until("the first failure", async || {
        let execution = runner.show(&id).await;
        (execution["steps"][0]["error"]["message"] == "ValueError: 1").then_some(execution)
    })
    .await;
    assert_eq!(shown["steps"][0]["dependencies"]["packages"], json!(["first==1.0"]));
    runner.kill().await;
    std::fs::remove_dir_all(world.data().join("deps")).unwrap();
    let runner = server(&world).start().await;
    let execution = runner.wait(&id).await;
    let step = &execution["steps"][0];
    assert_eq!(
        (&step["attempts"], &step["error"]["message"]),
        (&json!(2), &json!("ValueError: 1"))
    );
    assert_eq!((times(&world, "asked"), times(&world, "installed")), (1, 2));
    // The journal holds it once.
    let path = format!("/exec/{id}/events");
    let text = runner.get(&path).await.body.to_string();
    assert_eq!(text.matches("first==1.0 --hash").count(), 1, "{text}");
}

#[tokio::test]
async fn the_turns_of_a_loop_record_their_lock_once() {
    let world = World::new().await;
    let server = world.server().env("JALM_ISOLATION__UV", uv(&world));
    let runner = server.start().await;
    let script = "import first\nreturn first.value";
    let more = json!({ "foreach": "{{ range(40) | list }}", "concurrency": 40 });
    let id = runner.exec(intent(script, &more)).await;
    let execution = runner.wait(&id).await;
    assert_eq!(execution["status"], "completed", "{execution:#}");
    assert_eq!(execution["steps"][0]["dependencies"]["packages"], json!(["first==1.0"]));
    assert_eq!((times(&world, "asked"), times(&world, "installed")), (1, 1));
    let text = runner.get(&format!("/exec/{id}/events")).await.body.to_string();
    assert_eq!(text.matches("first==1.0 --hash").count(), 1, "{text}");
}

#[tokio::test]
async fn an_operator_may_forbid_them() {
    let world = World::new().await;
    let server = server(&world).env("JALM_ISOLATION__DEPENDENCIES", "false");
    let runner = server.start().await;
    let execution = runner.run(intent("return 1", &Value::Null)).await;
    let error = &execution["steps"][0]["error"];
    assert_eq!(error["code"], "dependency_refused", "{execution:#}");
    assert!(error["hint"].as_str().unwrap().contains("isolation.dependencies"));
    assert_eq!(times(&world, "asked"), 0);
}

#[tokio::test]
async fn a_block_of_pep_723_installs_from_pypi() {
    let world = World::new().await;
    let runner = world.start().await;
    let script = "# /// script\n# requires-python = \">=3.8\"\n# dependencies = [\"six==1.16.0\"]\n# ///\nimport six\nreturn six.__version__\n";
    let intent = json!({ "intent": "pep723", "steps": [{ "id": "script", "atom": "compute_script",
        "timeout": "2m", "input": { "language": "python", "script": script } }] });
    let execution = runner.run(intent).await;
    let step = &execution["steps"][0];
    assert_eq!(step["output"]["result"], "1.16.0", "{execution:#}");
    assert_eq!(step["dependencies"]["packages"], json!(["six==1.16.0"]));
}
