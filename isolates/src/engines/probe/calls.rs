//! Plain system calls that a script has no business with.

/// One attempt: its name, and the system call with its arguments.
pub(super) struct Call {
    pub(super) name: &'static str,
    number: libc::c_long,
    arguments: [libc::c_long; 5],
}

impl Call {
    /// 0 if it was let through, else why not.
    pub(super) fn errno(&self) -> i32 {
        let [first, second, third, fourth, fifth] = self.arguments;
        #[expect(unsafe_code, reason = "forbidden calls have no safe wrapper")]
        // SAFETY: pointers among the arguments are null or to static text that the kernel only
        // reads, and the arguments are chosen so that a call that is let through does no harm.
        let result = unsafe { libc::syscall(self.number, first, second, third, fourth, fifth) };
        if self.name == "clone" && result == 0 {
            // The copy has nothing to do here.
            crate::worker::leave(0);
        }
        super::errno(result)
    }
}

const fn call(name: &'static str, number: libc::c_long, arguments: [libc::c_long; 5]) -> Call {
    Call { name, number, arguments }
}

/// The process that forked this one, or 1 where even that may not be asked.
fn parent() -> libc::c_long {
    #[expect(unsafe_code, reason = "the safe wrapper does not expect to be refused")]
    // SAFETY: getppid has no arguments.
    let parent = unsafe { libc::syscall(libc::SYS_getppid) };
    parent.max(1)
}

/// More memory than any job may have.
static RAISED: [u64; 2] = [u64::MAX, u64::MAX];

