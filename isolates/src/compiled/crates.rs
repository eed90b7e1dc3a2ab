//! Compiling a script with crates: Cargo does it, in the sandbox of compilers.
//!
//! Build scripts and macros of crates are foreign code that runs while others are compiled. So this
//! sandbox may execute what it has made itself, in its own folder and nowhere else.
//!
//! GNU's linker makes its output executable with `chmod`, which no sandbox allows: without a root of
//! its own it would reach other files. So what is linked is written once more, into a copy of a file
//! that is executable already (`LINKER`).

use super::builder::{Settings, Step};
use super::toolchain::Toolchain;
use crate::native::interpreter::locate;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where Cargo leaves the program, below its folder.
const PRODUCT: &str = "target/release/program";

const ARGUMENTS: [&str; 9] = [
    "rustc",
    "--release",
    "--offline",
    "--locked",
    "--quiet",
    "--bin=program",
    "--message-format=json",
    "--",
    // Macros cannot be made so; only the program is.
    "-Ctarget-feature=+crt-static",
];

/// Links, and makes the output executable. Its own folder has an empty executable file.
const LINKER: &str = r#"#!/bin/sh
"$JALM_LINKER" "$@" || exit
here=${0%/*}
while [ $# -gt 0 ]; do
  case $1 in
  -o)
    cp "$here/executable" "$2.x" && cat "$2" > "$2.x" && rm "$2" && mv "$2.x" "$2" || exit
    ;;
  esac
  shift
done
"#;

/// The programs that this uses, besides the linker.
const PROGRAMS: [&str; 5] = ["sh", "cp", "cat", "rm", "mv"];

/// Stands for the folder of its own, in variables.
pub(super) const FOLDER: &str = "<folder>";

/// What Cargo needs to compile for a toolchain.
#[derive(Clone, Debug)]
pub(crate) struct Cargo {
    pub(crate) program: PathBuf,
    pub(crate) compiler: PathBuf,
    pub(crate) linker: PathBuf,
    /// For every call of the compiler.
    pub(crate) flags: Vec<String>,
}

/// Bytes of all files, of a compiler and of what it makes.
const DISK: u64 = 1024 * 1024 * 1024;

/// So many files may be made.
const FILES: u64 = 65_536;

/// Changes the order to compile a script into one to do so with these packages.
pub(super) fn with(
    mut settings: Settings,
    toolchain: &Toolchain,
    packages: &Path,
) -> Option<Settings> {
    let Cargo { program, compiler, linker, flags } = toolchain.cargo.clone()?;
    // There is no /proc, where it would look for itself.
    let own = program.display().to_string();
    let arguments = std::iter::once(own.clone()).chain(ARGUMENTS.map(str::to_owned)).collect();
    settings.executable.push(program.clone());
    let search = std::ffi::OsStr::new("/usr/bin:/bin");
    let programs = PROGRAMS
        .iter()
        .filter_map(|name| locate(Path::new(name), Some(search))?.canonicalize().ok());
    settings.executable.extend(programs);
    let flags = [flags, vec![format!("-Clinker={FOLDER}/.cargo/linker")]].concat();
    settings.steps = vec![Step { program, arguments }];
    settings.variables.extend([
        format!("CARGO={own}"),
        format!("JALM_LINKER={}", linker.display()),
        format!("RUSTC={}", compiler.display()),
        format!("CARGO_ENCODED_RUSTFLAGS={}", flags.join("\u{1f}")),
        "CARGO_TARGET_DIR=target".to_owned(),
        "CARGO_INCREMENTAL=0".to_owned(),
    ]);
    PRODUCT.clone_into(&mut settings.product);
    settings.packages = Some(packages.to_owned());
    (settings.disk, settings.files) = (DISK, FILES);
    Some(settings)
}

/// The worker's side: what Cargo finds in its folder. `seen` are the packages.
pub(super) fn lay_out(folder: &Path, seen: &Path) -> std::io::Result<()> {
    for name in ["Cargo.toml", "Cargo.lock"] {
        std::fs::write(folder.join(name), std::fs::read(seen.join(name))?)?;
    }
    let home = folder.join(".cargo");
    std::fs::create_dir(&home)?;
    for (name, text) in [("linker", LINKER), ("executable", "")] {
        let mut open = std::fs::File::options();
        let open = open.write(true).create_new(true).mode(0o755);
        let mut file = open.open(home.join(name))?;
        file.write_all(text.as_bytes())?;
    }
    let vendor = seen.join("vendor").display().to_string();
    // JSON's strings are TOML's.
    let vendor = serde_json::Value::String(vendor);
    let text = format!(
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = {vendor}\n"
    );
    std::fs::write(home.join("config.toml"), text)
}
