//! JSON (RFC 8259) with what a general reader leaves open: keys that stand twice, numbers beyond
//! 64 bits, depth, several values in one text. Each fault has its line and column.

use super::Fault;
use serde_json::{Map, Number, Value};

/// What to do with a key that stands twice in one object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Repeated {
    #[default]
    Refuse,
    First,
    Last,
    /// All values, as a list.
    Collect,
}

/// What to do with a number that a 64-bit integer or a double cannot hold to the last digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Large {
    /// The digits, as text.
    #[default]
    Text,
    /// The nearest double.
    Nearest,
    Refuse,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) depth: usize,
    pub(crate) repeated: Repeated,
    pub(crate) large: Large,
}

/// Reads one value after another.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    options: Options,
}

/// Significant digits that every double gives back as they were.
const DIGITS: usize = 17;

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, options: Options) -> Self {
        Self { text, at: 0, options }
    }

    /// The next value; none at the end. Values may stand one after the other, with or without
    /// space between them.
    pub(crate) fn next_value(&mut self) -> Result<Option<Value>, Fault> {
        self.space();
        if self.at == self.text.len() {
            return Ok(None);
        }
        let value = self.value(0)?;
        // `12 3` are two values, `truefalse` is a mistake; what has an end of its own needs no space.
        let open = !matches!(value, Value::Array(_) | Value::Object(_))
            && !self.text[..self.at].ends_with('"');
        if open && self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(self.wrong("a space or the end is expected after a value"));
        }
        Ok(Some(value))
    }

    /// The only value of the text.
    pub(crate) fn only_value(mut self) -> Result<Value, Fault> {
        let Some(value) = self.next_value()? else {
            return Err(self.wrong("there is no value"));
        };
        self.space();
        if self.at < self.text.len() {
            let mut fault = self.wrong("something follows the value");
            "read it with `format: lines` or `format: stream` if there are several values"
                .clone_into(&mut fault.hint);
            return Err(fault);
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn wrong(&self, what: &str) -> Fault {
        self.wrong_at(self.at, what)
    }

    fn wrong_at(&self, at: usize, what: &str) -> Fault {
        Fault::permanent("not_json", format!("not JSON: {what}"), "mend the text at this place")
            .at(self.text, at)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth > self.options.depth {
            let message = format!("values are nested more than {} levels deep", self.options.depth);
            return Err(Fault::permanent(
                "too_deep",
                message,
                "flatten the data, or raise `max_depth`",
            )
            .at(self.text, self.at));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'\'') => Err(self.wrong("text stands in double quotes")),
            Some(_) => Err(self.wrong("a value is expected")),
            None => Err(self.wrong("the text ends where a value is expected")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.wrong("a value is expected; text stands in double quotes"))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.wrong("`,` or `]` is expected")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Fault> {
        self.at += 1;
        let mut map = Map::new();
        // Keys whose values are being collected: a list of theirs is not ours.
        let mut collected = std::collections::BTreeSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes is expected"));
            }
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("`:` is expected after the key"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            match (map.get_mut(&key), self.options.repeated) {
                (None, _) => {
                    map.insert(key, value);
                }
                (Some(_), Repeated::Refuse) => {
                    let message = format!("the key `{}` stands twice in one object", shorten(&key));
                    return Err(Fault::permanent(
                        "repeated_key",
                        message,
                        "remove one, or set `duplicate_keys` to `first`, `last` or `collect`",
                    )
                    .at(self.text, start));
                }
                (Some(_), Repeated::First) => {}
                (Some(there), Repeated::Last) => *there = value,
                (Some(there), Repeated::Collect) => {
                    if collected.insert(key) {
                        *there = Value::Array(vec![there.take(), value]);
                    } else if let Value::Array(values) = there {
                        values.push(value);
                    }
                }
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(map));
                }
                _ => return Err(self.wrong("`,` or `}` is expected")),
            }
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let open = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(plain) =
                rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20)
            else {
                return Err(self.wrong_at(open, "this text has no closing quote"));
            };
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(&mut out)?,
                _ => {
                    return Err(
                        self.wrong("a line break or control character in a text must be escaped")
                    );
                }
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Fault> {
        let start = self.at;
        self.at += 2;
        out.push(match self.text.as_bytes().get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex(start)?;
                let code = match first {
                    0xd800..=0xdbff => {
                        if !self.text[self.at..].starts_with("\\u") {
                            return Err(self.wrong_at(start, "half of a surrogate pair"));
                        }
                        self.at += 2;
                        match self.hex(start)? {
                            low @ 0xdc00..=0xdfff => {
                                0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)
                            }
                            _ => return Err(self.wrong_at(start, "half of a surrogate pair")),
                        }
                    }
                    code => code,
                };
                char::from_u32(code)
                    .ok_or_else(|| self.wrong_at(start, "half of a surrogate pair"))?
            }
            _ => return Err(self.wrong_at(start, "there is no such escape")),
        });
        Ok(())
    }

    fn hex(&mut self, start: usize) -> Result<u32, Fault> {
        let digits = self
            .text
            .as_bytes()
            .get(self.at..self.at + 4)
            .filter(|it| it.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else {
            return Err(self.wrong_at(start, "`\\u` needs four hex digits"));
        };
        self.at += 4;
        Ok(digits
            .iter()
            .fold(0, |sum, digit| sum * 16 + char::from(*digit).to_digit(16).unwrap_or(0)))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.at;
        match self.digits() {
            0 => return Err(self.wrong("a digit is expected after `-`")),
            1 => {}
            _ if self.text.as_bytes()[first] == b'0' => {
                return Err(self.wrong_at(start, "a number does not start with `0`"));
            }
            _ => {}
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.wrong("a digit is expected after `.`"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.wrong("a digit is expected in the exponent"));
            }
        }
        self.number_of(start, whole)
    }

    fn number_of(&self, start: usize, whole: bool) -> Result<Value, Fault> {
        let text = &self.text[start..self.at];
        if whole && text != "-0" {
            if let Ok(number) = text.parse::<u64>() {
                return Ok(number.into());
            }
            if let Ok(number) = text.parse::<i64>() {
                return Ok(number.into());
            }
        }
        let nearest = text.parse::<f64>().ok().and_then(Number::from_f64);
        let exact = !whole || text == "-0";
        if exact
            && significant(text) <= DIGITS
            && let Some(number) = nearest.clone()
        {
            return Ok(Value::Number(number));
        }
        match (self.options.large, nearest) {
            (Large::Nearest, Some(number)) => Ok(Value::Number(number)),
            (Large::Text, _) => Ok(Value::String(text.to_owned())),
            (Large::Nearest, None) | (Large::Refuse, _) => {
                let message =
                    format!("the number `{}` cannot be kept to its last digit", shorten(text));
                Err(Fault::permanent(
                    "number_out_of_range",
                    message,
                    "set `big_numbers: text` to get its digits as text",
                )
                .at(self.text, start))
            }
        }
    }
}

/// Digits that count, without leading and closing zeros.
fn significant(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

/// Enough of a text to find it again.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
