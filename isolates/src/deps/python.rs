//! Packages of Python: pinned and installed by uv, or by the interpreter's own pip. Wheels only:
//! installing them copies files and runs none of their code.

use super::error::DependencyError;
use super::lock::Lock;
use super::store::Temporary;
use super::tool::Tool;
use super::wanted::Requirements;
use super::{Settings, versions};
use crate::native::interpreter::{Interpreter, locate};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file of a lock.
const FILE: &str = "requirements.txt";

/// Older ones do not tell what they would install.
const OLDEST_PIP: &[u64] = &[23, 0];

/// Who installs.
#[derive(Clone, Debug)]
enum Installer {
    Uv(PathBuf),
    Pip,
}

/// The interpreter that runs the scripts, and who installs for it.
#[derive(Clone, Debug)]
pub(super) struct Python {
    executable: PathBuf,
    /// `3.11.7`.
    version: String,
    installer: Installer,
}

impl Python {
    /// Looks for both. Takes up to a second.
    pub(super) fn find(python: &Path, uv: &Path) -> Result<Self, DependencyError> {
        let search = std::env::var_os("PATH");
        let missing =
            |why: String, hint: &str| DependencyError::new("dependency_tool_missing", why, hint);
        let Interpreter { executable, version, .. } = Interpreter::find(python, search.as_deref())
            .map_err(|why| {
                missing(why, "install it, or name it in the settings (`isolation.python`)")
            })?;
        if let Some(uv) = locate(uv, search.as_deref()) {
            return Ok(Self { executable, version, installer: Installer::Uv(uv) });
        }
        let shown = executable.display();
        let none = |why: &str| {
            missing(
                format!("there is no `uv` here, and {shown} {why}"),
                "install uv, or pip 23 or newer for that interpreter (`python3 -m ensurepip`, Debian: `apt install python3-pip`); `isolation.uv` names it",
            )
        };
        let output = Command::new(&executable)
            .args(["-I", "-m", "pip", "--version"])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| none(&format!("cannot be started: {error}")))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let pip = said.strip_prefix("pip ").and_then(|rest| rest.split_whitespace().next());
        let Some(pip) = pip else { return Err(none("has no pip")) };
        if versions::release(pip).is_none_or(|release| release.as_slice() < OLDEST_PIP) {
            return Err(none(&format!("has pip {pip}")));
        }
        Ok(Self { executable, version, installer: Installer::Pip })
    }

    /// Part of an environment's name: what is built for one interpreter is not for another one.
    pub(super) fn platform(&self) -> String {
        format!("{} {}", self.version, self.executable.display())
    }

    /// Whether the script may run on this interpreter at all.
    pub(super) fn fits(&self, wanted: &Requirements) -> Result<(), DependencyError> {
        let Some(python) = &wanted.python else { return Ok(()) };
        match versions::fits(&self.version, python) {
            Some(true) => Ok(()),
            Some(false) => Err(DependencyError::new(
                "dependency_not_found",
                format!("the script needs Python {python}, this is {}", self.version),
                "name another interpreter in the settings (`isolation.python`), or widen `requires-python`",
            )),
            None => Err(DependencyError::bad(
                format!("`requires-python` cannot be read: `{python}`"),
                "write versions, as `>=3.9` or `>=3.9,<4`",
            )),
        }
    }

    /// Finds exact versions.
    pub(super) async fn pin(
        &self,
        wanted: &Requirements,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<Lock, DependencyError> {
        let lines = wanted.packages.keys().fold(String::new(), |text, line| text + line + "\n");
        folder.write("wanted.txt", &lines)?;
        let tool = match &self.installer {
            Installer::Pip => self.pip(
                folder.path(),
                &[
                    "install",
                    "--dry-run",
                    "--ignore-installed",
                    "--quiet",
                    "--report",
                    "report.json",
                    "-r",
                    "wanted.txt",
                ],
            ),
            Installer::Uv(uv) => self.uv(
                uv,
                folder.path(),
                &[
                    "compile",
                    "--quiet",
                    "--generate-hashes",
                    "--no-header",
                    "--no-annotate",
                    "-o",
                    FILE,
                    "wanted.txt",
                ],
            ),
        };
        tool.run(settings, exe).await?;
        let text = match &self.installer {
            Installer::Pip => from_report(&folder.read("report.json")?)?,
            Installer::Uv(_) => folder.read(FILE)?,
        };
        Lock::new(wanted, names(&text), [(FILE, text)])
    }

    /// Installs what is pinned into a folder of `folder`, and gives that.
    pub(super) async fn install(
        &self,
        lock: &Lock,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<PathBuf, DependencyError> {
        folder.write("pinned.txt", lock.file(FILE))?;
        let built = folder.path().join("built");
        std::fs::create_dir_all(&built)
            .map_err(|error| DependencyError::unavailable("cannot make a folder", &error))?;
        if lock.packages.is_empty() {
            return Ok(built);
        }
        let common = ["--no-deps", "--require-hashes", "--target", "built", "-r", "pinned.txt"];
        let tool = match &self.installer {
            Installer::Pip => {
                let mut arguments = vec!["install", "--quiet"];
                arguments.extend(common);
                self.pip(folder.path(), &arguments)
            }
            Installer::Uv(uv) => {
                let mut arguments =
                    vec!["install", "--quiet", "--compile-bytecode", "--link-mode", "copy"];
                arguments.extend(common);
                self.uv(uv, folder.path(), &arguments)
            }
        };
        tool.run(settings, exe).await?;
        Ok(built)
    }

    fn pip<'a>(&self, folder: &'a Path, arguments: &[&str]) -> Tool<'a> {
        let mut all = vec![
            "-I",
            "-m",
            "pip",
            "--no-input",
            "--disable-pip-version-check",
            "--no-color",
            "--retries",
            "2",
        ];
        all.extend(arguments);
        all.extend(["--only-binary", ":all:", "--no-cache-dir"]);
        Tool {
            name: "pip",
            program: self.executable.clone(),
            arguments: all.into_iter().map(str::to_owned).collect(),
            variables: Vec::new(),
            folder,
        }
    }

    fn uv<'a>(&self, uv: &Path, folder: &'a Path, arguments: &[&str]) -> Tool<'a> {
        let mut all: Vec<String> = vec!["pip".to_owned()];
        all.extend(arguments.iter().map(ToString::to_string));
        let python = self.executable.display().to_string();
        all.extend(
            ["--only-binary", ":all:", "--no-python-downloads", "--python"].map(str::to_owned),
        );
        all.push(python);
        let cache = folder.join("cache").display().to_string();
        Tool {
            name: "uv",
            program: uv.to_owned(),
            arguments: all,
            variables: vec![("UV_CACHE_DIR", cache)],
            folder,
        }
    }
}

