//! XML 1.0 with namespaces, as JSON.
//!
//! A document type is refused, and with it every entity of the document's own: nothing is fetched
//! (XXE) and nothing grows (billion laughs). Known are the five entities of XML itself and
//! characters by number. The reader underneath is lenient, so that what it lets pass is checked
//! here: one root, names, characters, attributes that stand twice.

mod build;
mod scope;
mod text;

use super::Fault;
use build::Frame;
pub(crate) use build::{Parsed, Shape};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use scope::Scope;
use serde_json::Value;

/// What becomes of prefixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Namespaces {
    /// `a:b` stays `a:b`.
    #[default]
    Keep,
    /// `a:b` becomes `b`.
    Strip,
    /// `a:b` becomes `{address}b`.
    Expand,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) namespaces: Namespaces,
    pub(crate) shape: Shape,
    pub(crate) trim: bool,
    pub(crate) attribute_prefix: String,
    pub(crate) text_key: String,
    /// `order/item` from the root, `*` for any one name; a name alone is meant anywhere.
    pub(crate) lists: Vec<Vec<String>>,
    pub(crate) depth: usize,
    /// Elements and attributes together.
    pub(crate) nodes: usize,
}

/// How many bytes names may grow to when their namespaces are written out.
const MOST_NAMES: usize = 64 * 1024 * 1024;

struct Parser<'a> {
    text: &'a str,
    options: &'a Options,
    scope: Scope,
    open: Vec<Frame>,
    root: Option<(String, Value)>,
    nodes: usize,
    names: usize,
    position: usize,
}

