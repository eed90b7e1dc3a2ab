//! Commands that only look: `validate`, `plan`, `atoms`, `schema`, `completions`, `doctor`, `config`.

use crate::{hello, snapshot};
use jalm_tests::World;
use serde_json::json;

const BAD: &str = "\
intent: bad name
steps:
  - id: a
    atom: exec_htp
  - id: b
    atom: get_timestamp
    wehn: true
  - id: c
    set: { x: \"{{ 1 + }}\" }
  - id: d
    switch: []
  - id: e
    timeout: soon
    set: { y: 1 }
";

#[tokio::test]
async fn validate_shows_everything_that_is_wrong() {
    let world = World::new().await;
    world.file("bad.yaml", BAD);
    hello(&world);
    let ended = world.jalm(["validate", "hello.yaml", "bad.yaml"]).run().await;
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert_eq!(ended.out, "hello.yaml: ok\nbad.yaml: 6 problems\n");
    insta::assert_snapshot!("validate", ended.err);
    let json = world.jalm(["validate", "--json", "hello.yaml", "bad.yaml"]).run().await;
    assert_eq!((json.code, json.err.as_str()), (Some(2), ""), "{json:#?}");
    let reports = json.json();
    assert_eq!((&reports[0]["valid"], &reports[1]["valid"]), (&json!(true), &json!(false)));
    assert_eq!(reports[1]["errors"].as_array().unwrap().len(), 6);
    assert!(!world.data().exists(), "looking at a file made a data folder");
}

#[tokio::test]
async fn validate_and_plan_read_stdin() {
    let world = World::new().await;
    for command in ["validate", "plan"] {
        let good = world.jalm([command, "-"]).input("intent: x\nsteps:\n  - set: { x: 1 }\n");
        assert_eq!(good.run().await.code, Some(0), "{command}");
        let bad = world.jalm([command, "-"]).input("intent: x\n").run().await;
        assert_eq!(bad.code, Some(2), "{command}: {bad:#?}");
        assert!(bad.err.contains("<stdin>:1:1"), "{bad:#?}");
    }
}

#[tokio::test]
async fn plan_shows_order_effects_and_grants() {
    let world = World::new().await;
    world.file(
        "plan.yaml",
        r#"
intent: planned
version: 1.2.0
grants: { http: ["https://api.example.com/*"], db: [sales], file: { read: ["in/**"] } }
steps:
  - { id: fetch, atom: exec_http, input: { url: "https://api.example.com/x" } }
  - { id: rows, atom: db_query, needs: [], input: { connection: sales, query: "select 1" } }
  - id: each
    needs: [fetch, rows]
    foreach: "{{ steps.rows.output.rows }}"
    atom: db_insert
    input: { connection: sales, table: t, row: { x: "{{ item }}" } }
  - id: both
    when: "{{ true }}"
    parallel:
      - { id: one, atom: get_timestamp }
      - { id: two, atom: file_read, input: { path: in/x } }
"#,
    );
    let ended = world.jalm(["plan", "plan.yaml"]).run().await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:#?}");
    snapshot!("plan", ended.out);
    let json = world.jalm(["plan", "plan.yaml", "--json"]).run().await.json();
    assert_eq!(json["intent"], "planned");
    assert_eq!(json["grants"]["db"], json!(["sales"]), "{json:#}");
}

#[tokio::test]
async fn atoms_lists_all_and_explains_one() {
    let world = World::new().await;
    let list = world.jalm(["atoms"]).run().await;
    assert_eq!((list.code, list.err.as_str()), (Some(0), ""), "{list:#?}");
    let all = world.jalm(["atoms", "--json"]).run().await.json();
    let all = all.as_array().unwrap();
    assert_eq!(list.out.lines().count(), all.len() + 1);
    for atom in all {
        let name = atom["card"]["name"].as_str().unwrap();
        assert!(list.out.contains(&format!(" {name} ")), "{name}");
        let one = world.jalm(["atoms", name]).run().await;
        assert_eq!(one.code, Some(0), "{one:#?}");
        for part in ["effect:", "input:", "output:", "example:"] {
            assert!(one.out.contains(part), "{name} has no {part}");
        }
    }
    let one = world.jalm(["atoms", "generate_uuid"]).run().await;
    snapshot!("atom", one.out);
    let unknown = world.jalm(["atoms", "exec_htp"]).run().await;
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("did you mean `exec_http`?"), "{unknown:#?}");
}

