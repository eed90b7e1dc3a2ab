//! What a child writes: frames of a kind, a length and data.

use crate::api::ScriptError;
use crate::wire::Outcome;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The end of a script, as `zygote.py` writes it.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum End {
    Ok(Value),
    Error(Told),
}

/// What went wrong.
#[derive(Deserialize)]
struct Told {
    code: String,
    message: String,
    line: Option<u32>,
    column: Option<u32>,
    traceback: Option<String>,
    hint: Option<String>,
}

/// What a child has said so far.
#[derive(Default)]
pub(crate) struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    memory: u64,
    end: Option<Vec<u8>>,
    /// More than it may say.
    pub(crate) too_much: bool,
}

impl Said {
    /// Reads until the end, or until the child falls silent. What has come stays in `self` when
    /// the future is dropped.
    pub(crate) async fn hear(&mut self, socket: &mut (impl AsyncRead + Unpin), most: u64) {
        let mut left = most;
        while self.end.is_none() {
            let mut head = [0; 5];
            if socket.read_exact(&mut head).await.is_err() {
                return;
            }
            let [kind, length @ ..] = head;
            let length = u64::from(u32::from_le_bytes(length));
            if length > left {
                self.too_much = true;
                return;
            }
            left -= length;
            let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
            if socket.read_exact(&mut data).await.is_err() {
                return;
            }
            match kind {
                b'o' => self.stdout.append(&mut data),
                b'e' => self.stderr.append(&mut data),
                b'm' => {
                    self.memory = std::str::from_utf8(&data)
                        .ok()
                        .and_then(|text| text.parse().ok())
                        .unwrap_or(0);
                }
                b'r' => self.end = Some(data),
                // A child that was taken over says what it likes; it gets no answer.
                _ => return,
            }
        }
    }

    /// Whether the end has come.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The outcome, if the child came to its end; else what it printed.
    pub(crate) fn outcome(self) -> Result<Outcome, (String, String)> {
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        let (stdout, stderr) = (text(self.stdout), text(self.stderr));
        let Some(end) = self.end else { return Err((stdout, stderr)) };
        Ok(Outcome { result: result(&end), stdout, stderr, memory: self.memory })
    }
}

/// The result of a script from the end that its child tells.
pub(crate) fn result(end: &[u8]) -> Result<Value, ScriptError> {
    match serde_json::from_slice(end) {
        Ok(End::Ok(value)) => Ok(value),
        Ok(End::Error(told)) => Err(told.into()),
        Err(error) => {
            let what = format!("the result cannot be read as JSON: {error}");
            Err(ScriptError::new("script_error", what).hint("return less deeply nested data"))
        }
    }
}

impl From<Told> for ScriptError {
    fn from(told: Told) -> Self {
        let Told { code, message, line, column, traceback, hint } = told;
        let code = match code.as_str() {
            "script_syntax" => "script_syntax",
            "script_memory" => "script_memory",
            "script_timeout" => "script_timeout",
            "script_output" => "script_output",
            _ => "script_error",
        };
        Self { line, column, traceback, hint, ..Self::new(code, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, data: &str) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&[kind][..], &length[..], data.as_bytes()].concat()
    }

    async fn heard(frames: &[Vec<u8>]) -> Said {
        let mut said = Said::default();
        let frames = frames.concat();
        said.hear(&mut &frames[..], 100).await;
        said
    }

    #[tokio::test]
    async fn printed_text_and_the_result_come_apart() {
        let frames = [
            frame(b'o', "a"),
            frame(b'e', "b"),
            frame(b'o', "c"),
            frame(b'm', "7"),
            frame(b'r', r#"{"ok": [1]}"#),
        ];
        let outcome = heard(&frames).await.outcome().unwrap();
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("ac", "b"));
        assert_eq!((outcome.result.unwrap(), outcome.memory), (serde_json::json!([1]), 7));
    }

    #[tokio::test]
    async fn a_child_that_falls_silent_has_no_result_but_what_it_printed() {
        let mut cut = frame(b'r', r#"{"ok": 1}"#);
        cut.truncate(8);
        assert_eq!(heard(&[frame(b'o', "a"), cut]).await.outcome().unwrap_err().0, "a");
    }

    #[tokio::test]
    async fn nobody_says_more_than_he_may() {
        let said = heard(&[frame(b'o', &"x".repeat(60)), frame(b'o', &"x".repeat(60))]).await;
        assert!(said.too_much);
        let nonsense = heard(&[frame(b'?', "x"), frame(b'r', r#"{"ok": 1}"#)]).await;
        assert!(nonsense.outcome().is_err());
    }

    #[tokio::test]
    async fn a_result_that_is_no_json_is_the_scripts_fault() {
        let outcome = heard(&[frame(b'r', "{\"ok\": ")]).await.outcome().unwrap();
        assert_eq!(outcome.result.unwrap_err().code, "script_error");
    }
}
