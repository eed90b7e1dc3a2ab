//! JSON (RFC 8259, nothing more) with the place of every part.
//!
//! Our own reader, because a person must learn *where* a config is wrong, and what was expected
//! there, which a parser into values no longer knows.

mod number;
mod text;
mod wrong;

pub(super) use number::from_text as number_from_text;

use super::entries::{Repeats, too_deep};
use super::{Data, Key, MAX_DEPTH, Node, Problem, span};

/// The tree, if the syntax is right, and the problems.
pub(super) fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut reader = Reader::new(text);
    let node = reader.document();
    let mut problems = std::mem::take(&mut reader.repeats).problems(text);
    match node {
        Ok(node) => (Some(node), problems),
        Err(problem) => {
            problems.push(problem);
            (None, problems)
        }
    }
}

/// The text and how far it has been read.
struct Reader<'a> {
    text: &'a str,
    /// Byte offset of what comes next; always on a character border.
    at: usize,
    /// Byte offsets of the brackets that are open.
    open: Vec<usize>,
    repeats: Repeats,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self { text, at, open: Vec::new(), repeats: Repeats::default() }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        let node = self.value()?;
        self.space();
        if self.at < self.text.len() {
            return Err(self.trailing());
        }
        Ok(node)
    }

    /// Calls itself for nested values; `open` bounds the depth.
    fn value(&mut self) -> Result<Node, Problem> {
        self.space();
        let start = self.at;
        let data = match self.peek() {
            Some(b'{') => self.map()?,
            Some(b'[') => self.list()?,
            Some(b'"') => Data::Text(self.quoted()?),
            Some(b'-' | b'0'..=b'9') => Data::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(Node { span: span(start, self.at), data })
    }

    fn map(&mut self) -> Result<Data, Problem> {
        self.enter()?;
        let mut entries = Vec::new();
        self.space();
        if !self.take(b'}') {
            loop {
                self.space();
                let start = self.at;
                if self.peek() != Some(b'"') {
                    return Err(self.no_key(!entries.is_empty()));
                }
                let text = self.quoted()?;
                let key = Key { span: span(start, self.at), text };
                self.space();
                if !self.take(b':') {
                    return Err(self.no_colon(&key));
                }
                entries.push((key, self.value()?));
                self.space();
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.no_comma('}'));
                }
            }
        }
        self.open.pop();
        Ok(Data::Map(self.repeats.unique(entries)))
    }

    fn list(&mut self) -> Result<Data, Problem> {
        self.enter()?;
        let mut items = Vec::new();
        self.space();
        if !self.take(b']') {
            loop {
                self.space();
                if !items.is_empty() && self.peek() == Some(b']') {
                    return Err(self.extra_comma(']'));
                }
                items.push(self.value()?);
                self.space();
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.no_comma(']'));
                }
            }
        }
        self.open.pop();
        Ok(Data::List(items))
    }

    fn enter(&mut self) -> Result<(), Problem> {
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(self.at));
        }
        self.open.push(self.at);
        self.at += 1;
        Ok(())
    }

    fn word(&mut self) -> Result<Data, Problem> {
        let length = self.word_length();
        let data = match &self.text[self.at..self.at + length] {
            "null" => Data::Null,
            "true" => Data::Bool(true),
            "false" => Data::Bool(false),
            _ => return Err(self.no_value(length)),
        };
        self.at += length;
        Ok(data)
    }

    /// How many bytes from here on could be one bare word.
    fn word_length(&self) -> usize {
        let rest = &self.text[self.at..];
        rest.find(|c: char| !c.is_alphanumeric() && !"_-.$".contains(c)).unwrap_or(rest.len())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(text: &str) -> Node {
        let (node, problems) = read(text);
        assert_eq!(problems, []);
        node.unwrap()
    }

    fn problem(text: &str) -> Problem {
        let (node, mut problems) = read(text);
        assert!(node.is_none(), "{text} was read as {node:?}");
        problems.pop().unwrap()
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = r#" {"a": [null, true, false, 1, -2, 1.5, 1e3, "x"], "b": {}, "c": []} "#;
        let value = json!({"a": [null, true, false, 1, -2, 1.5, 1e3, "x"], "b": {}, "c": []});
        assert_eq!(tree(text).to_value(), value);
    }

    #[test]
    fn places_are_those_of_the_source() {
        let text = r#"{"ä": ["x", 12]}"#;
        let node = tree(text);
        let at = |node: &Node| &text[node.span.start as usize..node.span.end as usize];
        assert_eq!(at(&node), text);
        let list = node.get("ä").unwrap();
        assert_eq!(at(list), r#"["x", 12]"#);
        let Data::List(items) = &list.data else { panic!() };
        assert_eq!((at(&items[0]), at(&items[1])), (r#""x""#, "12"));
        let Data::Map(entries) = &node.data else { panic!() };
        let key = entries[0].0.span;
        assert_eq!(&text[key.start as usize..key.end as usize], r#""ä""#);
    }

    #[test]
    fn a_repeated_key_is_a_problem_and_the_first_one_stays() {
        let (node, problems) = read("{\"a\": 1,\n\"b\": 2, \"a\": 3}");
        assert_eq!(node.unwrap().to_value(), json!({"a": 1, "b": 2}));
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "key `a` stands again on line 2, first on line 1");
        assert_eq!(problems[0].span, span(17, 20));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(read(&nested(MAX_DEPTH)).1, []);
        assert_eq!(problem(&nested(MAX_DEPTH + 1)).code, "too_deep");
        assert_eq!(problem(&"[".repeat(500_000)).code, "too_deep");
        assert_eq!(problem(&"{\"a\":".repeat(100_000)).code, "too_deep");
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(tree("\u{feff}[1]").span, span(3, 6));
    }
}