/// The example that `jalm atoms` prints can be put into an intent as it is.
#[tokio::test]
async fn printed_examples_are_steps_that_validate() {
    let world = World::new().await;
    let all = world.jalm(["atoms", "--json"]).run().await.json();
    for atom in all.as_array().unwrap() {
        let name = atom["card"]["name"].as_str().unwrap();
        let text = world.jalm(["atoms", name]).run().await.out;
        for example in text.split("\nexample: ").skip(1) {
            let (title, step) = example.split_once('\n').unwrap();
            let step: serde_json::Value = serde_json::from_str(step).unwrap();
            let intent = json!({ "intent": "example", "steps": [step] }).to_string();
            let checked = world.jalm(["validate", "-"]).input(&intent).run().await;
            assert_eq!(checked.code, Some(0), "{name}, {title}: {checked:#?}");
        }
    }
}

#[tokio::test]
async fn the_schema_is_the_servers() {
    let world = World::new().await;
    let schema = world.jalm(["schema"]).run().await;
    assert_eq!((schema.code, schema.err.as_str()), (Some(0), ""));
    assert_eq!(schema.json(), world.start().await.get("/schema").await.body);
}

#[tokio::test]
async fn completions_are_scripts_that_the_shell_can_read() {
    let world = World::new().await;
    let bash = world.jalm(["completions", "bash"]).run().await;
    assert_eq!(bash.code, Some(0), "{bash:#?}");
    assert!(bash.out.contains("complete -F _jalm"), "{}", bash.out);
    let path = world.file("completions.bash", &bash.out);
    let checked = tokio::process::Command::new("bash").arg("-n").arg(path).status().await.unwrap();
    assert!(checked.success());
    for shell in ["zsh", "fish"] {
        assert_eq!(world.jalm(["completions", shell]).run().await.code, Some(0));
    }
}

#[tokio::test]
async fn doctor_looks_at_everything_and_says_what_is_wrong() {
    let world = World::new().await;
    let good = world.jalm(["doctor", "--json"]).run().await;
    let report = good.json();
    let checks: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert_eq!(checks, ["data", "store", "isolation", "python", "open files"]);
    assert!(report["isolation"]["layers"].as_array().unwrap().len() >= 2, "{report:#}");
    // A file where the folder should be.
    world.file("taken", "x");
    let bad = world.jalm(["doctor", "--json", "--data", "taken"]).run().await;
    assert_eq!(bad.code, Some(1), "{bad:#?}");
    for check in bad.json()["checks"].as_array().unwrap().iter().take(2) {
        assert_eq!(check["ok"], false, "{check:#}");
        assert!(check["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{check:#}");
    }
}

#[tokio::test]
async fn settings_are_shown_with_their_origin_and_without_secrets() {
    let world = World::new().await;
    world.file("jalm.yaml", "data: from-file\nlimits: { max_calls: 7 }\n");
    let typed =
        world.jalm(["config", "show", "--origin", "--config", "jalm.yaml", "--log", "warn"]);
    let shown =
        typed.env("JALM_TOKEN", "s3cret").env("JALM_LIMITS__MAX_IN_FLIGHT", "9").run().await;
    assert_eq!(shown.code, Some(0), "{shown:#?}");
    assert!(!shown.out.contains("s3cret"), "{}", shown.out);
    for (setting, value, origin) in [
        ("data", "from-file", "jalm.yaml:1"),
        ("limits.max_calls", "7", "jalm.yaml:2"),
        ("limits.max_in_flight", "9", "environment JALM_LIMITS__MAX_IN_FLIGHT"),
        ("token", "***", "environment JALM_TOKEN"),
        ("log.level", "warn", "flag"),
        ("listen", "127.0.0.1:8888", "default"),
    ] {
        let line = shown.out.lines().find(|line| line.split_whitespace().next() == Some(setting));
        let line = line.unwrap_or_else(|| panic!("no {setting}: {}", shown.out));
        assert!(line.contains(value) && line.contains(origin), "{line}");
    }
    world.file("bad.yaml", "dta: x\nlisten: here\n");
    let bad = world.jalm(["config", "show", "--config", "bad.yaml"]).run().await;
    assert_eq!(bad.code, Some(2));
    assert!(bad.err.contains("did you mean `data`?") && bad.err.contains("`here`"), "{bad:#?}");
}
