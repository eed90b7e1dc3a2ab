//! The entries that the fuzz targets run, over their seeds and a few thousand mutations of them.
//! A crash that a fuzzer finds becomes a seed: `fuzz/seeds/<entry>/`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reads its seeds from files and may fail by panicking"
)]

mod support;

use std::path::{Path, PathBuf};
use support::Chance;
use support::entries::ENTRIES;

const MUTATIONS: usize = 12;

fn seeds(entry: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(entry);
    let files =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// One small change, such as a fuzzer makes: a byte, a piece less, a piece twice, a piece of
/// another seed.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let length = chance.below((bytes.len() - at).min(12) + 1);
    match chance.below(5) {
        0 => {
            bytes.drain(at..at + length);
        }
        1 => {
            let piece = bytes[at..at + length].to_vec();
            bytes.splice(at..at, piece);
        }
        2 => {
            const SIGNS: &[u8] = b"{}[]():,\"'-#&*!|>%@`?~<. \n\t0189eE+\\x{\xc3\xff";
            bytes.insert(at, SIGNS[chance.below(SIGNS.len())]);
        }
        3 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        _ => {
            let from = chance.below(other.len() + 1);
            let to = from + chance.below((other.len() - from).min(40) + 1);
            bytes.splice(at..at + length, other[from..to].iter().copied());
        }
    }
}

#[test]
fn no_bytes_from_outside_break_a_promise() {
    for (name, entry) in ENTRIES {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "no seeds for {name}");
        let mut chance = Chance::new(seeds.len() as u64);
        for (path, seed) in &seeds {
            let broken = |bytes: &[u8]| {
                eprintln!(
                    "{name} breaks on a mutation of {}: {:?}",
                    path.display(),
                    String::from_utf8_lossy(bytes)
                );
            };
            for round in 0..=MUTATIONS {
                let mut bytes = seed.clone();
                // The seed as it is comes first.
                for _ in 0..round.div_ceil(10) {
                    let other = &seeds[chance.below(seeds.len())].1;
                    mutate(&mut bytes, other, &mut chance);
                }
                if let Err(panic) = std::panic::catch_unwind(|| entry(&bytes)) {
                    broken(&bytes);
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}
