//! Where Node, Deno and Bun differ, as far as it concerns how they are found and started.

use crate::api::Options;
use crate::languages::Runtime;
use serde::{Deserialize, Serialize};
use std::path::Path;

const MIB: u64 = 1024 * 1024;

/// A runtime of JavaScript that the host may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Flavour {
    Node,
    Deno,
    Bun,
}

impl Flavour {
    pub(crate) const ALL: [Self; 3] = [Self::Node, Self::Deno, Self::Bun];

    /// The flavour that is asked for by this runtime.
    pub(crate) fn of(runtime: Runtime) -> Option<Self> {
        Self::ALL.into_iter().find(|flavour| flavour.runtime() == runtime)
    }

    pub(crate) fn runtime(self) -> Runtime {
        match self {
            Self::Node => Runtime::Node,
            Self::Deno => Runtime::Deno,
            Self::Bun => Runtime::Bun,
        }
    }

    /// As its makers write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Deno => "Deno",
            Self::Bun => "Bun",
        }
    }

    /// Its program, by name or path.
    pub(super) fn program(self, options: &Options) -> &Path {
        match self {
            Self::Node => &options.node,
            Self::Deno => &options.deno,
            Self::Bun => &options.bun,
        }
    }

    /// Older ones lack what `child.js` uses.
    pub(super) fn oldest(self) -> u32 {
        match self {
            Self::Node => 18,
            Self::Deno => 2,
            Self::Bun => 1,
        }
    }

    /// What makes it print its version, and before which words.
    pub(super) fn question(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Node => (&["-p", "process.versions.node"], ""),
            Self::Deno => (&["--version"], "deno "),
            Self::Bun => (&["--version"], ""),
        }
    }

    /// Memory that it takes itself, threads included, before a script has any.
    pub(super) fn base(self) -> u64 {
        match self {
            Self::Node => 64 * MIB,
            // Its code has a place of 512 MiB, which counts and is hardly touched.
            Self::Deno => 528 * MIB,
            // Most of it is reserved, and never touched.
            Self::Bun => 208 * MIB,
        }
    }

    /// The command line, with the code to run as its end; `memory` is the script's.
    pub(super) fn arguments(self, memory: u64) -> Vec<String> {
        let memory = memory / MIB;
        let all: &[&str] = match self {
            Self::Node => &[
                "node",
                &format!("--max-old-space-size={memory}"),
                // One more thread for compiling and for garbage.
                "--v8-pool-size=1",
                "--no-addons",
                "--no-warnings",
                // There is no configuration to be read, and in strength B none that may be.
                "--openssl-config=/dev/null",
                "-e",
            ],
            Self::Deno => &[
                "deno",
                "eval",
                &format!("--v8-flags=--max-old-space-size={memory},--single-threaded-gc"),
                "--no-config",
                "--no-lock",
                "--no-remote",
                "--no-npm",
                "--ext=cjs",
            ],
            Self::Bun => &["bun", "--no-install", "-e"],
        };
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    /// The environment. Scripts do not see it: `child.js` takes it away.
    pub(super) fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Node => {
                &["TZ=UTC", "UV_THREADPOOL_SIZE=2", "UV_USE_IO_URING=0", "LC_ALL=C.UTF-8"]
            }
            Self::Deno => &[
                "TZ=UTC",
                "LC_ALL=C.UTF-8",
                "NO_COLOR=1",
                "DENO_NO_PROMPT=1",
                "DENO_NO_UPDATE_CHECK=1",
                // Nothing is kept: it does not mind that there can be no such folder.
                "DENO_DIR=/dev/null/deno",
                "HOME=/nonexistent",
            ],
            Self::Bun => &[
                "TZ=UTC",
                "LC_ALL=C.UTF-8",
                "NO_COLOR=1",
                "DO_NOT_TRACK=1",
                "BUN_RUNTIME_TRANSPILER_CACHE_PATH=0",
                // What it reserves counts as taken, so it must not reserve gigabytes.
                "BUN_JSC_structureHeapSizeInKB=65536",
                "BUN_JSC_jitMemoryReservationSize=33554432",
                "MIMALLOC_ARENA_RESERVE=32768",
                "HOME=/nonexistent",
            ],
        }
    }

    /// Figures of its own process without which it does not start.
    pub(super) fn figures(self) -> &'static [&'static str] {
        match self {
            Self::Node | Self::Deno => &[],
            Self::Bun => &["/proc/self/maps", "/proc/self/statm"],
        }
    }

    /// Whether its socket must be its standard input and output.
    pub(super) fn speaks_on_standard(self) -> bool {
        self == Self::Deno
    }
}
