//! Processes, as `/proc` shows them.

use std::collections::BTreeSet;
use std::path::Path;

/// One process, told apart from a later one of the same id by its start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    parent: u32,
    started: u64,
}

impl Process {
    /// None if it is gone or has only not been waited for.
    fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        if matches!(fields[0], "Z" | "X") {
            return None;
        }
        Some(Self { pid, parent: fields[1].parse().ok()?, started: fields[19].parse().ok()? })
    }

    /// Whether this very process still runs.
    pub fn lives(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now.started == self.started)
    }
}

fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::of).collect()
}

/// The children of a process, their children, and so on.
pub fn below(pid: u32) -> BTreeSet<Process> {
    let all = all();
    let mut found = BTreeSet::new();
    let mut open = vec![pid];
    while let Some(parent) = open.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            if found.insert(child.clone()) {
                open.push(child.pid);
            }
        }
    }
    found
}

/// The processes that run this program, as far as this user may see it.
pub fn of_program(path: &Path) -> BTreeSet<Process> {
    let runs = |process: &Process| {
        std::fs::read_link(format!("/proc/{}/exe", process.pid)).is_ok_and(|exe| exe == path)
    };
    all().into_iter().filter(runs).collect()
}
