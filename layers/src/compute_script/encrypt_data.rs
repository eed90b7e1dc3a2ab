//! `encrypt_data`: data that only somebody with the key can read.
//!
//! Its effect is none although it answers differently each time: the answer is recorded.

use crate::age::{self, Recipient, To};
use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::blocking;
use crate::content::Given;
use crate::context::Cx;
use crate::input::{ByteSize, bad};
use crate::sealing::{Method, STRETCHING, associated, key, seal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Encrypts.
pub(crate) struct EncryptData;

/// The data, and for whom: exactly one of `recipients`, `passphrase` and `key`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Text to encrypt. Either it, `base64` or `json`.
    text: Option<String>,
    /// Bytes to encrypt, as base64.
    base64: Option<String>,
    /// A value to encrypt as JSON.
    json: Option<Value>,
    /// Public keys of those who may read: `age1…`. The result is an age file.
    recipients: Option<Vec<String>>,
    /// A passphrase, best `{{ secrets.NAME }}`. The result is an age file.
    passphrase: Option<String>,
    /// How costly guessing the passphrase is, and using it: 2^n KiB of memory. 16 unless told
    /// otherwise; at most 18.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 10, max = 18))]
    work_factor: u8,
    /// A key of 32 bytes as base64 or hex, best `{{ secrets.NAME }}`. The result is made with
    /// XChaCha20-Poly1305.
    key: Option<String>,
    /// What is not encrypted but must be the same when decrypting, with `key` only: text, or a value.
    aad: Option<Value>,
    /// Whether an age file is given in its text form; otherwise as base64.
    #[serde(default = "yes")]
    armor: bool,
    /// More data is refused. 16 MiB unless told otherwise.
    #[serde(default = "sixteen_mib")]
    max_bytes: ByteSize,
}

fn sixteen() -> u8 {
    16
}

fn yes() -> bool {
    true
}

fn sixteen_mib() -> ByteSize {
    ByteSize::mib(16)
}

/// The encrypted data.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// An age file in its text form, or base64. `decrypt_data` takes it as it is.
    encrypted: String,
    /// How it is encrypted.
    method: Method,
    /// The length of the data.
    bytes: usize,
}

/// With what.
enum With {
    Age(To),
    Key([u8; 32], Vec<u8>),
}

impl Atom for EncryptData {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "encrypt_data",
        layer: Layer::ComputeScript,
        summary: "Encrypts data for recipients, by a passphrase or with a key.",
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
                title: "For somebody whose public key is known",
                setup: vec![],
                input: json!({ "text": "the numbers", "recipients": ["age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef"] }),
                expect: json!({ "method": "age", "bytes": 11 }),
            },
            Example {
                title: "A value with a key, bound to its order",
                setup: vec![],
                input: json!({ "json": { "card": "4242" }, "key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "aad": "order-42" }),
                expect: json!({ "method": "xchacha20poly1305" }),
            },
        ]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let with = with(&input)?;
        let given = Given::one_of_three(
            Self::CARD.name,
            (input.text, input.base64, input.json),
            input.max_bytes,
        )?;
        let data = given.into_bytes();
        let bytes = data.len();
        match with {
            With::Key(key, aad) => {
                let sealed = blocking::compute(bytes, move || seal(&key, &data, &aad)).await?;
                Ok(Output {
                    encrypted: STANDARD.encode(sealed),
                    method: Method::XChaCha20Poly1305,
                    bytes,
                })
            }
            With::Age(to) => {
                let permit = match &to {
                    To::Passphrase(..) => Some(STRETCHING.acquire().await.map_err(Failure::bug)?),
                    To::Recipients(_) => None,
                };
                let file = blocking::run(move |_| {
                    // Held by the work itself, which goes on when the call is aborted.
                    let _permit = permit;
                    age::encrypt(&data, &to).map_err(Failure::bug)
                })
                .await?;
                let encrypted =
                    if input.armor { age::armored(&file) } else { STANDARD.encode(file) };
                Ok(Output { encrypted, method: Method::Age, bytes })
            }
        }
    }
}

fn with(input: &Input) -> Result<With, Failure> {
    let refuse = |path: &str, what: &str, hint: &str| {
        Err(bad(EncryptData::CARD.name, path, what.to_owned()).hint(hint))
    };
    let one = "give exactly one of `recipients`, `passphrase` and `key`";
    if input.aad.is_some() && input.key.is_none() {
        return refuse("aad", "age has no associated data", "use `key`, or put it into the data");
    }
    match (&input.recipients, &input.passphrase, &input.key) {
        (Some(recipients), None, None) => {
            if recipients.is_empty() {
                return refuse("recipients", "there is none", "name at least one `age1…`");
            }
            let mut parsed = Vec::new();
            for (place, text) in recipients.iter().enumerate() {
                let Some(recipient) = Recipient::parse(text) else {
                    return refuse(
                        &format!("recipients[{place}]"),
                        "it is not a public key of age",
                        "it looks like `age1…` and is shown by `age-keygen -y`; other kinds of keys are not supported",
                    );
                };
                parsed.push(recipient);
            }
            Ok(With::Age(To::Recipients(parsed)))
        }
        (None, Some(passphrase), None) => {
            if passphrase.is_empty() {
                return refuse("passphrase", "it is empty", "is the secret set?");
            }
            if !(10..=18).contains(&input.work_factor) {
                return refuse("work_factor", "it is not between 10 and 18", "leave it out for 16");
            }
            Ok(With::Age(To::Passphrase(passphrase.clone(), input.work_factor)))
        }
        (None, None, Some(text)) => {
            Ok(With::Key(key(EncryptData::CARD.name, text)?, associated(input.aad.as_ref())?))
        }
        (None, None, None) => refuse("key", "there is nothing to encrypt with", one),
        _ => refuse("key", "there is more than one thing to encrypt with", one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn bad_input_is_refused_and_no_secret_is_shown() {
        let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let world = World::new();
        let cases = [
            (json!({ "text": "a" }), "`key`", "exactly one"),
            (json!({ "text": "a", "key": key, "passphrase": "x" }), "more than one", "exactly one"),
            (json!({ "key": key }), "`text`", "`base64`"),
            (json!({ "text": 1, "key": key }), "`text`", "`text`: "),
            (json!({ "text": "a", "key": "hunter2-hunter2" }), "`key`", "openssl rand"),
            (json!({ "text": "a", "recipients": [] }), "`recipients`", "age1"),
            (
                json!({ "text": "a", "recipients": ["ssh-ed25519 AAAA"] }),
                "`recipients[0]`",
                "age-keygen",
            ),
            (json!({ "text": "a", "recipients": "age1" }), "`recipients`", "`recipients`: "),
            (json!({ "text": "a", "passphrase": "" }), "`passphrase`", "secret"),
            (
                json!({ "text": "a", "passphrase": "hunter2-hunter2", "work_factor": 30 }),
                "`work_factor`",
                "16",
            ),
            (json!({ "text": "a", "passphrase": "hunter2-hunter2", "aad": "x" }), "`aad`", "`key`"),
            (
                json!({ "text": "abc", "key": key, "max_bytes": 2 }),
                "more than 2 bytes",
                "`max_bytes`",
            ),
        ];
        world.refuses("encrypt_data", &cases).await;
        for (input, ..) in cases {
            let failure = format!("{:?}", world.run("encrypt_data", input).await.unwrap_err());
            assert!(!failure.contains("hunter2"), "{failure}");
        }
    }
}
