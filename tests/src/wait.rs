//! Waiting for facts.

use std::time::{Duration, Instant};

/// Only there to end a test that would hang; no test takes this long when it passes.
const GIVE_UP: Duration = Duration::from_mins(1);

/// Looks until there is something to see.
///
/// # Panics
/// When there is nothing for a minute; the message says what was waited for.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begin.elapsed() < GIVE_UP, "waited a minute for this: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
