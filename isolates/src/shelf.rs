//! What was made from foreign code, kept on disk: machine code, which is run without being looked at.
//!
//! A *shelf* is a folder of the server's that no sandbox can reach. Each thing on it is sealed: its
//! file's name ends in a hash of a secret, of what it was made from, and of its content. Whoever
//! puts a file there without the secret (which is kept elsewhere), swaps two, or cuts one off, is
//! found out when it is read, and the file is thrown away. Things are written whole or not at all.

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// The hash of everything that a thing was made from.
pub(crate) type Key = [u8; 32];

/// Names of files that are being written.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

/// A folder of sealed things.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    secret: [u8; 32],
    /// Bytes of everything on it; the least used things go first.
    most: u64,
}

impl Shelf {
    /// The shelf of this name below `cache`, for so many bytes. The secret is beside that folder.
    pub(crate) fn open(cache: &Path, name: &str, most: u64) -> Result<Self> {
        let folder = cache.join(name);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let secret = secret(&cache.with_extension("key"))?;
        Ok(Self { folder, secret, most })
    }

    /// The thing that was made from this, at its beginning; nothing if it is not here or not as it
    /// was put here.
    pub(crate) fn get(&self, key: &Key) -> Option<File> {
        let begin = format!("{}-", hex(key));
        for entry in std::fs::read_dir(&self.folder).ok()?.flatten() {
            let name = entry.file_name();
            let Some(seal) = name.to_str().and_then(|name| name.strip_prefix(&begin)) else {
                continue;
            };
            let opened = rustix::fs::open(
                entry.path(),
                OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            );
            let mut file = File::from(opened.ok()?);
            let found = hash_of(&mut file).map(|content| self.seal(key, &content));
            if found.is_ok_and(|found| found == seal) && file.rewind().is_ok() {
                // Without its time, it goes earlier than it should.
                let _ = file.set_modified(SystemTime::now());
                return Some(file);
            }
            tracing::warn!(file = %entry.path().display(), "it is not what was put there; removed");
            let _ = std::fs::remove_file(entry.path());
        }
        None
    }

    /// Puts a thing here.
    pub(crate) fn put(&self, key: &Key, content: &[u8]) -> Result<()> {
        let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("unfinished-{}-{number}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create_new(true).mode(0o600);
        // One of an earlier process with the same number; nobody writes it any more.
        let _ = std::fs::remove_file(&unfinished);
        let seal = self.seal(key, &Sha256::digest(content).into());
        let target = self.folder.join(format!("{}-{seal}", hex(key)));
        let written = options
            .open(&unfinished)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| std::fs::rename(&unfinished, &target));
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        self.tidy(&target);
        written
    }

    /// A lock for all processes that use this shelf, until it is dropped. Blocks.
    pub(crate) fn lock(&self) -> Result<File> {
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(self.folder.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// Removes what was not used for the longest time, as far as it is too much.
    fn tidy(&self, newest: &Path) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let mut all: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter(|entry| entry.path() != newest && entry.file_name() != "lock")
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        all.sort();
        let mut bytes: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
        bytes += std::fs::metadata(newest).map_or(0, |about| about.len());
        for (_, size, path) in all {
            if bytes <= self.most {
                return;
            }
            if std::fs::remove_file(path).is_ok() {
                bytes -= size;
            }
        }
    }

    fn seal(&self, key: &Key, content: &[u8; 32]) -> String {
        // All three have one length each, so nothing can be appended.
        let hash = Sha256::new().chain_update(self.secret).chain_update(key).chain_update(content);
        hex(&hash.finalize())
    }
}

/// Everything in a file.
pub(crate) fn content(mut file: File) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hash_of(file: &mut File) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut part = vec![0; 64 * 1024];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(part.get(..read).unwrap_or_default()),
        }
    }
}

