//! `decrypt_data`: what `encrypt_data` or the tool `age` encrypted.

use crate::age::{self, Broken, Identity, Keys};
use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::content::{Form, Formed, decode};
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use crate::sealing::{Method, STRETCHING, associated, key, open};
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Decrypts.
pub(crate) struct DecryptData;

/// The encrypted data, and the key: exactly one of `identities`, `passphrase` and `key`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// What was encrypted: an age file in its text form, or base64.
    encrypted: String,
    /// Private keys, tried one after the other: `AGE-SECRET-KEY-1…`, best `{{ secrets.NAME }}`.
    identities: Option<Vec<String>>,
    /// The passphrase of an age file, best `{{ secrets.NAME }}`.
    passphrase: Option<String>,
    /// The key of 32 bytes as base64 or hex, best `{{ secrets.NAME }}`.
    key: Option<String>,
    /// What was given as `aad` when encrypting.
    aad: Option<Value>,
    /// What the data is given as.
    #[serde(default, rename = "as")]
    form: Form,
    /// A passphrase that costs more than 2^n KiB of memory is refused. 18 unless told otherwise, and
    /// at most 20.
    #[serde(default = "eighteen")]
    #[schemars(range(max = 20))]
    max_work_factor: u8,
    /// More data is refused. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn eighteen() -> u8 {
    18
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
    /// How it was encrypted.
    method: Method,
    /// The length of the data.
    bytes: usize,
}

/// With what.
enum With {
    Age(Keys),
    Key([u8; 32], Vec<u8>),
}

impl Atom for DecryptData {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "decrypt_data",
        layer: Layer::ComputeScript,
        summary: "Decrypts data with a private key, a passphrase or a key.",
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
            title: "An age file",
            setup: vec![],
            input: json!({ "encrypted": EXAMPLE, "identities": [EXAMPLE_KEY] }),
            expect: json!({ "text": "test", "method": "age", "bytes": 4 }),
        }]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let with = with(&input)?;
        let armored = input.encrypted.trim_start().starts_with("-----BEGIN");
        let sealed = if armored {
            input.encrypted.clone().into_bytes()
        } else {
            decode(Self::CARD.name, "encrypted", &input.encrypted)?
        };
        // What surrounds the data is a few percent of it in the text form, and the header.
        if sealed.len() > input.max_bytes.len().saturating_mul(3) / 2 + 64 * 1024 {
            return Err(Failure::permanent(
                "input_too_large",
                format!("`encrypted` holds more than {}", input.max_bytes),
            )
            .hint("raise `max_bytes`, or work on smaller parts"));
        }
        let form = input.form;
        let (method, data) = match with {
            With::Key(key, aad) => {
                let data =
                    blocking::compute(sealed.len(), move || Ok(open(&key, &sealed, &aad))).await?;
                let data = data.ok_or_else(|| {
                    Failure::permanent("decrypt_failed", "the key or `aad` is not the one it was encrypted with, or the data was changed")
                        .hint("check `key` and `aad`, and that `encrypted` is whole")
                })?;
                (Method::XChaCha20Poly1305, data)
            }
            With::Age(keys) => {
                let permit = match keys.passphrase {
                    Some(_) => Some(STRETCHING.acquire().await.map_err(Failure::bug)?),
                    None => None,
                };
                let data = blocking::run(move |_| {
                    // Held by the work itself, which goes on when the call is aborted.
                    let _permit = permit;
                    age::decrypt(&sealed, &keys).map_err(|broken| failure(&broken))
                })
                .await?;
                (Method::Age, data)
            }
        };
        let bytes = data.len();
        let Formed { text, base64, json } = form.of("the decrypted data", data)?;
        Ok(Output { text, base64, json, method, bytes })
    }
}

