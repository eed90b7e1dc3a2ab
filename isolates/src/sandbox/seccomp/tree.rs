//! The filter as a program: a binary search over ranges of call numbers.

use super::calls::{Allowed, Condition, Profile, allowed};
use libc::sock_filter;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// glibc asks for clone3 first and falls back to clone only on this answer.
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
/// Call numbers from here on belong to the 32-bit ABI of x86-64.
const X32: u32 = 0x4000_0000;

/// What becomes of a range of call numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Return(u32),
    If(&'static [Condition]),
}

/// The answer for each range of call numbers: `(first, answer)`, in order, the first from 0.
fn ranges(profile: Profile) -> Vec<(u32, Answer)> {
    let allowed = allowed(profile);
    let unknown = u32::try_from(libc::SYS_clone3).unwrap_or(435);
    let answer = |nr: u32| match nr {
        nr if nr >= X32 => Answer::Return(KILL),
        nr if nr == unknown => Answer::Return(UNKNOWN),
        nr => match allowed.binary_search_by_key(&nr, |(call, _)| *call) {
            Ok(at) => match allowed[at].1 {
                Allowed::Always => Answer::Return(ALLOW),
                Allowed::If(conditions) => Answer::If(conditions),
            },
            Err(_) => Answer::Return(REFUSE),
        },
    };
    let mut borders: Vec<u32> = vec![0, X32, unknown, unknown + 1];
    borders.extend(allowed.iter().flat_map(|(nr, _)| [*nr, nr + 1]));
    borders.sort_unstable();
    borders.dedup();
    let mut ranges: Vec<(u32, Answer)> = Vec::new();
    for border in borders {
        let next = answer(border);
        if ranges.last().is_none_or(|(_, last)| *last != next) {
            ranges.push((border, next));
        }
    }
    ranges
}

/// The whole filter of a profile. `own` is the process that is filtered, if it is known.
pub(super) fn program(profile: Profile, own: Option<u32>) -> Vec<sock_filter> {
    let mut program = vec![
        // seccomp_data: the call's number at 0, the architecture at 4.
        load(4),
        jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
        give(KILL),
        load(0),
    ];
    if let Some(own) = own.filter(|_| matches!(profile, Profile::Child | Profile::Runner)) {
        program.extend(signal_itself(own));
    }
    if let Some(own) = own.filter(|_| matches!(profile, Profile::Program | Profile::ProgramOnline))
    {
        program.extend(signal_own_threads(own));
    }
    program.extend(search(&ranges(profile)));
    program
}

/// A program that gives up aborts, in whichever thread.
fn signal_own_threads(own: u32) -> Vec<sock_filter> {
    vec![
        jump(libc::BPF_JEQ, u32::try_from(libc::SYS_tgkill).unwrap_or(u32::MAX), 0, 4),
        load(16),
        jump(libc::BPF_JEQ, own, 0, 1),
        give(ALLOW),
        give(REFUSE),
    ]
}

/// A process that gets no memory aborts: it signals itself, and the signal says why it ended.
/// Other processes stay out of reach. Of a process id, the kernel takes the lower half only.
fn signal_itself(own: u32) -> Vec<sock_filter> {
    let number = |call: libc::c_long| u32::try_from(call).unwrap_or(u32::MAX);
    vec![
        jump(libc::BPF_JEQ, number(libc::SYS_tgkill), 0, 6),
        load(16),
        jump(libc::BPF_JEQ, own, 0, 3),
        load(24),
        jump(libc::BPF_JEQ, own, 0, 1),
        give(ALLOW),
        give(REFUSE),
        jump(libc::BPF_JEQ, number(libc::SYS_tkill), 0, 4),
        load(16),
        jump(libc::BPF_JEQ, own, 0, 1),
        give(ALLOW),
        give(REFUSE),
    ]
}

