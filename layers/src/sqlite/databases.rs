//! Which connections there are, and their open databases.

use super::database::Database;
use crate::options::SetupError;
use jalm_kernel::failure::Failure;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Connection names and databases. A file is opened at its first use.
pub(crate) struct Databases {
    configured: BTreeMap<String, PathBuf>,
    /// Where unconfigured names get their files; none when every name must be configured.
    folder: Option<PathBuf>,
    /// By file, so that two names of one file share its writer.
    open: Mutex<HashMap<PathBuf, Arc<Database>>>,
}

impl Databases {
    /// Reads `sqlite:PATH`; relative paths start at `data`.
    pub(crate) fn new(
        connections: &BTreeMap<String, String>,
        data: &Path,
        auto: bool,
    ) -> Result<Self, SetupError> {
        let configured = connections
            .iter()
            .map(|(name, url)| match sqlite_path(url) {
                Ok(path) => Ok((name.clone(), data.join(path))),
                Err(reason) => Err(SetupError::Connection { name: name.clone(), reason }),
            })
            .collect::<Result<_, _>>()?;
        let folder = auto.then(|| data.join("db"));
        Ok(Self { configured, folder, open: Mutex::default() })
    }

    /// The database of this name.
    pub(super) fn get(&self, name: &str) -> Result<Arc<Database>, Failure> {
        let path = match (self.configured.get(name), &self.folder) {
            (Some(path), _) => path.clone(),
            (None, Some(folder)) if is_plain(name) => folder.join(format!("{name}.db")),
            (None, Some(_)) => {
                return Err(Failure::permanent(
                    "bad_input",
                    format!("`{name}` is not a connection name"),
                )
                .hint("use up to 64 letters, digits, `_` and `-`"));
            }
            (None, None) => {
                let known: Vec<&str> = self.configured.keys().map(String::as_str).collect();
                let hint = if known.is_empty() {
                    format!("add `{name}: sqlite:PATH` under `connections` in the runner's config")
                } else {
                    crate::input::nearest(name, known.into_iter())
                };
                return Err(Failure::permanent(
                    "unknown_connection",
                    format!("there is no database connection `{name}`"),
                )
                .hint(hint));
            }
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let database =
            open.entry(path).or_insert_with_key(|path| Arc::new(Database::new(path.clone())));
        Ok(Arc::clone(database))
    }
}

fn sqlite_path(url: &str) -> Result<&str, String> {
    let path = url
        .strip_prefix("sqlite:")
        .ok_or_else(|| "it is not supported yet; write `sqlite:PATH`".to_owned())?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(":memory:") || path.starts_with("file:") {
        return Err("it must name a file; write `sqlite:PATH`".to_owned());
    }
    Ok(path)
}

fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_files_below_the_data_folder() {
        let configured = BTreeMap::from([("sales".to_owned(), "sqlite:x/sales.db".to_owned())]);
        let databases = Databases::new(&configured, Path::new("/data"), false).unwrap();
        assert!(databases.get("sales").is_ok());
        let failure = databases.get("sale").err().unwrap();
        assert_eq!(failure.code, "unknown_connection");
        assert_eq!(failure.hint.as_deref(), Some("did you mean `sales`?"));

        let auto = Databases::new(&BTreeMap::new(), Path::new("/data"), true).unwrap();
        assert!(auto.get("main").is_ok());
        for name in ["", "..", "a/b", "a.db", &"x".repeat(65)] {
            assert_eq!(auto.get(name).err().unwrap().code, "bad_input", "{name}");
        }
    }

    #[test]
    fn a_connection_must_be_a_sqlite_file() {
        for (url, part) in [
            ("postgres://x/y", "not supported yet"),
            ("sqlite:", "a file"),
            ("sqlite::memory:", "a file"),
        ] {
            let configured = BTreeMap::from([("x".to_owned(), url.to_owned())]);
            let error = Databases::new(&configured, Path::new("/data"), true).err().unwrap();
            assert!(error.to_string().contains(part), "{url}: {error}");
        }
    }
}
