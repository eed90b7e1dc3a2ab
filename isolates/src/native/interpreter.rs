//! The host's interpreter, and the folders it must see.

use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Asks an interpreter about itself, without its user's settings and packages.
const QUESTION: &str = r#"
import json, os, sys
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": sys.version.split()[0],
    "path": [os.path.realpath(path) for path in sys.path if os.path.exists(path)],
    "prefixes": sorted({os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)}),
}))"#;

/// What is known of an interpreter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Interpreter {
    pub(crate) executable: PathBuf,
    pub(crate) version: String,
    /// Where its own modules are.
    pub(crate) path: Vec<PathBuf>,
    /// Where it is installed.
    pub(crate) prefixes: Vec<PathBuf>,
}

impl Interpreter {
    /// Finds the interpreter of this name or path, and asks it. Takes some milliseconds.
    pub(crate) fn find(name: &Path, search: Option<&OsStr>) -> Result<Self, String> {
        let shown = name.display();
        let found = locate(name, search).ok_or_else(|| format!("there is no `{shown}` here"))?;
        let output = Command::new(&found)
            .args(["-I", "-S", "-c", QUESTION])
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{} cannot be started: {error}", found.display()))?;
        let answer = serde_json::from_slice(&output.stdout);
        answer.map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it says nothing");
            format!("{} does not answer as Python does: {last}", found.display())
        })
    }

    /// The folders that the sandbox shows, read-only: the system's libraries and where the
    /// interpreter is installed.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        folders(&self.prefixes)
    }

    /// The folders that a script may read: modules, libraries, time zones.
    pub(crate) fn readable(&self) -> Vec<PathBuf> {
        let system = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"];
        let own = self.prefixes.iter().map(|prefix| prefix.join("lib"));
        system.map(PathBuf::from).into_iter().chain(own).chain(self.path.iter().cloned()).collect()
    }
}

/// The system's libraries, and these folders as far as they are elsewhere.
pub(crate) fn folders(prefixes: &[PathBuf]) -> Vec<PathBuf> {
    let system = ["/usr", "/lib", "/lib64"].map(PathBuf::from);
    let mut folders: Vec<PathBuf> = system.into_iter().filter(|path| path.is_dir()).collect();
    for prefix in prefixes.iter().filter(|prefix| prefix.as_path() != Path::new("/")) {
        if !folders.iter().any(|folder| prefix.starts_with(folder)) {
            folders.push(prefix.clone());
        }
    }
    folders
}

/// The file of a command, by name or path.
pub(crate) fn locate(name: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let folders = std::env::split_paths(search?);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let error = Interpreter::find(Path::new("no-such-python"), Some(OsStr::new("/bin")));
        assert_eq!(error.unwrap_err(), "there is no `no-such-python` here");
    }

    #[test]
    fn what_is_no_python_is_told() {
        let error = Interpreter::find(Path::new("/bin/true"), None).unwrap_err();
        assert!(error.contains("/bin/true does not answer as Python does"), "{error}");
    }

    #[test]
    fn a_prefix_below_the_system_needs_no_folder_of_its_own() {
        let interpreter = |prefix: &str| Interpreter {
            executable: PathBuf::from("/x"),
            version: "3".to_owned(),
            path: Vec::new(),
            prefixes: vec![PathBuf::from(prefix)],
        };
        assert!(!interpreter("/usr/local").folders().contains(&PathBuf::from("/usr/local")));
        assert!(interpreter("/opt/python").folders().contains(&PathBuf::from("/opt/python")));
        assert!(!interpreter("/").folders().contains(&PathBuf::from("/")));
    }
}
