//! The host's compilers, and the folders they must see.

use super::builder::Step;
use super::crates::Cargo;
use super::standard;
use crate::languages::Language;
use crate::native::interpreter::{folders, locate};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file of a program, in the folder where it is compiled.
pub(crate) const PROGRAM: &str = "program";

/// What is known of a compiler, and how it is used.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) language: Language,
    /// Of the compiler and of the flags: part of a program's name.
    pub(crate) version: String,
    /// Shown in the sandbox, read-only.
    pub(crate) folders: Vec<PathBuf>,
    /// May be executed, and read.
    pub(crate) executable: Vec<PathBuf>,
    /// May be read.
    pub(crate) readable: Vec<PathBuf>,
    /// Whether the compiler starts programs by itself.
    pub(crate) programs: bool,
    pub(crate) variables: Vec<String>,
    pub(crate) steps: Vec<Step>,
    /// For scripts with crates, if there is one.
    pub(crate) cargo: Option<Cargo>,
    /// What must stay as long as this.
    _kept: Option<std::sync::Arc<standard::Folder>>,
}

/// Programs of the system's C compiler, which link what `rustc` makes.
const LINKERS: [&str; 4] = ["cc", "ld", "as", "ld.lld"];

/// Where programs have their loaders and libraries.
const SYSTEM: [&str; 4] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

fn system() -> Vec<PathBuf> {
    SYSTEM.map(PathBuf::from).into_iter().filter(|path| path.is_dir()).collect()
}

impl Toolchain {
    /// Finds the compiler of this name or path. For Go that may take half a minute, the first time.
    pub(crate) fn find(
        language: Language,
        name: &Path,
        cargo: &Path,
        search: Option<&OsStr>,
    ) -> Result<Self, String> {
        let shown = name.display();
        let setting = if language == Language::Go { "isolation.go" } else { "isolation.rustc" };
        let found = locate(name, search)
            .ok_or_else(|| format!("there is no `{shown}` here (setting `{setting}`)"))?;
        if language == Language::Go { Self::go(&found) } else { Self::rust(&found, cargo, search) }
    }

    fn rust(rustc: &Path, cargo: &Path, search: Option<&OsStr>) -> Result<Self, String> {
        // What is in PATH may only lead to it.
        let root = PathBuf::from(ask(rustc, &["--print", "sysroot"])?.trim());
        let version = ask(rustc, &["-vV"])?;
        let compiler = root.join("bin/rustc");
        let compiler = compiler.canonicalize().map_err(|error| {
            format!("{} says it is installed in {}: {error}", rustc.display(), root.display())
        })?;
        let linkers: Vec<PathBuf> = LINKERS
            .iter()
            .filter_map(|name| locate(Path::new(name), search)?.canonicalize().ok())
            .collect();
        let linker = locate(Path::new("cc"), search).and_then(|found| found.canonicalize().ok());
        let linker = linker.ok_or("`rustc` links with the C compiler `cc`, which is not here")?;
        let mut arguments: Vec<String> = RUST_FLAGS.iter().map(ToString::to_string).collect();
        arguments.push(format!("-Clinker={}", linker.display()));
        // It looks for itself and its own linker in /proc, which is not there.
        arguments.push(format!("--sysroot={}", root.display()));
        if minor(&version).is_some_and(|minor| minor >= 90) {
            arguments.push("-Clinker-features=-lld".to_owned());
        }
        let flags = arguments.iter().filter(|argument| {
            ["-Clinker-features", "--sysroot", "--cap-lints"]
                .iter()
                .any(|flag| argument.starts_with(flag))
        });
        let flags = flags.cloned().collect();
        let cargo = find_cargo(&root, cargo, search);
        let cargo = cargo.map(|program| Cargo {
            program,
            compiler: compiler.clone(),
            linker: linker.clone(),
            flags,
        });
        let version = format!("{version}\n{}", arguments.join(" "));
        let mut executable = system();
        executable.extend(linkers);
        let libraries = root.join("lib");
        executable.extend([compiler.clone(), libraries.clone()]);
        let mut prefixes = vec![root];
        prefixes.extend(linker.parent().map(Path::to_owned));
        Ok(Self {
            language: Language::Rust,
            version,
            folders: folders(&prefixes),
            executable,
            readable: Vec::new(),
            programs: true,
            variables: vec![format!("LD_LIBRARY_PATH={}", libraries.display())],
            cargo,
            steps: vec![Step { program: compiler, arguments }],
            _kept: None,
        })
    }

