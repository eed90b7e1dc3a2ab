//! What a reader of JSON says when it finds something else than it expected.

use super::{Problem, Reader};
use crate::source::{Key, Lines, shown, span};
use std::borrow::Cow;

impl Reader<'_> {
    /// No value starts here; `length` bytes of a bare word do.
    pub(super) fn no_value(&self, length: usize) -> Problem {
        let word = &self.text[self.at..self.at + length];
        let hint: Cow<'static, str> = match word {
            "" => return self.expected("a value"),
            "True" | "TRUE" | "yes" => "write `true`".into(),
            "False" | "FALSE" | "no" => "write `false`".into(),
            "None" | "nil" | "NULL" | "Null" | "undefined" => "write `null`".into(),
            "NaN" | "Infinity" => "JSON has finite numbers only; write `null` or a text".into(),
            _ => format!("text stands in double quotes: `\"{}\"`", shown(word)).into(),
        };
        let place = span(self.at, self.at + length);
        Problem::syntax("syntax", place, format!("`{}` is not a value of JSON", shown(word)), hint)
    }

    /// Something other than a quote where a key must stand.
    pub(super) fn no_key(&self, behind_comma: bool) -> Problem {
        if behind_comma && self.peek() == Some(b'}') {
            return self.extra_comma('}');
        }
        let length = self.word_length();
        if length == 0 {
            return self.expected("a key in double quotes");
        }
        let word = shown(&self.text[self.at..self.at + length]);
        Problem::syntax(
            "syntax",
            span(self.at, self.at + length),
            format!("the key `{word}` is not in double quotes"),
            format!("write `\"{word}\"`, or use YAML: it starts with `intent:`, without `{{`"),
        )
    }

    pub(super) fn no_colon(&self, key: &Key) -> Problem {
        let found = self.found();
        Problem::syntax(
            "syntax",
            self.here(),
            format!("expected `:` behind the key `{}`, found {found}", shown(&key.text)),
            "write `\"key\": value`",
        )
    }

    pub(super) fn no_comma(&self, end: char) -> Problem {
        self.expected(if end == '}' { "`,` or `}`" } else { "`,` or `]`" })
    }

    pub(super) fn extra_comma(&self, end: char) -> Problem {
        let before = self.text[..self.at].rfind(',').unwrap_or(self.at);
        Problem::syntax(
            "syntax",
            span(before, before + 1),
            format!("a comma stands before `{end}`"),
            "remove it: in JSON no comma follows the last entry",
        )
    }

    pub(super) fn trailing(&self) -> Problem {
        let hint: Cow<'static, str> = match self.peek() {
            Some(b'}' | b']') => "remove it: it closes nothing".into(),
            Some(b'/' | b'#') => NO_COMMENTS.into(),
            _ => "a config is one JSON value; remove what follows it".into(),
        };
        let found = self.found();
        Problem::syntax(
            "syntax",
            self.here(),
            format!("expected the end of the text, found {found}"),
            hint,
        )
    }

    fn expected(&self, what: &str) -> Problem {
        let place = self.here();
        if self.at == self.text.len() {
            return self.ended(what);
        }
        let hint: Cow<'static, str> = match self.peek() {
            Some(b'\'') => "JSON text stands in double quotes, not in single ones".into(),
            Some(b'/' | b'#') => NO_COMMENTS.into(),
            Some(b'"') if what.starts_with("`,`") => "put a comma between two entries".into(),
            Some(b'{') if self.text[..self.at].ends_with('{') => {
                "an expression is text and stands in double quotes: `\"{{ … }}\"`".into()
            }
            Some(b'+' | b'.') => "numbers start with a digit or `-`".into(),
            Some(b':') => "a `:` stands between a key and its value, inside `{ }`".into(),
            Some(b',') => "remove the comma, or write what is missing before it".into(),
            _ => match self.open.last() {
                Some(open) => {
                    let (bracket, line) = self.bracket(*open);
                    format!("look at the `{bracket}` from line {line}: is everything in it closed?")
                        .into()
                }
                None => "a config starts with `{`".into(),
            },
        };
        let found = self.found();
        Problem::syntax("syntax", place, format!("expected {what}, found {found}"), hint)
    }

    /// The text is over too early: names the bracket that waits for its end.
    fn ended(&self, what: &str) -> Problem {
        let message = format!("the text ends where {what} is expected");
        let hint: Cow<'static, str> = match self.open.last() {
            Some(open) => {
                let (bracket, line) = self.bracket(*open);
                format!("close the `{bracket}` that opens on line {line}").into()
            }
            None => "a config starts with `{`".into(),
        };
        Problem::syntax("syntax", self.here(), message, hint)
    }

    fn bracket(&self, at: usize) -> (&str, u32) {
        (&self.text[at..=at], Lines::of(self.text).line(span(at, at).start))
    }

    fn found(&self) -> String {
        match self.text[self.at..].chars().next() {
            Some(c) if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
            None => "the end of the text".to_owned(),
        }
    }

    fn here(&self) -> crate::source::Span {
        let next = self.text[self.at..].chars().next();
        span(self.at, self.at + next.map_or(0, char::len_utf8))
    }
}

const NO_COMMENTS: &str = "JSON has no comments; remove it, or write the config in YAML";
