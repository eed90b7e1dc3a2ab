//! Writing whole files: all of the new content appears at once, or nothing of it.
//!
//! The content goes into a temporary file beside the target, is made durable, and then takes the
//! target's name. The temporary name is made from the idempotency key, so that a call which is
//! repeated after a crash removes what the first one left.

use super::path::{RelPath, TEMPORARY};
use super::root::{CHUNK, FileRoot, existing, io_failure, named};
use crate::access::{Access, FileUse};
use crate::blocking::{self, Abort};
use cap_std::fs::{Dir, File};
use jalm_kernel::failure::Failure;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Its content is replaced.
    #[default]
    Overwrite,
    /// It is left alone and the step fails, unless it holds the very same content.
    Create,
    /// The content is added at its end.
    Append,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Length of what this call wrote.
    pub(crate) bytes: u64,
    /// SHA-256 of what this call wrote, in hex.
    pub(crate) sha256: String,
}

impl FileRoot {
    /// Replaces or creates a file.
    pub(crate) async fn write(
        &self,
        access: Access,
        path: RelPath,
        content: Vec<u8>,
        create_only: bool,
        key: Arc<str>,
        attempt: u32,
    ) -> Result<Written, Failure> {
        let mut pending = self.begin(access, path, key, attempt).await?;
        blocking::run(move |abort| {
            pending.add(&content, abort)?;
            pending.finish(create_only, abort)
        })
        .await
    }

    /// Begins a file that is written in pieces. Dropping it leaves nothing behind.
    pub(crate) async fn begin(
        &self,
        access: Access,
        path: RelPath,
        key: Arc<str>,
        attempt: u32,
    ) -> Result<Pending, Failure> {
        access.file(path.as_str(), FileUse::Write)?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |_| Pending::begin(dir, &access, path, &key, attempt)).await
    }
}

/// A file that does not have its name yet.
pub(crate) struct Pending {
    dir: Arc<Dir>,
    /// As the author wrote it, for messages.
    path: RelPath,
    target: RelPath,
    temporary: String,
    file: File,
    hash: Sha256,
    bytes: u64,
    named: bool,
}

impl Pending {
    fn begin(
        dir: Arc<Dir>,
        access: &Access,
        path: RelPath,
        key: &str,
        attempt: u32,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| io_failure("write", &path, &error);
        let target = new_place(&dir, access, &path)?;
        if dir.symlink_metadata(target.as_str()).is_ok_and(|about| about.is_dir()) {
            return Err(failed(ErrorKind::IsADirectory.into()));
        }
        let (folder, _) = target.split();
        if !folder.is_empty() {
            dir.create_dir_all(folder).map_err(failed)?;
        }
        let name = |attempt: u32| temporary_name(folder, key, attempt);
        // What earlier attempts left when the process died in them.
        for earlier in attempt.saturating_sub(8)..=attempt {
            let _ = dir.remove_file(name(earlier));
        }
        let temporary = name(attempt);
        let mut options = cap_std::fs::OpenOptions::new();
        let file =
            dir.open_with(&temporary, options.write(true).create_new(true)).map_err(failed)?;
        Ok(Self { dir, path, target, temporary, file, hash: Sha256::new(), bytes: 0, named: false })
    }

    /// Adds a piece.
    pub(crate) fn add(&mut self, content: &[u8], abort: &Abort) -> Result<(), Failure> {
        for chunk in content.chunks(CHUNK) {
            abort.check()?;
            self.file.write_all(chunk).map_err(|error| io_failure("write", &self.path, &error))?;
            self.hash.update(chunk);
            self.bytes += chunk.len() as u64;
        }
        Ok(())
    }

    /// SHA-256 of what it holds so far, in hex.
    pub(crate) fn digest(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Makes it durable and gives it its name.
    pub(crate) fn finish(mut self, create_only: bool, abort: &Abort) -> Result<Written, Failure> {
        let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
        let failed = |error: std::io::Error| io_failure("write", &self.path, &error);
        self.file.sync_all().map_err(failed)?;
        abort.check()?;
        if create_only {
            match self.dir.hard_link(&self.temporary, &self.dir, self.target.as_str()) {
                Ok(()) => {}
                // The same call before a crash has made it, or the wish is fulfilled anyway.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if hash_of(&self.dir, &self.target).ok().as_ref() != Some(&sha256) {
                        return Err(Failure::permanent(
                            "file_exists",
                            format!("`{}` exists already, with other content", self.path),
                        )
                        .hint("choose another path, or `mode: overwrite`"));
                    }
                }
                Err(error) => return Err(failed(error)),
            }
        } else {
            self.dir.rename(&self.temporary, &self.dir, self.target.as_str()).map_err(failed)?;
            self.named = true;
        }
        sync_folder(&self.dir, &self.target)?;
        Ok(Written { bytes: self.bytes, sha256 })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.named {
            let _ = self.dir.remove_file(&self.temporary);
        }
    }
}

pub(super) fn temporary_name(folder: &str, key: &str, attempt: u32) -> String {
    let digest = hex(&Sha256::digest(key.as_bytes())[..8]);
    let separator = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{separator}{TEMPORARY}{digest}-{attempt}.tmp")
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash_of(dir: &Dir, path: &RelPath) -> std::io::Result<String> {
    let mut file = dir.open(path.as_str())?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}

/// Where a file that may not exist yet will really be: links in its folders are resolved, and the
/// place they lead to needs a grant as well.
pub(super) fn new_place(dir: &Dir, access: &Access, path: &RelPath) -> Result<RelPath, Failure> {
    let text = path.as_str();
    let mut cut = text.rfind('/');
    while let Some(at) = cut {
        match dir.canonicalize(&text[..at]) {
            Ok(real) => {
                let real = named(real.to_str(), path)?;
                let place = RelPath::known(format!("{real}{}", &text[at..]));
                access.file(place.as_str(), FileUse::Write)?;
                return Ok(place);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A link to nowhere is no folder that could be made.
                if dir.symlink_metadata(&text[..at]).is_ok() {
                    return Err(io_failure("write", path, &error));
                }
                cut = text[..at].rfind('/');
            }
            Err(error) => return Err(io_failure("write", path, &error)),
        }
    }
    Ok(path.clone())
}

/// Where an existing name really is, its last part not followed; none when its folder is missing.
pub(super) fn place(
    dir: &Dir,
    access: &Access,
    path: &RelPath,
) -> Result<Option<RelPath>, Failure> {
    let (folder, name) = path.split();
    if folder.is_empty() {
        return Ok(Some(path.clone()));
    }
    match dir.canonicalize(folder) {
        Ok(real) => {
            let place = RelPath::known(format!("{}/{name}", named(real.to_str(), path)?));
            access.file(place.as_str(), FileUse::Write)?;
            Ok(Some(place))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_failure("open", path, &error)),
    }
}

/// The target of an append: the file that is there, or the place where it will be.
pub(super) fn append_place(dir: &Dir, access: &Access, path: &RelPath) -> Result<RelPath, Failure> {
    if dir.symlink_metadata(path.as_str()).is_ok() {
        existing(dir, access, path, FileUse::Write)
    } else {
        new_place(dir, access, path)
    }
}

/// Makes a new or removed name durable.
pub(super) fn sync_folder(dir: &Dir, path: &RelPath) -> Result<(), Failure> {
    let (folder, _) = path.split();
    let folder = if folder.is_empty() { "." } else { folder };
    dir.open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| io_failure("write", path, &error))
}
