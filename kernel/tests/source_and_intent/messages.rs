//! What an author reads about a config that is wrong. Each case is a snapshot; a changed message
//! is a changed snapshot, read before it is accepted.

use jalm_kernel::intent;
use jalm_kernel::source::render;

/// The problems of `text`, as `jalm validate` prints them.
fn check(name: &str, file: &str, text: &str) {
    let problems = match intent::read(text) {
        Ok((intent, _)) => panic!("{name} is taken for good: {intent:#?}"),
        Err(problems) => problems,
    };
    assert!(!problems.is_empty(), "{name} is refused without a reason");
    let shown = render(file, text, &problems, false);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_description(text.chars().take(2000).collect::<String>());
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

/// A good beginning, to which one wrong thing is added.
fn step(rest: &str) -> String {
    format!("intent: demo\nsteps:\n  - id: a\n{rest}")
}

#[test]
fn broken_yaml() {
    for (name, text) in [
        ("yaml_tab_indent", "intent: demo\nsteps:\n\t- atom: get_timestamp\n"),
        ("yaml_no_space_after_colon", "intent: demo\nversion:1.0.0\nsteps: []\n"),
        ("yaml_colon_in_value", "intent: demo\ndescription: Report: sales of May\nsteps: []\n"),
        ("yaml_unclosed_bracket", "intent: demo\ncontext: { a: [1, 2 }\nsteps: []\n"),
        ("yaml_unclosed_quote", "intent: \"demo\nsteps:\n  - atom: get_timestamp\n"),
        ("yaml_cron_without_quotes", "intent: demo\ncontext:\n  cron: * * * * *\n"),
        ("yaml_wrong_indent", "intent: demo\nsteps:\n  - id: a\n   atom: get_timestamp\n"),
        ("yaml_regex_in_double_quotes", "intent: demo\ncontext:\n  digits: \"\\d+\"\n"),
        ("yaml_two_documents", "intent: demo\n---\nintent: other\n"),
        ("yaml_nul", "intent: demo\0\nsteps: []\n"),
        ("yaml_only_comments", "# nothing here yet\n"),
        ("yaml_a_word", "hello\n"),
    ] {
        check(name, "demo.yaml", text);
    }
}

#[test]
fn bare_expressions() {
    check(
        "yaml_bare_expressions",
        "demo.yaml",
        &step(
            "    atom: db_query\n    when: {{ params.go }}\n    input:\n      query: {{ params.query }}\n    tiemout: 3s\n",
        ),
    );
    check(
        "yaml_bare_expression_with_more",
        "demo.yaml",
        &step("    atom: exec_http\n    input:\n      url: {{ params.base }}/items # the items\n"),
    );
}

#[test]
fn doubtful_yaml() {
    check(
        "yaml_repeated_key",
        "demo.yaml",
        &step("    atom: get_timestamp\n    timeout: 1s\n    timeout: 2s\n"),
    );
    check(
        "yaml_number_as_key",
        "demo.yaml",
        "intent: demo\ncontext:\n  404: not found\nsteps:\n  - atom: a\n",
    );
    check("yaml_own_tag", "demo.yaml", "intent: !env NAME\nsteps:\n  - atom: a\n");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..6 {
        let line = format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
        bomb.push_str(&line);
    }
    check("yaml_alias_bomb", "demo.yaml", &bomb);
    check(
        "yaml_nested_too_deep",
        "demo.yaml",
        &format!("intent: demo\ncontext: {}\n", "{a: ".repeat(200)),
    );
}

#[test]
fn broken_json() {
    for (name, text) in [
        (
            "json_trailing_comma",
            "{\n  \"intent\": \"demo\",\n  \"steps\": [\n    {\"atom\": \"a\"},\n  ]\n}\n",
        ),
        ("json_missing_comma", "{\n  \"intent\": \"demo\"\n  \"steps\": []\n}\n"),
        ("json_single_quotes", "{'intent': 'demo'}\n"),
        ("json_bare_key", "{\n  intent: \"demo\"\n}\n"),
        ("json_bare_word", "{\"intent\": demo}\n"),
        ("json_comment", "{\n  // the name\n  \"intent\": \"demo\"\n}\n"),
        ("json_unclosed", "{\n  \"intent\": \"demo\",\n  \"steps\": [\n    {\"atom\": \"a\"}\n"),
        ("json_unclosed_text", "{\n  \"intent\": \"demo,\n  \"steps\": []\n}\n"),
        ("json_bad_escape", "{\"intent\": \"demo\", \"context\": {\"digits\": \"\\d+\"}}\n"),
        ("json_bad_number", "{\"intent\": \"demo\", \"context\": {\"zip\": 01234}}\n"),
        ("json_expression", "{\"intent\": \"demo\", \"output\": {{ steps.a.output }}}\n"),
        ("json_extra_bracket", "{\"intent\": \"demo\"}}\n"),
        (
            "json_repeated_key",
            "{\n  \"intent\": \"demo\",\n  \"intent\": \"other\",\n  \"steps\": [{\"atom\": \"a\"}]\n}\n",
        ),
    ] {
        check(name, "demo.json", text);
    }
    let long = format!(
        "{{\"intent\": \"demo\", \"steps\": [{}{{\"id\": \"last\", \"atm\": \"a\"}}]}}",
        "{\"atom\": \"get_timestamp\"}, ".repeat(20)
    );
    check("json_in_one_long_line", "demo.json", &long);
}

#[test]
fn wrong_intents() {
    for (name, text) in [
        ("intent_empty_map", "{}"),
        (
            "intent_unknown_keys",
            "intent: demo\nstpes: []\ntitle: Demo\npermissions: {}\nbanana: 1\nsteps:\n  - atom: a\n",
        ),
        ("intent_bad_name", "intent: my demo!\nversion: 1.2\nsteps:\n  - atom: a\n"),
        ("intent_bad_version", "intent: demo\nversion: v1.2.3\nsteps:\n  - atom: a\n"),
        ("intent_no_steps", "intent: demo\nsteps: []\n"),
        ("intent_steps_as_map", "intent: demo\nsteps:\n  first:\n    atom: a\n"),
        ("intent_request_body", "{\"jalm_config\": {\"intent\": \"demo\", \"steps\": []}}"),
        (
            "intent_script_grants",
            "intent: demo\ngrants:\n  script: { languages: [pyhton, cobol], network: true, hosts: [a] }\nsteps:\n  - atom: a\n",
        ),
        (
            "intent_grants",
            "intent: demo\ngrants:\n  http: https://example.com/*\n  files: {}\n  file: { read: reports }\n  db: [1]\n  secrets: [X]\nsteps:\n  - atom: a\n",
        ),
        (
            "intent_defaults_and_limits",
            "intent: demo\ndefaults:\n  timeout: 30 sec\n  retry: 0\nlimits:\n  timeout: 3000d\n  concurrency: 1\nsteps:\n  - atom: a\n",
        ),
        (
            "intent_not_yet",
            "intent: demo\nsecrets: [A]\ntriggers:\n  - cron: \"0 7 * * *\"\nfinally: []\nsession_state: {}\nmeta:\n  owner: me\n  schedule: \"@hourly\"\n  retry_on_fail: 2\noutput: { type: text, value: done }\nsteps:\n  - atom: a\n",
        ),
        ("intent_empty_values", "intent:\ninput:\ncontext: 5\nsteps:\n"),
    ] {
        check(name, "demo.yaml", text);
    }
}

#[test]
fn wrong_steps() {
    for (name, rest) in [
        (
            "step_unknown_keys",
            "    atom: exec_http\n    retri: 3\n    if: true\n    url: https://example.com\n",
        ),
        ("step_no_body", "    name: nothing to do\n"),
        ("step_two_bodies", "    atom: a\n    steps:\n      - atom: b\n        needz: []\n"),
        ("step_set_beside_atom", "    atom: exec_http\n    set: { x: \"{{ response }}\" }\n"),
        ("step_unknown_layer", "    layer: io_http\n  - layer: database\n"),
        ("step_not_a_map", "    atom: a\n  - get_timestamp\n  - 5\n  - - atom: b\n"),
        ("step_repeated_id", "    atom: a\n  - id: b\n    atom: a\n  - id: a\n    atom: a\n"),
        (
            "step_id_by_place",
            "    atom: a\n  - atom: a\n  - id: step2\n    atom: a\n  - id: step5\n    atom: a\n  - atom: a\n",
        ),
        (
            "step_bad_ids",
            "    atom: a\n  - id: 2nd\n    atom: a\n  - id: 3\n    atom: a\n  - id: käse\n    atom: a\n",
        ),
        (
            "step_wrong_kinds",
            "    atom: [a]\n    name: 5\n    needs: b\n    when: 1\n    input: [x]\n    retry: yes\n    timeout: []\n    foreach: 3\n",
        ),
        (
            "step_retry",
            "    atom: a\n    retry:\n      attempts: 2000\n      backoff: exponentiel\n      delay: 2m\n      max_delay: 1s\n      jitter: maybe\n      on: timeout\n  - atom: a\n    retry: { delay: 5s }\n",
        ),
        (
            "step_durations",
            "    atom: a\n    timeout: 5 minutes\n  - atom: a\n    timeout: 0\n  - atom: a\n    timeout: \"{{ params.t }}\"\n  - atom: a\n    timeout: -3\n",
        ),
        (
            "step_loop_keys",
            "    atom: a\n    as: row\n    concurrency: 4\n  - atom: a\n    foreach: \"{{ params.rows }}\"\n    as: my row\n    concurrency: 0\n    on_item_error: ignore\n  - set: { x: 1 }\n    input: {}\n",
        ),
        ("step_set", "    set: {}\n  - set: { my-var: 1, ok: 2 }\n  - set: [x]\n"),
        (
            "step_not_yet",
            "    switch: []\n  - wait: 5s\n  - call_tool: slot_validator\n    args: {}\n  - while: \"{{ true }}\"\n    steps:\n      - atom: a\n  - atom: a\n    on_error:\n      - atom: b\n  - atom: a\n    cache: { for: 60s }\n    sleep: 3s\n",
        ),
        (
            "step_on_error",
            "    atom: a\n    on_error: ignore\n  - atom: a\n    on_error: contineu\n",
        ),
        ("step_wide_characters", "    name: 日本語\n    atom: a\n    入力: {}\n"),
    ] {
        check(name, "demo.yaml", &step(rest));
    }
}

#[test]
fn limits() {
    let deep = |depth: usize| {
        let open = "{\"steps\": [".repeat(depth);
        format!(
            "{{\"intent\": \"demo\", \"steps\": [{open}{{\"atom\": \"a\"}}{}]}}",
            "]}".repeat(depth)
        )
    };
    assert!(intent::read(&deep(32)).is_ok());
    check("limit_nesting", "demo.json", &deep(33));
    let many = |count: usize| {
        let steps = vec!["{\"atom\":\"a\"}"; count].join(",\n");
        format!("{{\"intent\": \"demo\", \"steps\": [\n{steps}\n]}}")
    };
    assert_eq!(intent::read(&many(10_000)).unwrap().0.steps.len(), 10_000);
    check("limit_steps", "demo.json", &many(10_001));
    check("limit_bytes", "demo.yaml", &format!("intent: demo # {}\n", "x".repeat(1024 * 1024)));
    let unknown: String = (0..5000).fold(String::new(), |text, i| text + &format!("key{i}: 1\n"));
    assert_eq!(intent::read(&unknown).unwrap_err().len(), 1000, "problems are bounded");
}
