//! Where the `jalm` under test is.

use std::path::PathBuf;

/// The `jalm` beside this test's own executable: `target/<profile>/jalm`, built by the same cargo
/// command when that is for the whole workspace. `JALM_TEST_BINARY` names another one.
///
/// # Panics
/// When there is none; the message says how to build it.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("JALM_TEST_BINARY").map_or_else(beside_this_test, PathBuf::from);
    assert!(
        path.is_file(),
        "there is no binary at {}: run `cargo build -p jalm` first, or test the whole workspace",
        path.display()
    );
    path
}

/// Tests are in `target/<profile>/deps`.
fn beside_this_test() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let folder = test.ancestors().nth(2).expect("tests are two folders below their target");
    folder.join("jalm")
}
