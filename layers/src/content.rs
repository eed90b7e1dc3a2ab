//! What a step is given to work on, and how it gives it back: text, bytes as base64, or JSON.

use crate::input::{ByteSize, bad};
use crate::parse::Fault;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Bytes, or text that is known to be text.
#[derive(Debug)]
pub(crate) enum Given {
    Text(String),
    Bytes(Vec<u8>),
}

impl Given {
    /// Of `text` and `base64` exactly one, of at most `most` bytes.
    pub(crate) fn one(
        atom: &str,
        text: Option<String>,
        base64: Option<String>,
        most: ByteSize,
    ) -> Result<Self, Failure> {
        let given = match (text, base64) {
            (Some(text), None) => Self::Text(text),
            (None, Some(encoded)) => Self::Bytes(decode(atom, "base64", &encoded)?),
            (Some(_), Some(_)) => {
                return Err(
                    bad(atom, "base64", "`text` is given too".to_owned()).hint("leave one out")
                );
            }
            (None, None) => {
                return Err(bad(atom, "text", "it is required and is missing".to_owned())
                    .hint("add `text`, or `base64` for bytes"));
            }
        };
        given.bounded(atom, most)
    }

    /// Of `text`, `base64` and `json` exactly one, of at most `most` bytes.
    pub(crate) fn one_of_three(
        atom: &str,
        (text, base64, json): (Option<String>, Option<String>, Option<Value>),
        most: ByteSize,
    ) -> Result<Self, Failure> {
        let Some(value) = json else { return Self::one(atom, text, base64, most) };
        if text.is_some() || base64.is_some() {
            return Err(bad(atom, "json", "`text` or `base64` is given too".to_owned())
                .hint("leave one out"));
        }
        Self::Bytes(serde_json::to_vec(&value).map_err(Failure::bug)?).bounded(atom, most)
    }

    fn bounded(self, atom: &str, most: ByteSize) -> Result<Self, Failure> {
        let length = self.len();
        if length > most.len() {
            return Err(Failure::permanent(
                "input_too_large",
                format!("`{atom}` was given {length} bytes, more than {most}"),
            )
            .hint("raise `max_bytes`, or work on smaller parts"));
        }
        Ok(self)
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// As text; `encoding` counts for bytes only, since text has been decoded already.
    pub(crate) fn into_text(self, encoding: Option<&str>, xml: bool) -> Result<String, Failure> {
        match self {
            Self::Text(mut text) => {
                if text.starts_with('\u{feff}') {
                    text.drain(..'\u{feff}'.len_utf8());
                }
                Ok(text)
            }
            Self::Bytes(bytes) => {
                crate::parse::encoding::decode(&bytes, encoding, xml).map_err(Failure::from)
            }
        }
    }
}

/// What bytes are given back as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Text when the bytes are UTF-8, else base64.
    #[default]
    Auto,
    /// UTF-8 text; other bytes are a failure.
    Text,
    /// Any bytes, as base64.
    Base64,
    /// JSON, parsed.
    Json,
}

/// Bytes in the form that was asked for; exactly one is there.
#[derive(Debug, Default)]
pub(crate) struct Formed {
    pub(crate) text: Option<String>,
    pub(crate) base64: Option<String>,
    pub(crate) json: Option<Value>,
}

impl Form {
    /// Gives `bytes` in this form. `what` names them in the failure.
    pub(crate) fn of(self, what: &str, bytes: Vec<u8>) -> Result<Formed, Failure> {
        let mut formed = Formed::default();
        match self {
            Self::Base64 => formed.base64 = Some(STANDARD.encode(bytes)),
            Self::Json => {
                formed.json = Some(serde_json::from_slice(&bytes).map_err(|error| {
                    // serde's words may quote the content, which may be secret.
                    let (line, column) = (error.line(), error.column());
                    Failure::permanent(
                        "not_json",
                        format!("{what} is not JSON (line {line}, column {column})"),
                    )
                    .hint("write `as: text` or leave `as` out")
                })?);
            }
            Self::Text | Self::Auto => match String::from_utf8(bytes) {
                Ok(text) => formed.text = Some(text),
                Err(error) if self == Self::Auto => {
                    formed.base64 = Some(STANDARD.encode(error.as_bytes()));
                }
                Err(_) => {
                    return Err(Failure::permanent(
                        "not_text",
                        format!("{what} is not UTF-8 text"),
                    )
                    .hint("write `as: base64` or leave `as` out"));
                }
            },
        }
        Ok(formed)
    }
}

/// Both alphabets, with and without padding, with line breaks.
pub(crate) fn decode(atom: &str, field: &str, encoded: &str) -> Result<Vec<u8>, Failure> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let plain: String = encoded
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    GeneralPurpose::new(&alphabet::STANDARD, config).decode(plain).map_err(|error| {
        let what = match error {
            base64::DecodeError::InvalidByte(at, _) => format!(" (character {})", at + 1),
            base64::DecodeError::InvalidLength(_)
            | base64::DecodeError::InvalidPadding
            | base64::DecodeError::InvalidLastSymbol { .. } => {
                " (it is cut off or damaged)".to_owned()
            }
        };
        bad(atom, field, format!("it is not base64{what}"))
            .hint("encode the bytes as base64; plain text goes into `text`")
    })
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let Fault { code, message, hint, line, column, record } = fault;
        let place = match (line, column) {
            (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
            _ => String::new(),
        };
        let detail: serde_json::Map<String, Value> =
            [("line", line), ("column", column), ("record", record)]
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), json!(value?))))
                .collect();
        let failure = Self::permanent(code, format!("{message}{place}")).hint(hint);
        if detail.is_empty() { failure } else { failure.detail(Value::Object(detail)) }
    }
}
