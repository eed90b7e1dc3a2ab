//! Adding to the end of a file, once for each call.
//!
//! An append that is simply repeated after a crash would stand there twice. So the place where it
//! begins is noted under the call's key before the first byte is written, and a repeated call
//! looks there first. Between appends of one runner a lock keeps the order. A runner that dies in
//! the middle of an append leaves the first part of it; the repeated call completes that part as
//! long as nobody else has added to the file in between, and else adds the whole again.

use super::path::RelPath;
use super::root::{FileRoot, io_failure};
use super::write::{Written, append_place, hex, sync_folder};
use crate::access::{Access, FileUse};
use crate::blocking::{self, Abort};
use crate::marks::Marks;
use cap_std::fs::{Dir, OpenOptions};
use jalm_kernel::failure::Failure;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

impl FileRoot {
    /// Adds `content` to the end; makes the file when it is missing.
    pub(crate) async fn append(
        &self,
        access: Access,
        path: RelPath,
        content: Vec<u8>,
        marks: Marks<'_>,
    ) -> Result<Written, Failure> {
        access.file(path.as_str(), FileUse::Write)?;
        let dir = Arc::clone(&self.dir);
        let given = path.clone();
        let real = blocking::run(move |_| append_place(&dir, &access, &given)).await?;
        let mut hasher = DefaultHasher::new();
        real.as_str().hash(&mut hasher);
        let lock = usize::try_from(hasher.finish()).unwrap_or(0) % self.appending.len();
        let guard = Arc::clone(&self.appending[lock]).lock_owned().await;

        let noted = marks.get().await?.and_then(|mark| mark["offset"].as_u64());
        let offset = if let Some(offset) = noted {
            offset
        } else {
            let (dir, real) = (Arc::clone(&self.dir), real.clone());
            let offset = blocking::run(move |_| Ok(length(&dir, &real))).await?;
            marks.set(json!({ "offset": offset })).await?;
            offset
        };
        let dir = Arc::clone(&self.dir);
        blocking::run(move |abort| {
            // Held by the work itself: it goes on for a moment when the call is aborted.
            let _guard = guard;
            add(&dir, &path, &real, offset, &content, abort)
        })
        .await
    }
}

fn length(dir: &Dir, path: &RelPath) -> u64 {
    dir.metadata(path.as_str()).map_or(0, |about| about.len())
}

fn add(
    dir: &Dir,
    path: &RelPath,
    real: &RelPath,
    offset: u64,
    content: &[u8],
    abort: &Abort,
) -> Result<Written, Failure> {
    let failed = |error: std::io::Error| io_failure("append to", path, &error);
    let (folder, _) = real.split();
    if !folder.is_empty() {
        dir.create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    let mut file = dir
        .open_with(real.as_str(), options.read(true).write(true).create(true))
        .map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(Failure::permanent("not_a_file", format!("`{path}` is not an ordinary file"))
            .hint("choose another path"));
    }
    let mut there = vec![0; content.len()];
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut done = 0;
    while done < there.len() {
        match file.read(&mut there[done..]).map_err(failed)? {
            0 => break,
            count => done += count,
        }
    }
    let end = meta.len();
    let continues = there[..done] == content[..done] && offset.saturating_add(done as u64) <= end;
    // A beginning of ours counts only when nothing follows it, or when it is whole.
    let keep =
        if continues && (done == content.len() || offset + done as u64 == end) { done } else { 0 };
    if keep < content.len() {
        abort.check()?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.write_all(&content[keep..]).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    if end == 0 {
        sync_folder(dir, real)?;
    }
    Ok(Written { bytes: content.len() as u64, sha256: hex(&Sha256::digest(content)) })
}
