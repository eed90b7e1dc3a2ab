//! Quoted text of JSON.

use super::{Problem, Reader};
use crate::source::{shown, span};

impl Reader<'_> {
    /// Reads a text from its opening quote to behind its closing one.
    pub(super) fn quoted(&mut self) -> Result<String, Problem> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(control) => return Err(self.raw_control(start, control)),
                None => return Err(Self::unclosed(start)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Problem> {
        let start = self.at;
        self.at += 1;
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(start);
            }
            _ => return Err(self.unknown_escape(start)),
        };
        self.at += 1;
        Ok(c)
    }

    /// Behind `\u`: four hex digits, or two halves of a pair for characters beyond U+FFFF.
    fn unicode(&mut self, start: usize) -> Result<char, Problem> {
        let first = self.hex(start)?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.text[self.at..].starts_with("\\u") {
                    return Err(self.half_pair(start));
                }
                self.at += 2;
                let second = self.hex(start)?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.half_pair(start));
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        // Only a lone second half is left that is no character.
        char::from_u32(code).ok_or_else(|| self.half_pair(start))
    }

    fn hex(&mut self, start: usize) -> Result<u32, Problem> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or("");
        if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Problem::syntax(
                "syntax",
                span(start, self.at),
                "`\\u` is not followed by four hex digits",
                "write the character itself, or its code like `\\u00e9`",
            ));
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.unknown_escape(start))
    }

    fn unknown_escape(&self, start: usize) -> Problem {
        let next = self.text[start + 1..].chars().next();
        let end = start + 1 + next.map_or(0, char::len_utf8);
        Problem::syntax(
            "syntax",
            span(start, end),
            format!("`{}` is not an escape of JSON", shown(&self.text[start..end])),
            "a backslash itself is written `\\\\`; others are `\\\" \\/ \\b \\f \\n \\r \\t \\u00e9`",
        )
    }

    fn half_pair(&self, start: usize) -> Problem {
        Problem::syntax(
            "syntax",
            span(start, self.at),
            format!("`{}` is only half of a character", shown(&self.text[start..self.at])),
            "write the character itself, or both halves, like `\\ud83d\\ude00`",
        )
    }

    fn raw_control(&self, start: usize, control: u8) -> Problem {
        let (message, hint, place) = match control {
            b'\n' | b'\r' => (
                "a text does not end on its line".to_owned(),
                "close it with `\"`, and write line breaks inside it as `\\n`",
                span(start, self.at),
            ),
            b'\t' => {
                ("a text holds a tab".to_owned(), "write it as `\\t`", span(self.at, self.at + 1))
            }
            other => (
                format!("a text holds the control character U+{other:04X}"),
                "remove it, or write it as `\\u00` and two hex digits",
                span(self.at, self.at + 1),
            ),
        };
        Problem::syntax("syntax", place, message, hint)
    }

    fn unclosed(start: usize) -> Problem {
        Problem::syntax(
            "syntax",
            span(start, start + 1),
            "a text is never closed",
            "add the closing `\"`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Problem> {
        Reader::new(text).quoted()
    }

    #[test]
    fn all_escapes_are_known() {
        let text = r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00 é😀""#;
        assert_eq!(read(text).unwrap(), "\"\\/\u{8}\u{c}\n\r\té😀 é😀");
    }

    #[test]
    fn broken_texts_are_refused() {
        for text in [
            r#"""#,
            r#""a"#,
            r#""\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\ude00""#,
            "\"a\nb\"",
            "\"\t\"",
            "\"\u{0}\"",
            r#""\é""#,
            r#""\u+123""#,
            r#""\u12é""#,
        ] {
            assert_eq!(read(text).unwrap_err().code, "syntax", "{text}");
        }
    }
}
