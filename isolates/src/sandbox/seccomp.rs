//! System calls: a list of what is allowed, as a binary search over ranges.
//!
//! The kernel runs the filter once per call number when it is loaded, so a linear chain costs ten
//! times as much to load as this tree (research/isolates.md §1g), and it is loaded per job.

use super::Missing;
use libc::{sock_filter, sock_fprog};

const LAYER: &str = "seccomp";

/// Who is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Forks, waits, passes descriptors, tightens itself.
    Worker,
    /// Computes, reads and writes what is open.
    Child,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Computing, memory, time, and descriptors that are open.
const COMPUTE: &[libc::c_long] = &[
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
const SUPERVISE: &[libc::c_long] = &[
    libc::SYS_clone,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
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
const SUPERVISE_HERE: &[libc::c_long] = &[libc::SYS_poll, libc::SYS_dup2, libc::SYS_fork];
#[cfg(not(target_arch = "x86_64"))]
const SUPERVISE_HERE: &[libc::c_long] = &[];

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// glibc asks for clone3 first and falls back to clone only on this answer.
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
/// Call numbers from here on belong to the 32-bit ABI of x86-64.
const X32: u32 = 0x4000_0000;

pub(super) fn enter(profile: Profile) -> Result<(), Missing> {
    let mut program = program(profile);
    let length =
        u16::try_from(program.len()).map_err(|_| Missing::new(LAYER, "the filter is too long"))?;
    let filter = sock_fprog { len: length, filter: program.as_mut_ptr() };
    #[expect(unsafe_code, reason = "loading a filter has no safe wrapper")]
    // SAFETY: `filter` points to `length` instructions that live until the call returns; the
    // kernel copies them. no_new_privs is set, as an unprivileged caller must.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter)
    };
    if result == 0 { Ok(()) } else { Err(Missing::new(LAYER, std::io::Error::last_os_error())) }
}

/// The answer for each range of call numbers: `(first, answer)`, in order, the first from 0.
fn ranges(profile: Profile) -> Vec<(u32, u32)> {
    let mut allowed: Vec<u32> = COMPUTE.iter().filter_map(|nr| u32::try_from(*nr).ok()).collect();
    if profile == Profile::Worker {
        let more = SUPERVISE.iter().chain(SUPERVISE_HERE);
        allowed.extend(more.filter_map(|nr| u32::try_from(*nr).ok()));
    }
    allowed.sort_unstable();
    allowed.dedup();
    let unknown = u32::try_from(libc::SYS_clone3).unwrap_or(435);
    let answer = |nr: u32| match nr {
        nr if nr >= X32 => KILL,
        nr if nr == unknown => UNKNOWN,
        nr if allowed.binary_search(&nr).is_ok() => ALLOW,
        _ => REFUSE,
    };
    let mut borders: Vec<u32> = vec![0, X32];
    borders.extend(allowed.iter().chain([&unknown]).flat_map(|nr| [*nr, nr + 1]));
    borders.sort_unstable();
    borders.dedup();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for border in borders {
        let next = answer(border);
        if ranges.last().is_none_or(|(_, last)| *last != next) {
            ranges.push((border, next));
        }
    }
    ranges
}

fn program(profile: Profile) -> Vec<sock_filter> {
    let statement = |code: u32, k: u32| instruction(code, 0, 0, k);
    let load = |offset: u32| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let mut program = vec![
        // seccomp_data: the call's number at 0, the architecture at 4.
        load(4),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, ARCHITECTURE),
        statement(libc::BPF_RET | libc::BPF_K, KILL),
        load(0),
    ];
    search(&ranges(profile), &mut program);
    program
}

/// Emits a search for the range of the loaded number: the lower half right behind the comparison,
/// the upper half behind that.
fn search(ranges: &[(u32, u32)], program: &mut Vec<sock_filter>) {
    if let [(_, answer)] = ranges {
        program.push(instruction(libc::BPF_RET | libc::BPF_K, 0, 0, *answer));
        return;
    }
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    // A search over n ranges takes 2n - 1 instructions, and both lists together stay far below
    // the 255 that a jump can skip.
    let skip = u8::try_from(2 * lower.len() - 1).unwrap_or(u8::MAX);
    program.push(instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, skip, 0, upper[0].0));
    search(lower, program);
    search(upper, program);
}

fn instruction(code: u32, yes: u8, no: u8, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(0), jt: yes, jf: no, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn answer(program: &[sock_filter], architecture: u32, number: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            if code == libc::BPF_RET | libc::BPF_K {
                return step.k;
            } else if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                loaded = if step.k == 4 { architecture } else { number };
            } else {
                let holds = if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K {
                    loaded == step.k
                } else {
                    loaded >= step.k
                };
                at += usize::from(if holds { step.jt } else { step.jf });
            }
        }
    }

    #[test]
    fn exactly_the_listed_calls_are_allowed() {
        for profile in [Profile::Worker, Profile::Child] {
            let program = program(profile);
            assert!(program.len() < 200, "{}", program.len());
            for number in 0..600_u32 {
                let call = libc::c_long::from(number);
                let listed = COMPUTE.contains(&call)
                    || (profile == Profile::Worker
                        && (SUPERVISE.contains(&call) || SUPERVISE_HERE.contains(&call)));
                let wanted = match () {
                    () if call == libc::SYS_clone3 => UNKNOWN,
                    () if listed => ALLOW,
                    () => REFUSE,
                };
                assert_eq!(answer(&program, ARCHITECTURE, number), wanted, "{profile:?} {number}");
            }
            assert_eq!(answer(&program, ARCHITECTURE, X32 | 1), KILL);
            assert_eq!(answer(&program, 0x4000_0003, 1), KILL, "i386");
        }
    }

    #[test]
    fn a_child_can_neither_fork_nor_connect_nor_open() {
        for call in [
            libc::SYS_clone,
            libc::SYS_socket,
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_prctl,
            libc::SYS_io_uring_setup,
        ] {
            let number = u32::try_from(call).unwrap();
            assert_eq!(answer(&program(Profile::Child), ARCHITECTURE, number), REFUSE, "{call}");
        }
    }
}
