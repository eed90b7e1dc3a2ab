//! Log files: lines at the end, the file put aside when it is full or its day is over.
//!
//! Lines of one call stand together, whoever else writes: a lock of this runner keeps the order,
//! a lock of the system keeps other processes out, and the lines go out in one append. A call that
//! is repeated after a crash looks for its lines first, also in files that were put aside since.

use super::path::RelPath;
use super::root::{FileRoot, io_failure};
use super::write::{append_place, sync_folder};
use crate::access::{Access, FileUse};
use crate::blocking;
use crate::marks::Marks;
use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::Timestamp;
use serde_json::json;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// When a file is put aside, and how many of those are kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rotation {
    pub(crate) most_bytes: Option<u64>,
    pub(crate) most_lines: Option<u64>,
    pub(crate) daily: bool,
    pub(crate) keep: u32,
}

impl Rotation {
    fn is_on(self) -> bool {
        self.most_bytes.is_some() || self.most_lines.is_some() || self.daily
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) bytes: u64,
    pub(crate) rotated: bool,
}

/// A log file, locked against other processes for as long as this lives.
struct Held {
    file: File,
    end: u64,
    inode: u64,
    rotated: bool,
}

impl FileRoot {
    /// Adds the lines that `render` makes for the time of the call.
    pub(crate) async fn log(
        &self,
        access: Access,
        path: RelPath,
        render: impl FnOnce(Timestamp) -> Vec<u8>,
        rotation: Rotation,
        marks: Marks<'_>,
    ) -> Result<Logged, Failure> {
        access.file(path.as_str(), FileUse::Write)?;
        let (dir, given, allowed) = (Arc::clone(&self.dir), path.clone(), access.clone());
        let real = blocking::run(move |_| append_place(&dir, &allowed, &given)).await?;
        if rotation.is_on() && rotation.keep > 0 {
            access.file(&aside(&real, 1), FileUse::Write)?;
        }
        let mut hasher = DefaultHasher::new();
        real.as_str().hash(&mut hasher);
        let lock = usize::try_from(hasher.finish()).unwrap_or(0) % self.appending.len();
        let guard = Arc::clone(&self.appending[lock]).lock_owned().await;

        let noted = marks.get().await?;
        let at = noted.as_ref().and_then(|mark| mark["at"].as_i64()).map_or(marks.now, Timestamp);
        let content: Arc<[u8]> = render(at).into();
        if let Some(mark) = noted {
            let (offset, inode) =
                (mark["offset"].as_u64().unwrap_or(0), mark["inode"].as_u64().unwrap_or(0));
            let (dir, real, lines) = (Arc::clone(&self.dir), real.clone(), Arc::clone(&content));
            let keep = rotation.keep;
            let there =
                blocking::run(move |_| Ok(found(&dir, &real, keep, inode, offset, &lines))).await?;
            if there {
                return Ok(Logged { bytes: content.len() as u64, rotated: false });
            }
        }
        let (dir, place, shown) = (Arc::clone(&self.dir), real.clone(), path.clone());
        let (length, lines) = (content.len() as u64, newlines(&content));
        let held = blocking::run(move |_| {
            hold(&dir, &place, rotation, (length, lines), at)
                .map_err(|error| io_failure("append to", &shown, &error))
        })
        .await?;
        marks.set(json!({ "offset": held.end, "inode": held.inode, "at": at.0 })).await?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |abort| {
            // Held by the work itself: it goes on for a moment when the call is aborted.
            let _guard = guard;
            abort.check()?;
            let Held { mut file, end, inode: _, rotated } = held;
            let failed = |error: std::io::Error| io_failure("append to", &path, &error);
            file.write_all(&content).map_err(failed)?;
            file.sync_data().map_err(failed)?;
            if end == 0 {
                sync_folder(&dir, &real)?;
            }
            Ok(Logged { bytes: content.len() as u64, rotated })
        })
        .await
    }
}

/// The name of a file that was put aside; 1 is the latest.
fn aside(path: &RelPath, number: u32) -> String {
    format!("{path}.{number}")
}

fn hold(
    dir: &Dir,
    path: &RelPath,
    rotation: Rotation,
    adds: (u64, u64),
    now: Timestamp,
) -> std::io::Result<Held> {
    let (folder, _) = path.split();
    if !folder.is_empty() {
        dir.create_dir_all(folder)?;
    }
    let mut rotated = false;
    loop {
        let (file, meta) = locked(dir, path)?;
        if !rotated && meta.len() > 0 && is_full(&file, &meta, rotation, adds, now)? {
            put_aside(dir, path, rotation.keep)?;
            rotated = true;
            // Its lock goes with the file; the new one gets its own.
            continue;
        }
        return Ok(Held {
            file,
            end: meta.len(),
            inode: std::os::unix::fs::MetadataExt::ino(&meta),
            rotated,
        });
    }
}

/// Opens and locks the file that has the name when the lock is got: another process may have put
/// it aside in between.
fn locked(dir: &Dir, path: &RelPath) -> std::io::Result<(File, std::fs::Metadata)> {
    loop {
        let mut options = OpenOptions::new();
        let file =
            dir.open_with(path.as_str(), options.read(true).append(true).create(true))?.into_std();
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        file.lock()?;
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        if dir.metadata(path.as_str()).is_ok_and(|named| named.ino() == inode) {
            let meta = file.metadata()?;
            return Ok((file, meta));
        }
    }
}

fn is_full(
    file: &File,
    meta: &std::fs::Metadata,
    rotation: Rotation,
    (bytes, lines): (u64, u64),
    now: Timestamp,
) -> std::io::Result<bool> {
    if rotation.most_bytes.is_some_and(|most| meta.len().saturating_add(bytes) > most) {
        return Ok(true);
    }
    if rotation.daily {
        let changed = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let day = i64::try_from(changed.as_millis()).unwrap_or(i64::MAX).div_euclid(86_400_000);
        if day != now.0.div_euclid(86_400_000) {
            return Ok(true);
        }
    }
    match rotation.most_lines {
        Some(most) => Ok(count_lines(file)?.saturating_add(lines) > most),
        None => Ok(false),
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |lines, byte| lines + u64::from(*byte == b'\n'))
}

fn count_lines(mut file: &File) -> std::io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let (mut chunk, mut lines) = (vec![0; super::root::CHUNK], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(lines),
            count => lines += newlines(&chunk[..count]),
        }
    }
}

fn put_aside(dir: &Dir, path: &RelPath, keep: u32) -> std::io::Result<()> {
    if keep == 0 {
        return dir.remove_file(path.as_str());
    }
    for number in (1..keep).rev() {
        match dir.rename(aside(path, number), dir, aside(path, number + 1)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    dir.rename(path.as_str(), dir, aside(path, 1))
}

/// Whether the lines of a call stand where it noted that they would.
fn found(dir: &Dir, path: &RelPath, keep: u32, inode: u64, offset: u64, content: &[u8]) -> bool {
    let names = std::iter::once(path.to_string())
        .chain((1..=keep.min(1000)).map(|number| aside(path, number)));
    for name in names {
        if !dir.metadata(&name).is_ok_and(|meta| meta.is_file() && meta.ino() == inode) {
            continue;
        }
        let Ok(mut file) = dir.open(&name) else { return false };
        let mut there = vec![0; content.len()];
        return file.seek(SeekFrom::Start(offset)).is_ok()
            && file.read_exact(&mut there).is_ok()
            && there == content;
    }
    false
}