    fn go(go: &Path) -> Result<Self, String> {
        let told = ask(go, &["env", "GOVERSION", "GOROOT", "GOTOOLDIR", "GOARCH"])?;
        let mut told = told.lines().map(str::to_owned);
        let (Some(version), Some(root), Some(tools), Some(kind)) =
            (told.next(), told.next(), told.next(), told.next())
        else {
            return Err(format!("{} does not answer as Go does", go.display()));
        };
        let standard = standard::compile(go, &version)?;
        let tools = PathBuf::from(tools);
        let step = |name: &str, arguments: &[&str]| {
            let program = tools.join(name).canonicalize();
            let program = program.map_err(|error| format!("Go's {name} is missing: {error}"))?;
            let mut all = arguments.iter().map(ToString::to_string).collect::<Vec<_>>();
            all.insert(1, format!("-importcfg={}", standard.list().display()));
            Ok::<_, String>(Step { program, arguments: all })
        };
        let steps = vec![step("compile", GO_COMPILE)?, step("link", GO_LINK)?];
        let executable = steps.iter().map(|step| step.program.clone()).collect();
        let archives = PathBuf::from(&root).join("pkg");
        let mut prefixes = vec![standard.path().to_owned()];
        prefixes.extend(
            [PathBuf::from(&root), tools].iter().filter_map(|path| path.canonicalize().ok()),
        );
        let mut readable = system();
        readable.extend([standard.path().to_owned(), archives]);
        Ok(Self {
            language: Language::Go,
            version: format!("{version} {kind} {GO_COMPILE:?} {GO_LINK:?}"),
            folders: folders(&prefixes),
            executable,
            readable,
            programs: false,
            variables: Vec::new(),
            cargo: None,
            steps,
            _kept: Some(std::sync::Arc::new(standard)),
        })
    }
}

/// Cargo itself: the one that came with the compiler, else the one of this name. Rustup's is only
/// a link to a program that chooses one, and cannot in a sandbox.
fn find_cargo(root: &Path, name: &Path, search: Option<&OsStr>) -> Option<PathBuf> {
    let beside = root.join("bin/cargo").canonicalize().ok();
    let named = || locate(name, search)?.canonicalize().ok();
    let cargo = |path: &PathBuf| path.file_name().is_some_and(|name| name != "rustup");
    beside.filter(cargo).or_else(|| named().filter(cargo))
}

/// 95 of `rustc 1.95.0 (…)`.
fn minor(version: &str) -> Option<u32> {
    version.split_whitespace().nth(1)?.split('.').nth(1)?.parse().ok()
}

const RUST_FLAGS: &[&str] = &[
    "rustc",
    "script.rs",
    "--crate-name=script",
    "--crate-type=bin",
    "--edition=2024",
    "--error-format=json",
    "--cap-lints=allow",
    "-Copt-level=2",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Cstrip=symbols",
    "-Ctarget-feature=+crt-static",
    "-o",
    PROGRAM,
];

const GO_COMPILE: &[&str] = &[
    "compile",
    "-o=main.a",
    "-p=main",
    "-complete",
    "-pack",
    "-trimpath=/tmp",
    "script.go",
    "support.go",
];

const GO_LINK: &[&str] = &["link", "-o=program", "-buildmode=exe", "-s", "-w", "main.a"];

/// Asks a compiler about itself. It is the operator's, and may look where it wants.
fn ask(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let shown = program.display();
    let output = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{shown} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or("it says nothing");
    Err(format!("{shown} does not say what it is: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_with_its_setting() {
        let none = Some(OsStr::new("/nowhere"));
        let error = Toolchain::find(Language::Rust, Path::new("rustc"), Path::new("cargo"), none)
            .unwrap_err();
        assert!(error.contains("`rustc`") && error.contains("`isolation.rustc`"), "{error}");
        let error =
            Toolchain::find(Language::Go, Path::new("go"), Path::new("cargo"), none).unwrap_err();
        assert!(error.contains("`go`") && error.contains("`isolation.go`"), "{error}");
    }

    #[test]
    fn what_is_no_compiler_is_told() {
        let error = Toolchain::find(Language::Go, Path::new("/bin/true"), Path::new("cargo"), None)
            .unwrap_err();
        assert!(error.contains("does not answer as Go does"), "{error}");
    }
}
