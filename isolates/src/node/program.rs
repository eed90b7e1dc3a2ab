//! The host's Node, Deno or Bun, and the folders it must see.

use super::flavour::Flavour;
use crate::native::interpreter::{folders, locate};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is known of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) executable: PathBuf,
    pub(crate) version: String,
}

impl Program {
    /// Finds the program of this name or path, and asks it for its version. Takes up to 50 ms.
    pub(crate) fn find(
        flavour: Flavour,
        name: &Path,
        search: Option<&OsStr>,
    ) -> Result<Self, String> {
        let (arguments, before) = flavour.question();
        let shown = name.display();
        let found = locate(name, search).ok_or_else(|| format!("there is no `{shown}` here"))?;
        let executable = found
            .canonicalize()
            .map_err(|error| format!("{} cannot be found: {error}", found.display()))?;
        let shown = executable.display();
        let output = Command::new(&executable)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{shown} cannot be started: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.trim().strip_prefix(before).unwrap_or_default();
        let version = version.split_whitespace().next().unwrap_or_default().to_owned();
        let (kind, oldest) = (flavour.name(), flavour.oldest());
        match version.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            None => Err(format!("{shown} does not answer as {kind} does")),
            Some(major) if major < oldest => {
                Err(format!("{shown} is {kind} {version}, and must be {oldest} or newer"))
            }
            Some(_) => Ok(Self { executable, version }),
        }
    }

    /// Where it is installed: `/opt/node` for `/opt/node/bin/node`.
    fn prefix(&self) -> Option<PathBuf> {
        let bin = self.executable.parent()?;
        if bin.ends_with("bin") { bin.parent().map(Path::to_owned) } else { Some(bin.to_owned()) }
    }

    /// The folders that the sandbox shows, read-only.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        folders(&Vec::from_iter(self.prefix()))
    }

    /// What of them may be read: libraries, and what distributions keep of it outside.
    pub(crate) fn readable(&self, flavour: Flavour) -> Vec<PathBuf> {
        let system = ["/usr/share/nodejs", "/usr/share/zoneinfo", "/usr/share/icu"];
        let own = self.prefix().map(|prefix| prefix.join("lib"));
        let figures = flavour.figures().iter().map(PathBuf::from);
        system.map(PathBuf::from).into_iter().chain(own).chain(figures).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_or_something_else_is_told() {
        for flavour in Flavour::ALL {
            let error = Program::find(flavour, Path::new("no-such"), Some(OsStr::new("/bin")));
            assert_eq!(error.unwrap_err(), "there is no `no-such` here");
            let error = Program::find(flavour, Path::new("/bin/true"), None).unwrap_err();
            let told = format!("does not answer as {} does", flavour.name());
            assert!(error.contains(&told), "{error}");
        }
    }

    #[test]
    fn a_program_outside_of_the_system_is_shown_with_its_prefix() {
        let at = |path: &str| {
            Program { executable: PathBuf::from(path), version: "20.0.0".to_owned() }.folders()
        };
        assert!(at("/opt/node/bin/node").contains(&PathBuf::from("/opt/node")));
        assert!(at("/srv/node").contains(&PathBuf::from("/srv")));
        assert!(!at("/usr/bin/node").iter().any(|folder| folder.starts_with("/usr/bin")));
    }
}