/// A search for the range of the loaded number: the lower half right behind the comparison, the
/// upper half behind that.
fn search(ranges: &[(u32, Answer)]) -> Vec<sock_filter> {
    match ranges {
        [] => vec![give(REFUSE)],
        [(_, Answer::Return(value))] => vec![give(*value)],
        [(_, Answer::If(conditions))] => check(conditions),
        _ => {
            let (lower, upper) = ranges.split_at(ranges.len() / 2);
            let below = search(lower);
            let mut program = Vec::new();
            match u8::try_from(below.len()) {
                Ok(skip) => program.push(jump(libc::BPF_JGE, upper[0].0, skip, 0)),
                // Further than a comparison can jump: over an unconditional jump.
                Err(_) => {
                    program.push(jump(libc::BPF_JGE, upper[0].0, 0, 1));
                    let skip = u32::try_from(below.len()).unwrap_or(u32::MAX);
                    program.push(jump(libc::BPF_JA, skip, 0, 0));
                }
            }
            program.extend(below);
            program.extend(search(upper));
            program
        }
    }
}

/// Allows a call whose arguments meet every condition.
fn check(conditions: &[Condition]) -> Vec<sock_filter> {
    let mut program = Vec::new();
    for condition in conditions {
        // The lower half of an argument, on a little-endian machine; arguments begin at 16.
        program.push(load(16 + 8 * u32::from(condition.argument)));
        if condition.mask != u32::MAX {
            program.push(instruction(
                libc::BPF_ALU | libc::BPF_AND | libc::BPF_K,
                0,
                0,
                condition.mask,
            ));
        }
        let count = condition.values.len();
        for (at, value) in condition.values.iter().enumerate() {
            // Over the values left and the refusal behind them.
            let skip = u8::try_from(count - at).unwrap_or(u8::MAX);
            program.push(jump(libc::BPF_JEQ, *value, skip, 0));
        }
        program.push(give(REFUSE));
    }
    program.push(give(ALLOW));
    program
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn give(answer: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, answer)
}

fn jump(how: u32, k: u32, yes: u8, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | how | libc::BPF_K, yes, no, k)
}

