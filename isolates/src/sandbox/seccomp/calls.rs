//! Which calls each kind of process may make, and with which arguments.

use crate::sandbox::program::DOOR;
use libc::c_long;

/// Who is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Forks, waits, passes descriptors, tightens itself.
    Worker,
    /// Computes, reads and writes what is open, tightens its own limits.
    Child,
    /// Runs WebAssembly: computes, sets its timer and its own limits.
    Runner,
    /// A native interpreter: files (Landlock says which), threads, pipes; no programs, no network.
    Native,
    /// The same for a program that is yet to be started, and that may signal itself.
    Program,
    /// The same two with TCP sockets that connect, for processes that are alone with their way out.
    NativeOnline,
    ProgramOnline,
    /// The same for a compiler: it starts its parts, which Landlock names.
    Build,
}

/// What is allowed of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    /// Every use.
    Always,
    /// Only when each of these holds.
    If(&'static [Condition]),
}

/// A bound on one argument: its lower 32 bits, masked, are one of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) argument: u8,
    pub(super) mask: u32,
    pub(super) values: &'static [u32],
}

/// The calls that a profile may make, with their conditions; every other one is refused.
pub(super) fn allowed(profile: Profile) -> Vec<(u32, Allowed)> {
    let always = |calls: &'static [c_long]| calls.iter().map(|call| (*call, Allowed::Always));
    let mut all: Vec<(c_long, Allowed)> = always(COMPUTE).collect();
    match profile {
        // The limits of its job, which comes when it is locked in.
        Profile::Child => all.push((libc::SYS_prlimit64, Allowed::If(OWN_LIMITS))),
        Profile::Runner => {
            all.extend(always(RUN));
            all.push((libc::SYS_prlimit64, Allowed::If(OWN_LIMITS)));
        }
        Profile::Worker => all.extend(always(SUPERVISE).chain(always(SUPERVISE_HERE))),
        Profile::Build => {
            all.extend(always(BUILD).chain(always(BUILD_HERE)));
            all.extend(always(NATIVE).chain(always(NATIVE_HERE)));
            let same = CONDITIONAL.iter().filter(|(call, _)| *call != libc::SYS_clone);
            all.extend(same.map(|(call, when)| (*call, Allowed::If(when))));
            all.push((libc::SYS_clone, Allowed::If(NO_NAMESPACES)));
            all.push((libc::SYS_execveat, Allowed::If(START)));
            all.push((libc::SYS_tgkill, Allowed::If(WAKE)));
        }
        Profile::Native | Profile::Program | Profile::NativeOnline | Profile::ProgramOnline => {
            all.extend(always(NATIVE).chain(always(NATIVE_HERE)));
            all.extend(CONDITIONAL.iter().map(|(call, when)| (*call, Allowed::If(when))));
            if matches!(profile, Profile::Program | Profile::ProgramOnline) {
                all.push((libc::SYS_execveat, Allowed::If(START)));
            }
            if matches!(profile, Profile::NativeOnline | Profile::ProgramOnline) {
                all.extend(always(ONLINE));
                all.extend(ONLINE_IF.iter().map(|(call, when)| (*call, Allowed::If(when))));
            }
        }
    }
    let mut all: Vec<(u32, Allowed)> =
        all.into_iter().filter_map(|(call, how)| Some((u32::try_from(call).ok()?, how))).collect();
    all.sort_unstable_by_key(|(call, _)| *call);
    all.dedup_by_key(|(call, _)| *call);
    all
}

/// Computing, memory, time, and descriptors that are open.
const COMPUTE: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getrusage,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What the worker needs besides.
const SUPERVISE: &[c_long] = &[
    libc::SYS_clone,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
    // Used by its children, whose own filter lets each of them signal itself only.
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_ppoll,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_prlimit64,
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_close_range,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_getppid,
];

#[cfg(target_arch = "x86_64")]
const SUPERVISE_HERE: &[c_long] = &[libc::SYS_poll, libc::SYS_dup2, libc::SYS_fork];
#[cfg(not(target_arch = "x86_64"))]
const SUPERVISE_HERE: &[c_long] = &[];

/// What a runner of WebAssembly needs besides: a deadline. Its first word goes out as a message.
const RUN: &[c_long] = &[libc::SYS_setitimer, libc::SYS_sendto];

/// What an interpreter needs besides: files, folders, pipes, waiting, threads. Nothing that changes
/// modes, owners, times or attributes of files: Landlock does not watch over those.
const NATIVE: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_ftruncate,
    libc::SYS_truncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fadvise64,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_umask,
    libc::SYS_flock,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getppid,
    libc::SYS_getpgid,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_getpriority,
    libc::SYS_times,
    libc::SYS_setitimer,
    libc::SYS_getitimer,
    libc::SYS_msync,
    libc::SYS_mincore,
    libc::SYS_membarrier,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_getcpu,
];

#[cfg(target_arch = "x86_64")]
const NATIVE_HERE: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_arch_prctl,
    libc::SYS_time,
    libc::SYS_getpgrp,
];
#[cfg(not(target_arch = "x86_64"))]
const NATIVE_HERE: &[c_long] = &[];

