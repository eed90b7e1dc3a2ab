//! One script in one process.

use super::NODE;
use super::enter::Settings;
use super::flavour::Flavour;
use super::program::Program;
use crate::api::{Limits, Options, Refused, USUAL_DISK, Verdict};
use crate::native::ahead::Ahead;
use crate::native::child::unavailable;
use crate::native::in_force;
use crate::network::{Egress, beside};
use crate::sandbox::program::Own;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

const MIB: u64 = 1024 * 1024;

/// Less than this, and they do not start.
const LEAST_MEMORY: u64 = 32 * MIB;

/// A script as `child.js` reads it.
#[derive(Deserialize)]
pub(crate) struct Code {
    pub(crate) text: String,
    pub(crate) strict: bool,
    /// For each of some places in the text, the author's: line and column of both, from 0.
    pub(crate) places: Value,
}

impl Code {
    /// What the worker made of TypeScript.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

/// Scripts on one of the runtimes that the host has.
#[derive(Debug)]
struct One {
    flavour: Flavour,
    /// What the host has; asked once.
    program: OnceCell<Result<Program, String>>,
    ahead: Ahead,
    /// Processes that see packages are not started before it is known which; these keep apart from
    /// those that wait.
    special: Ahead,
}

/// Scripts on Node, Deno and Bun.
#[derive(Debug)]
pub(crate) struct Node([One; 3]);

impl Default for Node {
    fn default() -> Self {
        Self(Flavour::ALL.map(|flavour| One {
            flavour,
            program: OnceCell::new(),
            ahead: Ahead::new(NODE),
            special: Ahead::new(NODE),
        }))
    }
}

impl Node {
    /// Runs a script, with its packages; dropping the future kills it.
    pub(crate) async fn run(
        &self,
        options: &Options,
        (flavour, code, packages): (Flavour, &Code, Option<PathBuf>),
        variables: &Map<String, Value>,
        limits: &Limits,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<Verdict, Refused> {
        let [node, deno, bun] = &self.0;
        let one = match flavour {
            Flavour::Node => node,
            Flavour::Deno => deno,
            Flavour::Bun => bun,
        };
        one.run(options, code, variables, packages, limits, egress).await
    }

    /// Ends those that wait.
    pub(crate) async fn shutdown(&self) {
        for one in &self.0 {
            one.ahead.shutdown().await;
            one.special.shutdown().await;
        }
    }
}

impl One {
    async fn run(
        &self,
        options: &Options,
        code: &Code,
        variables: &Map<String, Value>,
        packages: Option<PathBuf>,
        limits: &Limits,
        egress: Option<&Arc<dyn Egress>>,
    ) -> Result<Verdict, Refused> {
        let flavour = self.flavour;
        let program = self.program.get_or_init(|| find(flavour, options)).await.clone();
        let language = flavour.runtime().name();
        let program = program.map_err(|why| Refused::NoInterpreter { language, why })?;
        // In whole MiB, as they count.
        let memory = limits.memory.clamp(LEAST_MEMORY, u64::MAX - MIB).next_multiple_of(MIB);
        let (ahead, most) = match &packages {
            _ if limits.disk != USUAL_DISK => (&self.special, 0),
            Some(_) => (&self.special, 0),
            None => (&self.ahead, options.node_ahead),
        };
        let settings = |network| {
            let own = Own { network, disk: limits.disk };
            let (program, packages) = (program.clone(), packages.clone());
            serde_json::to_string(&Settings { flavour, program, memory, packages, own })
                .map_err(|error| unavailable(&error.to_string()))
        };
        let usual = settings(false)?;
        let (mut child, strength) = match egress {
            None => ahead.take(options, &usual, most).await?,
            Some(_) => ahead.alone_online(options, &usual, &settings(true)?).await?,
        };
        let (socket, way) = child.ready(egress).await?;
        let job = json!({
            "source": code.text,
            "strict": code.strict,
            "places": code.places,
            "variables": variables,
        });
        let isolation = in_force(strength, way.is_some());
        beside(way, child.run(socket, &job.to_string(), limits, isolation)).await
    }
}

async fn find(flavour: Flavour, options: &Options) -> Result<Program, String> {
    let (name, search) = (flavour.program(options).to_owned(), std::env::var_os("PATH"));
    tokio::task::spawn_blocking(move || Program::find(flavour, &name, search.as_deref()))
        .await
        .unwrap_or_else(|error| Err(error.to_string()))
}
