//! The whole suite again, as others would run it: as an ordinary user, and in a container that
//! refuses user namespaces.

use crate::common::worker_exe;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const NOBODY: u32 = 65534;

/// A command of an ordinary user: without any rights if the suite runs as root.
fn ordinary(mut command: Command) -> Command {
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Refuses what a container's default profile refuses.
fn contained(mut command: Command) -> Command {
    #[expect(unsafe_code, reason = "there is no safe way to prepare a process")]
    // SAFETY: the closure only makes system calls.
    unsafe {
        command.pre_exec(refuse_namespaces);
    }
    command
}

fn refuse_namespaces() -> std::io::Result<()> {
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
    let is = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let give = libc::BPF_RET | libc::BPF_K;
    let mut filter = [step(give, 0, 0, libc::SECCOMP_RET_ALLOW); 14];
    filter[0] = step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);
    for (at, call) in refused.into_iter().enumerate() {
        filter[1 + 2 * at] = step(is, 0, 1, u32::try_from(call).unwrap_or(0));
        filter[2 + 2 * at] = step(give, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs());
    }
    rustix::thread::set_no_new_privs(true)?;
    let program = libc::sock_fprog { len: 14, filter: filter.as_mut_ptr() };
    #[expect(unsafe_code, reason = "loading a filter has no safe wrapper")]
    // SAFETY: the program points to as many instructions as it says.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Runs the tests of this suite whose names contain one of these.
fn suite(wrap: fn(Command) -> Command, names: &[&str]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(names).args(["--test-threads", "3"]).current_dir("/");
    // The outer runner's settings are not meant for the inner one.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = wrap(command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let passed = text.split("ok. ").nth(1).and_then(|rest| rest.split(' ').next());
    let passed: usize = passed.and_then(|count| count.parse().ok()).unwrap();
    assert!(passed > 10, "{text}");
}

/// What the worker says to a server that asks for as much as can be had.
fn strongest(wrap: fn(Command) -> Command) -> String {
    let mut command = Command::new(worker_exe());
    command.args(["serve", "A"]).stdout(Stdio::piped());
    let mut server = wrap(command).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    line
}

#[test]
fn an_ordinary_user_has_the_strongest_sandbox_too() {
    let mine = strongest(|command| command);
    assert_eq!(strongest(ordinary), mine);
}

#[test]
fn everything_holds_for_an_ordinary_user_in_the_strongest_sandbox() {
    suite(ordinary, &["::a::"]);
}

#[test]
fn everything_holds_for_an_ordinary_user_in_weaker_sandboxes() {
    suite(ordinary, &["::b::", "::c::"]);
}

#[test]
fn each_layer_counts_for_an_ordinary_user_as_well() {
    suite(ordinary, &["layers::", "::c::results"]);
}

#[test]
fn where_namespaces_are_refused_the_sandbox_is_the_containers() {
    assert_eq!(
        strongest(|command| contained(ordinary(command))),
        "strength B: landlock, seccomp, limits\n"
    );
    suite(|command| contained(ordinary(command)), &["::b::", "::c::"]);
}
