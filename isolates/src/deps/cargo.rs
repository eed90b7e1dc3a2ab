//! Crates: pinned and fetched by Cargo, as sources. Whatever of them runs while a script is
//! compiled, build scripts and macros, runs in the sandbox of compilers.

use super::Settings;
use super::error::DependencyError;
use super::lock::Lock;
use super::store::Temporary;
use super::tool::{self, Tool};
use super::wanted::Requirements;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";

#[derive(Clone, Debug)]
pub(super) struct Cargo(PathBuf);

impl Cargo {
    pub(super) fn find(cargo: &Path) -> Result<Self, DependencyError> {
        let install = "install Cargo (with rustup, or Debian: `apt install cargo`), or name it in the settings (`isolation.cargo`)";
        tool::find(cargo, "fetches crates", install).map(Self)
    }

    /// Finds exact versions.
    pub(super) async fn pin(
        &self,
        wanted: &Requirements,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<Lock, DependencyError> {
        let manifest = manifest(&wanted.packages);
        folder.write(&format!("built/{MANIFEST}"), &manifest)?;
        folder.write("built/script.rs", "fn main() {}\n")?;
        self.tool(folder.path(), &["generate-lockfile"]).run(settings, exe).await?;
        let lock = folder.read(&format!("built/{LOCK}"))?;
        let packages = pinned(&lock)?;
        Lock::new(wanted, packages, [(MANIFEST, manifest), (LOCK, lock)])
    }

    /// Fetches what is pinned into a folder of `folder`, and gives that.
    pub(super) async fn install(
        &self,
        lock: &Lock,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<PathBuf, DependencyError> {
        // A recorded lock is checked as one that was just made.
        pinned(lock.file(LOCK))?;
        for name in [MANIFEST, LOCK] {
            folder.write(&format!("built/{name}"), lock.file(name))?;
        }
        folder.write("built/script.rs", "fn main() {}\n")?;
        let arguments =
            ["vendor", "--locked", "--versioned-dirs", "--respect-source-config", "built/vendor"];
        self.tool(folder.path(), &arguments).run(settings, exe).await?;
        Ok(folder.path().join("built"))
    }

    fn tool<'a>(&self, folder: &'a Path, arguments: &[&str]) -> Tool<'a> {
        let manifest = format!("--manifest-path=built/{MANIFEST}");
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        all.extend([manifest, "--quiet".to_owned()]);
        Tool {
            name: "cargo",
            program: self.0.clone(),
            arguments: all,
            variables: Vec::new(),
            folder,
        }
    }
}

/// The manifest of a script. All names and versions were checked, and need no quoting.
fn manifest(packages: &BTreeMap<String, Value>) -> String {
    let mut text = String::from(
        "[package]\nname = \"script\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [[bin]]\nname = \"program\"\npath = \"script.rs\"\n\n[workspace]\n\n\
         [profile.release]\nopt-level = 2\npanic = \"abort\"\nstrip = true\n\n[dependencies]\n",
    );
    for (name, version) in packages {
        // Writing to a String cannot fail.
        let _ = match version {
            Value::Object(table) => {
                let keys: Vec<String> =
                    table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                writeln!(text, "{name} = {{ {} }}", keys.join(", "))
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => writeln!(text, "{name} = {version}"),
        };
    }
    text
}

#[derive(Deserialize)]
struct Pinned {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// `itoa==1.0.15` of each crate, all of which must come from a registry, with a hash.
fn pinned(lock: &str) -> Result<Vec<String>, DependencyError> {
    let failed = |what: &dyn std::fmt::Display| {
        DependencyError::new(
            "dependency_failed",
            format!("Cargo's lock cannot be used: {what}"),
            "depend on crates that need only crates of the registry",
        )
    };
    let lock: Pinned = toml::from_str(lock).map_err(|error| failed(&error.message()))?;
    let others = lock.package.into_iter().filter(|package| {
        !(package.name == "script" && package.source.is_none() && package.version == "0.0.0")
    });
    others
        .map(|Package { name, version, source, checksum }| {
            let source = source.unwrap_or_default();
            let from_registry =
                ["registry+", "sparse+"].iter().any(|kind| source.starts_with(kind));
            match checksum {
                Some(_) if from_registry => Ok(format!("{name}=={version}")),
                Some(_) | None => Err(failed(&format!("`{name}` does not come from a registry"))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_names_what_was_wanted() {
        let packages = json!({ "itoa": "1", "serde": { "version": "1", "features": ["derive"], "default-features": false } });
        let packages: BTreeMap<String, Value> = serde_json::from_value(packages).unwrap();
        let text = manifest(&packages);
        let read: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(read["dependencies"]["itoa"].as_str(), Some("1"));
        let serde = &read["dependencies"]["serde"];
        assert_eq!(serde["default-features"].as_bool(), Some(false));
        assert_eq!(serde["features"][0].as_str(), Some("derive"));
    }

    #[test]
    fn only_crates_of_a_registry_are_taken() {
        let own = "version = 4\n[[package]]\nname = \"script\"\nversion = \"0.0.0\"\n";
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        let one =
            |more: &str| format!("{own}[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n{more}");
        let good = one(&format!("source = \"{registry}\"\nchecksum = \"ab\"\n"));
        assert_eq!(pinned(&good).unwrap(), ["a==1.0.0"]);
        for more in ["", "checksum = \"ab\"\n", "source = \"git+https://x\"\nchecksum = \"ab\"\n"] {
            assert!(pinned(&one(more)).is_err(), "{more}");
        }
        assert!(pinned(&one(&format!("source = \"{registry}\"\n"))).is_err());
        assert_eq!(pinned(own).unwrap(), Vec::<String>::new());
    }
}
