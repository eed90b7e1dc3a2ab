//! What good configs mean.

use jalm_kernel::ids::Millis;
use jalm_kernel::intent::{self, Backoff, Body, Intent, OnError, OnItemError, Retry, Step};
use jalm_kernel::source::{self, Data};
use serde_json::json;

/// All forms that run today.
pub(crate) const EVERYTHING: &str = r#"
intent: nightly-report
version: 1.2.0-rc.1
description: Sales of the day
input:
  type: object
  properties: { day: { type: string } }
context: { currency: EUR, limits: [1, 2.5, null] }
grants:
  http: ["https://api.example.com/*"]
  db: [sales]
  file: { read: ["reports/**"], write: ["reports/out/*"] }
  notify: [queue]
defaults: { timeout: 45s, retry: { attempts: 3 } }
limits: { timeout: 10m }
meta: { owner: team-a, anything: [1, { x: y }] }
steps:
  - id: rows
    name: Read the rows
    layer: io-db
    timeout: 1.5m
    input: { connection: sales, query: select 1 }
  - atom: get_timestamp
    needs: []
  - id: each
    foreach: "{{ steps.rows.output.rows }}"
    as: row
    concurrency: 8
    on_item_error: collect
    steps:
      - set: { total: "{{ row.a + row.b }}", label: x }
      - id: post
        atom: exec_http
        when: "{{ total > 0 }}"
        retry: { attempts: 5, backoff: linear, delay: 2s, max_delay: 1m, jitter: false, on: [http_status], unless: [timeout] }
        on_error: continue
        output: "{{ response.body }}"
  - id: both
    when: true
    needs: [rows, each]
    parallel:
      - { atom: render_json, retry: 2 }
      - { atom: notify_mq, layer: notify-mq, foreach: [1, 2] }
output: { rows: "{{ steps.rows.output.rows }}" }
"#;

fn read(text: &str) -> Intent {
    let (intent, warnings) = intent::read(text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(warnings, []);
    intent
}

fn ids(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.id.value.as_str()).collect()
}

#[test]
fn the_frame_of_an_intent_is_read() {
    let intent = read(EVERYTHING);
    assert_eq!(intent.name.value, "nightly-report");
    assert_eq!(intent.version.as_deref(), Some("1.2.0-rc.1"));
    assert_eq!(json!(intent.context), json!({"currency": "EUR", "limits": [1, 2.5, null]}));
    let grants = intent.grants.unwrap();
    assert_eq!(grants.http, ["https://api.example.com/*"]);
    assert_eq!(
        (grants.file.read, grants.file.write),
        (vec!["reports/**".into()], vec!["reports/out/*".into()])
    );
    assert_eq!(intent.defaults.timeout, Some(Millis(45_000)));
    assert_eq!(intent.defaults.retry, Some(Retry { attempts: 3, ..Retry::default() }));
    assert_eq!(intent.limits.timeout, Some(Millis(600_000)));
    assert_eq!(intent.input.unwrap().to_value()["type"], "object");
    assert!(intent.output.is_some());
}

#[test]
fn steps_are_read_in_their_order_and_named_by_their_place() {
    let intent = read(EVERYTHING);
    assert_eq!(ids(&intent.steps), ["rows", "step2", "each", "both"]);
    let Body::Group(inner) = &intent.steps[2].body else { panic!() };
    assert_eq!(ids(inner), ["step4", "post"]);
    let Body::Parallel(inner) = &intent.steps[3].body else { panic!() };
    assert_eq!(ids(inner), ["step7", "step8"]);
}

#[test]
fn the_keys_of_a_step_are_read() {
    let intent = read(EVERYTHING);
    let [rows, time, each, both] = &intent.steps[..] else { panic!() };
    assert_eq!(rows.name.as_deref(), Some("Read the rows"));
    assert_eq!(rows.timeout.as_ref().unwrap().value, Millis(90_000));
    assert_eq!((&rows.needs, rows.on_error), (&None, OnError::Fail));
    let Body::Atom { layer, atom, input } = &rows.body else { panic!() };
    assert_eq!((layer.as_ref().unwrap().value.as_str(), atom), ("io-db", &None));
    assert_eq!(input.to_value()["connection"], "sales");
    assert_eq!(time.needs, Some(Vec::new()));
    let Body::Atom { input, .. } = &time.body else { panic!() };
    assert_eq!(input.data, Data::Map(Vec::new()));
    let foreach = each.foreach.as_ref().unwrap();
    assert_eq!(foreach.as_name.as_ref().unwrap().value, "row");
    assert_eq!((foreach.concurrency, foreach.on_item_error), (8, OnItemError::Collect));
    assert_eq!(both.when.as_ref().unwrap().data, Data::Bool(true));
    let needs: Vec<&str> = both.needs.iter().flatten().map(|need| need.value.as_str()).collect();
    assert_eq!(needs, ["rows", "each"]);
}

#[test]
fn retries_are_read_long_and_short() {
    let intent = read(EVERYTHING);
    let Body::Group(inner) = &intent.steps[2].body else { panic!() };
    let expected = Retry {
        attempts: 5,
        backoff: Backoff::Linear,
        delay: Millis(2000),
        max_delay: Millis(60_000),
        jitter: false,
        on: vec!["http_status".into()],
        unless: vec!["timeout".into()],
    };
    assert_eq!((&inner[1].retry, inner[1].on_error), (&Some(expected), OnError::Continue));
    let Body::Parallel(inner) = &intent.steps[3].body else { panic!() };
    assert_eq!(inner[0].retry, Some(Retry { attempts: 2, ..Retry::default() }));
    let long = read("intent: a\nsteps:\n  - {atom: a, retry: {attempts: 2, delay: 5m}}\n");
    assert_eq!(
        long.steps[0].retry.as_ref().unwrap().max_delay,
        Millis(300_000),
        "never below the delay"
    );
}

#[test]
fn json_and_yaml_mean_the_same() {
    let node = source::parse(EVERYTHING).unwrap();
    let json = serde_json::to_string_pretty(&node.to_value()).unwrap();
    let other = source::parse(&json).unwrap();
    assert_eq!(node.to_value(), other.to_value());
    assert_eq!(ids(&read(&json).steps), ids(&read(EVERYTHING).steps));
}

#[test]
fn decode_without_the_source_names_places_by_path() {
    let text = "intent: a\nsteps:\n  - {id: x, atom: a}\n  - {id: x, atom: a}\n";
    let problems = intent::decode(&source::parse(text).unwrap()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "the step id `x` is used twice, first on `steps[0].id`");
    assert_eq!(problems[0].path, "steps[1].id");
    let problems = intent::read(text).unwrap_err();
    assert_eq!(problems[0].message, "the step id `x` is used twice, first on line 3");
    let report = problems[0].report(text);
    assert_eq!((report.line, report.column, report.width), (4, 10, 1));
    assert_eq!(report.excerpt, "  - {id: x, atom: a}");
}
