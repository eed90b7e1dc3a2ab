//! System calls: a list of what is allowed, as a binary search over ranges.
//!
//! The kernel runs the filter once per call number when it is loaded, so a linear chain costs ten
//! times as much to load as this tree (research/isolates.md §1g), and it is loaded per job.

mod calls;
mod tree;

pub(crate) use calls::Profile;

use super::Missing;
use libc::sock_fprog;

const LAYER: &str = "seccomp";

pub(super) fn enter(profile: Profile) -> Result<(), Missing> {
    let mut program = tree::program(profile, Some(std::process::id()));
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

/// The filter as the bytes that the kernel takes, for a process that loads it by itself.
pub(crate) fn bytes(profile: Profile) -> Vec<u8> {
    let instructions = tree::program(profile, None);
    let one = |step: &libc::sock_filter| {
        let (code, k) = (step.code.to_ne_bytes(), step.k.to_ne_bytes());
        [&code[..], &[step.jt, step.jf], &k[..]].concat()
    };
    instructions.iter().flat_map(one).collect()
}
