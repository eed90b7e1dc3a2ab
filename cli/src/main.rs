//! The `jalm` command: reads flags, wires everything together, and nothing else.
//!
//! stdout is data, everything else goes to stderr. Exit codes: 0 done, 1 failed, 2 bad config or
//! usage, 130 cancelled.

mod args;
mod commands;
mod print;
mod settings;
mod wire;

use clap::Parser;
use std::process::ExitCode;

/// A third faster than the system's on JSON; see docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before any thread exists: a sandbox is built from a single-threaded process.
    if std::env::args_os().nth(1).is_some_and(|first| first == jalm_isolates::WORKER_ARG) {
        jalm_isolates::worker_main();
    }
    let cli = args::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            print::error(&error);
            ExitCode::from(error.exit)
        }
    }
}
