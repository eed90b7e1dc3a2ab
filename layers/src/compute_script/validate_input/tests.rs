use super::*;
use crate::testing::World;

#[tokio::test]
async fn bad_input_is_refused() {
    let string = json!({ "type": "string" });
    World::new()
        .refuses(
            "validate_input",
            &[
                (json!({}), "`data`", "add `data`"),
                (json!({ "data": 1 }), "`schema`", "add `schema`"),
                (json!({ "data": 1, "schema": 5 }), "`schema`", "`$ref`"),
                (json!({ "data": 1, "schema": { "type": "strin" } }), "`schema`", "`$ref`"),
                (json!({ "data": 1, "schema": { "pattern": "(" } }), "`schema`", "`$ref`"),
                (json!({ "data": 1, "schema": { "$ref": "https://example.com/s.json" } }), "`schema`", "nothing is fetched"),
                (json!({ "data": 1, "schema": { "$ref": "file:///etc/passwd" } }), "`schema`", "nothing is fetched"),
                (json!({ "data": 1, "schema": { "$ref": "#/$defs/none" } }), "`schema`", "`$ref`"),
                (json!({ "data": 1, "schema": { "$ref": "#" } }), "leads back to itself", "break the circle"),
                (json!({ "data": 1, "schema": string }), "the data: 1 is not of type \"string\"", "`on_invalid: report`"),
                (json!({ "data": { "a": [1, "x"] }, "schema": { "properties": { "a": { "items": string } } } }), "`/a/0`", "mend"),
                (json!({ "data": 1, "schema": string, "max_errors": 0 }), "`max_errors`", "1 or more"),
                (json!({ "data": 1, "schema": string, "formats": "yes" }), "`formats`", "`formats`: "),
                (json!({ "data": 1, "schema": string, "on_invalid": "ignore" }), "`ignore`", "write one of"),
            ],
        )
        .await;
}

#[tokio::test]
async fn every_mistake_is_told_with_its_place() {
    let schema = json!({
        "type": "object",
        "properties": { "n": { "type": "integer" }, "d": { "format": "date" }, "o": { "$ref": "urn:o" } },
        "required": ["x"],
    });
    let input = json!({
        "schema": schema, "schemas": { "urn:o": { "required": ["y"] } }, "formats": true, "on_invalid": "report",
        "data": { "n": 1.5, "d": "2026-02-30", "o": {} },
    });
    let output = World::new().run("validate_input", input).await.unwrap();
    let mut places: Vec<String> = output["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["path"].as_str().unwrap(), it["keyword"].as_str().unwrap()))
        .collect();
    places.sort();
    assert_eq!(places, [" required", "/d format", "/n type", "/o required"]);
    assert_eq!(
        (output["valid"].clone(), output["truncated"].clone()),
        (json!(false), json!(false))
    );
}

#[tokio::test]
async fn a_failure_tells_them_all_to_programs_and_long_values_to_nobody() {
    let long = "x".repeat(5000);
    let input = json!({ "schema": { "items": { "type": "integer" } }, "data": [long, "b"], "max_errors": 1 });
    let failure = World::new().run("validate_input", input).await.unwrap_err();
    assert_eq!(failure.code, "invalid_data");
    assert!(
        failure.message.len() < 200 && failure.message.starts_with("`/0`: the value"),
        "{failure:?}"
    );
    let detail = failure.detail.unwrap();
    assert_eq!(
        (detail["errors"].as_array().unwrap().len(), detail["truncated"].clone()),
        (1, json!(true))
    );
}

#[tokio::test]
async fn without_formats_a_format_is_a_remark() {
    let input = json!({ "schema": { "format": "email" }, "data": "nobody" });
    assert_eq!(World::new().run("validate_input", input).await.unwrap()["valid"], true);
}

#[tokio::test]
async fn a_schema_may_lead_back_to_itself_by_way_of_the_data() {
    let input = json!({
        "schema": { "type": "object", "properties": { "next": { "$ref": "#" } }, "additionalProperties": false },
        "data": { "next": { "next": { "prev": 1 } } }, "on_invalid": "report",
    });
    let output = World::new().run("validate_input", input).await.unwrap();
    assert_eq!(output["errors"][0]["path"], "/next/next");
}

#[tokio::test]
async fn no_way_around_leads_into_a_circle() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#/allOf/0" }] }),
        json!({ "$id": "http://x.example/a", "$ref": "a" }),
        json!({ "$id": "http://x.example/a", "$ref": "http://x.example/a#" }),
        json!({ "$defs": { "b": { "$id": "http://x.example/b", "anyOf": [{ "$ref": "b" }] } }, "$ref": "http://x.example/b" }),
        json!({ "$anchor": "me", "not": { "$ref": "#me" } }),
        json!({ "$ref": "#/%24defs/a", "$defs": { "a": { "if": { "$ref": "#" } } } }),
        json!({ "$ref": "urn:one" }),
        json!({ "$dynamicAnchor": "n", "then": true, "if": { "$dynamicRef": "#n" } }),
    ] {
        let schemas = json!({ "urn:one": { "$ref": "urn:two" }, "urn:two": { "$ref": "urn:one" } });
        let input = json!({ "schema": schema, "schemas": schemas, "data": 1 });
        let failure = World::new().run("validate_input", input).await.unwrap_err();
        assert!(failure.message.contains("leads back to itself"), "{schema}: {failure:?}");
    }
}

#[tokio::test]
async fn a_long_chain_of_schemas_is_refused_before_it_is_followed() {
    let defs: serde_json::Map<String, Value> = (0..5_000)
        .rev()
        .map(|n| (format!("d{n}"), json!({ "$ref": format!("#/$defs/d{}", n + 1) })))
        .chain([("d5000".to_owned(), json!(true))])
        .collect();
    let input = json!({ "schema": { "$defs": defs, "$ref": "#/$defs/d0" }, "data": 1 });
    let failure = World::new().run("validate_input", input).await.unwrap_err();
    assert!(failure.message.contains("more than 256 schemas"), "{failure:?}");
}
