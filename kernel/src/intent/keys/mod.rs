//! The keys an author can write: one table for each kind of map in an intent.
//!
//! From these tables come the checks of [`decode`](super::decode), the words of its problems, and
//! the JSON Schema for editors. A new key is one line in a table, and one where it is read.

mod intent;
mod shape;
mod step;

pub(super) use intent::INTENT;
pub use intent::LANGUAGES;
pub(super) use shape::{Rule, Shape};
pub(super) use step::{BACKOFF, ON_ERROR, ON_ITEM_ERROR, RETRY, STEP};

/// The keys of one kind of map.
#[derive(Debug)]
pub(super) struct Table {
    /// What such a map is called: `step`, `retry`.
    pub(super) name: &'static str,
    /// One sentence on it.
    pub(super) about: &'static str,
    /// In the order in which they are best written.
    pub(super) keys: &'static [Definition],
    /// Keys that must be there.
    pub(super) required: &'static [&'static str],
    /// Groups of keys, of which exactly one group must be used; none means no such rule.
    pub(super) one_of: &'static [&'static [&'static str]],
    /// Whether other keys are allowed too.
    pub(super) open: bool,
}

impl Table {
    const fn new(name: &'static str, about: &'static str, keys: &'static [Definition]) -> Self {
        Self { name, about, keys, required: &[], one_of: &[], open: false }
    }

    /// The key of this name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Definition> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of the keys that work today.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().filter(|key| key.later.is_none()).map(|key| key.name)
    }
}

/// One key.
#[derive(Debug)]
pub(super) struct Definition {
    /// As it is written.
    pub(super) name: &'static str,
    /// What it is for: one or two sentences.
    pub(super) about: &'static str,
    /// What its value looks like.
    pub(super) shape: Shape,
    /// What the same thing is called elsewhere, for "did you mean".
    pub(super) elsewhere: &'static [&'static str],
    /// It has a meaning only beside one of these keys; empty means always.
    pub(super) beside: &'static [&'static str],
    /// Not supported yet: what to write instead.
    pub(super) later: Option<&'static str>,
    /// It says what the step does, and so takes the place of a body.
    pub(super) form: bool,
}

/// A key that works.
const fn key(name: &'static str, shape: Shape, about: &'static str) -> Definition {
    Definition { name, about, shape, elsewhere: &[], beside: &[], later: None, form: false }
}

/// A key of the language that a later version brings.
const fn later(name: &'static str, instead: &'static str) -> Definition {
    Definition { later: Some(instead), ..key(name, Shape::Anything, "") }
}

impl Definition {
    const fn elsewhere(self, names: &'static [&'static str]) -> Self {
        Self { elsewhere: names, ..self }
    }

    const fn beside(self, keys: &'static [&'static str]) -> Self {
        Self { beside: keys, ..self }
    }

    const fn form(self) -> Self {
        Self { form: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::intent::{DEFAULTS, FILE_GRANTS, GRANTS, LIMITS, META, SCRIPT_GRANTS};
    use super::*;

    const ALL: [&Table; 9] =
        [&INTENT, &DEFAULTS, &LIMITS, &GRANTS, &FILE_GRANTS, &SCRIPT_GRANTS, &META, &STEP, &RETRY];

    #[test]
    fn tables_name_each_key_once_and_refer_to_keys_they_have() {
        for table in ALL {
            let mut seen = std::collections::BTreeSet::new();
            for key in table.keys {
                assert!(seen.insert(key.name), "{} twice in {}", key.name, table.name);
                for other in key.beside {
                    assert!(table.key(other).is_some(), "{}: {other}", table.name);
                }
                for word in key.elsewhere {
                    assert!(table.key(word).is_none(), "{}: {word} is a key", table.name);
                }
            }
            for name in table.required.iter().chain(table.one_of.iter().copied().flatten()) {
                assert!(table.key(name).is_some_and(|key| key.later.is_none()), "{name}");
            }
        }
    }

    /// The words that are read are the words that are described.
    #[test]
    fn words_and_choices_are_the_same() {
        fn check<T>(table: &Table, key: &str, choices: &[(&str, T)]) {
            let Some(Definition { shape: Shape::OneOf(words), .. }) = table.key(key) else {
                panic!("{key} is no choice");
            };
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let read: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            assert_eq!(words, read, "{key}");
        }
        check(&RETRY, "backoff", &BACKOFF);
        check(&STEP, "on_error", &ON_ERROR);
        check(&STEP, "on_item_error", &ON_ITEM_ERROR);
    }

    #[test]
    fn each_key_that_works_is_described_and_each_other_names_a_way_out() {
        for key in ALL.iter().flat_map(|table| table.keys) {
            match key.later {
                None => assert!(key.about.len() > 10 && !key.about.ends_with('.'), "{}", key.name),
                Some(instead) => assert!(instead.len() > 10, "{}", key.name),
            }
        }
    }
}
