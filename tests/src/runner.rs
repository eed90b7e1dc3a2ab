//! A running server.

use crate::cli::{first_line, signal, wait_for_end};
use crate::{Events, until};
use reqwest::{Client, Method, RequestBuilder};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::process::Child;

/// The real binary, serving. It is killed when its handle goes.
#[derive(Debug)]
pub struct Runner {
    child: Child,
    pid: u32,
    base: String,
    client: Client,
    log: PathBuf,
    token: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The `content-type`, or nothing.
    pub kind: String,
    /// All headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body; text that is not JSON stands as a string.
    pub body: Value,
}

/// Tells the logs of a world's servers apart.
pub(crate) fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Runner {
    pub(crate) async fn watch(mut child: Child, log: PathBuf) -> Self {
        let pid = child.id().expect("it has not been waited for");
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let line = first_line(stdout).await;
        let Some(base) = line.strip_prefix("listening on ") else {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            panic!("the server did not start; first line {line:?}, log:\n{said}");
        };
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.build().expect("a client can be built");
        Self { base: base.to_owned(), child, pid, client, log, token: None }
    }

    /// Sends this token from now on.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// `http://ADDR:PORT`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `ADDR:PORT`.
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A request, to be sent with [`Runner::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request; fails when the server is gone.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, kind, headers, body })
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|error| {
            panic!("no answer: {error:?}; log:\n{}", self.log());
        })
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `POST` with a body of another kind.
    pub async fn post_text(&self, path: &str, kind: &str, body: impl Into<String>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", kind);
        self.send(request.body(body.into())).await
    }

    /// Submits an intent; its id.
    ///
    /// # Panics
    /// When it is not taken.
    pub async fn exec(&self, intent: Value) -> String {
        let answer = self.post("/exec", &json!({ "jalm_config": intent })).await;
        assert_eq!(answer.status, 202, "{:#}", answer.body);
        answer.id()
    }

    /// Runs an intent to its end; the whole execution.
    ///
    /// # Panics
    /// When it is not taken, or does not end.
    pub async fn run(&self, intent: Value) -> Value {
        let answer = self.post("/exec?wait=60s", &json!({ "jalm_config": intent })).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        answer.body
    }

    /// The execution as it is now.
    ///
    /// # Panics
    /// When it is not known.
    pub async fn show(&self, id: &str) -> Value {
        let answer = self.get(&format!("/exec/{id}")).await;
        assert_eq!(answer.status, 200, "{:#}", answer.body);
        answer.body
    }

    /// Waits for an execution's end; the whole execution.
    pub async fn wait(&self, id: &str) -> Value {
        until(&format!("the end of execution {id}"), async || {
            let execution = self.show(id).await;
            let status = execution["status"].as_str().unwrap_or_default();
            matches!(status, "completed" | "failed" | "cancelled").then_some(execution)
        })
        .await
    }

    /// Waits until one step of an execution has this status.
    pub async fn wait_for_step(&self, id: &str, step: &str, status: &str) -> Value {
        until(&format!("step {step} being {status}"), async || {
            let execution = self.show(id).await;
            let steps = execution["steps"].as_array()?;
            let is_there = |one: &Value| one["id"] == step && one["status"] == status;
            steps.iter().any(is_there).then_some(execution.clone())
        })
        .await
    }

    /// Follows an execution's events, behind number `after` if it is given.
    ///
    /// # Panics
    /// When the stream does not open.
    pub async fn events(&self, id: &str, after: Option<u64>) -> Events {
        self.try_events(id, after).await.expect("the server answers")
    }

    /// The same; none when the server is gone.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn try_events(&self, id: &str, after: Option<u64>) -> Option<Events> {
        let mut request = self.request(Method::GET, &format!("/exec/{id}/events"));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        Events::open(request).await
    }

    /// SIGKILL: no destructor, no flush. Comes back when the process is gone.
    pub async fn kill(mut self) {
        signal(&self.child, Signal::KILL);
        wait_for_end(&mut self.child).await;
    }

    /// SIGKILL, for those who still hold the handle.
    pub fn kill_now(&self) {
        signal(&self.child, Signal::KILL);
    }

    /// SIGTERM, once.
    pub fn terminate(&self) {
        signal(&self.child, Signal::TERM);
    }

    /// Waits for its end; the exit code.
    pub async fn ended(mut self) -> Option<i32> {
        wait_for_end(&mut self.child).await
    }

    /// SIGTERM, and waits for the end; the exit code.
    pub async fn stop(self) -> Option<i32> {
        self.terminate();
        self.ended().await
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "test harnesses show it when the test fails")]
            {
                eprintln!("log of the server:\n{}", self.log());
            }
        }
    }
}

impl Answer {
    /// The execution's id in the answer.
    ///
    /// # Panics
    /// When there is none.
    pub fn id(&self) -> String {
        let id = self.body["execution_id"].as_str();
        id.unwrap_or_else(|| panic!("no id in {:#}", self.body)).to_owned()
    }
}
