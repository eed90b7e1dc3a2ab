//! From events to a tree.

use super::anchors::{Anchors, NoCopy};
use super::scalar::{self, Looks};
use crate::source::entries::{Repeats, too_deep};
use crate::source::{Data, Key, MAX_DEPTH, MOST_PROBLEMS, Node, Problem, Span, shown, span};
use saphyr_parser::{ScalarStyle, Tag};
use std::collections::BTreeSet;

/// The tree so far: the collections that are open, outermost first, and the finished document.
pub(super) struct Builder<'a> {
    text: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: Anchors,
    repeats: Repeats,
    problems: Vec<Problem>,
}

/// A list or map that is being read.
struct Open {
    start: usize,
    /// End of the last value in it: block collections have no closing bracket.
    end: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        /// The key whose value comes next.
        key: Option<Key>,
        /// Values to merge in: those of the key `<<`.
        merges: Vec<Node>,
        /// It starts with `{{`: an expression without quotes, which YAML reads as a map that is
        /// the key of a map.
        expression: bool,
    },
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            open: Vec::new(),
            root: None,
            anchors: Anchors::default(),
            repeats: Repeats::default(),
            problems: Vec::new(),
        }
    }

    /// The document, if it was complete, and what was wrong in it.
    pub(super) fn finish(mut self) -> (Option<Node>, Vec<Problem>) {
        self.problems.extend(self.repeats.problems(self.text));
        (self.root, self.problems)
    }

    fn complain(&mut self, problem: Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem);
        }
    }

    pub(super) fn open_list(
        &mut self,
        start: usize,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Problem> {
        self.collection_tag(tag, "seq", start);
        self.enter(start, anchor, Items::List(Vec::new()))
    }

    pub(super) fn open_map(
        &mut self,
        start: usize,
        anchor: usize,
        tag: Option<&Tag>,
    ) -> Result<(), Problem> {
        self.collection_tag(tag, "map", start);
        let expression = self.text[start..].starts_with("{{");
        let (entries, merges) = (Vec::new(), Vec::new());
        self.enter(start, anchor, Items::Map { entries, key: None, merges, expression })
    }

    fn enter(&mut self, start: usize, anchor: usize, items: Items) -> Result<(), Problem> {
        if self.open.len() == MAX_DEPTH {
            return Err(too_deep(start));
        }
        self.open.push(Open { start, end: start, anchor, items });
        Ok(())
    }

    /// The innermost collection ends; `at` is its closing bracket if it has one.
    pub(super) fn close(&mut self, at: usize) -> Result<(), Problem> {
        let Some(Open { start, end, anchor, items }) = self.open.pop() else { return Ok(()) };
        let bracket = matches!(self.text.as_bytes().get(at), Some(b']' | b'}'));
        let flow = matches!(self.text.as_bytes().get(start), Some(b'[' | b'{' | b'&' | b'!'));
        let place = span(start, if bracket && flow { at + 1 } else { end });
        let data = match items {
            Items::List(items) => Data::List(items),
            Items::Map { expression: true, .. } => {
                self.bare_expression(place);
                return Ok(());
            }
            Items::Map { entries, merges, .. } => {
                let mut entries = self.repeats.unique(entries);
                self.merge(&mut entries, merges);
                Data::Map(entries)
            }
        };
        let node = Node { span: place, data };
        self.keep(anchor, &node)?;
        self.value(node);
        Ok(())
    }

    pub(super) fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        (start, end): (usize, usize),
    ) -> Result<(), Problem> {
        let place = self.scalar_place(value, style, start, end);
        let data = match tag {
            Some(tag) => self.tagged(tag, value, place),
            None if style == ScalarStyle::Plain => self.plain(value, place),
            None => Data::Text(value.to_owned()),
        };
        let node = Node { span: place, data };
        self.keep(anchor, &node)?;
        self.value_or_key(node, value);
        Ok(())
    }

    pub(super) fn alias(
        &mut self,
        anchor: usize,
        (start, end): (usize, usize),
    ) -> Result<(), Problem> {
        match self.anchors.copy(anchor) {
            Ok(node) => self.value(node),
            Err(NoCopy::TooMuch) => return Err(too_many_copies(span(start, end))),
            Err(NoCopy::Inside) => {
                self.complain(Problem::syntax(
                    "alias_of_itself",
                    span(start, end),
                    format!(
                        "`{}` stands inside the value it repeats",
                        shown(&self.text[start..end])
                    ),
                    "an alias repeats a value that is complete; write this one out",
                ));
                self.value(Node { span: span(start, end), data: Data::Null });
            }
        }
        Ok(())
    }

    fn keep(&mut self, anchor: usize, node: &Node) -> Result<(), Problem> {
        self.anchors.name(anchor, node).map_err(|_| too_many_copies(node.span))
    }

    fn value_or_key(&mut self, node: Node, written: &str) {
        // A key that resolves to a number is still read as what was written, so that reading
        // can go on; the problem is reported once.
        let is_key = matches!(
            self.open.last(),
            Some(Open { items: Items::Map { key: None, expression: false, .. }, .. })
        );
        if is_key && !matches!(node.data, Data::Text(_)) {
            self.not_a_text_key(&node, written);
            self.value(Node { data: Data::Text(written.to_owned()), ..node });
        } else {
            self.value(node);
        }
    }

    /// Puts a finished value where it belongs: into a list, before or behind a `:`, or it is all.
    fn value(&mut self, node: Node) {
        let place = node.span;
        let Some(top) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        top.end = top.end.max(place.end as usize);
        match &mut top.items {
            Items::List(items) => items.push(node),
            Items::Map { expression: true, .. } => {}
            Items::Map { entries, key, merges, .. } => match key.take() {
                // In quotes, `<<` is a key like any other.
                Some(key)
                    if key.text == "<<"
                        && self.text[key.span.start as usize..].starts_with('<') =>
                {
                    merges.push(node);
                }
                Some(key) => entries.push((key, node)),
                None => match node.data {
                    Data::Text(text) => *key = Some(Key { span: place, text }),
                    Data::Null | Data::Bool(_) | Data::Number(_) | Data::List(_) | Data::Map(_) => {
                        let written = &self.text[place.start as usize..place.end as usize];
                        *key = Some(Key { span: place, text: written.to_owned() });
                        self.not_a_text_key(&node, written);
                    }
                },
            },
        }
    }

    fn not_a_text_key(&mut self, node: &Node, written: &str) {
        let hint = match &node.data {
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) if !written.is_empty() => {
                format!("put it in quotes: `\"{}\"`", shown(written))
            }
            Data::Null
            | Data::Bool(_)
            | Data::Number(_)
            | Data::Text(_)
            | Data::List(_)
            | Data::Map(_) => "write `key: value`, with a text as the key".to_owned(),
        };
        let message = format!("a key must be text, here is {}", node.kind());
        self.complain(Problem::syntax("key_not_text", node.span, message, hint));
    }

    /// `{{ … }}` without quotes: reported, and read as the text that was meant.
    fn bare_expression(&mut self, place: Span) {
        let written = &self.text[place.start as usize..place.end as usize];
        self.complain(super::syntax::unquoted_expression(place, written));
        self.value(Node { span: place, data: Data::Text(written.to_owned()) });
    }

    fn plain(&mut self, value: &str, place: Span) -> Data {
        scalar::resolve(value).unwrap_or_else(|why| {
            self.complain(Problem::syntax(
                "number_out_of_range",
                place,
                format!("`{}` is a number without a value in JSON", shown(value)),
                format!("{why}; put it in quotes if it is text"),
            ));
            Data::Null
        })
    }

    /// `!!str 12` and the like; the tags of the core schema only.
    fn tagged(&mut self, tag: &Tag, value: &str, place: Span) -> Data {
        let text = || Data::Text(value.to_owned());
        if tag.handle.is_empty() && tag.suffix == "!" {
            return text();
        }
        let core = if tag.is_yaml_core_schema() { tag.suffix.as_str() } else { "" };

        match (core, scalar::resolve(value)) {
            ("str", _) => text(),
            ("null", Ok(data @ Data::Null)) | ("bool", Ok(data @ Data::Bool(_))) => data,
            ("int", Ok(Data::Number(number))) if !number.is_f64() => Data::Number(number),
            ("float", _) => match scalar::number(value) {
                Looks::Number(Some(number)) => Data::Number(number),
                Looks::Number(None) | Looks::Word => self.bad_tag_value(tag, value, place),
            },
            ("null" | "bool" | "int", _) => self.bad_tag_value(tag, value, place),
            _ => {
                self.unknown_tag(tag, place);
                text()
            }
        }
    }

    fn bad_tag_value(&mut self, tag: &Tag, value: &str, place: Span) -> Data {
        self.complain(Problem::syntax(
            "wrong_type",
            place,
            format!("`{}` is no value of the tag `!!{}`", shown(value), shown(&tag.suffix)),
            "remove the tag; the value speaks for itself",
        ));
        Data::Text(value.to_owned())
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, core: &str, start: usize) {
        let Some(tag) = tag else { return };
        let neutral = tag.handle.is_empty() && tag.suffix == "!";
        if !(neutral || tag.is_yaml_core_schema() && tag.suffix == core) {
            let length = self.text[start..].find(char::is_whitespace).unwrap_or(1);
            self.unknown_tag(tag, span(start, start + length));
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, place: Span) {
        let hint = "remove it; a value that starts with `!` must be in quotes";
        let message = format!("the tag `{}` is not known", shown(&tag.to_string()));
        self.complain(Problem::syntax("unknown_tag", place, message, hint));
    }

    /// `<<: *base` adds the entries of a map, or of each map in a list, that are not there yet.
    fn merge(&mut self, entries: &mut Vec<(Key, Node)>, merges: Vec<Node>) {
        let mut sources = Vec::new();
        for node in merges {
            match node.data {
                Data::List(items) => sources.extend(items),
                Data::Map(_) | Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {
                    sources.push(node);
                }
            }
        }
        if sources.is_empty() {
            return;
        }
        let mut known: BTreeSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
        for source in sources {
            let Data::Map(more) = source.data else {
                let message = format!("`<<` merges maps, here is {}", source.kind());
                let hint = "write `<<: *name`, with `&name` at a map further up";
                self.complain(Problem::syntax("wrong_type", source.span, message, hint));
                continue;
            };
            entries.extend(more.into_iter().filter(|(key, _)| known.insert(key.text.clone())));
        }
    }

    /// The parser's spans of scalars may include comments and line ends behind them.
    fn scalar_place(&self, value: &str, style: ScalarStyle, start: usize, end: usize) -> Span {
        let written = &self.text[start..end];
        let length = match style {
            ScalarStyle::Plain if value.is_empty() => 0,
            ScalarStyle::SingleQuoted => quoted_length(written, '\''),
            ScalarStyle::DoubleQuoted => quoted_length(written, '"'),
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {
                written.trim_end().len()
            }
        };
        span(start, start + length)
    }
}

/// How long a quoted text is, up to and with its closing quote.
fn quoted_length(written: &str, quote: char) -> usize {
    let Some(open) = written.find(quote) else { return written.trim_end().len() };
    let mut chars = written.char_indices().skip(1 + written[..open].chars().count()).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            // Doubled, a single quote stands for itself.
            if quote == '\'' && chars.next_if(|(_, next)| *next == '\'').is_some() {
                continue;
            }
            return at + 1;
        }
    }
    written.trim_end().len()
}

fn too_many_copies(place: Span) -> Problem {
    Problem::syntax(
        "too_many_aliases",
        place,
        "the aliases of this text stand for too many values",
        "write the values out, or build them in a step",
    )
}
