//! `decompress_data`: the data that was compressed, and never more of it than was allowed.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::compression::{Algorithm, Broken, decompress, detect};
use crate::content::{Form, Formed, decode};
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Decompresses.
pub(crate) struct DecompressData;

/// The compressed data.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The compressed bytes, as base64.
    base64: String,
    /// The format. Left out: zstd, gzip and zlib are told by their first bytes.
    algorithm: Option<Algorithm>,
    /// What the data is given as.
    #[serde(default, rename = "as")]
    form: Form,
    /// Data that grows beyond this is refused while it grows. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// The data. Of `text`, `base64` and `json` the one is there that `as` says.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The data, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The data, as base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// The data, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// The format.
    algorithm: Algorithm,
    /// The length of the data.
    bytes: usize,
}

impl Atom for DecompressData {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "decompress_data",
        layer: Layer::ComputeScript,
        summary: "Decompresses data, within bounds.",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::Medium,
        blocker: Blocker::None,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "What gzip made",
            setup: vec![],
            input: json!({ "base64": "H4sIAAAAAAAA/8tIzcnJVyjPL8pJAQCFEUoNCwAAAA==" }),
            expect: json!({ "text": "hello world", "algorithm": "gzip", "bytes": 11 }),
        }]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let Input { base64, algorithm, form, max_bytes } = input;
        let compressed = decode(Self::CARD.name, "base64", &base64)?;
        let Some(algorithm) = algorithm.or_else(|| detect(&compressed)) else {
            return Err(bad(Self::CARD.name, "algorithm", "the first bytes do not tell it".to_owned())
                .hint("write `algorithm: brotli` or `algorithm: deflate`, or check that the data is compressed"));
        };
        // How much it will be is not known before; a thread costs less than a blocked loop.
        blocking::run(move |_| {
            let data = decompress(algorithm, &compressed, max_bytes.len())
                .map_err(|broken| failure(algorithm, &broken, max_bytes))?;
            let bytes = data.len();
            let Formed { text, base64, json } = form.of("the data", data)?;
            Ok(Output { text, base64, json, algorithm, bytes })
        })
        .await
    }
}

fn failure(algorithm: Algorithm, broken: &Broken, most: ByteSize) -> Failure {
    let name = algorithm.name();
    match broken {
        Broken::TooLarge => {
            Failure::permanent("output_too_large", format!("the data grows to more than {most}"))
                .hint("raise `max_bytes` if the data is to be trusted")
        }
        Broken::CutOff => {
            Failure::permanent("not_compressed", format!("the {name} data is cut off"))
                .hint("get it anew; a part of it is missing")
        }
        Broken::Trailing => {
            Failure::permanent("not_compressed", format!("something follows the {name} data"))
                .hint("remove what does not belong to it")
        }
        Broken::Damaged(why) => Failure::permanent(
            "not_compressed",
            format!("this is not {name} data, or it is damaged: {why}"),
        )
        .hint("check `algorithm`; get the data anew"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused() {
        let gzip = "H4sIAAAAAAAA/8tIzcnJVyjPL8pJAQCFEUoNCwAAAA==";
        World::new()
            .refuses(
                "decompress_data",
                &[
                    (json!({}), "`base64`", "add `base64`"),
                    (json!({ "base64": 1 }), "`base64`", "`base64`: "),
                    (json!({ "base64": "hello world" }), "not base64", "encode"),
                    (json!({ "base64": "aGVsbG8=" }), "`algorithm`", "`algorithm: brotli`"),
                    (
                        json!({ "base64": "aGVsbG8gd29ybGQsIGhlbGxv", "algorithm": "gzip" }),
                        "not gzip data",
                        "`algorithm`",
                    ),
                    (
                        json!({ "base64": "aGVsbG8gd29ybGQsIGhlbGxv", "algorithm": "zstd" }),
                        "not zstd data",
                        "`algorithm`",
                    ),
                    (json!({ "base64": gzip, "algorithm": "rar" }), "`rar`", "write one of"),
                    (
                        json!({ "base64": gzip, "max_bytes": 10 }),
                        "more than 10 bytes",
                        "`max_bytes`",
                    ),
                    (json!({ "base64": gzip, "as": "json" }), "not JSON", "`as: text`"),
                    (json!({ "base64": &gzip[..32] }), "cut off", "anew"),
                ],
            )
            .await;
    }
}
