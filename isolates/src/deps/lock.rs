//! What dependencies are pinned to: exact versions with hashes, and all that is needed to install
//! the very same again. As JSON it goes into the execution's journal.

use super::error::DependencyError;
use super::wanted::{Requirements, hex};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A lock may be so long; the journal keeps it.
const LONGEST: usize = 1024 * 1024;

/// What dependencies are pinned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lock {
    /// `python`, `npm`, `cargo`, `go`.
    pub(crate) source: String,
    /// The hash of the requirements that it answers.
    #[serde(rename = "for")]
    pub(crate) wanted: String,
    /// The hash of all that follows.
    pub(crate) digest: String,
    /// `name==version`, for people.
    pub(crate) packages: Vec<String>,
    /// What the installer reads, by the names of its files.
    pub(crate) files: BTreeMap<String, String>,
}

impl Lock {
    /// `files`: their names and texts.
    pub(super) fn new<const N: usize>(
        wanted: &Requirements,
        mut packages: Vec<String>,
        files: [(&str, String); N],
    ) -> Result<Self, DependencyError> {
        let files: BTreeMap<String, String> =
            files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
        packages.sort();
        packages.dedup();
        let size = files.values().chain(&packages).map(String::len).sum::<usize>();
        if size > LONGEST {
            return Err(DependencyError::new(
                "dependency_too_large",
                format!(
                    "{} packages are needed, and their lock is longer than {LONGEST} bytes",
                    packages.len()
                ),
                "depend on less",
            ));
        }
        let source = wanted.source.name().to_owned();
        let digest = digest(&source, &files);
        Ok(Self { source, wanted: wanted.hash(), digest, packages, files })
    }

    /// A lock that was recorded for these requirements, and was not changed since.
    pub(super) fn recorded(value: &Value, wanted: &Requirements) -> Option<Self> {
        let lock = Self::deserialize(value).ok()?;
        let same = lock.wanted == wanted.hash()
            && lock.source == wanted.source.name()
            && lock.digest == digest(&lock.source, &lock.files);
        same.then_some(lock)
    }

    pub(super) fn to_json(&self) -> Arc<Value> {
        // A lock is text and lists of text.
        Arc::new(serde_json::to_value(self).unwrap_or_default())
    }

    pub(super) fn file(&self, name: &str) -> &str {
        self.files.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn digest(source: &str, files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    let texts = files.iter().flat_map(|(name, text)| [name.as_str(), text.as_str()]);
    for part in std::iter::once(source).chain(texts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::languages::Language;
    use serde_json::json;

    #[test]
    fn a_recorded_lock_counts_only_for_the_same_requirements_and_unchanged() {
        let of = |name: &str| {
            Requirements::of(Language::Python, None, "", Some(&json!([name]))).unwrap().unwrap()
        };
        let files = [("requirements.txt", "six==1".to_owned())];
        let lock = Lock::new(&of("six"), vec!["six==1".to_owned()], files).unwrap();
        let value = lock.to_json();
        assert_eq!(Lock::recorded(&value, &of("six")), Some(lock));
        assert_eq!(Lock::recorded(&value, &of("attrs")), None);
        let mut changed = (*value).clone();
        changed["files"]["requirements.txt"] = "six==2".into();
        assert_eq!(Lock::recorded(&changed, &of("six")), None);
        assert_eq!(Lock::recorded(&json!("old"), &of("six")), None);
    }
}