fn instruction(code: u32, yes: u8, no: u8, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).unwrap_or(0), jt: yes, jf: no, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::limits::DESCRIPTORS;
    use crate::sandbox::program::DOOR;

    const OWN: u32 = 4711;

    fn program(profile: Profile) -> Vec<sock_filter> {
        super::program(profile, Some(OWN))
    }

    /// Runs the program as the kernel would.
    fn answer(program: &[sock_filter], architecture: u32, number: u32, arguments: [u32; 6]) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            if code == libc::BPF_RET | libc::BPF_K {
                return step.k;
            } else if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                loaded = match step.k {
                    0 => number,
                    4 => architecture,
                    offset => arguments[(offset as usize - 16) / 8],
                };
            } else if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K {
                loaded &= step.k;
            } else if code == libc::BPF_JMP | libc::BPF_JA | libc::BPF_K {
                at += step.k as usize;
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

    fn plain(profile: Profile, call: libc::c_long, arguments: [u32; 6]) -> u32 {
        answer(&program(profile), ARCHITECTURE, u32::try_from(call).unwrap(), arguments)
    }

    #[test]
    fn exactly_the_listed_calls_are_allowed() {
        for profile in [
            Profile::Worker,
            Profile::Child,
            Profile::Runner,
            Profile::Native,
            Profile::Program,
            Profile::Build,
        ] {
            let program = program(profile);
            assert!(program.len() < 450, "{}", program.len());
            let listed = allowed(profile);
            for number in 0..600_u32 {
                let wanted = match listed.iter().find(|(call, _)| *call == number) {
                    _ if libc::c_long::from(number) == libc::SYS_clone3 => UNKNOWN,
                    Some((_, Allowed::Always)) => ALLOW,
                    Some((_, Allowed::If(_))) => continue,
                    None => REFUSE,
                };
                let found = answer(&program, ARCHITECTURE, number, [0; 6]);
                assert_eq!(found, wanted, "{profile:?} {number}");
            }
            assert_eq!(answer(&program, ARCHITECTURE, X32 | 1, [0; 6]), KILL);
            assert_eq!(answer(&program, 0x4000_0003, 1, [0; 6]), KILL, "i386");
        }
    }

    #[test]
    fn a_child_can_signal_itself_and_nobody_else() {
        let answer = |call, first, second| plain(Profile::Child, call, [first, second, 6, 0, 0, 0]);
        assert_eq!(answer(libc::SYS_tgkill, OWN, OWN), ALLOW);
        assert_eq!(answer(libc::SYS_tkill, OWN, 6), ALLOW);
        for (first, second) in [(OWN, 1), (1, OWN), (1, 1), (u32::MAX, OWN), (OWN - 1, OWN - 1)] {
            assert_eq!(answer(libc::SYS_tgkill, first, second), REFUSE, "{first} {second}");
        }
        for process in [0, 1, u32::MAX] {
            assert_eq!(answer(libc::SYS_tkill, process, OWN), REFUSE, "{process}");
        }
        for call in [libc::SYS_kill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo] {
            assert_eq!(answer(call, OWN, OWN), REFUSE, "{call}");
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
            assert_eq!(plain(Profile::Child, call, [0; 6]), REFUSE, "{call}");
        }
    }

    #[test]
    fn a_child_may_change_its_own_limits_and_nobody_elses() {
        let limits = |process| plain(Profile::Child, libc::SYS_prlimit64, [process, 2, 0, 0, 0, 0]);
        assert_eq!((limits(0), limits(OWN), limits(1)), (ALLOW, REFUSE, REFUSE));
    }

    #[test]
    fn a_runner_of_webassembly_has_its_timer_and_nothing_else_besides() {
        let number = |call: libc::c_long| u32::try_from(call).unwrap();
        let mut wanted: Vec<u32> = allowed(Profile::Child).iter().map(|(call, _)| *call).collect();
        wanted.extend([libc::SYS_setitimer, libc::SYS_sendto].map(number));
        wanted.sort_unstable();
        let listed: Vec<u32> = allowed(Profile::Runner).iter().map(|(call, _)| *call).collect();
        assert_eq!(listed, wanted);
        let limits =
            |process| plain(Profile::Runner, libc::SYS_prlimit64, [process, 2, 0, 0, 0, 0]);
        assert_eq!((limits(0), limits(OWN), limits(1)), (ALLOW, REFUSE, REFUSE));
        let signal = |to| plain(Profile::Runner, libc::SYS_tgkill, [to, OWN, 6, 0, 0, 0]);
        assert_eq!((signal(OWN), signal(1)), (ALLOW, REFUSE));
        for call in [
            libc::SYS_clone,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_sendmsg,
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_memfd_create,
            libc::SYS_userfaultfd,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_io_uring_setup,
        ] {
            assert_eq!(plain(Profile::Runner, call, [0; 6]), REFUSE, "{call}");
        }
    }

    #[test]
    fn an_interpreter_starts_threads_but_no_processes() {
        let clone = |flags: i32| {
            plain(Profile::Native, libc::SYS_clone, [u32::try_from(flags).unwrap(), 0, 0, 0, 0, 0])
        };
        assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND), ALLOW);
        assert_eq!(clone(libc::SIGCHLD), REFUSE);
        assert_eq!(clone(libc::CLONE_THREAD | libc::CLONE_NEWUSER), REFUSE);
        for call in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_bind,
            libc::SYS_sendmsg,
            libc::SYS_ptrace,
            libc::SYS_kill,
            libc::SYS_tgkill,
            libc::SYS_mount,
            libc::SYS_unshare,
            libc::SYS_memfd_create,
            libc::SYS_symlinkat,
            libc::SYS_linkat,
            libc::SYS_prctl,
            libc::SYS_io_uring_setup,
        ] {
            assert_eq!(plain(Profile::Native, call, [0; 6]), REFUSE, "{call}");
        }
    }

    #[test]
    fn a_program_is_started_through_its_door_only_and_signals_itself_only() {
        let start = |fd: i32, flags: i32| {
            let word = |number: i32| u32::try_from(number).unwrap();
            let arguments = [word(fd), 0, 0, 0, word(flags), 0];
            plain(Profile::Program, libc::SYS_execveat, arguments)
        };
        assert_eq!(start(DOOR, libc::AT_EMPTY_PATH), ALLOW);
        assert!(u64::try_from(DOOR).unwrap() >= DESCRIPTORS);
        for (fd, flags) in [(DOOR, 0), (3, libc::AT_EMPTY_PATH), (DOOR - 1, libc::AT_EMPTY_PATH)] {
            assert_eq!(start(fd, flags), REFUSE, "{fd} {flags}");
        }
        let signal = |to: u32, thread: u32| {
            plain(Profile::Program, libc::SYS_tgkill, [to, thread, 6, 0, 0, 0])
        };
        assert_eq!((signal(OWN, OWN), signal(OWN, OWN + 3)), (ALLOW, ALLOW));
        assert_eq!((signal(1, OWN), signal(u32::MAX, 1)), (REFUSE, REFUSE));
        for call in [libc::SYS_execve, libc::SYS_kill, libc::SYS_tkill, libc::SYS_socket] {
            assert_eq!(plain(Profile::Program, call, [OWN, 0, 0, 0, 0, 0]), REFUSE, "{call}");
        }
        assert_eq!(plain(Profile::Native, libc::SYS_execveat, [300, 0, 0, 0, 0x1000, 0]), REFUSE);
    }

    #[test]
    fn a_compiler_starts_its_parts_and_makes_no_namespaces() {
        let clone = |flags: i32| {
            let flags = u32::try_from(flags).unwrap();
            plain(Profile::Build, libc::SYS_clone, [flags, 0, 0, 0, 0, 0])
        };
        assert_eq!(clone(libc::SIGCHLD | libc::CLONE_VM | libc::CLONE_VFORK), ALLOW);
        assert_eq!(clone(libc::CLONE_THREAD), ALLOW);
        assert_eq!(clone(libc::SIGCHLD | libc::CLONE_NEWUSER), REFUSE);
        for call in [libc::SYS_execve, libc::SYS_wait4] {
            assert_eq!(plain(Profile::Build, call, [0; 6]), ALLOW, "{call}");
        }
        let others = [
            libc::SYS_setsid,
            libc::SYS_setpgid,
            libc::SYS_kill,
            libc::SYS_socket,
            libc::SYS_unshare,
            libc::SYS_ptrace,
            libc::SYS_prctl,
        ];
        for call in others {
            assert_eq!(plain(Profile::Build, call, [0; 6]), REFUSE, "{call}");
        }
    }

    #[test]
    fn each_condition_must_hold() {
        let pair = |family: i32, kind: i32| {
            let word = |number: i32| u32::try_from(number).unwrap();
            plain(Profile::Native, libc::SYS_socketpair, [word(family), word(kind), 0, 0, 0, 0])
        };
        assert_eq!(pair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC), ALLOW);
        assert_eq!(pair(libc::AF_UNIX, libc::SOCK_DGRAM), REFUSE);
        assert_eq!(pair(libc::AF_INET, libc::SOCK_STREAM), REFUSE);
        assert_eq!(plain(Profile::Native, libc::SYS_prlimit64, [7, 0, 0, 0, 0, 0]), REFUSE);
        assert_eq!(plain(Profile::Native, libc::SYS_prlimit64, [0, 9, 0, 0, 0, 0]), ALLOW);
        for command in [libc::F_GETFL, libc::F_SETLKW, libc::F_DUPFD_CLOEXEC] {
            let command = u32::try_from(command).unwrap();
            assert_eq!(plain(Profile::Native, libc::SYS_fcntl, [3, command, 0, 0, 0, 0]), ALLOW);
        }
        let owner = u32::try_from(libc::F_SETOWN).unwrap();
        assert_eq!(plain(Profile::Native, libc::SYS_fcntl, [3, owner, 0, 0, 0, 0]), REFUSE);
    }
}
