//! `docs/cli.md`: the help of every command, as the binary prints it.

use super::File;
use crate::repo::Repo;
use std::fmt::Write;
use std::path::PathBuf;

const INTRO: &str = "<!-- Made from `jalm … --help` by `cargo xtask gen --only cli`; do not edit. -->

# Command line

Data goes to stdout, everything else to stderr. Exit codes: 0 done or completed, 1 failed, 2 wrong
usage or bad config, 130 cancelled. Colour is used on terminals only, and never if `NO_COLOR` is set.
";

pub(super) fn make(repo: &Repo) -> Result<Vec<File>, String> {
    // Built by whoever calls (`make gen`, `make lint`): building it from here would be with other
    // features of the dependencies than the tests have, and so build most of them a second time.
    let jalm = binary(repo)?;
    if !jalm.is_file() {
        return Err(format!("{} is not there; `make gen` builds it first", jalm.display()));
    }
    let mut text = INTRO.to_owned();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = repo.output(&jalm, &arguments)?;
        let name = std::iter::once("jalm")
            .chain(path.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ");
        let _ = write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", help.trim_end());
        for command in commands(&help).into_iter().rev() {
            open.push(path.iter().cloned().chain([command]).collect());
        }
    }
    Ok(vec![File::new("docs/cli.md", text)])
}

fn binary(repo: &Repo) -> Result<PathBuf, String> {
    let text = repo.cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("`cargo metadata`: {error}"))?;
    let folder = metadata["target_directory"].as_str().unwrap_or("target");
    Ok(PathBuf::from(folder).join("debug/jalm"))
}

/// The commands that a help lists, `help` itself left out.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // Lines that go on with a description are indented more.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_a_help() {
        let help = "Does it\n\nUsage: x\n\nCommands:\n  run   Run it\n           now\n  help  Help\n\nOptions:\n  -h  Help\n";
        assert_eq!(commands(help), ["run"]);
        assert!(commands("Usage: x\n\nOptions:\n  -h  Help\n").is_empty());
    }
}
