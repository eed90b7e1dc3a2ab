//! The command as it is typed.

use std::process::Command;

/// An integration test also has the effect that the program is built together with all the others.
#[test]
fn what_can_be_typed_is_told_to_who_types_something_else() {
    for arguments in [&[][..], &["no-such-command"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        for part in ["usage: cargo xtask COMMAND", "gen", "dag", "search-isolate"] {
            assert!(said.contains(part), "{said}");
        }
    }
}
