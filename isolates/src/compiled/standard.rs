//! Go's standard library, compiled: by the operator's `go`, which is trusted, and for all scripts.
//!
//! It is kept in the user's folder for such things, and read-only for compilers in sandboxes. The
//! first time takes up to half a minute, later ones half a second. Where the user has no such
//! folder, it is one of this server's own, and goes with it.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The list of packages and where each one is compiled, in the form of Go's compiler.
const LIST: &str = "packages";

/// Where it is.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// It goes with this value.
    own: bool,
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn list(&self) -> PathBuf {
        self.path.join(LIST)
    }

    fn make(version: &str) -> Result<Self, String> {
        let set = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty());
        let usual = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")));
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700).recursive(true);
        if let Some(usual) = usual.filter(|path| path.is_absolute()) {
            let path = usual.join("jalm").join(version);
            if builder.create(&path).is_ok() {
                return Ok(Self { path, own: false });
            }
        }
        builder.recursive(false);
        let mut last = String::new();
        for number in 0..100 {
            let name = format!("jalm-{version}-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match builder.create(&path) {
                Ok(()) => return Ok(Self { path, own: true }),
                Err(error) => last = error.to_string(),
            }
        }
        Err(format!("no folder for Go's standard library can be made: {last}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.own {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Compiles what is not compiled yet, and writes the list of it.
pub(crate) fn compile(go: &Path, version: &str) -> Result<Folder, String> {
    let plain = !version.is_empty()
        && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
    if !plain {
        return Err(format!("{} has a version that is none: {version}", go.display()));
    }
    let folder = Folder::make(version)?;
    let form = "{{if .Export}}packagefile {{.ImportPath}}={{.Export}}{{end}}";
    let output = Command::new(go)
        .args(["list", "-export", "-f", form, "std"])
        .current_dir("/")
        .env("GOCACHE", folder.path.join("cache"))
        .env("GOPATH", folder.path.join("none"))
        .envs([
            ("CGO_ENABLED", "0"),
            ("GOPROXY", "off"),
            ("GOFLAGS", "-mod=mod"),
            ("GOTOOLCHAIN", "local"),
            ("GOENV", "off"),
            ("GO111MODULE", "on"),
        ])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be started: {error}", go.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or("it says nothing");
        return Err(format!("Go's standard library cannot be compiled: {first}"));
    }
    // Two servers may do this at once: whole or not at all.
    let draft = folder.path.join(format!("{LIST}-{}", std::process::id()));
    std::fs::write(&draft, &output.stdout)
        .and_then(|()| std::fs::rename(&draft, folder.list()))
        .map_err(|error| format!("{} cannot be written: {error}", folder.list().display()))?;
    Ok(folder)
}
