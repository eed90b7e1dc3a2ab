//! Programs in memory, the least used ones going first.

use crate::languages::Language;
use crate::mutex::lock;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};

/// What a program comes from: source, language, toolchain and flags.
pub(crate) type Key = [u8; 32];

/// The key of a source.
pub(crate) fn key(language: Language, version: &str, packages: &str, source: &str) -> Key {
    let mut hash = Sha256::new();
    for part in [language.name(), version, super::wrap::VERSION, packages, source] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Bytes that nobody can change any more, as a file that has no name.
pub(crate) fn sealed(name: &str, bytes: &[u8], runs: bool) -> std::io::Result<OwnedFd> {
    let mode = if runs { MemfdFlags::EXEC } else { MemfdFlags::NOEXEC_SEAL };
    let file = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | mode)?;
    let mut rest = bytes;
    let mut at = 0;
    while !rest.is_empty() {
        let written = rustix::io::pwrite(&file, rest, at)?;
        rest = rest.get(written..).unwrap_or_default();
        at += u64::try_from(written).unwrap_or(0);
    }
    let seals = SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
    fcntl_add_seals(file.as_fd(), seals)?;
    Ok(file)
}

/// A program, ready to be run.
#[derive(Debug)]
pub(crate) struct Binary {
    pub(crate) file: OwnedFd,
    pub(crate) bytes: u64,
}

/// Programs by what they come from, the last used one at the end.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Vec<(Key, Arc<Binary>)>>);

impl Kept {
    /// The program, if it is here.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Binary>> {
        let mut all = lock(&self.0);
        let at = all.iter().position(|(known, _)| known == key)?;
        let found = all.remove(at);
        let binary = found.1.clone();
        all.push(found);
        Some(binary)
    }

    /// Keeps a program, and of the others as many as there is room for in so many bytes.
    pub(crate) fn put(&self, key: Key, binary: &Arc<Binary>, most: u64) {
        let mut all = lock(&self.0);
        all.retain(|(known, _)| *known != key);
        all.push((key, binary.clone()));
        let mut bytes: u64 = all.iter().map(|(_, binary)| binary.bytes).sum();
        while bytes > most && !all.is_empty() {
            bytes -= all.remove(0).1.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(bytes: u64) -> Arc<Binary> {
        Arc::new(Binary { file: sealed("test", b"x", true).unwrap(), bytes })
    }

    #[test]
    fn the_least_used_program_goes_first() {
        let kept = Kept::default();
        for (key, bytes) in [([1; 32], 40), ([2; 32], 40)] {
            kept.put(key, &binary(bytes), 100);
        }
        assert!(kept.get(&[1; 32]).is_some());
        kept.put([3; 32], &binary(40), 100);
        let there = [1, 2, 3].map(|key| kept.get(&[key; 32]).is_some());
        assert_eq!(there, [true, false, true]);
        kept.put([4; 32], &binary(101), 100);
        assert!(kept.get(&[4; 32]).is_none());
    }

    #[test]
    fn what_is_sealed_cannot_be_changed() {
        let file = sealed("test", b"abc", false).unwrap();
        assert!(rustix::io::pwrite(&file, b"x", 0).is_err());
        assert!(rustix::fs::ftruncate(&file, 0).is_err());
    }

    #[test]
    fn every_part_is_in_the_key() {
        let all = [
            key(Language::Rust, "1", "", "a"),
            key(Language::Go, "1", "", "a"),
            key(Language::Rust, "2", "", "a"),
            key(Language::Rust, "1", "", "b"),
            key(Language::Rust, "1a", "", ""),
            key(Language::Rust, "1", "a", ""),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
