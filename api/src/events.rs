//! `GET /exec/{id}/events`: the durable journal as server-sent events.

use crate::exec::{id, unknown};
use crate::problem::Problem;
use crate::state::State;
use axum::extract::{Path, Query, State as Extract};
use axum::http::HeaderMap;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::Event;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// A sign of life on a quiet stream, so that proxies keep it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
pub(crate) struct From {
    from: Option<u64>,
}

pub(crate) async fn events(
    Extract(state): Extract<State>,
    Path(text): Path<String>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = id(&text)?;
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let after = seen.map(|text| {
        text.trim().parse::<u64>().map(|number| number.saturating_add(1)).map_err(|_| {
            Problem::bad_request("bad_request", format!("`Last-Event-ID` is `{text}`"))
                .hint("send the number of the last event that arrived")
        })
    });
    let next = match after.transpose()? {
        Some(next) => next,
        None => from.from.unwrap_or(0),
    };
    if state.engine().events(id, next).await?.is_none() {
        return Err(unknown(id));
    }
    let follow = Follow { state, id, next, ready: VecDeque::new(), ended: false };
    let stream = axum::response::Sse::new(follow.stream());
    Ok(stream.keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

struct Follow {
    state: State,
    id: ExecutionId,
    next: u64,
    ready: VecDeque<(u64, Event)>,
    ended: bool,
}

impl Follow {
    fn stream(self) -> impl Stream<Item = Result<Sse, Infallible>> {
        stream::unfold(self, |mut follow| async move {
            let (number, event) = follow.next().await?;
            let data = serde_json::to_string(&event).unwrap_or_default();
            let sse = Sse::default().id(number.to_string()).event(kind(&event)).data(data);
            Some((Ok(sse), follow))
        })
    }

    /// The next durable event; none after the last one, or when the server closes.
    async fn next(&mut self) -> Option<(u64, Event)> {
        let mut closing = self.state.0.closing.subscribe();
        loop {
            if let Some((number, event)) = self.ready.pop_front() {
                self.next = number + 1;
                self.ended = event.is_end();
                return Some((number, event));
            }
            if self.ended || *closing.borrow() {
                return None;
            }
            // Taken before reading, so that nothing that comes after the reading is missed.
            let watch = self.state.engine().watch(self.id);
            // A store that cannot be read now ends the stream; the client comes back.
            let events = self.state.engine().events(self.id, self.next).await.ok()??;
            self.ready.extend(events);
            if !self.ready.is_empty() {
                continue;
            }
            match watch {
                Some(mut watch) => {
                    let next = self.next;
                    let news = async {
                        while *watch.borrow_and_update() <= next {
                            if watch.changed().await.is_err() {
                                return;
                            }
                        }
                    };
                    tokio::select! {
                        () = news => {}
                        _ = closing.wait_for(|closing| *closing) => return None,
                    }
                }
                // It does not run here and has no more events: nothing will come.
                None => return None,
            }
        }
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Submitted(_) => "submitted",
        Event::Started { .. } => "started",
        Event::Entered { .. } => "entered",
        Event::Calling { .. } => "calling",
        Event::Done { .. } => "done",
        Event::Failed { .. } => "failed",
        Event::Skipped { .. } => "skipped",
        Event::Completed { .. } => "completed",
        Event::Broken { .. } => "broken",
        Event::Cancelled { .. } => "cancelled",
    }
}
