//! Plain paths: `steps.rows.output.rows[0].sku`, walked in the JSON itself.

use serde_json::Value;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// `.name` or `['name']`.
    Key(Box<str>),
    /// `[3]`.
    Index(usize),
}

/// A root name and the way down from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) root: Box<str>,
    pub(super) segments: Vec<Segment>,
}

/// Words that are not names in an expression.
const WORDS: [&str; 12] =
    ["true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if"];

/// Reads `text` as a plain path; none if it is anything else.
pub(super) fn parse(text: &str) -> Option<Path> {
    let mut rest = text.trim();
    let root = identifier(&mut rest)?;
    if WORDS.contains(&root) {
        return None;
    }
    let mut segments = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            segments.push(Segment::Key(identifier(&mut rest)?.into()));
        } else {
            let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
            rest = after;
            segments.push(subscript(inside.trim())?);
        }
    }
    Some(Path { root: root.into(), segments })
}

fn identifier<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = *rest;
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'_'))
        .unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    *rest = after;
    (!name.is_empty() && !name.as_bytes()[0].is_ascii_digit()).then_some(name)
}

fn subscript(inside: &str) -> Option<Segment> {
    let quoted = |quote: char| {
        inside
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote))
            .filter(|text| !text.contains([quote, '\\', ']']))
    };
    if let Some(key) = quoted('\'').or_else(|| quoted('"')) {
        return Some(Segment::Key(key.into()));
    }
    inside
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| inside.parse().ok())?
        .map(Segment::Index)
}

/// Follows `segments` down from `value`. The error is how many segments could be followed.
pub(super) fn walk<'a>(mut value: &'a Value, segments: &[Segment]) -> Result<&'a Value, usize> {
    for (depth, segment) in segments.iter().enumerate() {
        let next = match segment {
            Segment::Key(key) => value.get(&**key),
            Segment::Index(index) => value.get(*index),
        };
        value = next.ok_or(depth)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_told_from_other_expressions() {
        let path = parse(" steps['my-step'].output.rows[0].sku ").unwrap();
        assert_eq!(&*path.root, "steps");
        assert_eq!(path.segments.len(), 5);
        for other in
            ["a + b", "f(x)", "1", "true", "a | length", "a.b.", "a[", "'x'", "", "a[b]", "a-b"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_walk_says_how_far_it_came() {
        let value = json!({"a": [{"b": 1}]});
        let path = parse("r.a[0].b").unwrap();
        assert_eq!(walk(&value, &path.segments), Ok(&json!(1)));
        let path = parse("r.a[1].b").unwrap();
        assert_eq!(walk(&value, &path.segments), Err(1));
    }
}
