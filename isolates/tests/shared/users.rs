//! A suite once more, as others would run it: as an ordinary user, without any capability, and in a
//! container that refuses namespaces.

use std::os::unix::process::CommandExt;
use std::process::Command;

const NOBODY: u32 = 65534;

/// A command of an ordinary user: without any rights if the suite runs as root.
pub(crate) fn ordinary(mut command: Command) -> Command {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Refuses what a container's default profile refuses.
pub(crate) fn contained(mut command: Command) -> Command {
    #[expect(unsafe_code, reason = "there is no safe way to prepare a process")]
    // SAFETY: the closure only makes system calls.
    unsafe {
        command.pre_exec(refuse_namespaces);
    }
    command
}

/// The same for a user who has no capability, whoever that is: root in a container that drops all.
#[allow(dead_code, reason = "not every suite asks for it")]
pub(crate) fn powerless(mut command: Command) -> Command {
    #[expect(unsafe_code, reason = "there is no safe way to prepare a process")]
    // SAFETY: the closure only makes system calls.
    unsafe {
        command.pre_exec(|| {
            // What is started as root gets back what is not dropped from here.
            for capability in 0..64 {
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
            }
            Ok(())
        });
    }
    contained(command)
}

fn refuse_namespaces() -> std::io::Result<()> {
    const NEW: u32 = (libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP) as u32;
    let refused = [
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
    ];
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let any = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    let give = libc::BPF_RET | libc::BPF_K;
    let no = step(give, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs());
    let mut filter = [step(give, 0, 0, libc::SECCOMP_RET_ALLOW); 18];
    filter[0] = step(load, 0, 0, 0);
    for (at, call) in refused.into_iter().enumerate() {
        filter[1 + 2 * at] = step(is, 0, 1, u32::try_from(call).unwrap_or(0));
        filter[2 + 2 * at] = no;
    }
    // Of the arguments of clone, the flags come first.
    filter[13] = step(is, 0, 3, u32::try_from(libc::SYS_clone).unwrap_or(0));
    filter[14] = step(load, 0, 0, 16);
    filter[15] = step(any, 0, 1, NEW);
    filter[16] = no;
    rustix::thread::set_no_new_privs(true)?;
    let program = libc::sock_fprog { len: 18, filter: filter.as_mut_ptr() };
    #[expect(unsafe_code, reason = "loading a filter has no safe wrapper")]
    // SAFETY: the program points to as many instructions as it says.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Runs the tests of this suite whose names contain one of these, and gives what they said.
pub(crate) fn run(wrap: fn(Command) -> Command, names: &[&str]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(names).args(["--test-threads", "3", "--nocapture"]).current_dir("/");
    // The outer runner's settings are not meant for the inner one.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    // For what is compiled once.
    let cache = tempfile::tempdir().unwrap();
    let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(cache.path(), anybody).unwrap();
    command.env("XDG_CACHE_HOME", cache.path());
    let output = wrap(command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The same, and that there were more than a few.
#[allow(dead_code, reason = "not every suite asks for it")]
pub(crate) fn suite(wrap: fn(Command) -> Command, names: &[&str]) {
    let text = run(wrap, names);
    let passed = text.split("test result: ok. ").nth(1).and_then(|rest| rest.split(' ').next());
    let passed: usize = passed.and_then(|count| count.parse().ok()).unwrap();
    assert!(passed > 5, "{text}");
}
