//! Broken YAML, explained: the parser's words are about its inside, an author's slip is usually
//! one of a few.

use crate::source::entries::too_deep;
use crate::source::{Lines, Problem, Span, shown, span};
use std::borrow::Cow;

/// The problem behind the parser's complaint `info` at byte `at` of `text`.
pub(super) fn explain(text: &str, at: usize, info: &str) -> Problem {
    // The scanner reads ahead of us and has a limit of its own for brackets.
    if info.contains("recursion limit") {
        return too_deep(at);
    }
    let lines = Lines::of(text);
    let number = lines.line(span(at, at).start);
    slip(&lines, number, info).unwrap_or_else(|| {
        let (message, hint) = translate(info, &text[at..]);
        let next = text[at..].chars().next().filter(|c| !c.is_whitespace());
        Problem::syntax("syntax", span(at, at + next.map_or(0, char::len_utf8)), message, hint)
    })
}

/// `{{ … }}` that stands where YAML expects a value, which it takes for a map.
pub(super) fn unquoted_expression(place: Span, written: &str) -> Problem {
    let written = shown(written);
    let quote = if written.contains('"') { '\'' } else { '"' };
    Problem::syntax(
        "expression_not_quoted",
        place,
        format!("the expression `{written}` stands without quotes"),
        format!(
            "put quotes around the whole value: `{quote}{written}{quote}`; YAML takes a bare `{{{{` for a map"
        ),
    )
}

/// The usual slips, looked for in the line of the complaint and the one before it, since some
/// are noticed late.
fn slip(lines: &Lines<'_>, number: u32, info: &str) -> Option<Problem> {
    let near = [number, number.saturating_sub(1).max(1)];
    let near = if number > 1 { &near[..] } else { &near[..1] };
    near.iter()
        .find_map(|line| bare_expression(lines, *line))
        .or_else(|| near.iter().find_map(|line| tab_indent(lines, *line, info)))
        .or_else(|| {
            let misplaced = info.contains("not allowed in this context")
                || info.contains("did not find expected key")
                || info.contains("simple key expect");
            near.iter()
                .filter(|_| misplaced)
                .find_map(|line| glued_colon(lines, *line).or_else(|| second_colon(lines, *line)))
        })
}

fn bare_expression(lines: &Lines<'_>, number: u32) -> Option<Problem> {
    let line = lines.text(number);
    let at = line.match_indices("{{").map(|(at, _)| at).find(|at| starts_value(&line[..*at]))?;
    let rest = &line[at..];
    // The value reaches to the end of the line, or to the comment behind it.
    let length = rest.find(" #").unwrap_or(rest.len());
    let written = rest[..length].trim_end();
    let start = lines.start(number) + at;
    Some(unquoted_expression(span(start, start + written.len()), written))
}

/// Whether a value starts behind `before`: a colon, a dash or a comma, and no open quote.
fn starts_value(before: &str) -> bool {
    let bare = before.trim_end();
    let spaced = bare.len() < before.len();
    match bare.chars().next_back() {
        None => true,
        Some(':' | '-') => spaced && !bare.contains(['"', '\'', '#']),
        Some(',' | '[') => bare.contains(['[', '{']) && !bare.contains(['"', '\'', '#']),
        Some(_) => false,
    }
}

fn tab_indent(lines: &Lines<'_>, number: u32, info: &str) -> Option<Problem> {
    let line = lines.text(number);
    let indent = &line[..line.len() - line.trim_start().len()];
    let tab = indent.find('\t').filter(|_| info.contains("tab") || info.contains("indent"))?;
    let start = lines.start(number) + tab;
    Some(Problem::syntax(
        "syntax",
        span(start, start + indent.len() - tab),
        "the line is indented with a tab",
        "YAML allows spaces only; replace each tab by two spaces",
    ))
}

/// `key:value` without a space is a text, not a key.
fn glued_colon(lines: &Lines<'_>, number: u32) -> Option<Problem> {
    let line = lines.text(number);
    let content = line.trim_start().trim_start_matches("- ").trim_start();
    let word = content.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')?;
    let behind = content[word..].strip_prefix(':')?.chars().next()?;
    if word == 0 || behind.is_whitespace() || behind == '/' {
        return None;
    }
    let start = lines.start(number) + (line.len() - content.len());
    let key = shown(&content[..word]);
    Some(Problem::syntax(
        "syntax",
        span(start, start + word + 1 + behind.len_utf8()),
        format!("no space stands behind `{key}:`"),
        format!("write `{key}: {}`", shown(&content[word + 1..])),
    ))
}

/// `title: Sales: May` has one colon too many.
fn second_colon(lines: &Lines<'_>, number: u32) -> Option<Problem> {
    let line = lines.text(number);
    let first = line.find(": ")?;
    let value = line[first + 2..].trim_start();
    let colon = value.find(": ").or_else(|| value.ends_with(':').then(|| value.len() - 1))?;
    if value.starts_with(['"', '\'', '{', '[', '|', '>', '#']) || value[..colon].contains(" #") {
        return None;
    }
    let start = lines.start(number) + line.len() - value.len();
    Some(Problem::syntax(
        "syntax",
        span(start, start + value.trim_end().len()),
        format!("the value `{}` holds a colon and a space", shown(value.trim_end())),
        format!("put the value in quotes: `\"{}\"`", shown(value.trim_end())),
    ))
}

