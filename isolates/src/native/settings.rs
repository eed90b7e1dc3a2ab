//! What a zygote is told: by the server to the worker, and by the worker to the interpreter.

use super::interpreter::Interpreter;
use crate::api::{Strength, USUAL_DISK};
use crate::sandbox::{self, Profile};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;

const MIB: u64 = 1024 * 1024;

/// A script's own folder, in bytes and files.
const TMP_BYTES: u64 = USUAL_DISK;
const TMP_FILES: u64 = 4096;

/// Printed text that a child sends at most, in bytes.
const MAX_PRINTED: u64 = MIB;

/// From the server, as JSON in the worker's arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) interpreter: Interpreter,
    /// The folder of all environments of packages; a child that has one sees that one only.
    pub(crate) packages: Option<PathBuf>,
    /// Without the modules that scripts import.
    pub(crate) lean: bool,
}

impl Settings {
    /// For `zygote.py`. `statm` is a descriptor on the process' own memory figures.
    pub(super) fn for_zygote(&self, strength: Strength, statm: Option<i32>) -> Value {
        let full = strength >= Strength::A;
        let text = |paths: Vec<PathBuf>| -> Vec<String> {
            paths.into_iter().filter_map(|path| path.into_os_string().into_string().ok()).collect()
        };
        // A script that may write anywhere writes into its own folder only, so the size of a file
        // is bounded by that of the folder.
        let file_size = if full { TMP_BYTES } else { 0 };
        let packages = self.packages.as_ref();
        let packages = packages.map(|folder| sandbox::packages_seen(strength, folder));
        json!({
            "packages": packages,
            "path": text(self.interpreter.path.clone()),
            "readable": text(self.interpreter.readable()),
            "lean": self.lean,
            "own_folder": full,
            "tmp_bytes": TMP_BYTES,
            "tmp_files": TMP_FILES,
            "max_printed": MAX_PRINTED,
            "seccomp": hex(&sandbox::filter(Profile::Native)),
            "seccomp_online": hex(&sandbox::filter(Profile::NativeOnline)),
            "certificates": sandbox::network::CERTIFICATES,
            "landlock_fs_bits": 16,
            "statm": statm,
            "rlimits": [
                [libc::RLIMIT_CORE, 0],
                [libc::RLIMIT_FSIZE, file_size],
                [libc::RLIMIT_NOFILE, 256],
                [libc::RLIMIT_NPROC, 256],
                [libc::RLIMIT_MSGQUEUE, 0],
                [libc::RLIMIT_MEMLOCK, 0],
            ],
            "off": sandbox::LAYERS.iter().filter(|layer| sandbox::off(layer)).collect::<Vec<_>>(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
