//! The entries of one map of an intent, checked against its table.

use super::Located;
use super::duration::{self, Wrong};
use super::keys::{Definition, Rule, Shape, Table};
use super::report::Reporter;
use crate::atom::Layer;
use crate::ids::Millis;
use crate::source::{Data, Key, Node, closest, shown};

/// A map whose keys have been checked; their values are checked as they are asked for.
pub(super) struct Fields<'n> {
    table: &'static Table,
    entries: &'n [(Key, Node)],
    path: String,
}

/// The value of one key.
pub(super) struct Field<'n> {
    /// The key as it was written.
    pub(super) name: &'static str,
    pub(super) definition: &'static Definition,
    pub(super) node: &'n Node,
    pub(super) path: String,
}

/// What an unknown key may stand for.
enum Guess {
    /// It is the word of another tool for this key.
    Elsewhere(&'static Definition),
    /// It is spelt almost like this key.
    Near(&'static Definition),
}

impl<'n> Fields<'n> {
    /// Takes `node`, which must be a map, as one with the keys of `table`. Reports keys that are
    /// unknown, not supported yet, missing, or without meaning beside the others.
    pub(super) fn open(
        table: &'static Table,
        node: &'n Node,
        path: &str,
        reporter: &mut Reporter<'_>,
    ) -> Option<Self> {
        let Data::Map(entries) = &node.data else { return None };
        let fields = Self { table, entries, path: path.to_owned() };
        for (key, _) in entries {
            if reporter.full() {
                break;
            }
            fields.check_key(key, reporter);
        }
        for name in table.required {
            // A misspelt key is not reported a second time as a missing one.
            if fields.get(name).is_none() && !fields.means(name) {
                // Marking a whole map would fill the screen; its first key is enough.
                let span = entries.first().map_or(node.span, |(key, _)| key.span);
                let example = table.key(name).map_or(String::new(), |key| key.shape.example(name));
                let message = format!("the {} has no `{name}`", table.name);
                reporter.error("missing_key", path, span, message, example);
            }
        }
        Some(fields)
    }

    fn check_key(&self, key: &Key, reporter: &mut Reporter<'_>) {
        let path = join(&self.path, &key.text);
        let name = &key.text;
        let Some(definition) = self.table.key(name) else {
            if !self.table.open {
                let hint = self.unknown_hint(name);
                let message = format!("unknown key `{}` in the {}", shown(name), self.table.name);
                reporter.error("unknown_key", &path, key.span, message, hint);
            }
            return;
        };
        if let Some(instead) = definition.later {
            let message = format!("`{name}` is not supported yet");
            reporter.error("not_supported_yet", &path, key.span, message, instead);
        }
        let beside = definition.beside;
        if !beside.is_empty() && !beside.iter().any(|other| self.has(other)) {
            let others: Vec<String> = beside.iter().map(|other| format!("`{other}`")).collect();
            let others = others.join(" or ");
            reporter.error(
                "misplaced_key",
                &path,
                key.span,
                format!("`{name}` has no meaning here without {others}"),
                format!("add {others}, or remove `{name}`"),
            );
        }
    }

    fn unknown_hint(&self, name: &str) -> String {
        match self.guess(name) {
            Some(Guess::Elsewhere(Definition { name, later: None, .. })) => {
                return format!("it is called `{name}` here");
            }
            Some(Guess::Elsewhere(Definition { name, later: Some(instead), .. })) => {
                return format!("`{name}` is not supported yet: {instead}");
            }
            Some(Guess::Near(near)) => return format!("did you mean `{}`?", near.name),
            None => {}
        }
        let names: Vec<String> = self.table.names().map(|key| format!("`{key}`")).collect();
        let names = names.join(", ");
        if self.table.name == "step" {
            return format!(
                "what an atom takes stands under its `input:`; the keys of a step are {names}"
            );
        }
        format!("the keys here are {names}")
    }

    /// Which key an unknown one stands for, as far as one can tell.
    fn guess(&self, name: &str) -> Option<Guess> {
        let keys = self.table.keys;
        let elsewhere = keys.iter().find(|key| {
            key.elsewhere.iter().any(|word| word.eq_ignore_ascii_case(name)) && !self.has(key.name)
        });
        if let Some(key) = elsewhere {
            return Some(Guess::Elsewhere(key));
        }
        let near = closest(name, keys.iter().map(|key| key.name))?;
        self.table.key(near).map(Guess::Near)
    }

    /// Whether one of the unknown keys seems to stand for `name`.
    pub(super) fn means(&self, name: &str) -> bool {
        let unknown = self.entries.iter().filter(|(key, _)| self.table.key(&key.text).is_none());
        // Guessing is not cheap, and a hostile config can have very many keys.
        let unknown = unknown.take(100);
        unknown.filter_map(|(key, _)| self.guess(&key.text)).any(|guess| match guess {
            Guess::Elsewhere(key) | Guess::Near(key) => key.name == name,
        })
    }

    /// Whether an unknown key seems to stand for one that says what a step does.
    pub(super) fn means_a_body(&self) -> bool {
        self.table.one_of.iter().copied().flatten().any(|name| self.means(name))
    }

    /// Whether the key was written, even if it is not supported yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.text == name)
    }

    /// The place of a key that was written.
    pub(super) fn key(&self, name: &str) -> Option<&'n Key> {
        self.entries.iter().map(|(key, _)| key).find(|key| key.text == name)
    }

