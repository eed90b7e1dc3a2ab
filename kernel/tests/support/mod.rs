//! A catalogue of made-up atoms and a world that answers their calls.

#[allow(dead_code, reason = "not every test file has such entries")]
pub(crate) mod entries;

#[allow(dead_code, reason = "not every test file writes intents")]
pub(crate) mod intents;

use jalm_kernel::atom::{AtomSpec, Catalog, Effect, Layer, RetrySafety};
use serde_json::json;

/// `pure`, `look`, `act`, `act_once`: one atom for each promise. Their input is free.
pub(crate) struct Atoms(Vec<AtomSpec>);

impl Atoms {
    pub(crate) fn new() -> Self {
        let atom = |name, layer, effect, effect_of, retry| AtomSpec {
            name,
            layer,
            summary: "made up for tests",
            effect,
            effect_of,
            online: (name == "pure").then_some(|_| Effect::Write),
            retry,
            verbatim: &["script"],
            input_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": { "x": {}, "n": { "type": "integer" }, "script": { "type": "string" } },
            }),
            output_schema: json!({}),
            check_literal: |_, _| Ok(()),
        };
        Self(vec![
            atom("pure", Layer::ComputeScript, Effect::None, |_| Effect::None, RetrySafety::Safe),
            atom("look", Layer::IoHttp, Effect::Read, |_| Effect::Read, RetrySafety::Safe),
            atom("act", Layer::IoDb, Effect::Write, |_| Effect::Write, RetrySafety::WithKey),
            atom("act_once", Layer::NotifyMq, Effect::Write, |_| Effect::Write, RetrySafety::Never),
            atom("exec_http", Layer::IoHttp, Effect::Read, |_| Effect::Read, RetrySafety::Safe),
        ])
    }
}

impl Catalog for Atoms {
    fn atom(&self, name: &str) -> Option<&AtomSpec> {
        self.0.iter().find(|atom| atom.name == name)
    }
    fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|atom| atom.name).collect()
    }
}

/// A small generator of chance (xorshift64*): a seed gives the same run on every machine.
#[allow(dead_code, reason = "not every test file takes chances")]
pub(crate) struct Chance(u64);

#[allow(dead_code, reason = "not every test file takes chances")]
impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }
}

#[allow(dead_code, reason = "not every test file takes chances")]
/// A hash of text and numbers, for answers that depend on nothing else (FNV-1a).
pub(crate) fn hash(parts: &[&str]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}
