//! Scripts with the network of their intent's grants, through the binary from outside.
#![allow(clippy::unwrap_used, reason = "tests may fail by panicking")]

use jalm_tests::{Runner, World};
use serde_json::{Value, json};

/// A script that asks for each URL, and gives status and text of each answer.
const ASK: &str = "
import http.client, os, urllib.error, urllib.parse, urllib.request
def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
    except OSError as error:
        return [0, str(error)]
def tunnel(host, port):
    proxy = urllib.parse.urlsplit(os.environ['https_proxy'])
    client = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=30)
    client.set_tunnel(host, port)
    try:
        client.request('GET', '/tunnel')
        return [client.getresponse().status, '']
    except OSError as error:
        return [0, str(error)]
return [ask(url) for url in urls] + [tunnel(*target) for target in tunnels]
";

fn intent(grants: &Value, urls: &[String], tunnels: &[(&str, u16)]) -> Value {
    json!({
        "intent": "network",
        "grants": grants,
        "steps": [{
            "id": "ask", "atom": "compute_script",
            "input": { "language": "python", "script": ASK, "variables": { "urls": urls, "tunnels": tunnels } },
        }],
        "output": "{{ steps.ask.output.result }}",
    })
}

async fn output(runner: &Runner, intent: Value) -> Value {
    let ended = runner.run(intent).await;
    assert_eq!(ended["status"], "completed", "{ended:#}");
    let isolation = ended["steps"][0]["isolation"].as_str().unwrap();
    assert!(
        isolation.starts_with("process/A") && isolation.ends_with("egress proxy"),
        "{isolation}"
    );
    ended["output"].clone()
}

fn has(answer: &Value, status: u32, part: &str) {
    assert_eq!(answer[0], status, "{answer:#}");
    assert!(answer[1].as_str().unwrap().contains(part), "no {part}: {answer:#}");
}

#[tokio::test]
async fn a_script_reaches_what_is_granted_and_nothing_else() {
    let (world, other) = (World::new().await, World::new().await);
    let runner = world.start().await;
    let stub = world.stub();
    let (host, port) = stub
        .url("")
        .strip_prefix("http://")
        .unwrap()
        .split_once(':')
        .map(|(host, port)| (host.to_owned(), port.parse().unwrap()))
        .unwrap();
    let grants = json!({ "http": [stub.url("/*")], "script": { "network": true } });
    let own = format!("{}/health", runner.base());
    let urls = [
        stub.url("/x"),
        other.stub().url("/x"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        own,
    ];
    let answers =
        output(&runner, intent(&grants, &urls, &[(&host, port), ("example.test", 443)])).await;
    has(&answers[0], 200, "");
    has(&answers[1], 403, &format!("add `http: [\"{}", other.stub().url("")));
    has(&answers[2], 403, "no grant for `http://169.254.169.254`");
    has(&answers[3], 403, "no grant");
    has(&answers[4], 200, "");
    has(&answers[5], 0, "403 Forbidden: the intent has no grant for `https://example.test`");
    assert_eq!((stub.hits("/x"), stub.hits("/tunnel"), other.stub().hits("/x")), (1, 1, 0));
    let log = runner.log();
    assert!(log.contains("a script was refused an address") && log.contains("step=ask"), "{log}");

    // A grant of everything still leads neither to metadata services nor back to the runner.
    let urls = ["http://169.254.169.254/".to_owned(), format!("{}/health", runner.base())];
    let all = json!({ "http": ["*"], "script": { "network": true } });
    let answers = output(&runner, intent(&all, &urls, &[("169.254.169.254", 80)])).await;
    has(&answers[0], 403, "link-local");
    has(&answers[1], 403, "this runner's own");
    has(&answers[2], 0, "link-local");
}

#[tokio::test]
async fn without_the_grant_there_is_no_network() {
    let world = World::new().await;
    let runner = world.start().await;
    let url = world.stub().url("/x");
    let script = "
import os, socket
try: socket.socket()
except PermissionError: return [name for name in os.environ if 'proxy' in name.lower()]";
    for grants in [
        json!({ "http": ["*"] }),
        json!({ "http": ["*"], "script": { "network": false } }),
        Value::Null,
    ] {
        let mut intent = intent(&grants, std::slice::from_ref(&url), &[]);
        intent["steps"][0]["input"]["script"] = script.into();
        if grants.is_null() {
            intent.as_object_mut().unwrap().remove("grants");
        }
        let ended = runner.run(intent).await;
        assert_eq!(
            (&ended["status"], &ended["output"]),
            (&json!("completed"), &json!([])),
            "{ended:#}"
        );
    }
    assert_eq!(world.stub().hits("/x"), 0);
}

#[tokio::test]
async fn a_language_that_is_not_granted_does_not_run() {
    let world = World::new().await;
    let runner = world.start().await;
    let intent = intent(&json!({ "script": { "languages": ["javascript"] } }), &[], &[]);
    let ended = runner.run(intent).await;
    let error = &ended["steps"][0]["error"];
    assert_eq!(error["code"], "not_granted", "{ended:#}");
    assert!(
        error["hint"].as_str().unwrap().contains("script: { languages: [python] }"),
        "{error:#}"
    );
}

#[tokio::test]
async fn the_operator_may_keep_scripts_off_the_network() {
    let world = World::new().await;
    let config = world.file("jalm.yaml", "policy: { script_network: false }\n");
    let runner = world.server().arg("--config").arg(config).start().await;
    let grants = json!({ "http": ["*"], "script": { "network": true } });
    let ended = runner.run(intent(&grants, &[], &[])).await;
    let error = &ended["steps"][0]["error"];
    assert_eq!(error["code"], "not_granted", "{ended:#}");
    assert!(error["hint"].as_str().unwrap().contains("`script_network: true`"), "{error:#}");
}

#[tokio::test]
async fn a_crash_under_a_script_with_the_network_leaves_its_outcome_open() {
    let world = World::new().await;
    let runner = world.start().await;
    let stub = world.stub();
    stub.hold("/slow");
    let grants = json!({ "http": [stub.url("")], "script": { "network": true } });
    let id = runner.exec(intent(&grants, &[stub.url("/slow")], &[])).await;
    stub.wait_for_hit("/slow").await;
    runner.kill().await;
    stub.release("/slow");
    let runner = world.start().await;
    let ended = runner.wait(&id).await;
    assert_eq!(ended["steps"][0]["error"]["code"], "outcome_unknown", "{ended:#}");
    assert_eq!(stub.hits("/slow"), 1);
}