/// What each complaint of the parser means for an author: a part of the complaint, the message,
/// and the hint. The first that fits is taken.
const MEANINGS: &[(&str, &str, &str)] = &[
    (
        "quoted scalar, found unexpected end of stream",
        "a quoted text is never closed",
        "add the closing quote",
    ),
    (
        "unknown escape character",
        "a text in double quotes holds an escape that YAML does not know",
        "use single quotes, in which `\\` stands for itself, or write `\\\\`",
    ),
    (
        "trailing content after double-quoted",
        "something follows a quoted text",
        "put the quotes around the whole value; inside single quotes write `''` for `'`",
    ),
    (
        "invalid indentation in quoted scalar",
        "a quoted text goes on in a line that is not indented",
        "indent its lines deeper than the key, or close the quote",
    ),
    (
        "quoted scalar",
        "a text in double quotes holds a broken escape",
        "use single quotes, in which `\\` stands for itself, or write `\\\\`",
    ),
    ("flow sequence, expected", "a `[` is not closed", "add `]`, or a comma between two entries"),
    (
        "flow mapping, did not find",
        "a `{` is not closed",
        "add `}`, or a comma between two entries",
    ),
    (
        "indentation in flow construct",
        "a `{` or `[` goes on in a line that is not indented",
        "indent its lines deeper than the key, or close the bracket",
    ),
    (
        "misplaced bracket",
        "a closing bracket was never opened",
        "remove it, or put the text in quotes",
    ),
    (
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "put a text that holds `: ` in quotes; check the indentation of this line",
    ),
    (
        "mapping keys are not allowed",
        "a key stands where none can be",
        "put each key on a line of its own, indented like its neighbours",
    ),
    (
        "block sequence entries are not allowed",
        "a list starts on the line of its key",
        "put the `- ` on the next line, indented",
    ),
    (
        "did not find expected '-'",
        "this line is no entry of the list above it",
        "begin it with `- `, or indent it like what it belongs to",
    ),
    (
        "did not find expected key",
        "this line does not fit the lines above it",
        "indent it exactly like the key it belongs beside, and write `key: value`",
    ),
    ("simple key", "a key without `:`", "write `key: value`, each on one line"),
    ("unknown anchor", "the alias names an anchor that is not there", NOT_AN_ALIAS),
    ("anchor or alias", "a `*` or `&` stands without a name", NOT_AN_ALIAS),
    ("anchor", "an anchor stands where none can be", NOT_AN_ALIAS),
    (
        "handle wasn't declared",
        "the tag is not known",
        "remove it; a text that starts with `!` must be in quotes",
    ),
    ("tag", "a broken tag", "a text that starts with `!` must be in quotes"),
    (
        "block scalar content cannot start with a tab",
        "a text block is indented with a tab",
        "YAML allows spaces only; replace each tab by two spaces",
    ),
    (
        "while scanning a block scalar",
        "something follows a `|` or `>` on its line",
        "start the text on the next line, indented; or put it in quotes",
    ),
    (
        "block scalar",
        "a text block is indented unevenly",
        "indent each of its lines at least as deep as the first",
    ),
    (
        "must be followed by a valid YAML whitespace",
        "no space stands behind a `:` or `-`",
        "write `key: value` or `- value`, with a space and not a tab",
    ),
    ("tab", "a tab stands where only spaces can", "replace each tab by spaces"),
    (
        "directive",
        "a line starts with `%`, which is kept for YAML itself",
        "put a text that starts with `%` in quotes",
    ),
    (
        "byte order mark",
        "a byte order mark stands inside the text",
        "remove the invisible character U+FEFF",
    ),
    ("expected <document", "something follows the end of the document", "one file is one intent"),
    ("document end marker", "something follows the end of the document", "one file is one intent"),
    (
        "comment intercepting",
        "a comment stands inside a text of several lines",
        "start a text of several lines with `|` on the line of its key",
    ),
    ("indentation", "the line is indented wrongly", "indent it exactly like its neighbours"),
];

const NOT_AN_ALIAS: &str =
    "a text that starts with `*` or `&`, such as a cron line, must be in quotes";

fn translate(info: &str, rest: &str) -> (Cow<'static, str>, Cow<'static, str>) {
    if info.starts_with("unexpected character") {
        let c = rest.chars().next().unwrap_or(' ');
        let message = format!("a text can not start with `{c}`");
        return (message.into(), "put it in quotes".into());
    }
    for (part, message, hint) in MEANINGS {
        if info.contains(part) {
            return ((*message).into(), (*hint).into());
        }
    }
    let message = format!("this is not YAML: {}", shown(info));
    (message.into(), "check the indentation and the quotes around here".into())
}