/// The secret of this file, which is made if it is not there.
fn secret(path: &Path) -> Result<[u8; 32]> {
    let read = |path: &Path| -> Result<[u8; 32]> {
        let why = || Error::new(ErrorKind::InvalidData, format!("{} is damaged", path.display()));
        std::fs::read(path)?.try_into().map_err(|_| why())
    };
    match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        known => return known,
    }
    let mut fresh = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut fresh)?;
    let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_extension(format!("key-{}-{number}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(&fresh)?;
    // Two who begin at once take the first one's.
    let linked = std::fs::hard_link(&unfinished, path);
    let _ = std::fs::remove_file(&unfinished);
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => read(path),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(folder: &Path, most: u64) -> Shelf {
        Shelf::open(&folder.join("cache"), "things", most).unwrap()
    }

    fn read(shelf: &Shelf, key: u8) -> Option<Vec<u8>> {
        shelf.get(&[key; 32]).map(|file| content(file).unwrap())
    }

    fn files(shelf: &Shelf) -> Vec<PathBuf> {
        std::fs::read_dir(&shelf.folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_was_put_there_is_found_again_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let first = shelf(folder.path(), 100);
        assert_eq!(read(&first, 1), None);
        first.put(&[1; 32], b"one").unwrap();
        first.put(&[2; 32], b"two").unwrap();
        first.put(&[1; 32], b"one").unwrap();
        let next = shelf(folder.path(), 100);
        assert_eq!(read(&next, 1).as_deref(), Some(&b"one"[..]));
        assert_eq!(read(&next, 2).as_deref(), Some(&b"two"[..]));
        assert_eq!(files(&next).len(), 2);
    }

    #[test]
    fn what_was_changed_or_swapped_or_made_elsewhere_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), 100);
        let spoil: [fn(&Path); 3] = [
            |path| std::fs::write(path, b"TWO").unwrap(),
            |path| std::fs::write(path, b"").unwrap(),
            |path| {
                std::fs::remove_file(path).unwrap();
                std::os::unix::fs::symlink("/bin/true", path).unwrap();
            },
        ];
        for spoil in spoil {
            shelf.put(&[1; 32], b"two").unwrap();
            spoil(&files(&shelf)[0]);
            assert_eq!(read(&shelf, 1), None);
            files(&shelf).iter().for_each(|path| std::fs::remove_file(path).unwrap());
        }
        // Under another key.
        shelf.put(&[1; 32], b"two").unwrap();
        let path = files(&shelf).remove(0);
        let name =
            path.file_name().unwrap().to_str().unwrap().replace(&hex(&[1; 32]), &hex(&[2; 32]));
        std::fs::rename(&path, path.with_file_name(name)).unwrap();
        assert_eq!(read(&shelf, 2), None);
        assert_eq!(files(&shelf), Vec::<PathBuf>::new());
        // By whoever has another secret.
        let other = tempfile::tempdir().unwrap();
        let foreign = Shelf::open(&other.path().join("cache"), "things", 100).unwrap();
        foreign.put(&[3; 32], b"three").unwrap();
        let made = files(&foreign).remove(0);
        std::fs::copy(&made, shelf.folder.join(made.file_name().unwrap())).unwrap();
        assert_eq!(read(&foreign, 3).as_deref(), Some(&b"three"[..]));
        assert_eq!(read(&shelf, 3), None);
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = shelf(folder.path(), 10);
        let age = |key: u8, seconds: u64| {
            let file = shelf.get(&[key; 32]).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(seconds)).unwrap();
        };
        for (key, seconds) in [(1, 30), (2, 20)] {
            shelf.put(&[key; 32], b"four").unwrap();
            age(key, seconds);
        }
        assert!(read(&shelf, 1).is_some());
        shelf.put(&[3; 32], b"four").unwrap();
        assert_eq!([1, 2, 3].map(|key| read(&shelf, key).is_some()), [true, false, true]);
        // One that is larger than all the room stays until the next one comes.
        shelf.put(&[4; 32], b"larger than that").unwrap();
        assert_eq!(files(&shelf).len(), 1);
    }
}
