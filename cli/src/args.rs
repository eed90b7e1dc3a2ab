//! What can be typed.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Runs intents: durable, isolated workflows from short YAML or JSON files.
#[derive(Debug, Parser)]
#[command(name = "jalm", version, about, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Settings that every command may have.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Config file
    #[arg(long, global = true, value_name = "FILE", env = "JALM_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of everything that is kept [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Where journals live: sqlite:PATH or memory: [default: sqlite:<data>/jalm.db]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// What is logged to stderr: error, warn, info, debug, or a filter
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one intent here, to its end
    Run(Run),
    /// Check intents and show everything that is wrong with them
    Validate(Validate),
    /// Show what an intent will do and touch, without running it
    Plan(Plan),
    /// Serve the HTTP API
    Serve(Serve),
    /// Talk to a running server
    #[command(subcommand)]
    Exec(Exec),
    /// List the atoms, or explain one
    Atoms(Atoms),
    /// List the languages of scripts, with what runs them here
    Isolates(Isolates),
    /// Print the JSON Schema of intents, for editors
    Schema,
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Look at this machine and say what works and what is missing
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at the settings
    #[command(subcommand)]
    Config(Config),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print all settings
    Show {
        /// Say where each value came from
        #[arg(long)]
        origin: bool,
    },
}

/// The params of an execution.
#[derive(Debug, Args)]
pub(crate) struct Params {
    /// One param; the value is JSON if it reads as JSON, else text
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// All params as a JSON or YAML file; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) params: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The intent; `-` is stdin
    #[arg(required_unless_present = "resume")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) params: Params,
    /// Print the whole execution as JSON instead of a table and the output
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on with an execution that was interrupted
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    pub(crate) resume: Option<String>,
    /// Longest time of the whole execution, such as 30s or 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The intents; `-` is stdin
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print the problems as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The intent; `-` is stdin
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port; port 0 picks a free one [default: 127.0.0.1:8888]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// Listen on a public address without a token
    #[arg(long)]
    pub(crate) insecure_no_auth: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Atoms {
    /// The atom to explain
    pub(crate) name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Isolates {
    /// Measure each one: its first script, those that follow, and their memory
    #[arg(long)]
    pub(crate) measure: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the server is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// The server
    #[arg(long, value_name = "URL", env = "JALM_SERVER", default_value = "http://127.0.0.1:8888")]
    pub(crate) server: String,
    /// Its bearer token
    #[arg(long, value_name = "TOKEN", env = "JALM_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Exec {
    /// Submit an intent
    Submit {
        /// The intent; `-` is stdin
        file: PathBuf,
        #[command(flatten)]
        params: Params,
        /// Wait for the end, at most this long, such as 30s
        #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "60s")]
        wait: Option<String>,
        /// The same key gives the same execution
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Show an execution
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// List executions, newest first
    List {
        /// Only this state
        #[arg(long)]
        status: Option<String>,
        /// Only this intent
        #[arg(long)]
        intent: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Follow an execution's events to its end
    Watch {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Stop an execution
    Cancel {
        /// Its id
        id: String,
        /// Why, for those who look later
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        server: Server,
    },
}