/// What pip would install.
#[derive(Deserialize)]
struct Report {
    install: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    download_info: Download,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Download {
    #[serde(default)]
    archive_info: Archive,
}

#[derive(Default, Deserialize)]
struct Archive {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    hash: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

/// Pip's own format of pinned requirements.
fn from_report(text: &str) -> Result<String, DependencyError> {
    let failed = |what: &dyn std::fmt::Display| {
        DependencyError::new(
            "dependency_failed",
            format!("pip's report makes no sense: {what}"),
            "see whether pip is up to date",
        )
    };
    let report: Report = serde_json::from_str(text).map_err(|error| failed(&error))?;
    let mut lines = Vec::new();
    for Item { download_info, metadata: Metadata { name, version } } in report.install {
        let Archive { hashes, hash } = download_info.archive_info;
        let hash = match hashes.get("sha256") {
            Some(hash) => format!("sha256:{hash}"),
            None => hash
                .and_then(|hash| {
                    Some(hash.split_once('=')?.1.to_owned()).map(|hash| format!("sha256:{hash}"))
                })
                .ok_or_else(|| failed(&format!("{name} has no hash")))?,
        };
        lines.push(format!("{name}=={version} --hash={hash}\n"));
    }
    lines.sort();
    Ok(lines.concat())
}

/// `six==1.17.0` of each line that pins something.
fn names(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with([' ', '#']))
        .filter_map(|line| line.split([' ', ';', '\\']).next())
        .filter(|line| line.contains("=="))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_pip_becomes_a_lock() {
        let report = r#"{"version": "1", "install": [
            {"download_info": {"url": "u", "archive_info": {"hashes": {"sha256": "ab"}}}, "metadata": {"name": "six", "version": "1.17.0"}},
            {"download_info": {"url": "u", "archive_info": {"hash": "sha256=cd"}}, "metadata": {"name": "attrs", "version": "24.1"}}
        ]}"#;
        let text = from_report(report).unwrap();
        assert_eq!(text, "attrs==24.1 --hash=sha256:cd\nsix==1.17.0 --hash=sha256:ab\n");
        assert_eq!(names(&text), ["attrs==24.1", "six==1.17.0"]);
        let bare = r#"{"install": [{"download_info": {"url": "u"}, "metadata": {"name": "six", "version": "1"}}]}"#;
        assert!(from_report(bare).unwrap_err().message.contains("six has no hash"));
    }

    #[test]
    fn names_are_found_in_what_uv_writes() {
        let text = "six==1.17.0 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\nattrs==24.1 ; python_version > '3' \\\n    --hash=sha256:ef\n";
        assert_eq!(names(text), ["six==1.17.0", "attrs==24.1"]);
    }
}
