//! Engines that the runner does not use yet, with what speaks for and against each.
//!
//! Facts about projects, not about this host: see `docs/isolation.md` for what is in use.

use serde_json::{Value, json};

struct Known {
    name: &'static str,
    kind: &'static str,
    licence: &'static str,
    good_for: &'static str,
    needs: &'static str,
    against: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        name: "gVisor (runsc)",
        kind: "container with a kernel of its own in user space",
        licence: "Apache-2.0",
        good_for: "whole images of strangers, without hardware virtualisation",
        needs: "the runsc binary and a container image",
        against: "every system call costs more; a start takes tens of milliseconds",
    },
    Known {
        name: "Kata Containers",
        kind: "container in a virtual machine",
        licence: "Apache-2.0",
        good_for: "hostile native code of many tenants",
        needs: "KVM, a guest kernel and an image",
        against: "a start takes hundreds of milliseconds, and memory for a guest",
    },
    Known {
        name: "Firecracker",
        kind: "micro virtual machine",
        licence: "Apache-2.0",
        good_for: "hostile native code, with snapshots in tens of milliseconds",
        needs: "KVM, a guest kernel and a root file system",
        against: "rarely to be had inside containers and on rented machines",
    },
    Known {
        name: "Pyodide",
        kind: "CPython in WebAssembly",
        licence: "MPL-2.0",
        good_for: "numpy and its like without native code",
        needs: "a JavaScript engine with WebAssembly",
        against: "a start takes a second, and tens of megabytes",
    },
];

pub(super) fn engines() -> Value {
    let all = KNOWN.iter().map(|known| {
        let Known { name, kind, licence, good_for, needs, against } = known;
        json!({
            "name": name, "kind": kind, "licence": licence, "good_for": good_for, "needs": needs,
            "against": against,
        })
    });
    all.collect()
}