/// Reads one document.
pub(crate) fn parse(text: &str, options: &Options) -> Result<Parsed, Fault> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut parser = Parser {
        text,
        options,
        scope: Scope::default(),
        open: Vec::new(),
        root: None,
        nodes: 0,
        names: 0,
        position: 0,
    };
    loop {
        parser.position = usize::try_from(reader.buffer_position()).unwrap_or(text.len());
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(text.len());
            not_xml(&error.to_string()).at(text, at)
        })?;
        match event {
            Event::Start(start) => parser.open(&start)?,
            Event::Empty(start) => {
                parser.open(&start)?;
                parser.close()?;
            }
            Event::End(_) => parser.close()?,
            Event::Text(piece) => parser.text(&piece)?,
            Event::CData(piece) => parser.cdata(&piece)?,
            Event::GeneralRef(name) => {
                let character = text::reference(&name).map_err(|what| parser.wrong(&what))?;
                parser.add(character.encode_utf8(&mut [0; 4]), false)?;
            }
            Event::DocType(_) => return Err(parser.doctype()),
            Event::Decl(_) if parser.position > 0 => {
                return Err(parser.wrong("`<?xml …?>` stands only at the very start"));
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    parser.finish()
}

fn not_xml(what: &str) -> Fault {
    Fault::permanent("not_xml", format!("not XML: {what}"), "mend the document at this place")
}

impl Parser<'_> {
    fn wrong(&self, what: &str) -> Fault {
        not_xml(what).at(self.text, self.position)
    }

    fn doctype(&self) -> Fault {
        Fault::permanent(
            "xml_dtd",
            "the document has a document type (`<!DOCTYPE …>`), which is never read",
            "remove it; entities of its own cannot be used, write their text instead",
        )
        .at(self.text, self.position)
    }

    fn too_large(&self, what: String) -> Fault {
        Fault::permanent("input_too_large", what, "split the document, or raise `max_nodes`")
            .at(self.text, self.position)
    }

    fn count(&mut self, more: usize) -> Result<(), Fault> {
        self.nodes += more;
        if self.nodes > self.options.nodes {
            return Err(self.too_large(format!(
                "the document has more than {} elements and attributes",
                self.options.nodes
            )));
        }
        Ok(())
    }

    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Fault> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.wrong("there is a second root element"));
        }
        if self.open.len() >= self.options.depth {
            let message =
                format!("elements are nested more than {} levels deep", self.options.depth);
            return Err(Fault::permanent("too_deep", message, "raise `max_depth`")
                .at(self.text, self.position));
        }
        self.count(1)?;
        let attributes = self.attributes(start)?;
        self.scope.enter(&attributes).map_err(|what| self.wrong(&what))?;
        let name = self.named(start.name().0, true)?;
        let mut given: Vec<(String, String)> = Vec::with_capacity(attributes.len());
        let mut seen = std::collections::BTreeSet::new();
        for (key, value) in attributes {
            if self.options.namespaces != Namespaces::Keep && Scope::declares(key).is_some() {
                continue;
            }
            let mut name = self.named(key, false)?;
            if !seen.insert(name.clone()) {
                // Two namespaces, one local name.
                key.clone_into(&mut name);
            }
            given.push((name, value));
        }
        let listed = self.is_list(&name);
        self.open.push(Frame::new(name, given, listed, self.options));
        Ok(())
    }

    fn attributes<'a>(
        &mut self,
        start: &'a BytesStart<'_>,
    ) -> Result<Vec<(&'a str, String)>, Fault> {
        if !text::is_name(start.name().0) {
            return Err(self.wrong(&format!(
                "`{}` cannot be an element's name",
                super::json::shorten(start.name().0)
            )));
        }
        let mut found = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| self.wrong(&error.to_string()))?;
            let key = attribute.key.0;
            if !text::is_name(key) {
                return Err(self.wrong(&format!(
                    "`{}` cannot be an attribute's name",
                    super::json::shorten(key)
                )));
            }
            if !seen.insert(key) {
                return Err(self.wrong(&format!("attribute `{key}` stands twice in one element")));
            }
            let value = text::attribute(&attribute.value).map_err(|what| self.wrong(&what))?;
            self.count(1)?;
            found.push((key, value));
        }
        Ok(found)
    }

    /// The name as the author wants it. Without a prefix an element is in the default namespace,
    /// an attribute in none.
    fn named(&mut self, name: &str, element: bool) -> Result<String, Fault> {
        let resolved = match self.options.namespaces {
            Namespaces::Keep => name.to_owned(),
            Namespaces::Strip | Namespaces::Expand => {
                let (address, local) =
                    self.scope.resolve(name, element).map_err(|what| self.wrong(&what))?;
                match address {
                    Some(address) if self.options.namespaces == Namespaces::Expand => {
                        format!("{{{address}}}{local}")
                    }
                    Some(_) | None => local.to_owned(),
                }
            }
        };
        self.names += resolved.len();
        if self.names > MOST_NAMES {
            return Err(self.too_large(
                "the names of the document with their namespaces are too large".to_owned(),
            ));
        }
        Ok(resolved)
    }

    fn is_list(&self, name: &str) -> bool {
        self.options.lists.iter().any(|path| match path.as_slice() {
            [only] => only == name,
            path => {
                path.len() == self.open.len() + 1
                    && path
                        .iter()
                        .zip(self.open.iter().map(|frame| frame.name.as_str()).chain([name]))
                        .all(|(wanted, name)| wanted == "*" || wanted == name)
            }
        })
    }

    fn text(&mut self, piece: &str) -> Result<(), Fault> {
        if piece.contains("]]>") {
            return Err(self.wrong("`]]>` cannot stand in text"));
        }
        self.add(&text::lines(piece), false)
    }

    fn cdata(&mut self, piece: &str) -> Result<(), Fault> {
        self.add(&text::lines(piece), true)
    }

    fn add(&mut self, piece: &str, cdata: bool) -> Result<(), Fault> {
        if let Some(bad) = piece.chars().find(|c| !text::is_allowed(*c)) {
            return Err(
                self.wrong(&format!("the character U+{:04X} cannot stand in XML", u32::from(bad)))
            );
        }
        match self.open.last_mut() {
            Some(frame) => frame.text(piece, self.options),
            None if cdata || !piece.trim_start_matches('\u{feff}').trim().is_empty() => {
                return Err(self.wrong("text stands outside of the root element"));
            }
            None => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(frame) = self.open.pop() else {
            return Err(self.wrong("an element ends that never began"));
        };
        self.scope.leave();
        let (name, listed, value) = frame.finish(self.options);
        match self.open.last_mut() {
            Some(parent) => parent.child(name, listed, value),
            None => self.root = Some((name, value)),
        }
        Ok(())
    }

    fn finish(self) -> Result<Parsed, Fault> {
        if let Some(frame) = self.open.last() {
            return Err(not_xml(&format!(
                "`<{}>` is never closed",
                super::json::shorten(&frame.name)
            ))
            .at(self.text, self.text.len()));
        }
        match self.root {
            Some((root, value)) => Ok(Parsed { root, value, nodes: self.nodes }),
            None => Err(not_xml("there is no element").at(self.text, self.text.len())),
        }
    }
}

#[cfg(test)]
mod tests;
