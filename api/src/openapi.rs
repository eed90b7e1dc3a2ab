//! The API as OpenAPI 3.1, made from the table of routes.

use crate::routes::{ROUTES, Route};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::sync::OnceLock;

pub(crate) async fn openapi() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response()
}

/// The whole document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "JALM Core Runner",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs intents: durable, isolated workflows from short YAML or JSON configs.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let id: String = format!("{}{}", route.method.to_ascii_lowercase(), route.path)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let mut responses = Map::new();
    for (status, description, schema) in answers(route) {
        let content = schema.map(|(kind, schema)| json!({ kind: { "schema": schema } }));
        let mut answer = json!({ "description": description });
        if let Some(content) = content {
            answer["content"] = content;
        }
        responses.insert(status.to_owned(), answer);
    }
    responses.insert(
        "default".to_owned(),
        json!({
            "description": "What went wrong, and the way out",
            "content": { "application/problem+json": { "schema": reference("Problem") } },
        }),
    );
    let mut operation = json!({
        "operationId": id.trim_end_matches('_'),
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route),
        "responses": responses,
    });
    if let Some(body) = request_body(route) {
        operation["requestBody"] = body;
    }
    operation
}

fn tag(path: &str) -> &'static str {
    match path {
        path if path.starts_with("/exec") => "executions",
        "/validate" | "/plan" | "/schema" | "/atoms" | "/layers" => "language",
        path if path.starts_with("/queues") => "queues",
        _ => "service",
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

type Answer = (&'static str, &'static str, Option<(&'static str, Value)>);

fn answers(route: &Route) -> Vec<Answer> {
    const JSON: &str = "application/json";
    let some = |status, text, schema: Value| (status, text, Some((JSON, schema)));
    match (route.method, route.path) {
        ("POST", "/exec" | "/execute") => vec![
            some(
                "200",
                "It has ended (with `wait`), or its key was known",
                json!({ "anyOf": [reference("Execution"), reference("Receipt")] }),
            ),
            some("202", "It is taken and durable", reference("Receipt")),
        ],
        ("GET", "/exec") => vec![some("200", "A page of executions", reference("ExecutionList"))],
        ("GET", "/exec/{execution_id}") => {
            vec![some("200", "The execution", reference("Execution"))]
        }
        ("DELETE", _) => vec![("204", "It is forgotten", None)],
        ("POST", "/exec/{execution_id}/cancel") => {
            vec![some("200", "It is cancelled", reference("Receipt"))]
        }
        ("GET", "/exec/{execution_id}/events") => vec![(
            "200",
            "Journal events; `id` is the event's number, `event` its kind, `data` its JSON",
            Some(("text/event-stream", json!({ "type": "string" }))),
        )],
        ("GET", "/metrics") => {
            vec![("200", "Prometheus text", Some(("text/plain", json!({ "type": "string" }))))]
        }
        ("POST", "/validate") => {
            vec![some("200", "What is wrong, if anything", reference("Validation"))]
        }
        ("GET", "/health" | "/health/ready") => vec![
            some("200", "It is well", json!({ "type": "object" })),
            some("503", "It cannot take work now", json!({ "type": "object" })),
        ],
        _ => vec![some("200", "The answer", json!({ "type": "object" }))],
    }
}

fn parameters(route: &Route) -> Value {
    let path = |name: &str, schema: Value| json!({ "name": name, "in": "path", "required": true, "schema": schema });
    let query = |name: &str, about: &str, schema: Value| json!({ "name": name, "in": "query", "description": about, "schema": schema });
    let text = || json!({ "type": "string" });
    let mut all = Vec::new();
    if route.path.contains("{execution_id}") {
        all.push(path("execution_id", json!({ "type": "string", "format": "uuid" })));
    }
    if route.path.contains("{queue}") {
        all.push(path("queue", text()));
        all.push(query(
            "limit",
            "At most this many",
            json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 50 }),
        ));
    }
    match (route.method, route.path) {
        ("POST", "/exec" | "/execute") => {
            all.push(query("wait", "Wait for the end, at most this long: 30s, 500ms, 2m", text()));
            all.push(query("params", "Params as JSON, when the body is the intent's text", text()));
            all.push(query(
                "timeout",
                "Bound on the execution, when the body is the intent's text",
                text(),
            ));
            all.push(query("idempotency_key", "Key, when the body is the intent's text", text()));
        }
        ("GET", "/exec") => {
            all.push(query(
                "status",
                "Only this state",
                json!({ "enum": ["pending", "running", "completed", "failed", "cancelled"] }),
            ));
            all.push(query("intent", "Only this intent", text()));
            all.push(query(
                "since",
                "Created at or after this time",
                json!({ "type": "string", "format": "date-time" }),
            ));
            all.push(query(
                "limit",
                "At most this many",
                json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 50 }),
            ));
            all.push(query("cursor", "`next` of the page before", text()));
        }
        ("GET", "/exec/{execution_id}/events") => {
            all.push(query(
                "from",
                "Number of the first event",
                json!({ "type": "integer", "minimum": 0 }),
            ));
            all.push(json!({
                "name": "Last-Event-ID", "in": "header", "schema": { "type": "integer" },
                "description": "Number of the last event that arrived; the stream goes on after it",
            }));
        }
        _ => {}
    }
    Value::Array(all)
}

