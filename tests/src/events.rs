//! Server-sent events, as a client reads them.

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// An open stream.
#[derive(Debug)]
pub struct Events {
    response: Response,
    buffer: Vec<u8>,
}

/// One event of an execution's journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number.
    pub id: u64,
    /// Its kind.
    pub kind: String,
    /// The event itself.
    pub data: Value,
}

impl Events {
    pub(crate) async fn open(request: RequestBuilder) -> Option<Self> {
        let response = request.send().await.ok()?;
        assert_eq!(response.status(), 200, "the stream does not open");
        let kind = response.headers().get("content-type").map(|kind| kind.as_bytes().to_vec());
        assert_eq!(kind.as_deref(), Some(&b"text/event-stream"[..]));
        Some(Self { response, buffer: Vec::new() })
    }

    /// The next event; none when the stream has ended or broken.
    ///
    /// # Panics
    /// When what comes is not an event.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let event = String::from_utf8(event).expect("events are UTF-8");
                // Lines that start with a colon keep the connection open, and say nothing.
                if event.starts_with(':') {
                    continue;
                }
                return Some(parse(&event));
            }
            let chunk = self.response.chunk().await.ok()??;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// All events up to the stream's end.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

fn parse(text: &str) -> Event {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("an event without {name} {text:?}")).trim()
    };
    Event {
        id: field("id:").parse().expect("an event's id is its number"),
        kind: field("event:").to_owned(),
        data: serde_json::from_str(field("data:")).expect("an event's data is JSON"),
    }
}
