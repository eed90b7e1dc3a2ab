//! What a sandboxed process sees as its file system: nothing, or some of the host's folders.

use super::{Missing, network};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{
    MountFlags, UnmountFlags, mount, mount_bind_recursive, mount_remount, unmount,
};
use rustix::process::pivot_root;
use std::ffi::CString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const LAYER: &str = "namespaces";

/// Links at the root of systems that have merged their folders into /usr.
const LINKS: [&str; 4] = ["/lib", "/lib64", "/bin", "/sbin"];

fn failed(what: impl std::fmt::Display) -> impl FnOnce(rustix::io::Errno) -> Missing {
    move |error| Missing::new(LAYER, format_args!("{what}: {error}"))
}

/// An empty root. The caller has shown that the mount namespace is its own.
pub(super) fn empty() -> Result<(), Missing> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("jalm", "/tmp", "tmpfs", flags, Some(c"size=0,nr_inodes=1,mode=555"))
        .map_err(failed("mounting an empty root"))?;
    enter(flags)?;
    if rustix::fs::openat(CWD, "/etc", OFlags::PATH, Mode::empty()).is_ok() {
        return Err(Missing::new(LAYER, "the host's files are still there"));
    }
    Ok(())
}

/// A folder of one's own, bounded in bytes and files.
pub(super) struct Tmp {
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// Whether what is in it may be executed.
    pub(super) runs: bool,
}

/// Where installed packages are in a root of its own: in the place of the host they might be below
/// /tmp.
const PACKAGES: &str = "/packages";

/// Where a process of this strength sees packages that lie in this folder of the host.
pub(crate) fn packages_seen(strength: crate::api::Strength, folder: &Path) -> PathBuf {
    let own_root = strength >= crate::api::Strength::A && !super::off("namespaces");
    if own_root { PathBuf::from(PACKAGES) } else { folder.to_owned() }
}

/// What of the host is shown, read-only.
#[derive(Clone, Copy, Default)]
pub(crate) struct Shown<'a> {
    pub(crate) folders: &'a [PathBuf],
    /// Seen at [`PACKAGES`].
    pub(crate) packages: Option<&'a Path>,
    /// Whether the certificates that the host trusts are seen, as one file.
    pub(crate) certificates: bool,
    /// What the process becomes, if it looks for itself below /proc.
    pub(crate) program: Option<&'a Path>,
}

/// There is no /proc of a program's own. Some do not start without their figures, where they look
/// for the end of their stack or for their own name, so they find these: all is one mapping, and
/// some of it is used.
const FIGURES: [(&str, &str); 2] = [
    ("/proc/self/maps", "00001000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n"),
    ("/proc/self/statm", "100000 10000 5000 1000 0 20000 0\n"),
];

/// A root with these parts of the host, /dev/null, and a /tmp: an empty, read-only one or one of
/// its own.
pub(super) fn with(shown: Shown<'_>, tmp: Option<&Tmp>) -> Result<(), Missing> {
    let Shown { folders, packages, certificates, program } = shown;
    // Opened before the new root covers /tmp, below which one of them may be.
    let opened = folders
        .iter()
        .filter(|folder| !is_link(folder))
        .map(|folder| Ok((folder.as_path(), open(folder)?)))
        .collect::<Result<Vec<_>, Missing>>()?;
    let packages = packages.map(open).transpose()?;
    let links: Vec<(&str, PathBuf)> = LINKS
        .into_iter()
        .filter(|link| is_link(Path::new(link)))
        .filter_map(|link| Some((link, std::fs::read_link(link).ok()?)))
        .collect();
    let null = open(Path::new("/dev/null"))?;
    let certificates = certificates.then(network::certificates).flatten();
    let certificates = certificates.map(|path| open(&path)).transpose()?;

    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("jalm", "/tmp", "tmpfs", flags, Some(c"size=1m,nr_inodes=256,mode=755"))
        .map_err(failed("mounting a root"))?;
    let show = |below_tmp: bool| {
        let some = opened.iter().filter(|(folder, _)| folder.starts_with("/tmp") == below_tmp);
        some.into_iter().try_for_each(|(folder, fd)| {
            let place = inside(folder);
            make_folder(&place)?;
            bind(fd, &place)?;
            read_only(&place)
        })
    };
    show(false)?;
    if let Some(fd) = &packages {
        let place = inside(Path::new(PACKAGES));
        make_folder(&place)?;
        bind(fd, &place)?;
        read_only(&place)?;
    }
    for (link, target) in links {
        let made = symlink(&target, inside(Path::new(link)));
        made.map_err(|error| Missing::new(LAYER, format_args!("linking {link}: {error}")))?;
    }
    let own = inside(Path::new("/tmp"));
    make_folder(&own)?;
    if let Some(Tmp { bytes, files, runs }) = tmp {
        let flags = if *runs { flags } else { flags | MountFlags::NOEXEC };
        let options = CString::new(format!("size={bytes},nr_inodes={files},mode=700"));
        let options = options.map_err(|error| Missing::new(LAYER, error))?;
        mount("script", &own, "tmpfs", flags, Some(options.as_c_str()))
            .map_err(failed("mounting /tmp"))?;
    }
    // What is mounted at /tmp would cover them.
    show(true)?;
    if let Some(program) = program {
        figures(program)?;
    }
    make_folder(&inside(Path::new("/dev")))?;
    let place = inside(Path::new("/dev/null"));
    make_file(&place)?;
    bind(&null, &place)?;
    if let Some(certificates) = certificates {
        let place = inside(Path::new(network::CERTIFICATES));
        make_file(&place)?;
        bind(&certificates, &place)?;
        read_only(&place)?;
    }
    enter(flags)?;
    if rustix::fs::openat(CWD, "/etc", OFlags::PATH, Mode::empty()).is_ok() {
        return Err(Missing::new(LAYER, "the host's files are still there"));
    }
    Ok(())
}

