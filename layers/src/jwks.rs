//! Sets of keys by address: kept, fetched again when they are old, and when a token names a key
//! that is not among them, because its issuer has changed keys.
//!
//! A stranger can send any number of tokens with made-up key names, so that fetching for their
//! sake is limited. When the address does not answer, old keys serve for a while.

use crate::context::Cx;
use crate::input::ByteSize;
use crate::net::{Outgoing, Overflow, address, excerpt, read_bounded, send, status_failure};
use crate::tokens::KeySet;
use jalm_kernel::failure::Failure;
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::{Method, Url};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Addresses whose keys are kept.
const KEPT: usize = 64;
const USUAL: Duration = Duration::from_mins(10);
const LEAST: Duration = Duration::from_mins(1);
const MOST: Duration = Duration::from_hours(24);
/// How long keys serve beyond their time when they cannot be fetched.
const STALE: Duration = Duration::from_hours(1);
const LARGEST: ByteSize = ByteSize::mib(1);

/// All sets of keys of a runner.
pub(crate) struct Jwks {
    slots: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Kept>>>>>,
    /// Milliseconds between two fetches for the sake of unknown key names.
    pause: AtomicU64,
}

struct Kept {
    keys: Arc<KeySet>,
    fetched: Instant,
    lasts: Duration,
}

impl Default for Jwks {
    fn default() -> Self {
        Self { slots: Mutex::default(), pause: AtomicU64::new(10_000) }
    }
}

/// What to do about the keys that are kept.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Use,
    Fetch,
    /// Fetch; if that fails, what is kept will do.
    Refresh,
}

fn step(age: Duration, lasts: Duration, known: bool, pause: Duration) -> Step {
    if age > lasts {
        return if age > lasts + STALE { Step::Fetch } else { Step::Refresh };
    }
    if known || age < pause { Step::Use } else { Step::Refresh }
}

impl Jwks {
    #[cfg(test)]
    pub(crate) fn set_pause(&self, pause: Duration) {
        self.pause.store(u64::try_from(pause.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// The keys at `url`, fresh enough to know `kid` if anybody does.
    pub(crate) async fn keys(
        &self,
        cx: &Cx,
        atom: &str,
        url: &str,
        kid: Option<&str>,
    ) -> Result<Arc<KeySet>, Failure> {
        let url = address(atom, url)?;
        // Also for what is kept: another intent may have no grant for it.
        cx.access()?.http(&url)?;
        let slot = self.slot(url.as_str());
        // One fetch at a time for each address; the others wait for its outcome.
        let mut kept = slot.lock().await;
        let pause = Duration::from_millis(self.pause.load(Ordering::Relaxed));
        let next = match kept.as_ref() {
            None => Step::Fetch,
            Some(kept) => step(
                kept.fetched.elapsed(),
                kept.lasts,
                kid.is_none_or(|kid| kept.keys.has(kid)),
                pause,
            ),
        };
        if let (Step::Use, Some(kept)) = (&next, kept.as_ref()) {
            return Ok(Arc::clone(&kept.keys));
        }
        match fetch(cx, &url).await {
            Ok(new) => Ok(Arc::clone(&kept.insert(new).keys)),
            Err(failure) => match (next, kept.as_mut()) {
                (Step::Refresh, Some(kept)) => Ok(Arc::clone(&kept.keys)),
                _ => Err(failure),
            },
        }
    }

    fn slot(&self, url: &str) -> Arc<tokio::sync::Mutex<Option<Kept>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT && !slots.contains_key(url) {
            slots.clear();
        }
        Arc::clone(slots.entry(url.to_owned()).or_default())
    }
}

async fn fetch(cx: &Cx, url: &Url) -> Result<Kept, Failure> {
    let request = Outgoing {
        method: Method::GET,
        url: url.clone(),
        headers: HeaderMap::new(),
        body: None,
        redirects: 3,
        tls_verify: true,
        proxy: None,
    };
    let response = send(&cx.shared.net, &cx.access()?, request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    if !status.is_success() {
        return Err(status_failure(url, status, &headers, &excerpt(response).await));
    }
    let body = read_bounded(response, LARGEST, Overflow::Refuse).await?;
    let unusable = |why: String| {
        Failure::permanent("keys_unusable", format!("`{}` gives no keys: {why}", url.origin().ascii_serialization() + url.path()))
            .hint("give the address of the issuer's key set; its discovery document names it as `jwks_uri`")
    };
    let value = serde_json::from_slice(&body)
        .map_err(|error| unusable(format!("it is not JSON: {error}")))?;
    let keys = KeySet::parse(&value, false).map_err(unusable)?;
    Ok(Kept { keys: Arc::new(keys), fetched: Instant::now(), lasts: lasts(&headers) })
}

/// How long the answer says that it lasts, within reason.
fn lasts(headers: &HeaderMap) -> Duration {
    let control =
        headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let age =
        control.split(',').find_map(|part| part.trim().strip_prefix("max-age=")?.parse().ok());
    age.map_or(USUAL, |seconds| Duration::from_secs(seconds).clamp(LEAST, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_again_when_they_are_old_or_unknown_but_not_at_a_strangers_will() {
        let seconds = Duration::from_secs;
        let pause = seconds(10);
        for (age, known, expected) in [
            (1, true, Step::Use),
            (1, false, Step::Use),
            (11, false, Step::Refresh),
            (599, true, Step::Use),
            (601, true, Step::Refresh),
            (601 + 3600, true, Step::Fetch),
        ] {
            assert_eq!(step(seconds(age), seconds(600), known, pause), expected, "{age} {known}");
        }
    }

    #[test]
    fn an_answer_says_how_long_it_lasts() {
        for (control, seconds) in [
            ("", 600),
            ("public, max-age=300", 300),
            ("max-age=1", 60),
            ("max-age=99999999", 86_400),
            ("no-store", 600),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, control.parse().unwrap())]);
            assert_eq!(lasts(&headers), Duration::from_secs(seconds), "{control}");
        }
    }
}
