//! How many threads a process has at once: processes are refused to scripts, so that is all.
//!
//! The kernel's own limit counts all processes of a user together, and lets root pass. So whoever
//! is told a number is counted from outside, a few times a second; what is made between two looks is
//! bounded by the memory that each thread takes.

use rustix::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(20);

/// Waits until the process has more threads than this; forever if it never has.
pub(crate) async fn too_many(process: &OwnedFd, most: u32) {
    if most < crate::api::USUAL_PROCESSES {
        while count(process).is_some_and(|count| count <= most) {
            tokio::time::sleep(PAUSE).await;
        }
        if count(process).is_some() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// None when the process has ended, or nobody knows.
fn count(process: &OwnedFd) -> Option<u32> {
    // Its number here may be another one than in its own namespace, and another process' later.
    let info =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    let pid: u32 = field(&info, "Pid:")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "Threads:")
}

fn field(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}
