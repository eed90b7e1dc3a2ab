//! `GET /metrics`: Prometheus text.

use crate::state::State;
use axum::extract::{MatchedPath, Request, State as Extract};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jalm_kernel::ports::Health;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the latency histogram, in seconds.
const BOUNDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

/// Counts of requests by route, method and status.
#[derive(Default)]
pub(crate) struct Requests(Mutex<BTreeMap<(String, String, u16), Series>>);

#[derive(Clone, Default)]
struct Series {
    count: u64,
    sum: Duration,
    buckets: [u64; BOUNDS.len()],
}

impl Requests {
    fn add(&self, route: &str, method: &str, status: u16, time: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let series = all.entry((route.to_owned(), method.to_owned(), status)).or_default();
        series.count += 1;
        series.sum += time;
        for (bucket, bound) in series.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(time.as_secs_f64() <= bound);
        }
    }
}

/// Counts each request. Unknown paths share one route, so that nobody can fill the memory.
pub(crate) async fn count(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    state.0.requests.add(route, method.as_str(), response.status().as_u16(), begin.elapsed());
    response
}

pub(crate) async fn metrics(Extract(state): Extract<State>) -> Response {
    let text = render(&state);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

fn render(state: &State) -> String {
    let mut text = String::with_capacity(4096);
    let now = state.engine().stats();
    let counters = [
        ("jalm_executions_submitted_total", "Executions submitted", now.submitted),
        ("jalm_executions_completed_total", "Executions completed", now.completed),
        ("jalm_executions_failed_total", "Executions failed", now.failed),
        ("jalm_executions_cancelled_total", "Executions cancelled", now.cancelled),
        ("jalm_executions_resumed_total", "Executions taken up again after a stop", now.resumed),
        ("jalm_steps_completed_total", "Steps completed", now.steps_completed),
        ("jalm_steps_failed_total", "Attempts of steps that failed", now.steps_failed),
    ];
    for (name, help, value) in counters {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    }
    let good = u64::from(state.engine().health() == Health::Good);
    let gauges = [
        ("jalm_executions_in_flight", "Executions held in memory", now.in_flight),
        ("jalm_calls_running", "Calls that are out", now.calls_running),
        ("jalm_timers", "Timers that wait", now.timers),
        ("jalm_store_good", "1 while the store can write", good),
        ("jalm_uptime_seconds", "Seconds since the start", state.0.started.elapsed().as_secs()),
        ("process_resident_memory_bytes", "Resident memory", resident()),
        ("process_open_fds", "Open file descriptors", open_files()),
    ];
    for (name, help, value) in gauges {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    let name = "jalm_http_request_duration_seconds";
    let _ = write!(text, "# HELP {name} Time to answer\n# TYPE {name} histogram\n");
    let all = state.0.requests.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for ((route, method, status), series) in all {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        for (bucket, bound) in series.buckets.iter().zip(BOUNDS) {
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {bucket}");
        }
        let (count, sum) = (series.count, series.sum.as_secs_f64());
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
    }
    text
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|text| text.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64)
}
