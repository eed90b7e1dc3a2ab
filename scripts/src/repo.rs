//! The checkout as the commands see it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Folders that are not ours to look at.
const SKIPPED: &[&str] = &["target", "dist", "data", "node_modules", "artifacts", "corpus"];

/// The root folder of a checkout.
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The one that this program was built from.
    pub(crate) fn of_this_checkout() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self { root: here.parent().unwrap_or(here).to_owned() }
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Its path.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The full path of a file named from the root.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file's text; the error names the file.
    pub(crate) fn read(&self, name: &str) -> Result<String, String> {
        std::fs::read_to_string(self.path(name))
            .map_err(|error| format!("cannot read {name}: {error}"))
    }

    /// The names of all files with this extension, sorted, with `/` between folders.
    pub(crate) fn files(&self, extension: &str) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(self.path(&folder))
                .map_err(|error| format!("cannot list folder `{folder}`: {error}"))?;
            for entry in entries.flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path =
                    if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                } else if !is_folder
                    && Path::new(&name).extension().is_some_and(|it| it == extension)
                {
                    found.push(path);
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Runs a program in the root and gives its stdout. Nothing of it depends on the terminal
    /// or on settings of the runner that the caller happens to have.
    pub(crate) fn output(&self, program: &Path, arguments: &[&str]) -> Result<String, String> {
        let shown = format!("{} {}", program.display(), arguments.join(" "));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root).stdin(Stdio::null());
        command.env_remove("COLUMNS");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("JALM_") {
                command.env_remove(name);
            }
        }
        let output = command.output().map_err(|error| format!("cannot run `{shown}`: {error}"))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{shown}` failed: {}", why.trim_end()));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed no UTF-8"))
    }

    /// Runs cargo, the same that runs this program.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Result<String, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        self.output(Path::new(&cargo), arguments)
    }
}

/// What of a Rust file is not its unit tests. Those stand last, by the rules of this project.
pub(crate) fn without_tests(source: &str) -> &str {
    let tests = source.match_indices("#[cfg(test)]\nmod ").find(|(at, marker)| {
        // `mod tests;` names a file; `mod tests {` holds the tests themselves.
        source[at + marker.len()..].lines().next().is_some_and(|line| line.ends_with('{'))
    });
    tests.map_or(source, |(at, _)| &source[..at])
}

/// Whether all of a Rust file is tests.
pub(crate) fn is_test(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file == "tests.rs"
        || name.starts_with("tests/")
        || name.contains("/tests/")
        || name.contains("/testing/")
        || name.contains("/testkit/")
        || name.contains("/conformance/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_any_depth_but_not_among_build_products() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.md", "a/x.md", "a/x.rs", "target/t.md", ".git/g.md", "a/data/d.md"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(Repo::at(folder.path()).files("md").unwrap(), ["a/x.md", "b.md"]);
    }

    #[test]
    fn unit_tests_are_cut_off_but_named_test_files_are_not_mistaken_for_them() {
        let source = "#[cfg(test)]\nmod tests;\n\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(without_tests(source), "#[cfg(test)]\nmod tests;\n\nfn a() {}\n\n");
        assert_eq!(without_tests("fn a() {}\n"), "fn a() {}\n");
    }

    #[test]
    fn test_folders_are_known() {
        for name in ["tests/src/lib.rs", "kernel/tests/flow.rs", "layers/src/net/tests.rs"] {
            assert!(is_test(name), "{name}");
        }
        assert!(!is_test("layers/src/net/mod.rs"));
    }
}
