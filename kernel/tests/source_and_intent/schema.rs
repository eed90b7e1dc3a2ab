//! The JSON Schema says what the decoder does.

use crate::good::EVERYTHING;
use jalm_kernel::intent::{self, json_schema};
use jalm_kernel::source;
use serde_json::Value;

fn value(text: &str) -> Value {
    source::parse(text).expect("the syntax is good").to_value()
}

#[test]
fn the_schema_is_a_schema() {
    let schema = json_schema();
    jsonschema::meta::validate(&schema).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    insta::with_settings!({prepend_module_to_snapshot => false}, {
        insta::assert_json_snapshot!("schema", schema);
    });
}

#[test]
fn every_good_config_fits() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    for text in [
        EVERYTHING,
        "intent: a\nsteps: [{layer: io-http}]",
        "intent: a\nsteps: [{atom: x, layer: io-http, timeout: 5, input: {a: [1]}}]",
        "intent: a\nsteps: [{set: {x: 1}, foreach: '{{ params.x }}', as: y, concurrency: 1000}]",
        "intent: a\nsteps: [{parallel: [{atom: x, retry: {attempts: 1, delay: 0}}]}]",
        "intent: a\nsteps: [{steps: [{atom: x, on_error: fail, when: false}]}]\noutput: x\nmeta: {a: 1}",
    ] {
        assert!(intent::read(text).is_ok(), "{text}: {:#?}", intent::read(text));
        let value = value(text);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:#?}");
    }
}

/// What both the decoder and the schema refuse.
#[test]
fn every_bad_config_is_refused_by_both() {
    let validator = jsonschema::validator_for(&json_schema()).unwrap();
    for text in [
        "intent: a",
        "steps: [{atom: x}]",
        "intent: a b\nsteps: [{atom: x}]",
        "intent: a\nversion: 1.2\nsteps: [{atom: x}]",
        "intent: a\nversion: '1.2'\nsteps: [{atom: x}]",
        "intent: a\nsteps: []",
        "intent: a\nsteps: {x: {atom: x}}",
        "intent: a\nsteps: [x]",
        "intent: a\nsteps: [{}]",
        "intent: a\nsteps: [{atom: x, set: {a: 1}}]",
        "intent: a\nsteps: [{atom: x, steps: [{atom: x}]}]",
        "intent: a\nsteps: [{set: {a: 1}, input: {}}]",
        "intent: a\nsteps: [{set: {}}]",
        "intent: a\nsteps: [{set: {a-b: 1}}]",
        "intent: a\nsteps: [{atom: x, as: y}]",
        "intent: a\nsteps: [{atom: x, foreach: [], concurrency: 0}]",
        "intent: a\nsteps: [{atom: x, foreach: 5}]",
        "intent: a\nsteps: [{layer: io-htp}]",
        "intent: a\nsteps: [{atom: x, url: y}]",
        "intent: a\nsteps: [{atom: x, switch: []}]",
        "intent: a\nsteps: [{atom: x, timeout: 5 min}]",
        "intent: a\nsteps: [{atom: x, timeout: 0}]",
        "intent: a\nsteps: [{atom: x, timeout: -1}]",
        "intent: a\nsteps: [{atom: x, timeout: 99999999}]",
        "intent: a\nsteps: [{atom: x, retry: 0}]",
        "intent: a\nsteps: [{atom: x, retry: {delay: 1s}}]",
        "intent: a\nsteps: [{atom: x, retry: {attempts: 1.5}}]",
        "intent: a\nsteps: [{atom: x, retry: {attempts: 2, backoff: square}}]",
        "intent: a\nsteps: [{atom: x, on_error: ignore}]",
        "intent: a\nsteps: [{atom: x, on_error: [{atom: y}]}]",
        "intent: a\nsteps: [{atom: x, needs: y}]",
        "intent: a\nsteps: [{atom: x, when: 1}]",
        "intent: a\nsteps: [{id: 1a, atom: x}]",
        "intent: a\nsteps: [{steps: []}]",
        "intent: a\nsteps: [{atom: x}]\nsecrets: [X]",
        "intent: a\nsteps: [{atom: x}]\ngrants: {http: x}",
        "intent: a\nsteps: [{atom: x}]\ngrants: {file: {red: []}}",
        "intent: a\nsteps: [{atom: x}]\nmeta: {schedule: '@hourly'}",
        "intent: a\nsteps: [{atom: x}]\nlimits: {concurrency: 1}",
        "intent: a\nsteps: [{atom: x}]\ncontext: 5",
        "intent: a\nsteps: [{atom: x}]\nbanana: 5",
    ] {
        assert!(intent::read(text).is_err(), "decoded: {text}");
        assert!(!validator.is_valid(&value(text)), "fits the schema: {text}");
    }
}