/// What a program finds below /proc.
fn figures(program: &Path) -> Result<(), Missing> {
    let made = || {
        std::fs::create_dir_all(inside(Path::new("/proc/self")))?;
        symlink(program, inside(Path::new("/proc/self/exe")))?;
        FIGURES.iter().try_for_each(|(path, text)| std::fs::write(inside(Path::new(path)), text))
    };
    made()
        .map_err(|error: std::io::Error| Missing::new(LAYER, format_args!("making /proc: {error}")))
}

/// Makes what is mounted at /tmp the root, read-only, and leaves the old one.
fn enter(flags: MountFlags) -> Result<(), Missing> {
    rustix::process::chdir("/tmp").map_err(failed("entering the new root"))?;
    // The old root ends up stacked on the new one and is taken off at once.
    pivot_root(".", ".").map_err(failed("changing the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("leaving the old root"))?;
    rustix::process::chdir("/").map_err(failed("standing at the new root"))?;
    mount_remount("/", flags | MountFlags::RDONLY, "").map_err(failed("making the root read-only"))
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.file_type().is_symlink())
}

fn open(path: &Path) -> Result<OwnedFd, Missing> {
    let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed(format_args!("opening {}", path.display())))?;
    let kind = rustix::fs::fstat(&fd).map(|found| FileType::from_raw_mode(found.st_mode));
    match kind {
        Ok(FileType::Directory | FileType::CharacterDevice | FileType::RegularFile) => Ok(fd),
        Ok(_) | Err(_) => {
            Err(Missing::new(LAYER, format_args!("{} can not be shown", path.display())))
        }
    }
}

/// The place of a path while the new root is still at /tmp.
fn inside(path: &Path) -> PathBuf {
    Path::new("/tmp").join(path.strip_prefix("/").unwrap_or(path))
}

fn make_folder(place: &Path) -> Result<(), Missing> {
    std::fs::create_dir_all(place)
        .map_err(|error| Missing::new(LAYER, format_args!("making {}: {error}", place.display())))
}

fn make_file(place: &Path) -> Result<(), Missing> {
    std::fs::write(place, [])
        .map_err(|error| Missing::new(LAYER, format_args!("making {}: {error}", place.display())))
}

fn bind(fd: &OwnedFd, place: &Path) -> Result<(), Missing> {
    let source = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    mount_bind_recursive(source, place).map_err(failed(format_args!("showing {}", place.display())))
}

/// Read-only with everything mounted below. Flags are only added, so that those which the host has
/// set, and which may not be taken away here, stay.
fn read_only(place: &Path) -> Result<(), Missing> {
    #[repr(C)]
    struct Attributes {
        set: u64,
        clear: u64,
        propagation: u64,
        user_namespace: u64,
    }
    const READ_ONLY: u64 = 0x1;
    const NO_SUID: u64 = 0x2;
    const NO_DEVICES: u64 = 0x4;
    const RECURSIVE: libc::c_int = 0x8000;
    let attributes = Attributes {
        set: READ_ONLY | NO_SUID | NO_DEVICES,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    let shown = place.display().to_string();
    let path = CString::new(shown.clone())
        .map_err(|error| Missing::new(LAYER, format_args!("{shown}: {error}")))?;
    #[expect(unsafe_code, reason = "mount_setattr has no safe wrapper")]
    // SAFETY: the path is a C string and the attributes have the size that is told; both live
    // until the call returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            RECURSIVE,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Missing::new(LAYER, format_args!("making {shown} read-only: {error}")))
}