/// What a client of TCP needs besides. Nothing that listens: `bind`, `listen` and `accept` stay
/// refused.
const ONLINE: &[c_long] = &[libc::SYS_connect, libc::SYS_sendmsg, libc::SYS_recvmsg];

/// TCP over IPv4, and the usual switches of such sockets.
const ONLINE_IF: &[(c_long, &[Condition])] = &[
    (
        libc::SYS_socket,
        &[
            Condition { argument: 0, mask: u32::MAX, values: &[libc::AF_INET as u32] },
            Condition { argument: 1, mask: 0xf, values: &[libc::SOCK_STREAM as u32] },
            Condition { argument: 2, mask: u32::MAX, values: &[0, libc::IPPROTO_TCP as u32] },
        ],
    ),
    (
        libc::SYS_setsockopt,
        &[
            Condition {
                argument: 1,
                mask: u32::MAX,
                values: &[libc::SOL_SOCKET as u32, libc::IPPROTO_TCP as u32],
            },
            // The numbers of both levels. TCP's own beyond these load code or change protocols.
            Condition {
                argument: 2,
                mask: u32::MAX,
                values: &[
                    libc::TCP_NODELAY as u32,
                    libc::SO_REUSEADDR as u32,
                    libc::TCP_CORK as u32,
                    libc::TCP_KEEPIDLE as u32,
                    libc::TCP_KEEPINTVL as u32,
                    libc::TCP_KEEPCNT as u32,
                    libc::SO_SNDBUF as u32,
                    libc::SO_RCVBUF as u32,
                    libc::SO_KEEPALIVE as u32,
                    libc::TCP_USER_TIMEOUT as u32,
                    libc::SO_RCVTIMEO as u32,
                    libc::SO_SNDTIMEO as u32,
                ],
            },
        ],
    ),
];

/// What a compiler needs besides. Nothing by which a process leaves its group: by that, it is ended.
/// Landlock says what may be linked to where.
const BUILD: &[c_long] = &[libc::SYS_execve, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_linkat];

#[cfg(target_arch = "x86_64")]
const BUILD_HERE: &[c_long] = &[libc::SYS_vfork, libc::SYS_link];
#[cfg(not(target_arch = "x86_64"))]
const BUILD_HERE: &[c_long] = &[];

/// Flags of clone that make namespaces.
const NEW: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u32;
const THREAD: u32 = libc::CLONE_THREAD as u32;

/// Threads and processes.
const NO_NAMESPACES: &[Condition] = &[Condition { argument: 0, mask: NEW, values: &[0] }];

/// How a compiler wakes a thread of its own. Landlock lets signals reach only what is locked in with
/// it.
const WAKE: &[Condition] =
    &[Condition { argument: 2, mask: u32::MAX, values: &[libc::SIGUSR1 as u32] }];

/// A process' own limits: hard ones cannot be raised.
const OWN_LIMITS: &[Condition] = &[Condition { argument: 0, mask: u32::MAX, values: &[0] }];

/// The one start of a program: by a descriptor that cannot be opened afterwards.
const START: &[Condition] = &[
    Condition { argument: 0, mask: u32::MAX, values: &[DOOR as u32] },
    Condition { argument: 4, mask: u32::MAX, values: &[libc::AT_EMPTY_PATH as u32] },
];

/// Questions and switches of descriptors, as the kernel numbers them on all its architectures.
const TCGETS: u32 = 0x5401;
const FIONREAD: u32 = 0x541b;
const FIONBIO: u32 = 0x5421;
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;

/// Calls that are harmless with some arguments only.
const CONDITIONAL: &[(c_long, &[Condition])] = &[
    // Threads, never processes or namespaces.
    (libc::SYS_clone, &[Condition { argument: 0, mask: THREAD | NEW, values: &[THREAD] }]),
    (libc::SYS_prlimit64, OWN_LIMITS),
    // Pairs for waking up event loops: connected, so that they lead nowhere else.
    (
        libc::SYS_socketpair,
        &[
            Condition { argument: 0, mask: u32::MAX, values: &[libc::AF_UNIX as u32] },
            Condition {
                argument: 1,
                mask: 0xf,
                values: &[libc::SOCK_STREAM as u32, libc::SOCK_SEQPACKET as u32],
            },
        ],
    ),
    // Everything but who is to be sent signals.
    (
        libc::SYS_fcntl,
        &[Condition {
            argument: 1,
            mask: u32::MAX,
            values: &[
                libc::F_DUPFD as u32,
                libc::F_GETFD as u32,
                libc::F_SETFD as u32,
                libc::F_GETFL as u32,
                libc::F_SETFL as u32,
                libc::F_GETLK as u32,
                libc::F_SETLK as u32,
                libc::F_SETLKW as u32,
                libc::F_DUPFD_CLOEXEC as u32,
            ],
        }],
    ),
    // Questions and switches of one's own descriptors.
    (
        libc::SYS_ioctl,
        &[Condition {
            argument: 1,
            mask: u32::MAX,
            values: &[TCGETS, FIOCLEX, FIONCLEX, FIONBIO, FIONREAD],
        }],
    ),
];
