//! Packages of Node: pinned and installed by npm. Install scripts are not run.

use super::Settings;
use super::error::DependencyError;
use super::lock::Lock;
use super::store::Temporary;
use super::tool::{self, Tool};
use super::wanted::Requirements;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";

/// What npm is told each time, whatever the user's own settings say.
const ALWAYS: [&str; 9] = [
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--no-progress",
    "--package-lock",
    "--logs-max=0",
    "--loglevel=error",
    "--cache=cache",
];

#[derive(Clone, Debug)]
pub(super) struct Npm(PathBuf);

impl Npm {
    pub(super) fn find(npm: &Path) -> Result<Self, DependencyError> {
        let install =
            "install npm (Debian: `apt install npm`), or name it in the settings (`isolation.npm`)";
        tool::find(npm, "installs packages of Node", install).map(Self)
    }

    /// Finds exact versions.
    pub(super) async fn pin(
        &self,
        wanted: &Requirements,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<Lock, DependencyError> {
        let manifest = json!({
            "name": "script",
            "version": "0.0.0",
            "private": true,
            "dependencies": wanted.packages,
        });
        let manifest = format!("{manifest:#}\n");
        folder.write(MANIFEST, &manifest)?;
        let tool = self.tool(folder.path(), &["install", "--package-lock-only"]);
        tool.run(settings, exe).await?;
        let lock = folder.read(LOCK)?;
        let packages = pinned(&lock)?;
        Lock::new(wanted, packages, [(MANIFEST, manifest), (LOCK, lock)])
    }

    /// Installs what is pinned into a folder of `folder`, and gives that.
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
        let arguments = ["ci", "--prefix=built", "--no-bin-links", "--omit=dev"];
        self.tool(folder.path(), &arguments).run(settings, exe).await?;
        Ok(folder.path().join("built"))
    }

    fn tool<'a>(&self, folder: &'a Path, arguments: &[&str]) -> Tool<'a> {
        let arguments = arguments.iter().chain(&ALWAYS).map(ToString::to_string).collect();
        Tool { name: "npm", program: self.0.clone(), arguments, variables: Vec::new(), folder }
    }
}

/// `is-number==7.0.0` of each package, all of which must come from a registry, with a hash.
fn pinned(lock: &str) -> Result<Vec<String>, DependencyError> {
    let failed = |what: &dyn std::fmt::Display| {
        DependencyError::new(
            "dependency_failed",
            format!("npm's lock cannot be used: {what}"),
            "depend on packages that need only packages of the registry",
        )
    };
    let lock: Value = serde_json::from_str(lock).map_err(|error| failed(&error))?;
    let none = Map::new();
    let packages = lock["packages"].as_object().unwrap_or(&none);
    let mut pinned = Vec::new();
    for (place, package) in packages.iter().filter(|(place, _)| !place.is_empty()) {
        let Some((_, name)) = place.rsplit_once("node_modules/") else {
            return Err(failed(&format!("`{place}` is a folder")));
        };
        // What is inside another package has its hash.
        if package["inBundle"] == true {
            continue;
        }
        let from = package["resolved"].as_str().unwrap_or("https://");
        let from_registry = from.starts_with("https://") || from.starts_with("http://");
        let version = package["version"].as_str();
        match (version, package["integrity"].as_str()) {
            (Some(version), Some(_)) if from_registry && package["link"] != true => {
                pinned.push(format!("{name}=={version}"));
            }
            _ => return Err(failed(&format!("`{name}` does not come from a registry"))),
        }
    }
    Ok(pinned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_a_registry_are_taken() {
        let lock = |package: Value| {
            json!({ "packages": { "": {}, "node_modules/a/node_modules/@b/c": package } })
                .to_string()
        };
        let good = json!({ "version": "1.0.0", "integrity": "sha512-x" });
        assert_eq!(pinned(&lock(good.clone())).unwrap(), ["@b/c==1.0.0"]);
        for (key, value) in [
            ("link", json!(true)),
            ("integrity", Value::Null),
            ("resolved", json!("git+ssh://git@github.com/b/c.git")),
            ("resolved", json!("file:../../etc")),
        ] {
            let mut package = good.clone();
            package[key] = value;
            assert!(pinned(&lock(package.clone())).is_err(), "{package}");
        }
        assert!(pinned(&json!({ "packages": { "../x": good } }).to_string()).is_err());
        assert!(pinned("{").is_err());
    }
}
