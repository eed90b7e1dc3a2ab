//! Whether and when a failed attempt is repeated.

use crate::failure::Failure;
use crate::ids::{ExecutionId, Millis, Place};
use crate::intent::{Backoff, Retry};

/// A service that asks for a longer pause than this is not obeyed to the letter.
const MAX_RETRY_AFTER: Millis = Millis(3_600_000);

/// The pause before the next attempt; none if attempt `n` (from 1) was the last one.
pub(super) fn pause(
    retry: &Retry,
    n: u32,
    failure: &Failure,
    execution: ExecutionId,
    place: &Place,
) -> Option<Millis> {
    let listed = |codes: &[String]| codes.iter().any(|code| *code == failure.code);
    let wanted = match (listed(&retry.unless), retry.on.is_empty()) {
        (true, _) => false,
        (false, true) => failure.retryable,
        (false, false) => listed(&retry.on),
    };
    if !wanted || n >= retry.attempts {
        return None;
    }
    let factor = match retry.backoff {
        Backoff::Constant => 1,
        Backoff::Linear => u64::from(n),
        Backoff::Exponential => 1_u64.checked_shl(n - 1).unwrap_or(u64::MAX),
    };
    let full = retry.delay.0.saturating_mul(factor).min(retry.max_delay.0);
    let spread = if retry.jitter { jittered(full, execution, place, n) } else { full };
    let asked = failure.retry_after.unwrap_or(0).min(MAX_RETRY_AFTER.0);
    Some(Millis(spread.max(asked)))
}

/// Between half and all of `full`. Not random but a hash of who waits (FNV-1a): the same
/// execution computes the same pause again, different ones do not meet.
fn jittered(full: u64, execution: ExecutionId, place: &Place, n: u32) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let items = place.items.iter().flat_map(|item| item.to_le_bytes());
    let bytes = execution.0.as_bytes().iter().copied().chain(place.step.bytes()).chain(items);
    for byte in bytes.chain(n.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    full / 2 + hash % (full - full / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { step: "a".into(), items: vec![1] }
    }

    fn pauses(retry: &Retry, failure: &Failure) -> Vec<Option<u64>> {
        let id = ExecutionId(uuid::Uuid::from_u128(7));
        (1..=5).map(|n| pause(retry, n, failure, id, &place()).map(|pause| pause.0)).collect()
    }

    fn plain(backoff: Backoff) -> Retry {
        Retry {
            attempts: 5,
            backoff,
            delay: Millis(100),
            max_delay: Millis(350),
            jitter: false,
            ..Retry::default()
        }
    }

    #[test]
    fn pauses_grow_as_asked_and_stop_at_the_last_attempt() {
        let failure = Failure::transient("busy", "busy");
        let some = |list: [u64; 4]| list.map(Some).into_iter().chain([None]).collect::<Vec<_>>();
        assert_eq!(pauses(&plain(Backoff::Constant), &failure), some([100; 4]));
        assert_eq!(pauses(&plain(Backoff::Linear), &failure), some([100, 200, 300, 350]));
        assert_eq!(pauses(&plain(Backoff::Exponential), &failure), some([100, 200, 350, 350]));
    }

    #[test]
    fn only_what_may_pass_by_itself_is_repeated_unless_listed() {
        let permanent = Failure::permanent("bad", "bad");
        assert_eq!(pauses(&plain(Backoff::Constant), &permanent), [None; 5]);
        let listed = Retry { on: vec!["bad".into()], ..plain(Backoff::Constant) };
        assert!(pauses(&listed, &permanent)[0].is_some());
        let refused = Retry { unless: vec!["busy".into()], ..plain(Backoff::Constant) };
        assert_eq!(pauses(&refused, &Failure::transient("busy", "")), [None; 5]);
    }

    #[test]
    fn jitter_stays_between_half_and_all_and_repeats_itself() {
        let retry = Retry { jitter: true, ..plain(Backoff::Exponential) };
        let failure = Failure::transient("busy", "busy");
        let first = pauses(&retry, &failure);
        assert_eq!(first, pauses(&retry, &failure));
        for (pause, full) in first.into_iter().flatten().zip([100, 200, 350, 350]) {
            assert!((full / 2..=full).contains(&pause), "{pause} of {full}");
        }
    }

    #[test]
    fn a_service_that_asks_for_more_time_gets_it() {
        let failure = Failure { retry_after: Some(5000), ..Failure::transient("busy", "busy") };
        assert_eq!(pauses(&plain(Backoff::Constant), &failure)[0], Some(5000));
    }
}
