//! One file per command.

mod atoms;
mod config;
mod doctor;
mod exec;
mod input;
mod isolates;
mod plan;
mod run;
mod serve;
mod validate;

use crate::args::{Cli, Command};
use crate::print::{self, Error};
use clap::CommandFactory;
use std::process::ExitCode;

pub(crate) fn run(cli: Cli) -> Result<ExitCode, Error> {
    let global = &cli.global;
    match cli.command {
        Command::Run(args) => run::run(global, &args),
        Command::Validate(args) => validate::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Serve(args) => serve::run(global, &args),
        Command::Exec(command) => exec::run(command),
        Command::Atoms(args) => atoms::run(&args),
        Command::Isolates(args) => isolates::run(global, &args),
        Command::Schema => {
            print::out(format_args!("{:#}", jalm_kernel::intent::json_schema()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "jalm", &mut script);
            print::out(String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor { json } => doctor::run(global, json),
        Command::Config(command) => config::run(global, &command),
    }
}
