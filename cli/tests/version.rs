//! That the command starts at all. Cargo builds a package's binary for its integration tests: with
//! this one, testing the workspace builds the `jalm` that the suites in `tests/` start.
#![allow(clippy::unwrap_used, reason = "tests may fail by panicking")]

use std::process::Command;

#[test]
fn it_says_its_name_and_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_jalm")).arg("--version").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.trim_end(), concat!("jalm ", env!("CARGO_PKG_VERSION")));
}