/// Arguments are such that a call which is let through succeeds or fails for a reason of its own
/// (EFAULT, EINVAL, ENOENT), and leaves nothing behind.
pub(super) fn all() -> Vec<Call> {
    let file = c"/etc/passwd".as_ptr() as libc::c_long;
    let nowhere = c"/jalm-no-such-folder/x".as_ptr() as libc::c_long;
    let parent = parent();
    let inet = libc::c_long::from(libc::AF_INET);
    let inet6 = libc::c_long::from(libc::AF_INET6);
    let unix = libc::c_long::from(libc::AF_UNIX);
    let netlink = libc::c_long::from(libc::AF_NETLINK);
    let packet = libc::c_long::from(libc::AF_PACKET);
    let vsock = libc::c_long::from(libc::AF_VSOCK);
    let stream = libc::c_long::from(libc::SOCK_STREAM);
    let datagram = libc::c_long::from(libc::SOCK_DGRAM);
    let raw = libc::c_long::from(libc::SOCK_RAW);
    let here = libc::c_long::from(libc::AT_FDCWD);
    let new_user = libc::c_long::from(libc::CLONE_NEWUSER);
    let ends = libc::c_long::from(libc::SIGCHLD);
    let limits = RAISED.as_ptr() as libc::c_long;
    let memory = libc::c_long::from(libc::RLIMIT_AS);
    let dumpable = libc::c_long::from(libc::PR_SET_DUMPABLE);
    let peek = libc::c_long::from(libc::PTRACE_PEEKDATA);
    vec![
        call("open_file", libc::SYS_openat, [here, file, 0, 0, 0]),
        call("open_by_how", libc::SYS_openat2, [here, file, 0, 0, 0]),
        call("look_at_file", libc::SYS_newfstatat, [here, file, 0, 0, 0]),
        call("look_at_file_x", libc::SYS_statx, [here, file, 0, 0, 0]),
        call("read_link", libc::SYS_readlinkat, [here, file, 0, 0, 0]),
        call("list_folder", libc::SYS_getdents64, [0, 0, 0, 0, 0]),
        call("where_am_i", libc::SYS_getcwd, [0, 0, 0, 0, 0]),
        call("change_folder", libc::SYS_chdir, [file, 0, 0, 0, 0]),
        call("delete_file", libc::SYS_unlinkat, [here, nowhere, 0, 0, 0]),
        call("make_folder", libc::SYS_mkdirat, [here, nowhere, 0o700, 0, 0]),
        call("make_link", libc::SYS_symlinkat, [file, here, nowhere, 0, 0]),
        call("make_hard_link", libc::SYS_linkat, [here, file, here, nowhere, 0]),
        call("rename", libc::SYS_renameat2, [here, nowhere, here, nowhere, 0]),
        call("change_mode", libc::SYS_fchmodat, [here, nowhere, 0, 0, 0]),
        call("change_owner", libc::SYS_fchownat, [here, nowhere, 0, 0, 0]),
        call("memory_file", libc::SYS_memfd_create, [file, 0, 0, 0, 0]),
        call("socket_tcp", libc::SYS_socket, [inet, stream, 0, 0, 0]),
        call("socket_tcp6", libc::SYS_socket, [inet6, stream, 0, 0, 0]),
        call("socket_udp", libc::SYS_socket, [inet, datagram, 0, 0, 0]),
        call("socket_raw", libc::SYS_socket, [inet, raw, 1, 0, 0]),
        call("socket_packet", libc::SYS_socket, [packet, raw, 0, 0, 0]),
        call("socket_unix", libc::SYS_socket, [unix, stream, 0, 0, 0]),
        call("socket_netlink", libc::SYS_socket, [netlink, raw, 0, 0, 0]),
        call("socket_vsock", libc::SYS_socket, [vsock, stream, 0, 0, 0]),
        call("socket_pair", libc::SYS_socketpair, [unix, stream, 0, 0, 0]),
        call("connect", libc::SYS_connect, [0, 0, 0, 0, 0]),
        call("bind", libc::SYS_bind, [0, 0, 0, 0, 0]),
        call("send_descriptor", libc::SYS_sendmsg, [0, 0, 0, 0, 0]),
        call("clone", libc::SYS_clone, [ends, 0, 0, 0, 0]),
        call("clone3", libc::SYS_clone3, [0, 0, 0, 0, 0]),
        call("exec", libc::SYS_execve, [file, 0, 0, 0, 0]),
        call("exec_at", libc::SYS_execveat, [here, file, 0, 0, 0]),
        call("kill_all", libc::SYS_kill, [-1, 0, 0, 0, 0]),
        call("kill_parent", libc::SYS_kill, [parent, 0, 0, 0, 0]),
        call("kill_parent_thread", libc::SYS_tgkill, [parent, parent, 0, 0, 0]),
        call("watch_parent", libc::SYS_pidfd_open, [parent, 0, 0, 0, 0]),
        call("trace_parent", libc::SYS_ptrace, [peek, parent, 0, 0, 0]),
        call("read_parent_memory", libc::SYS_process_vm_readv, [parent, 0, 0, 0, 0]),
        call("write_parent_memory", libc::SYS_process_vm_writev, [parent, 0, 0, 0, 0]),
        call("limit_parent", libc::SYS_prlimit64, [parent, 0, 0, 0, 0]),
        call("raise_own_limit", libc::SYS_prlimit64, [0, memory, limits, 0, 0]),
        call("pin_parent", libc::SYS_sched_setaffinity, [parent, 0, 0, 0, 0]),
        call("slow_parent", libc::SYS_setpriority, [0, parent, 0, 0, 0]),
        call("leave_session", libc::SYS_setsid, [0, 0, 0, 0, 0]),
        call("control_process", libc::SYS_prctl, [dumpable, 1, 0, 0, 0]),
        call("mount", libc::SYS_mount, [file, file, 0, 0, 0]),
        call("new_mount", libc::SYS_fsopen, [0, 0, 0, 0, 0]),
        call("pivot_root", libc::SYS_pivot_root, [file, file, 0, 0, 0]),
        call("change_root", libc::SYS_chroot, [file, 0, 0, 0, 0]),
        call("unshare_user", libc::SYS_unshare, [new_user, 0, 0, 0, 0]),
        call("enter_namespace", libc::SYS_setns, [-1, 0, 0, 0, 0]),
        call("become_root", libc::SYS_setuid, [0, 0, 0, 0, 0]),
        call("io_uring", libc::SYS_io_uring_setup, [1, 0, 0, 0, 0]),
        call("bpf", libc::SYS_bpf, [0, 0, 0, 0, 0]),
        call("perf_event", libc::SYS_perf_event_open, [0, 0, 0, 0, 0]),
        call("key", libc::SYS_keyctl, [0, 0, 0, 0, 0]),
        call("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0]),
        call("load_module", libc::SYS_init_module, [0, 0, 0, 0, 0]),
        call("shared_memory", libc::SYS_shmget, [0x6a61_6c6d, 4096, 0o600, 0, 0]),
        call("message_queue", libc::SYS_msgget, [0x6a61_6c6d, 0o600, 0, 0, 0]),
        call("personality", libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0]),
        call("own_seccomp", libc::SYS_seccomp, [0xff, 0, 0, 0, 0]),
        call("change_mask", libc::SYS_umask, [0o022, 0, 0, 0, 0]),
        call("set_alarm", libc::SYS_setitimer, [9, 0, 0, 0, 0]),
    ]
}