    /// Whether a key was written that says what a step does, but is not supported yet.
    pub(super) fn has_later_form(&self) -> bool {
        self.table.keys.iter().any(|key| key.form && self.has(key.name))
    }

    /// Which of the table's groups of keys were used, each by its first key that was written.
    pub(super) fn groups(&self) -> Vec<&'static str> {
        let groups = self.table.one_of.iter();
        groups.filter_map(|group| group.iter().copied().find(|name| self.has(name))).collect()
    }

    /// The value of a key of the table, if it was written and is supported.
    pub(super) fn get(&self, name: &str) -> Option<Field<'n>> {
        let definition = self.table.key(name).filter(|key| key.later.is_none())?;
        let (_, node) = self.entries.iter().find(|(key, _)| key.text == name)?;
        Some(Field { name: definition.name, definition, node, path: join(&self.path, name) })
    }
}

/// The path of `key` below `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    let key = shown(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

impl<'n> Field<'n> {
    /// Reports that the value is of another kind than the table says.
    pub(super) fn wrong_kind(&self, reporter: &mut Reporter<'_>) {
        let (name, shape) = (self.name, &self.definition.shape);
        let message = match &self.node.data {
            Data::Null => format!("`{name}` has no value, it must be {}", shape.wanted()),
            Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
                format!("`{name}` must be {}, here is {}", shape.wanted(), self.node.kind())
            }
        };
        reporter.error("wrong_type", &self.path, self.node.span, message, self.hint());
    }

    fn example(&self) -> String {
        self.definition.shape.example(self.name)
    }

    /// How the value is written, with a word on what was probably meant.
    fn hint(&self) -> String {
        let (name, shape) = (self.name, &self.definition.shape);
        let example = self.example();
        match (&self.node.data, shape) {
            (Data::Text(text), Shape::Texts { .. }) => {
                format!("write `{name}: [\"{}\"]`", shown(text))
            }
            (Data::Text(text), _) if text.contains("{{") => {
                format!("no expression can stand here; {example}")
            }
            (Data::Number(number), Shape::Text { .. }) => {
                format!("put it in quotes: `{name}: \"{number}\"`")
            }
            (
                Data::Text(_)
                | Data::Null
                | Data::Bool(_)
                | Data::Number(_)
                | Data::List(_)
                | Data::Map(_),
                _,
            ) => example,
        }
    }

    pub(super) fn wrong_value(&self, reporter: &mut Reporter<'_>, message: String, hint: String) {
        reporter.error("wrong_value", &self.path, self.node.span, message, hint);
    }

    /// The text, of whatever form the table asks for.
    pub(super) fn text(&self, reporter: &mut Reporter<'_>) -> Option<Located<String>> {
        let Data::Text(text) = &self.node.data else {
            self.wrong_kind(reporter);
            return None;
        };
        if let Shape::Name(rule) = &self.definition.shape
            && !self.fits(*rule, text, reporter)
        {
            return None;
        }
        Some(Located { span: self.node.span, value: text.clone() })
    }

    fn fits(&self, rule: Rule, text: &str, reporter: &mut Reporter<'_>) -> bool {
        let fits = rule.fits(text);
        if !fits {
            let message = format!("`{}` is not a valid `{}`", shown(text), self.name);
            self.wrong_value(reporter, message, rule.allowed().to_owned());
        }
        fits
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, reporter: &mut Reporter<'_>) -> Option<bool> {
        let Data::Bool(flag) = self.node.data else {
            self.wrong_kind(reporter);
            return None;
        };
        Some(flag)
    }

    /// A whole number within the bounds of a `Shape::Whole`.
    pub(super) fn whole(&self, reporter: &mut Reporter<'_>) -> Option<u32> {
        let Data::Number(number) = &self.node.data else {
            self.wrong_kind(reporter);
            return None;
        };
        let Shape::Whole { min, max } = self.definition.shape else { return None };
        let value = number.as_u64().and_then(|value| u32::try_from(value).ok());
        let value = value.filter(|value| (min..=max).contains(value));
        if value.is_none() {
            let message = format!(
                "`{}` is {number}, it must be a whole number from {min} to {max}",
                self.name
            );
            self.wrong_value(reporter, message, self.example());
        }
        value
    }

    /// A duration; a bare number counts seconds.
    pub(super) fn duration(&self, reporter: &mut Reporter<'_>) -> Option<Millis> {
        let name = self.name;
        let read = match &self.node.data {
            Data::Number(number) => duration::from_seconds(number.as_f64().unwrap_or(f64::MAX)),
            Data::Text(text) if !text.contains("{{") => duration::parse(text),
            Data::Text(_) | Data::Null | Data::Bool(_) | Data::List(_) | Data::Map(_) => {
                self.wrong_kind(reporter);
                return None;
            }
        };
        let written = match &self.node.data {
            Data::Text(text) => shown(text),
            Data::Number(number) => number.to_string(),
            Data::Null | Data::Bool(_) | Data::List(_) | Data::Map(_) => String::new(),
        };
        let zero_allowed = matches!(self.definition.shape, Shape::Duration { zero: true });
        let example = self.example();
        match read {
            Ok(Millis(0)) if !zero_allowed => {
                let message = format!("`{name}` is `{written}`, which leaves no time at all");
                self.wrong_value(reporter, message, example);
                None
            }
            Ok(millis) => Some(millis),
            Err(Wrong::TooLong) => {
                let message = format!("`{name}` is `{written}`, longer than a year");
                self.wrong_value(reporter, message, "366d is the longest".to_owned());
                None
            }
            Err(Wrong::Form) => {
                self.wrong_value(reporter, format!("`{written}` is not a duration"), example);
                None
            }
        }
    }

    /// One of some words, as what it stands for. The table's words and `choices` are the same,
    /// which a test of the tables makes sure.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&'static str, T)],
        reporter: &mut Reporter<'_>,
    ) -> Option<T> {
        let Data::Text(text) = &self.node.data else {
            self.wrong_kind(reporter);
            return None;
        };
        let found = choices.iter().find(|(word, _)| word == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let hint = match closest(text, choices.iter().map(|(word, _)| *word)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => self.example(),
            };
            let message = format!("`{}` can not be `{}`", self.name, shown(text));
            self.wrong_value(reporter, message, hint);
        }
        found
    }

    /// The name of a layer, as written.
    pub(super) fn layer(&self, reporter: &mut Reporter<'_>) -> Option<Located<String>> {
        let name = self.text(reporter)?;
        if Layer::from_name(&name.value).is_some() {
            return Some(name);
        }
        let hint = match closest(&name.value, Layer::ALL.map(Layer::name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => self.example(),
        };
        let message = format!("there is no layer `{}`", shown(&name.value));
        reporter.error("unknown_layer", &self.path, self.node.span, message, hint);
        None
    }

    /// A list of texts.
    pub(super) fn texts(&self, reporter: &mut Reporter<'_>) -> Option<Vec<Located<String>>> {
        let Data::List(items) = &self.node.data else {
            self.wrong_kind(reporter);
            return None;
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let Data::Text(text) = &item.data {
                texts.push(Located { span: item.span, value: text.clone() });
            } else {
                let path = format!("{}[{index}]", self.path);
                let message = format!("`{}` lists texts, here is {}", self.name, item.kind());
                let hint = self.example();
                reporter.error("wrong_type", &path, item.span, message, hint);
            }
        }
        Some(texts)
    }

    /// A list of some of these words.
    pub(super) fn words(&self, known: &[&str], reporter: &mut Reporter<'_>) -> Option<Vec<String>> {
        let texts = self.texts(reporter)?;
        for (index, Located { span, value }) in texts.iter().enumerate() {
            if known.contains(&value.as_str()) {
                continue;
            }
            let hint = match closest(value, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write some of `{}`", known.join("`, `")),
            };
            let path = format!("{}[{index}]", self.path);
            let message = format!("`{}` can not hold `{}`", self.name, shown(value));
            reporter.error("wrong_value", &path, *span, message, hint);
        }
        Some(texts.into_iter().map(|Located { value, .. }| value).collect())
    }

    /// A map with keys of the author's own.
    pub(super) fn map(&self, reporter: &mut Reporter<'_>) -> Option<&'n [(Key, Node)]> {
        let Data::Map(entries) = &self.node.data else {
            self.wrong_kind(reporter);
            return None;
        };
        Some(entries)
    }

    /// A map with the keys of the table in the definition.
    pub(super) fn table(&self, reporter: &mut Reporter<'_>) -> Option<Fields<'n>> {
        let (Shape::Table(table) | Shape::Retry(table)) = &self.definition.shape else {
            return None;
        };
        let fields = Fields::open(table, self.node, &self.path, reporter);
        if fields.is_none() {
            self.wrong_kind(reporter);
        }
        fields
    }
}
