//! `cargo xtask size`: a file holds one concept; one that grows too long holds several.

use crate::finding::Finding;
use crate::repo::{Repo, is_test, without_tests};

/// Above this many lines a file needs a good reason.
const LONG: usize = 400;
/// Above this many lines there is none.
const TOO_LONG: usize = 800;

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    if !arguments.is_empty() {
        return Err("`size` takes no arguments".to_owned());
    }
    let mut findings = Vec::new();
    let files = repo.files("rs")?;
    for name in files.iter().filter(|name| !is_test(name)) {
        findings.extend(judge(name, without_tests(&repo.read(name)?).lines().count()));
    }
    Ok((format!("{} files, none above {TOO_LONG} lines", files.len()), findings))
}

fn judge(name: &str, lines: usize) -> Option<Finding> {
    let what = format!("{name} has {lines} lines without its tests");
    if lines > TOO_LONG {
        let mend = format!("split it by subject; the limit is {TOO_LONG}, aim at 250");
        Some(Finding::error(what, mend))
    } else if lines > LONG {
        Some(Finding::warning(what, "see whether it holds two subjects; aim at 250"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_mentioned_and_too_long_ones_refused() {
        assert_eq!(judge("a.rs", 400), None);
        assert!(judge("a.rs", 401).unwrap().warning);
        assert!(!judge("a.rs", 801).unwrap().warning);
    }
}
