//! Strength A: namespaces of its own and an empty root.
//!
//! Mounting is dangerous when it happens in the wrong place: a mount made outside a new mount
//! namespace would cover the host's files. So nothing is mounted before the kernel has shown that
//! the namespace is another one than before.

use super::{Missing, limits};
use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::process::{WaitOptions, pivot_root, waitpid};

const LAYER: &str = "namespaces";

pub(super) fn enter() -> Result<(), Missing> {
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
    become_first_process()?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("making mounts private"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Any folder will do as the place of the new root: it is this namespace's own.
    mount("jalm", "/tmp", "tmpfs", flags, Some(c"size=0,nr_inodes=1,mode=555"))
        .map_err(failed("mounting an empty root"))?;
    rustix::process::chdir("/tmp").map_err(failed("entering the empty root"))?;
    // The old root ends up stacked on the new one and is taken off at once.
    pivot_root(".", ".").map_err(failed("changing the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("leaving the old root"))?;
    rustix::process::chdir("/").map_err(failed("entering the new root"))?;
    rustix::mount::mount_remount("/", flags | MountFlags::RDONLY, "")
        .map_err(failed("making the root read-only"))?;
    if rustix::fs::openat(CWD, "/etc", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).is_ok()
    {
        return Err(Missing::new(LAYER, "the host's files are still there"));
    }
    Ok(())
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

/// A new pid namespace begins with the next child: that child goes on as the worker, this process
/// only waits for it and ends as it ends.
fn become_first_process() -> Result<(), Missing> {
    match crate::worker::fork()
        .map_err(|error| Missing::new(LAYER, format_args!("fork: {error}")))?
    {
        None => limits::die_with_parent(),
        Some(child) => {
            let status = waitpid(Some(child), WaitOptions::empty());
            let code =
                status.ok().flatten().and_then(|(_, status)| status.exit_status()).unwrap_or(1);
            crate::worker::leave(code)
        }
    }
}
