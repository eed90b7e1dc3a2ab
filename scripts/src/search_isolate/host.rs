//! What the kernel gives, as far as it can be read without changing anything.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

pub(super) fn look() -> Value {
    json!({
        "system": std::env::consts::OS,
        "kernel": kernel(),
        "architecture": std::env::consts::ARCH,
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory_mib": memory(),
        "features": {
            "user_namespaces": user_namespaces(),
            "landlock": security_module("landlock"),
            "seccomp": seccomp(),
            "cgroup": cgroup(),
            "kvm": device("/dev/kvm"),
            "yama": security_module("yama"),
            "apparmor": security_module("apparmor"),
        },
    })
}

/// The version alone: what stands behind it names who built it.
fn kernel() -> Option<String> {
    let release = read("/proc/sys/kernel/osrelease")?;
    release.split('-').next().map(str::to_owned)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn memory() -> Option<u64> {
    let text = read("/proc/meminfo")?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn feature(works: bool, detail: impl Into<String>) -> Value {
    json!({ "works": works, "detail": detail.into() })
}

/// Tried, not read: a setting may allow what a profile refuses.
fn user_namespaces() -> Value {
    let tried = Command::new("unshare").args(["--user", "--map-root-user", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => feature(true, "unshare --user works"),
        Ok(output) => feature(false, String::from_utf8_lossy(&output.stderr).trim()),
        Err(error) => feature(false, format!("not tried: unshare: {error}")),
    }
}

fn security_module(name: &str) -> Value {
    match read("/sys/kernel/security/lsm") {
        Some(list) => {
            feature(list.split(',').any(|module| module == name), format!("modules: {list}"))
        }
        None => feature(
            false,
            "unknown: /sys/kernel/security is not mounted; `jalm doctor` tries Landlock itself",
        ),
    }
}

fn seccomp() -> Value {
    let actions = read("/proc/sys/kernel/seccomp/actions_avail");
    match actions {
        Some(actions) => feature(true, format!("actions: {actions}")),
        None => feature(false, "the kernel has no seccomp filters"),
    }
}

fn cgroup() -> Value {
    let controllers = read("/sys/fs/cgroup/cgroup.controllers");
    match controllers {
        Some(controllers) if controllers.is_empty() => {
            feature(false, "version 2 without controllers")
        }
        Some(controllers) => feature(true, format!("version 2: {controllers}")),
        None if Path::new("/sys/fs/cgroup/memory").is_dir() => feature(true, "version 1"),
        None => feature(false, "not mounted"),
    }
}

fn device(path: &str) -> Value {
    match std::fs::File::options().read(true).write(true).open(path) {
        Ok(_) => feature(true, format!("{path} opens")),
        Err(error) => feature(false, format!("{path}: {error}")),
    }
}