fn failure(broken: &Broken) -> Failure {
    match broken {
        Broken::Malformed(why) => Failure::permanent("not_encrypted", format!("`encrypted` is not an age file that can be read: {why}"))
            .hint("give all of the file, from its first line to its last"),
        Broken::NoMatch => Failure::permanent("decrypt_failed", "no key that was given opens it")
            .hint("it is for other recipients, or by another passphrase"),
        Broken::OtherKind { passphrase: true } => {
            Failure::permanent("decrypt_failed", "it is encrypted by a passphrase").hint("give `passphrase` instead of `identities`")
        }
        Broken::OtherKind { passphrase: false } => {
            Failure::permanent("decrypt_failed", "it is encrypted for recipients").hint("give `identities` instead of `passphrase`")
        }
        Broken::TooCostly(work) => Failure::permanent("decrypt_failed", format!("its passphrase has the work factor {work}, more than is allowed"))
            .hint("raise `max_work_factor` if the file is to be trusted; each step doubles time and memory"),
        Broken::Changed => Failure::permanent("decrypt_failed", "it was changed or cut off after it was encrypted")
            .hint("get it anew from where it was made"),
    }
}

fn with(input: &Input) -> Result<With, Failure> {
    let refuse = |path: &str, what: &str, hint: &str| {
        Err(bad(DecryptData::CARD.name, path, what.to_owned()).hint(hint))
    };
    let one = "give exactly one of `identities`, `passphrase` and `key`";
    if input.aad.is_some() && input.key.is_none() {
        return refuse("aad", "age has no associated data", "leave it out, or use `key`");
    }
    if input.max_work_factor > 20 {
        return refuse(
            "max_work_factor",
            "it is more than 20, which takes 1 GiB",
            "write 20 or less",
        );
    }
    match (&input.identities, &input.passphrase, &input.key) {
        (Some(texts), None, None) => {
            let mut identities = Vec::new();
            for (place, text) in texts.iter().enumerate() {
                let Some(identity) = Identity::parse(text) else {
                    return refuse(
                        &format!("identities[{place}]"),
                        "it is not a private key of age",
                        "it looks like `AGE-SECRET-KEY-1…` and is made by `age-keygen`",
                    );
                };
                identities.push(identity);
            }
            if identities.is_empty() {
                return refuse(
                    "identities",
                    "there is none",
                    "name at least one `AGE-SECRET-KEY-1…`",
                );
            }
            Ok(With::Age(Keys { identities, passphrase: None, most_work: input.max_work_factor }))
        }
        (None, Some(passphrase), None) => Ok(With::Age(Keys {
            identities: Vec::new(),
            passphrase: Some(passphrase.clone()),
            most_work: input.max_work_factor,
        })),
        (None, None, Some(text)) => {
            Ok(With::Key(key(DecryptData::CARD.name, text)?, associated(input.aad.as_ref())?))
        }
        (None, None, None) => refuse("key", "there is nothing to decrypt with", one),
        _ => refuse("key", "there is more than one thing to decrypt with", one),
    }
}

/// Made with the Rust implementation of age (pyrage 1.x); the key is that of its published vectors.
const EXAMPLE_KEY: &str =
    "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0";
const EXAMPLE: &str = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBLVTcxM3FyQVR6YlEwR05q\nVmpVeUczZ3ljbFlteDU4N0xTY1JDRkpRU1JvCkY4S3VpODcwOUkrRk5CZzZSekhM\ndzN0cjJtUXpRMlRyY01vT25uWmE4K0kKLT4gYFUiMHA2Xy1ncmVhc2UgLl8KWWd5\nMitObWlBM1V2NXhVSE1uZVdQdXc4czkwaHQ0VDQ2MXQ5RlRpTytENzVmSGMKLS0t\nIDA0K09EcGJpN21KellnUmRqRHppdHp4dFdmQjRGcDRlZDh4c0t4b1d4YUUK4nm/\n7OG90FHLtSajHS/Fjjz9+5+v8ts07XdNNPWRQn2z3hyW\n-----END AGE ENCRYPTED FILE-----\n";

#[cfg(test)]
mod tests;
