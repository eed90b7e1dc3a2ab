//! `compress_data`: fewer bytes for the same data.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::compression::{Algorithm, compress};
use crate::content::Given;
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Compresses.
pub(crate) struct CompressData;

/// The data, and how it is compressed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Text to compress. Either it, `base64` or `json`.
    text: Option<String>,
    /// Bytes to compress, as base64.
    base64: Option<String>,
    /// A value to compress as JSON.
    json: Option<Value>,
    /// The format.
    #[serde(default)]
    algorithm: Algorithm,
    /// How hard to try: 1–22 for zstd (3 unless told otherwise), 0–9 for gzip, deflate and zlib (6),
    /// 0–11 for brotli (5).
    level: Option<u32>,
    /// More data is refused. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// The compressed data.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The compressed bytes, as base64.
    base64: String,
    /// The format.
    algorithm: Algorithm,
    /// The length of the compressed bytes.
    bytes: usize,
    /// The length of the data.
    original_bytes: usize,
}

impl Atom for CompressData {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "compress_data",
        layer: Layer::ComputeScript,
        summary: "Compresses data with zstd, gzip, brotli, deflate or zlib.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::Medium,
        blocker: Blocker::None,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "A report, small enough to send",
                setup: vec![],
                input: json!({ "text": "la la la la la la la la la la la la la la la la", "algorithm": "gzip" }),
                expect: json!({ "algorithm": "gzip", "original_bytes": 47 }),
            },
            Example {
                title: "A value, as hard as it gets",
                setup: vec![],
                input: json!({ "json": { "rows": [1, 2, 3] }, "algorithm": "zstd", "level": 19 }),
                expect: json!({ "algorithm": "zstd", "original_bytes": 16 }),
            },
        ]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let Input { text, base64, json, algorithm, level, max_bytes } = input;
        let given = Given::one_of_three(Self::CARD.name, (text, base64, json), max_bytes)?;
        let (lowest, usual, highest) = algorithm.levels();
        let level = level.unwrap_or(usual);
        if !(lowest..=highest).contains(&level) {
            return Err(bad(
                Self::CARD.name,
                "level",
                format!("{level} is no level of {}", algorithm.name()),
            )
            .hint(format!("write {lowest} to {highest}, or leave it out for {usual}")));
        }
        // The hardest levels take their time over little data, too.
        let size = given.len().saturating_mul(if level > usual { 16 } else { 1 });
        blocking::compute(size, move || {
            let original = given.into_bytes();
            let compressed = compress(algorithm, level, &original).map_err(Failure::bug)?;
            Ok(Output {
                bytes: compressed.len(),
                base64: STANDARD.encode(compressed),
                algorithm,
                original_bytes: original.len(),
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "compress_data",
                &[
                    (json!({}), "`text`", "`base64`"),
                    (json!({ "text": 1 }), "`text`", "`text`: "),
                    (json!({ "text": "a", "json": 1 }), "`json`", "leave one out"),
                    (json!({ "text": "a", "base64": "YQ==" }), "`base64`", "leave one out"),
                    (json!({ "base64": "a" }), "cut off", "encode"),
                    (json!({ "text": "a", "algorithm": "lzma" }), "`lzma`", "write one of"),
                    (
                        json!({ "text": "a", "algorithm": "brotli", "level": 12 }),
                        "`level`",
                        "write 0 to 11",
                    ),
                    (json!({ "text": "a", "level": 0 }), "`level`", "write 1 to 22"),
                    (json!({ "text": "abc", "max_bytes": 2 }), "more than 2 bytes", "`max_bytes`"),
                ],
            )
            .await;
    }
}
