//! Tries what must not work and says how it was refused, for the conformance suite.
//!
//! Not an engine for users: it exists only with the feature `testkit`.

use serde_json::{Map, Value, json};

/// One attempt: its name, and the system call with its arguments.
struct Attempt {
    name: &'static str,
    call: libc::c_long,
    arguments: [libc::c_long; 5],
}

const fn attempt(name: &'static str, call: libc::c_long, arguments: [libc::c_long; 5]) -> Attempt {
    Attempt { name, call, arguments }
}

/// Arguments are chosen so that a call which is let through succeeds or fails for a reason of its
/// own (EFAULT, EINVAL, ESRCH), never with EPERM; the suite tells the two apart.
fn attempts() -> Vec<Attempt> {
    let path = c"/etc/passwd".as_ptr() as libc::c_long;
    let parent =
        libc::c_long::from(rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get()));
    let inet = libc::c_long::from(libc::AF_INET);
    let unix = libc::c_long::from(libc::AF_UNIX);
    let netlink = libc::c_long::from(libc::AF_NETLINK);
    let stream = libc::c_long::from(libc::SOCK_STREAM);
    let raw = libc::c_long::from(libc::SOCK_RAW);
    let here = libc::c_long::from(libc::AT_FDCWD);
    vec![
        attempt("open_file", libc::SYS_openat, [here, path, 0, 0, 0]),
        attempt("open_by_how", libc::SYS_openat2, [here, path, 0, 0, 0]),
        attempt("look_at_file", libc::SYS_newfstatat, [here, path, 0, 0, 0]),
        attempt("look_at_file_x", libc::SYS_statx, [here, path, 0, 0, 0]),
        attempt("read_link", libc::SYS_readlinkat, [here, path, 0, 0, 0]),
        attempt("delete_file", libc::SYS_unlinkat, [here, path, 0, 0, 0]),
        attempt("make_folder", libc::SYS_mkdirat, [here, path, 0o700, 0, 0]),
        attempt("make_link", libc::SYS_symlinkat, [path, here, path, 0, 0]),
        attempt("change_mode", libc::SYS_fchmodat, [here, path, 0, 0, 0]),
        attempt("memory_file", libc::SYS_memfd_create, [path, 0, 0, 0, 0]),
        attempt("socket_tcp", libc::SYS_socket, [inet, stream, 0, 0, 0]),
        attempt("socket_raw", libc::SYS_socket, [inet, raw, 1, 0, 0]),
        attempt("socket_unix", libc::SYS_socket, [unix, stream, 0, 0, 0]),
        attempt("socket_netlink", libc::SYS_socket, [netlink, raw, 0, 0, 0]),
        attempt("socket_pair", libc::SYS_socketpair, [unix, stream, 0, 0, 0]),
        attempt("connect", libc::SYS_connect, [0, 0, 0, 0, 0]),
        attempt("send_descriptor", libc::SYS_sendmsg, [0, 0, 0, 0, 0]),
        attempt("clone", libc::SYS_clone, [libc::c_long::from(libc::SIGCHLD), 0, 0, 0, 0]),
        attempt("clone3", libc::SYS_clone3, [0, 0, 0, 0, 0]),
        attempt("exec", libc::SYS_execve, [path, 0, 0, 0, 0]),
        attempt("exec_at", libc::SYS_execveat, [here, path, 0, 0, 0]),
        attempt("kill_all", libc::SYS_kill, [-1, 0, 0, 0, 0]),
        attempt("kill_parent", libc::SYS_kill, [parent, 0, 0, 0, 0]),
        attempt("kill_parent_thread", libc::SYS_tgkill, [parent, parent, 0, 0, 0]),
        attempt("trace_parent", libc::SYS_ptrace, [16, parent, 0, 0, 0]),
        attempt("read_parent_memory", libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0]),
        attempt("write_parent_memory", libc::SYS_process_vm_writev, [parent, 0, 0, 0, 0]),
        attempt("limit_parent", libc::SYS_prlimit64, [parent, 0, 0, 0, 0]),
        attempt("raise_own_limit", libc::SYS_prlimit64, [0, 9, 0, 0, 0]),
        attempt("pin_parent", libc::SYS_sched_setaffinity, [parent, 0, 0, 0, 0]),
        attempt("slow_parent", libc::SYS_setpriority, [0, parent, 0, 0, 0]),
        attempt(
            "control_process",
            libc::SYS_prctl,
            [libc::c_long::from(libc::PR_SET_DUMPABLE), 1, 0, 0, 0],
        ),
        attempt("mount", libc::SYS_mount, [path, path, 0, 0, 0]),
        attempt("pivot_root", libc::SYS_pivot_root, [path, path, 0, 0, 0]),
        attempt("change_root", libc::SYS_chroot, [path, 0, 0, 0, 0]),
        attempt(
            "unshare_user",
            libc::SYS_unshare,
            [libc::c_long::from(libc::CLONE_NEWUSER), 0, 0, 0, 0],
        ),
        attempt("enter_namespace", libc::SYS_setns, [0, 0, 0, 0, 0]),
        attempt("become_root", libc::SYS_setuid, [0, 0, 0, 0, 0]),
        attempt("io_uring", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]),
        attempt("bpf", libc::SYS_bpf, [0, 0, 0, 0, 0]),
        attempt("perf_event", libc::SYS_perf_event_open, [0, 0, 0, 0, 0]),
        attempt("key", libc::SYS_keyctl, [0, 0, 0, 0, 0]),
        attempt("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0]),
        attempt("load_module", libc::SYS_init_module, [0, 0, 0, 0, 0]),
        attempt("shared_memory", libc::SYS_shmget, [0, 4096, 0o1600, 0, 0]),
        attempt("message_queue", libc::SYS_msgget, [0, 0o1600, 0, 0, 0]),
        attempt("personality", libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0]),
        attempt("own_seccomp", libc::SYS_seccomp, [0, 0, 0, 0, 0]),
    ]
}

/// Each attempt's errno by its name, 0 for one that was let through; the names of all for none.
pub(super) fn run(names: &[String]) -> Value {
    let attempts = attempts();
    if names.is_empty() {
        return attempts.iter().map(|attempt| json!(attempt.name)).collect();
    }
    let chosen = attempts.iter().filter(|attempt| names.iter().any(|name| name == attempt.name));
    let results: Map<String, Value> =
        chosen.map(|attempt| (attempt.name.to_owned(), json!(errno(attempt)))).collect();
    Value::Object(results)
}

fn errno(attempt: &Attempt) -> i32 {
    let [a, b, c, d, e] = attempt.arguments;
    #[expect(unsafe_code, reason = "forbidden calls have no safe wrapper")]
    // SAFETY: pointers among the arguments are null or to static text that the kernel only reads;
    // calls that could do harm (fork, exec, exit of others) are what the sandbox must refuse, and
    // this runs only in a single-use child of the test suite.
    let result = unsafe { libc::syscall(attempt.call, a, b, c, d, e) };
    if result == -1 { std::io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
}