fn request_body(route: &Route) -> Option<Value> {
    let yaml = json!({ "schema": { "type": "string", "description": "The intent" } });
    match (route.method, route.path) {
        ("POST", "/exec" | "/execute") => Some(json!({
            "required": true,
            "content": {
                "application/json": { "schema": reference("ExecRequest"), "example": example() },
                "text/yaml": yaml,
            },
        })),
        ("POST", "/validate" | "/plan") => Some(json!({
            "required": true,
            "content": { "application/json": { "schema": { "type": "object" } }, "text/yaml": yaml },
        })),
        ("POST", "/exec/{execution_id}/cancel") => Some(json!({
            "content": { "application/json": { "schema": {
                "type": "object", "properties": { "reason": { "type": "string" } },
            } } },
        })),
        _ => None,
    }
}

fn example() -> Value {
    json!({
        "jalm_config": {
            "intent": "hello",
            "steps": [{ "id": "greet", "atom": "render_json", "input": { "data": { "hello": "{{ params.name }}" } } }],
        },
        "params": { "name": "world" },
    })
}

fn schemas() -> Value {
    let nullable = |kind: &str| json!({ "type": [kind, "null"] });
    let time = || json!({ "type": ["string", "null"], "format": "date-time" });
    let status = json!({ "enum": ["pending", "running", "completed", "failed", "cancelled"] });
    let summary = json!({
        "execution_id": { "type": "string", "format": "uuid" },
        "intent": { "type": "string" },
        "status": status,
        "created_at": { "type": "string", "format": "date-time" },
        "started_at": time(),
        "completed_at": time(),
        "total_time": { "type": ["number", "null"], "description": "Seconds from start to end" },
    });
    let mut execution = summary.clone();
    execution["version"] = nullable("string");
    execution["params"] = json!({ "type": "object" });
    execution["steps"] = json!({ "type": "array", "items": reference("Step") });
    execution["output"] = json!({});
    execution["error"] = json!({ "anyOf": [reference("Failure"), { "type": "null" }] });
    execution["failed_step"] = nullable("string");
    execution["waiting_for"] = nullable("string");
    json!({
        "ExecRequest": {
            "type": "object",
            "properties": {
                "jalm_config": { "description": "The intent: an object, or its text in YAML or JSON; see /schema" },
                "params": { "type": "object", "description": "Checked against the intent's `input`" },
                "timeout": { "type": ["string", "number"], "description": "30s, 10m, or seconds" },
                "idempotency_key": { "type": "string", "maxLength": 255, "description": "The same key answers with the same execution" },
            },
            "required": ["jalm_config"],
        },
        "Receipt": {
            "type": "object",
            "properties": { "execution_id": { "type": "string", "format": "uuid" }, "status": status },
            "required": ["execution_id", "status"],
        },
        "Execution": { "type": "object", "properties": execution },
        "ExecutionList": {
            "type": "object",
            "properties": {
                "executions": { "type": "array", "items": { "type": "object", "properties": summary } },
                "next": { "type": ["string", "null"], "description": "Send it as `cursor` for the next page" },
            },
        },
        "Step": {
            "type": "object",
            "properties": {
                "id": { "type": "string" }, "name": { "type": "string" },
                "layer": nullable("string"), "atom": { "type": "string" }, "parent": { "type": "string" },
                "status": { "enum": ["pending", "running", "completed", "failed", "skipped", "cancelled"] },
                "input": {}, "output": {},
                "error": { "anyOf": [reference("Failure"), { "type": "null" }] },
                "attempts": { "type": "integer" },
                "isolation": { "type": ["string", "null"], "description": "The sandbox that was in force" },
                "dependencies": { "type": "object", "description": "What a script's dependencies were pinned to", "properties": {
                    "digest": { "type": "string" }, "packages": { "type": "array", "items": { "type": "string" } },
                } },
                "items": { "type": "object", "properties": {
                    "total": { "type": "integer" }, "completed": { "type": "integer" }, "failed": { "type": "integer" },
                } },
                "started_at": time(), "completed_at": time(),
                "execution_time": { "type": ["number", "null"], "description": "Seconds of the last attempt" },
            },
        },
        "Failure": {
            "type": "object",
            "properties": {
                "code": { "type": "string" }, "message": { "type": "string" }, "hint": { "type": "string" },
                "retryable": { "type": "boolean" }, "detail": {},
            },
            "required": ["code", "message"],
        },
        "Validation": {
            "type": "object",
            "properties": {
                "valid": { "type": "boolean" },
                "errors": { "type": "array", "items": reference("ConfigProblem") },
                "warnings": { "type": "array", "items": reference("ConfigProblem") },
            },
        },
        "ConfigProblem": {
            "type": "object",
            "properties": {
                "path": { "type": "string" }, "line": { "type": "integer" }, "column": { "type": "integer" },
                "code": { "type": "string" }, "message": { "type": "string" }, "hint": { "type": "string" },
                "excerpt": { "type": "string" },
            },
        },
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "properties": {
                "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                "detail": { "type": "string" }, "code": { "type": "string" }, "hint": { "type": "string" },
                "errors": { "type": "array", "items": reference("ConfigProblem") },
            },
            "required": ["type", "title", "status", "detail", "code"],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document = document();
        let text = document.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let mut names: Vec<&str> = text
            .split("\"operationId\":\"")
            .skip(1)
            .map(|part| part.split('"').next().unwrap())
            .collect();
        assert_eq!(names.len(), ROUTES.len());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len(), "{names:?}");
    }

    #[test]
    fn path_parameters_are_declared() {
        for route in ROUTES {
            for part in route.path.split('{').skip(1) {
                let name = part.split('}').next().unwrap();
                let declared = parameters(route);
                assert!(
                    declared.as_array().unwrap().iter().any(|one| one["name"] == name),
                    "{} {name}",
                    route.path
                );
            }
        }
    }
}
