//! The root, and reading and deleting below it.

use super::path::RelPath;
use crate::access::{Access, FileUse};
use crate::blocking::{self, Abort};
use crate::input::ByteSize;
use crate::options::SetupError;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use jalm_kernel::failure::Failure;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

/// How much is read or written between two looks at the abort flag.
pub(crate) const CHUNK: usize = 256 * 1024;
const APPEND_LOCKS: usize = 64;

/// The folder below which all file steps work. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FileRoot {
    pub(super) dir: Arc<Dir>,
    /// Appends to one file wait for each other; the lock is chosen by the path's hash.
    pub(super) appending: Arc<[Arc<tokio::sync::Mutex<()>>]>,
}

impl FileRoot {
    /// Opens the root; makes it when it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, SetupError> {
        let opened = std::fs::create_dir_all(path)
            .and_then(|()| Dir::open_ambient_dir(path, ambient_authority()));
        let dir = opened.map_err(|source| SetupError::Folder { path: path.to_owned(), source })?;
        let appending = (0..APPEND_LOCKS).map(|_| Arc::default()).collect();
        Ok(Self { dir: Arc::new(dir), appending })
    }

    /// The whole content of a file of at most `most` bytes.
    pub(crate) async fn read(
        &self,
        access: Access,
        path: RelPath,
        most: ByteSize,
    ) -> Result<Vec<u8>, Failure> {
        access.file(path.as_str(), FileUse::Read)?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |abort| {
            let real = existing(&dir, &access, &path, FileUse::Read)?;
            let mut file = open_file(&dir, &path, &real)?;
            read_bounded(&mut file, &path, most, abort)
        })
        .await
    }

    /// Opens a file of at most `most` bytes for reading in pieces.
    pub(crate) async fn open_read(
        &self,
        access: Access,
        path: RelPath,
        most: ByteSize,
    ) -> Result<Opened, Failure> {
        access.file(path.as_str(), FileUse::Read)?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |_| {
            let real = existing(&dir, &access, &path, FileUse::Read)?;
            let file = open_file(&dir, &path, &real)?;
            let length = file.metadata().map_err(|error| io_failure("read", &path, &error))?.len();
            let opened = Opened { file, length, path };
            if length > most.0 { Err(opened.too_large(most)) } else { Ok(opened) }
        })
        .await
    }

    /// Whether there is a file of this name that may be deleted.
    pub(crate) async fn exists(&self, access: Access, path: RelPath) -> Result<bool, Failure> {
        access.file(path.as_str(), FileUse::Write)?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |_| {
            let real = super::write::place(&dir, &access, &path)?;
            Ok(real.is_some_and(|real| dir.symlink_metadata(real.as_str()).is_ok()))
        })
        .await
    }

    /// Removes a file (of a link: the link). False when there was none.
    pub(crate) async fn delete(&self, access: Access, path: RelPath) -> Result<bool, Failure> {
        access.file(path.as_str(), FileUse::Write)?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |_| {
            let Some(real) = super::write::place(&dir, &access, &path)? else {
                return Ok(false);
            };
            match dir.symlink_metadata(real.as_str()) {
                Ok(about) if about.is_dir() => Err(Failure::permanent(
                    "is_a_folder",
                    format!("`{path}` is a folder, and only files are deleted"),
                )
                .hint("list its files with `file_list` and delete each")),
                Ok(_) => {
                    dir.remove_file(real.as_str())
                        .map_err(|error| io_failure("delete", &path, &error))?;
                    super::write::sync_folder(&dir, &real)?;
                    Ok(true)
                }
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(io_failure("delete", &path, &error)),
            }
        })
        .await
    }
}

/// A file that is read in pieces.
pub(crate) struct Opened {
    pub(crate) file: File,
    /// When it was opened.
    pub(crate) length: u64,
    path: RelPath,
}

impl Opened {
    pub(crate) fn failed(&self, error: &std::io::Error) -> Failure {
        io_failure("read", &self.path, error)
    }

