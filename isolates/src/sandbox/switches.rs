//! Switching layers off, for the conformance suite: a test that cannot fail proves nothing.
//!
//! Only with the feature `testkit`, and only where the executable's own name asks for it:
//! `isolate-worker+without-seccomp+without-landlock`. What is shipped has no switches.

/// The layers that can be switched off.
pub(crate) const LAYERS: [&str; 9] = [
    "namespaces",
    "capabilities",
    "landlock",
    "seccomp",
    "limits",
    "dumpable",
    "descriptors",
    "watchdog",
    "interrupt",
];

/// Whether the suite wants to see what happens without this layer.
#[cfg(feature = "testkit")]
pub(crate) fn off(layer: &str) -> bool {
    debug_assert!(LAYERS.contains(&layer), "{layer}");
    let exe = std::env::args().next().unwrap_or_default();
    let name = exe.rsplit('/').next().unwrap_or_default();
    name.split('+').any(|part| part.strip_prefix("without-") == Some(layer))
}

/// Every layer is always on.
#[cfg(not(feature = "testkit"))]
pub(crate) const fn off(_layer: &str) -> bool {
    false
}
