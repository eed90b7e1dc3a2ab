//! Watching over the memory of a compiler and all that it starts.
//!
//! Each of its processes is limited, and so is their number; together they could still take more
//! than there is. Build scripts are foreign, so the server adds up what they have.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes of memory that a compiler may have with all that it starts.
pub(super) const MOST: u64 = 3 * 1024 * 1024 * 1024;

/// How often it is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Looks until `over`; calls `stop` once if there is too much.
pub(super) fn watch(pid: u32, over: &AtomicBool, stop: impl FnOnce()) {
    while !over.load(Ordering::SeqCst) {
        if used(pid) > MOST {
            stop();
            return;
        }
        std::thread::park_timeout(TICK);
    }
}

/// Bytes that a process and its descendants have, what they share counted for each.
fn used(pid: u32) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let mut todo = vec![pid];
    let mut seen = HashSet::new();
    let mut pages = 0_u64;
    while let Some(pid) = todo.pop() {
        if !seen.insert(pid) {
            continue;
        }
        let figures = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
        let own = figures.split(' ').nth(1).and_then(|number| number.parse::<u64>().ok());
        pages = pages.saturating_add(own.unwrap_or(0));
        // Any thread may have started something.
        for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten()
        {
            let children = std::fs::read_to_string(thread.path().join("children"));
            let children = children.unwrap_or_default();
            todo.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    pages.saturating_mul(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_counts_with_its_children() {
        let own = used(std::process::id());
        let mut child = std::process::Command::new("sleep").arg("100").spawn().unwrap();
        let alone = loop {
            let alone = used(child.id());
            if alone > 0 {
                break alone;
            }
        };
        assert!(own > 0 && used(std::process::id()) > alone);
        let _ = child.kill();
        let _ = child.wait();
    }
}
