//! `jalm exec`: a client of a running server.

use super::input;
use crate::args::{Exec, Server};
use crate::print::{self, Error};
use crate::wire;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

pub(crate) fn run(command: Exec) -> Result<ExitCode, Error> {
    // Fails only if a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    wire::runtime()?.block_on(async {
        match command {
            Exec::Submit { file, params, wait, key, server } => {
                let (_, source) = input::text(&file)?;
                let mut body = json!({ "jalm_config": &*source });
                if let Some(params) = input::params(&params)? {
                    body["params"] = params;
                }
                if let Some(key) = key {
                    body["idempotency_key"] = Value::String(key);
                }
                let query: Vec<(&str, String)> =
                    wait.into_iter().map(|wait| ("wait", wait)).collect();
                let request = remote(&server, Method::POST, "/exec")?.query(&query).json(&body);
                let answer = json_of(request).await?;
                print::out(format_args!("{answer:#}"));
                Ok(code_of(&answer))
            }
            Exec::Show { id, server } => {
                let answer = json_of(remote(&server, Method::GET, &format!("/exec/{id}"))?).await?;
                print::out(format_args!("{answer:#}"));
                Ok(ExitCode::SUCCESS)
            }
            Exec::List { status, intent, limit, json, server } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(status.map(|status| ("status", status)));
                query.extend(intent.map(|intent| ("intent", intent)));
                let request = remote(&server, Method::GET, "/exec")?.query(&query);
                let answer = json_of(request).await?;
                print::out(if json { format!("{answer:#}") } else { list(&answer) });
                Ok(ExitCode::SUCCESS)
            }
            Exec::Watch { id, server } => watch(&id, &server).await,
            Exec::Cancel { id, reason, server } => {
                let reason = reason.unwrap_or_else(|| "cancelled from the command line".to_owned());
                let path = format!("/exec/{id}/cancel");
                let request =
                    remote(&server, Method::POST, &path)?.json(&json!({ "reason": reason }));
                let answer = json_of(request).await?;
                print::out(format_args!("{answer:#}"));
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

fn remote(server: &Server, method: Method, path: &str) -> Result<RequestBuilder, Error> {
    let base = server.server.trim_end_matches('/');
    let client = Client::builder().no_proxy().build().map_err(Error::failed)?;
    let request = client.request(method, format!("{base}{path}"));
    Ok(match &server.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
}

async fn send(request: RequestBuilder) -> Result<Response, Error> {
    let response = request.send().await.map_err(|error| {
        let message = if error.is_builder() {
            format!("the server's address cannot be used: {error}")
        } else {
            format!("the server does not answer: {error}")
        };
        Error::failed(message)
            .hint("start it with `jalm serve`, or name it with --server (JALM_SERVER)")
    })?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let problem: Value = response.json().await.unwrap_or(Value::Null);
    let detail = problem["detail"].as_str().unwrap_or("no details");
    let mut message = format!("{status}: {detail}");
    for error in problem["errors"].as_array().into_iter().flatten() {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let at = match (error["line"].as_u64(), error["column"].as_u64()) {
            (Some(line), Some(column)) => format!("{line}:{column}"),
            _ => text("path"),
        };
        message.extend(["\n  ", &at, ": ", &text("message"), "\n    help: ", &text("hint")]);
    }
    let exit = if status.as_u16() == 422 || status.as_u16() == 400 { 2 } else { 1 };
    let error = Error { exit, message, hint: None };
    Err(match problem["hint"].as_str() {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

async fn json_of(request: RequestBuilder) -> Result<Value, Error> {
    let response = send(request).await?;
    response.json().await.map_err(|error| Error::failed(format!("the answer is not JSON: {error}")))
}

fn code_of(execution: &Value) -> ExitCode {
    ExitCode::from(match execution["status"].as_str() {
        Some("failed") => 1,
        Some("cancelled") => 130,
        _ => 0,
    })
}

fn list(answer: &Value) -> String {
    let header =
        ["execution", "intent", "status", "created", "completed"].map(str::to_owned).to_vec();
    let rows = answer["executions"].as_array().into_iter().flatten().map(|execution| {
        ["execution_id", "intent", "status", "created_at", "completed_at"]
            .map(|key| execution[key].as_str().unwrap_or_default().to_owned())
            .to_vec()
    });
    print::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), None)
}

/// Follows the events; goes on where it was when the connection breaks.
async fn watch(id: &str, server: &Server) -> Result<ExitCode, Error> {
    let mut last: Option<String> = None;
    let mut tries = 0;
    loop {
        let mut request = remote(server, Method::GET, &format!("/exec/{id}/events"))?;
        if let Some(last) = &last {
            request = request.header("Last-Event-ID", last);
        }
        let mut response = match send(request).await {
            Ok(response) => response,
            Err(error) if last.is_none() || tries >= 10 => return Err(error),
            Err(_) => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
                continue;
            }
        };
        tries = 0;
        // Bytes, since a chunk may end within a character.
        let mut buffer: Vec<u8> = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = buffer.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event);
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(|text| text.trim().to_owned())
                };
                if let Some(data) = field("data:") {
                    print::out(&data);
                    last = field("id:").or(last);
                    match field("event:").as_deref() {
                        Some("completed") => return Ok(ExitCode::SUCCESS),
                        Some("broken") => return Ok(ExitCode::from(1)),
                        Some("cancelled") => return Ok(ExitCode::from(130)),
                        _ => {}
                    }
                }
            }
        }
        // The connection ended before the execution did.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
