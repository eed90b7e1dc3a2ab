//! Finding the strongest sandbox that the host gives, by building it.

use super::process::twice;
use super::worker::Worker;
use crate::api::{Layer, Report, Strength};
use std::path::Path;
use std::sync::Arc;

/// From strong to weak.
const STRENGTHS: [Strength; 3] = [Strength::A, Strength::B, Strength::C];

/// A worker in the strongest sandbox that can be built, at most of strength `maximum`, and what
/// was found on the way. It keeps so many children ahead. Blocks for a few milliseconds.
pub(super) fn strongest(
    exe: &Path,
    maximum: Strength,
    ahead: usize,
) -> (Option<Arc<Worker>>, Report) {
    let mut failures: Vec<(String, String)> = Vec::new();
    for strength in STRENGTHS.into_iter().filter(|strength| *strength <= maximum) {
        match twice(|| Worker::start(exe, strength, ahead)) {
            Ok((worker, mut report)) => {
                explain(&mut report, &failures);
                return (Some(worker), report);
            }
            Err((layer, why)) => {
                tracing::info!(
                    strength = strength.name(),
                    layer,
                    why,
                    "a sandbox of this strength cannot be built"
                );
                failures.push((layer, why));
            }
        }
    }
    let layers =
        failures.into_iter().map(|(name, detail)| Layer { name, works: false, detail }).collect();
    (None, Report { strength: None, layers })
}

/// Says of each layer that is not in force why it could not be had.
fn explain(report: &mut Report, failures: &[(String, String)]) {
    for layer in report.layers.iter_mut().filter(|layer| !layer.works) {
        if let Some((_, why)) = failures.iter().find(|(name, _)| *name == layer.name) {
            layer.detail.clone_from(why);
        }
    }
}
