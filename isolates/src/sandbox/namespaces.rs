//! Strength A: namespaces of its own and an empty root.
//!
//! Mounting is dangerous when it happens in the wrong place: a mount made outside a new mount
//! namespace would cover the host's files. So nothing is mounted before the kernel has shown that
//! the namespace is another one than before.

use super::{Missing, limits};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, waitpid};

const LAYER: &str = "namespaces";

/// Goes on as the first process of new namespaces, with the root that `root` builds: any folder
/// will do as its place, since all mounts are this namespace's own.
pub(super) fn enter(root: impl FnOnce() -> Result<(), Missing>) -> Result<(), Missing> {
    let failed =
        |what: &'static str| move |error| Missing::new(LAYER, format_args!("{what}: {error}"));
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let before = mount_namespace()?;
    unshare()?;
    if mount_namespace()? == before {
        return Err(Missing::new(LAYER, "the mount namespace is still the host's"));
    }
    // Mapped to root inside: without that, the capabilities needed below would be lost.
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", &format!("0 {gid} 1"))?;
    go_on_in_a_child(|_| Ok(()))?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("making mounts private"))?;
    root()
}

fn mount_namespace() -> Result<std::path::PathBuf, Missing> {
    std::fs::read_link("/proc/self/ns/mnt")
        .map_err(|error| Missing::new(LAYER, format_args!("reading /proc/self/ns/mnt: {error}")))
}

fn write(path: &str, text: &str) -> Result<(), Missing> {
    std::fs::write(path, text)
        .map_err(|error| Missing::new(LAYER, format_args!("writing {path}: {error}")))
}

fn unshare() -> Result<(), Missing> {
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS;
    #[expect(unsafe_code, reason = "there is no safe wrapper for a new user namespace")]
    // SAFETY: unshare takes flags only; the process has one thread, as NEWUSER demands, and no
    // file table is split (CLONE_FILES is not among the flags).
    let result = unsafe { libc::unshare(flags) };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Missing::new(LAYER, format_args!("the host does not allow user namespaces: {error}")))
}

/// A new pid namespace begins with the next child. That child goes on; this process only tells of
/// it, waits for it and ends as it ends.
pub(super) fn go_on_in_a_child(
    told: impl FnOnce(Pid) -> Result<(), Missing>,
) -> Result<(), Missing> {
    match crate::worker::fork()
        .map_err(|error| Missing::new(LAYER, format_args!("fork: {error}")))?
    {
        None => limits::die_with_parent(),
        Some(child) => {
            if told(child).is_err() {
                let _ = kill_process(child, Signal::KILL);
            }
            let status = waitpid(Some(child), WaitOptions::empty());
            let status = status.ok().flatten().map(|(_, status)| status);
            // As a shell tells of a signal.
            let signal = status.and_then(WaitStatus::terminating_signal);
            let code = signal.map(|signal| 128 + signal);
            let code = code.or_else(|| status.and_then(WaitStatus::exit_status));
            crate::worker::leave(code.unwrap_or(1))
        }
    }
}
