//! The service about itself: facts, health, metrics, documentation.

use jalm_tests::World;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::pure;

#[tokio::test]
async fn the_root_tells_programs_the_facts_and_sends_browsers_on() {
    let world = World::new().await;
    let runner = world.start().await;
    let facts = runner.get("/").await;
    assert_eq!(facts.status, 200);
    for key in ["service", "version", "layers", "atoms", "endpoints"] {
        assert!(!facts.body[key].is_null(), "no {key}: {:#}", facts.body);
    }
    assert_eq!(facts.body["layers"].as_array().unwrap().len(), 6);
    let browser = runner.request(Method::GET, "/").header("accept", "text/html,*/*;q=0.8");
    let answer = runner.send(browser).await;
    assert!((300..400).contains(&answer.status));
    let target = answer.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(runner.get(&target).await.status, 200);
}

#[tokio::test]
async fn health_says_live_ready_store_and_isolates() {
    let world = World::new().await;
    let runner = world.start().await;
    let health = runner.get("/health").await;
    assert_eq!((health.status, &health.body["status"]), (200, &json!("ok")), "{:#}", health.body);
    for key in ["live", "ready", "store", "isolates", "version", "uptime"] {
        assert!(!health.body[key].is_null(), "no {key}: {:#}", health.body);
    }
    assert_eq!(runner.get("/health/live").await.body, json!({ "live": true }));
    assert_eq!(runner.get("/health/ready").await.body, json!({ "ready": true }));
}

/// One sample: name, labels and value.
fn sample(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let name = series.split('{').next().unwrap();
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'), "{line}");
    if let Some(labels) = series.strip_prefix(name).filter(|labels| !labels.is_empty()) {
        let labels = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}'));
        // No value of ours holds a comma or a quote.
        for label in labels.unwrap_or_else(|| panic!("{line}")).split(',') {
            let (key, value) = label.split_once('=').unwrap();
            assert!(!key.is_empty() && value.starts_with('"') && value.ends_with('"'), "{line}");
        }
    }
    (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
}

#[tokio::test]
async fn metrics_are_prometheus_text_and_count_what_happens() {
    let world = World::new().await;
    let runner = world.start().await;
    runner.run(pure("counted")).await;
    runner.get("/no/such/path").await;
    let answer = runner.get("/metrics").await;
    assert!(answer.kind.starts_with("text/plain; version=0.0.4"), "{}", answer.kind);
    let text = answer.body.as_str().unwrap();
    let mut kinds = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{name} is declared twice");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = sample(line);
            let name = series.split('{').next().unwrap();
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let known = kinds.contains_key(name)
                || family.is_some_and(|name| kinds.get(name) == Some(&"histogram"));
            assert!(known, "{name} is not declared");
            assert!(samples.insert(series, value).is_none(), "a series came twice: {line}");
        }
    }
    let count = |name: &str| format!("{}", samples[name]);
    assert_eq!(count("jalm_executions_submitted_total"), "1");
    assert_eq!(count("jalm_executions_completed_total"), "1");
    assert_eq!(count("jalm_steps_completed_total"), "1");
    assert_eq!(count("jalm_store_good"), "1");
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    let posted = |series: &&String| {
        series.contains("_count{") && series.contains("\"/exec\"") && series.contains("POST")
    };
    assert_eq!(samples.keys().filter(posted).count(), 1, "{text}");
}

#[tokio::test]
async fn the_openapi_document_holds_every_route_and_no_dead_reference() {
    let world = World::new().await;
    let runner = world.start().await;
    let document = runner.get("/openapi.json").await;
    assert_eq!((document.status, document.kind.as_str()), (200, "application/json"));
    let document = document.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let documented: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let facts = runner.get("/").await.body;
    let routes = facts["endpoints"].as_array().unwrap().iter();
    let routes: BTreeSet<String> = routes.map(|route| route.as_str().unwrap().to_owned()).collect();
    assert_eq!(documented, routes);
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer =
            reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads away"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    // Each path without parameters answers, and not with 404 or 5xx.
    for route in &routes {
        let (method, path) = route.split_once(' ').unwrap();
        if !path.contains('{') {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let status = runner.send(runner.request(method, path)).await.status;
            assert!(status < 500 && status != 404, "{route} answers {status}");
        }
    }
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_pages_and_all_their_files_come_from_this_server() {
    let world = World::new().await;
    let runner = world.start().await;
    for page in ["/docs", "/redoc"] {
        let answer = runner.get(page).await;
        assert_eq!(answer.status, 200);
        let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
        let html = answer.body.as_str().unwrap().to_owned();
        let mut files = 0;
        for attribute in ["src=\"", "href=\""] {
            for rest in html.split(attribute).skip(1) {
                let target = rest.split('"').next().unwrap();
                if target.starts_with("data:") {
                    continue;
                }
                assert!(!target.contains("//"), "{page} asks {target}");
                // Relative to the page's folder, which is the root.
                let file = runner.get(&format!("/{}", target.trim_start_matches('/'))).await;
                assert_eq!(file.status, 200, "{page} needs {target}");
                if file.kind.starts_with("text/css") {
                    let css = file.body.as_str().unwrap();
                    let outside = css
                        .split("url(")
                        .skip(1)
                        .find(|rest| !rest.trim_start_matches(['"', '\'']).starts_with("data:"));
                    assert!(outside.is_none() && !css.contains("@import"), "{target}: {outside:?}");
                }
                files += 1;
            }
        }
        assert!(files >= 3, "{page}: {html}");
    }
}

#[tokio::test]
async fn atoms_layers_and_the_schema_are_served() {
    let world = World::new().await;
    let runner = world.start().await;
    let atoms = runner.get("/atoms").await.body;
    let names: BTreeSet<&str> = atoms["atoms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|atom| atom["name"].as_str().unwrap())
        .collect();
    for name in [
        "exec_http",
        "db_query",
        "db_insert",
        "db_update",
        "db_delete",
        "cache_get",
        "cache_set",
        "file_read",
        "file_write",
        "file_list",
        "file_delete",
        "compute_script",
        "transform_data",
        "generate_uuid",
        "get_timestamp",
        "render_html",
        "render_json",
        "notify_mq",
        "notify_webhook",
    ] {
        assert!(names.contains(name), "no {name}");
    }
    let layers = runner.get("/layers").await.body;
    for layer in layers["layers"].as_array().unwrap() {
        assert!(
            layer["atoms"]
                .as_array()
                .unwrap()
                .iter()
                .all(|atom| names.contains(atom.as_str().unwrap()))
        );
    }
    let schema = runner.get("/schema").await.body;
    assert!(schema["properties"]["steps"].is_object(), "{schema:#}");
}
