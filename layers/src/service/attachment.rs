//! Files that go with a message.

use crate::context::Cx;
use crate::files::RelPath;
use crate::input::{ByteSize, bad};
use crate::net::Part;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::Deserialize;

/// A file: exactly one of `file`, `text` and `base64`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attachment {
    /// A file's path from the file root. Needs a grant to read it.
    file: Option<RelPath>,
    /// The content as text.
    text: Option<String>,
    /// The content as base64, for bytes.
    base64: Option<String>,
    /// The name that is shown. Left out: that of `file`; required otherwise.
    filename: Option<String>,
    /// The media type. Left out: `application/octet-stream`.
    content_type: Option<String>,
}

/// A file that was read.
pub(crate) struct Attached {
    pub(crate) filename: String,
    pub(crate) content_type: String,
    pub(crate) base64: String,
    pub(crate) bytes: usize,
}

impl Attachment {
    /// Reads it; larger than `most` is refused.
    pub(crate) async fn read(
        self,
        cx: &Cx,
        atom: &str,
        at: &str,
        most: ByteSize,
    ) -> Result<Attached, Failure> {
        let Self { file, text, base64, filename, content_type } = self;
        let name = filename.or_else(|| {
            file.as_ref().and_then(|path| path.as_str().rsplit('/').next().map(str::to_owned))
        });
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            bad(atom, &format!("{at}.filename"), "it is required and is missing".to_owned())
                .hint("add `filename`: the name that is shown")
        })?;
        let content = match (file, text, base64) {
            (Some(path), None, None) => cx.shared.files.read(cx.access()?, path, most).await?,
            (None, Some(text), None) => text.into_bytes(),
            (None, None, Some(text)) => STANDARD.decode(text.trim()).map_err(|error| {
                bad(atom, &format!("{at}.base64"), format!("it is not base64: {error}"))
                    .hint("give text with `text`")
            })?,
            _ => {
                return Err(bad(atom, at, "it needs exactly one content".to_owned())
                    .hint("give `file`, `text` or `base64`"));
            }
        };
        if content.len() > most.len() {
            return Err(bad(
                atom,
                at,
                format!("it is larger than {most}, which is the service's most"),
            )
            .hint("send a link to it instead"));
        }
        Ok(Attached {
            filename: name,
            content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            bytes: content.len(),
            base64: STANDARD.encode(content),
        })
    }
}

impl Attached {
    /// As a part of a form.
    pub(crate) fn into_part(self, name: &str) -> Part {
        Part {
            name: name.to_owned(),
            value: None,
            value_base64: Some(self.base64),
            file: None,
            filename: Some(self.filename),
            content_type: Some(self.content_type),
        }
    }
}

impl Part {
    /// A field of a form.
    pub(crate) fn field(name: &str, value: serde_json::Value) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(value),
            value_base64: None,
            file: None,
            filename: None,
            content_type: None,
        }
    }
}