    pub(crate) fn too_large(&self, most: ByteSize) -> Failure {
        let what = format!("`{}` is larger than {most}", self.path);
        Failure::permanent("file_too_large", what).hint("raise `max_bytes`")
    }
}

/// Where an existing path really is; its target needs the same grant as its name.
pub(super) fn existing(
    dir: &Dir,
    access: &Access,
    path: &RelPath,
    usage: FileUse,
) -> Result<RelPath, Failure> {
    let real = dir.canonicalize(path.as_str()).map_err(|error| io_failure("open", path, &error))?;
    let real = named(real.to_str(), path)?;
    access.file(real.as_str(), usage)?;
    Ok(real)
}

/// The path that the system gave, when it is text.
pub(super) fn named(real: Option<&str>, path: &RelPath) -> Result<RelPath, Failure> {
    real.map(|real| RelPath::known(real.to_owned())).ok_or_else(|| {
        Failure::permanent("bad_file_name", format!("`{path}` leads to a name that is not UTF-8"))
            .hint("rename it")
    })
}

/// Opens for reading; refuses what is no ordinary file, since a pipe would block for ever.
pub(super) fn open_file(dir: &Dir, path: &RelPath, real: &RelPath) -> Result<File, Failure> {
    let failed = |error: std::io::Error| io_failure("read", path, &error);
    let about = dir.metadata(real.as_str()).map_err(failed)?;
    if about.is_dir() {
        return Err(Failure::permanent("is_a_folder", format!("`{path}` is a folder"))
            .hint("name a file in it, or list it with `file_list`"));
    }
    if !about.is_file() {
        return Err(Failure::permanent("not_a_file", format!("`{path}` is not an ordinary file"))
            .hint("devices, pipes and sockets cannot be read"));
    }
    dir.open(real.as_str()).map_err(failed)
}

fn read_bounded(
    file: &mut File,
    path: &RelPath,
    most: ByteSize,
    abort: &Abort,
) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| io_failure("read", path, &error);
    let size = file.metadata().map_err(failed)?.len();
    let too_large = || {
        Failure::permanent("file_too_large", format!("`{path}` is larger than {most}"))
            .hint("raise `max_bytes`")
    };
    if size > most.0 {
        return Err(too_large());
    }
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    loop {
        abort.check()?;
        let read = file.take(CHUNK as u64).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > most.0 {
            return Err(too_large());
        }
        if read == 0 {
            return Ok(content);
        }
    }
}

/// What the system says, in words for the author.
#[expect(clippy::wildcard_enum_match_arm, reason = "all other kinds say enough themselves")]
pub(super) fn io_failure(verb: &str, path: &RelPath, error: &std::io::Error) -> Failure {
    let message = |what: &str| format!("cannot {verb} `{path}`: {what}");
    match error.kind() {
        ErrorKind::NotFound => {
            Failure::permanent("file_not_found", message("there is no such file"))
                .hint("check the path, which starts at the runner's file root")
        }
        // The sandboxed open says `PermissionDenied` without a code of the system's own.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Failure::permanent(
            "path_escape",
            message("a link in it leads outside of the file root"),
        )
        .hint("links may only lead to places below the file root"),
        ErrorKind::PermissionDenied => {
            Failure::permanent("file_denied", message("the system denies it"))
                .hint("give the runner's user the right to it")
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            Failure::permanent("not_a_folder", message("a part of the path is a file"))
                .hint("choose another path")
        }
        ErrorKind::IsADirectory => {
            Failure::permanent("is_a_folder", message("it is a folder")).hint("name a file in it")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Failure::transient("disk_full", message("the disk is full"))
                .hint("free some space; `retry` tries again")
        }
        ErrorKind::ReadOnlyFilesystem => {
            Failure::permanent("file_denied", message("the file system is read-only"))
                .hint("move the file root to a writable place")
        }
        ErrorKind::InvalidFilename => {
            Failure::permanent("bad_file_name", message("a part of the name is too long"))
                .hint("each part of a path has at most 255 bytes")
        }
        _ => Failure::transient("file_io", message(&error.to_string()))
            .hint("check the disk; `retry` tries again"),
    }
}
