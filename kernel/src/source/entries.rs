//! What both readers do with the entries of a map: keys must be unique.

use super::{Key, Lines, MAX_DEPTH, MOST_PROBLEMS, Node, Problem, shown, span};
use std::collections::BTreeMap;

/// The repeated keys of a text. They become problems only at the end, because for the lines
/// that these name the whole text has to be searched once.
#[derive(Debug, Default)]
pub(super) struct Repeats(Vec<(Key, Key)>);

impl Repeats {
    /// Keeps the first entry of each key and remembers the others.
    pub(super) fn unique(&mut self, entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        let mut again = Vec::new();
        for (index, (key, _)) in entries.iter().enumerate() {
            if let Some(before) = first.get(key.text.as_str()) {
                if self.0.len() < MOST_PROBLEMS {
                    self.0.push((entries[*before].0.clone(), key.clone()));
                }
                again.push(index);
            } else {
                first.insert(&key.text, index);
            }
        }
        if again.is_empty() {
            return entries;
        }
        let mut again = again.into_iter().peekable();
        let keep = |(index, entry)| (again.next_if_eq(&index).is_none()).then_some(entry);
        entries.into_iter().enumerate().filter_map(keep).collect()
    }

    /// One problem for each repeated key of `text`.
    pub(super) fn problems(self, text: &str) -> Vec<Problem> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let lines = Lines::of(text);
        self.0.iter().map(|(first, again)| repeated(&lines, first, again)).collect()
    }
}

fn repeated(lines: &Lines<'_>, first: &Key, again: &Key) -> Problem {
    let (key, line) = (shown(&again.text), lines.line(first.span.start));
    let here = lines.line(again.span.start);
    let place = if line == here {
        format!("twice on line {line}")
    } else {
        format!("again on line {here}, first on line {line}")
    };
    Problem::syntax(
        "repeated_key",
        again.span,
        format!("key `{key}` stands {place}"),
        "keep one of the two, or give one of them another name",
    )
}

/// The problem of a text that nests too deeply at byte `at`.
pub(super) fn too_deep(at: usize) -> Problem {
    Problem::syntax(
        "too_deep",
        span(at, at + 1),
        format!("lists and maps are nested deeper than {MAX_DEPTH} levels"),
        "flatten the config, or pass deep data as `params`",
    )
}
