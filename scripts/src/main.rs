//! `cargo xtask …`: the build steps that need the code, and the checks that no compiler makes.
//!
//! Each command is one file and one line in [`COMMANDS`]. A command answers with what it found
//! wrong; every finding says how to mend it. Exit codes: 0 all is well, 1 something is wrong,
//! 2 it was typed wrongly.
//!
//! **Not here, on purpose:** building and testing (`make` calls cargo for that).

mod dag;
#[expect(clippy::print_stdout, reason = "what the demo shows is its data")]
mod demo;
mod errors;
mod finding;
mod r#gen;
mod links;
mod repo;
mod samples;
mod search_isolate;
mod size;

use finding::Finding;
use repo::Repo;
use std::io::Write;
use std::process::ExitCode;

/// What a command answers with: a line about what was done, and what is wrong.
type Outcome = Result<(String, Vec<Finding>), String>;

struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&Repo, &[String]) -> Outcome,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "dag",
        about: "Compare the dependencies of the crates with the drawing in ARCHITECTURE.md",
        run: dag::run,
    },
    Command {
        name: "gen",
        about: "Write all generated files [--check] [--only NAME]…",
        run: r#gen::run,
    },
    Command {
        name: "demo",
        about: "Run examples/six-layers.yaml and show what came of it",
        run: |repo, _| demo::run(repo.root()).map(|()| ("done".to_owned(), Vec::new())),
    },
    Command { name: "size", about: "Find Rust files that are too long", run: size::run },
    Command {
        name: "links",
        about: "Find links in Markdown files that lead nowhere",
        run: links::run,
    },
    Command {
        name: "samples",
        about: "Find intents in Markdown files and examples that the runner would refuse",
        run: samples::run,
    },
    Command {
        name: "search-isolate",
        about: "Look at this host and write candidates/isolates.json",
        run: search_isolate::run,
    },
    Command {
        name: "errors",
        about: "Compare the error codes of the code with docs/errors.md",
        run: errors::run,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else { return usage() };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return usage();
    };
    let rest: Vec<String> = arguments.collect();
    match (command.run)(&Repo::of_this_checkout(), &rest) {
        Ok((done, findings)) => {
            for finding in &findings {
                note(finding);
            }
            let errors = findings.iter().filter(|finding| !finding.warning).count();
            if errors == 0 {
                note(format_args!("{name}: {done}"));
                return ExitCode::SUCCESS;
            }
            note(format_args!("{name}: {errors} to mend"));
            ExitCode::FAILURE
        }
        Err(error) => {
            note(format_args!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

fn usage() -> ExitCode {
    note("usage: cargo xtask COMMAND\n");
    for command in COMMANDS {
        note(format_args!("  {:<15} {}", command.name, command.about));
    }
    ExitCode::from(2)
}

/// A line to stderr; nobody listening is no error.
fn note(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_passes_its_own_quick_checks() {
        let repo = Repo::of_this_checkout();
        for name in ["dag", "size", "links", "samples", "errors"] {
            let command = COMMANDS.iter().find(|command| command.name == name).unwrap();
            let (_, findings) = (command.run)(&repo, &[]).unwrap();
            let errors: Vec<String> = findings
                .iter()
                .filter(|finding| !finding.warning)
                .map(ToString::to_string)
                .collect();
            assert!(errors.is_empty(), "cargo xtask {name}:\n{}", errors.join("\n"));
        }
    }
}
