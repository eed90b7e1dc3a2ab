//! YAML 1.2 with the place of every part, resolved to the kinds of JSON by the core schema.
//!
//! The syntax is read by `saphyr-parser`; what its events mean is decided here. Refused, because
//! a config has no use for them and they hide mistakes: several documents, keys that are not
//! text, repeated keys, tags of one's own, and aliases that blow up ([`anchors`]).

mod anchors;
mod build;
mod offsets;
mod scalar;
mod syntax;

use super::{Data, Node, Problem, span};
use build::Builder;
use offsets::Offsets;
use saphyr_parser::{Event, Parser};

/// The tree, if its shape is clear, and the problems.
pub(super) fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    if let Some(problem) = control_character(text) {
        return (None, vec![problem]);
    }
    let mut builder = Builder::new(text);
    let end = feed(text, &mut builder);
    let (node, mut problems) = builder.finish();
    match end {
        Ok(()) => {
            // No document at all is the same as an empty value.
            let node = node.unwrap_or(Node { span: span(0, 0), data: Data::Null });
            (Some(node), problems)
        }
        Err(problem) => {
            // A bare expression with text behind it is noticed twice; the second sees all of it.
            problems.retain(|other| {
                other.code != problem.code || other.span.start != problem.span.start
            });
            problems.push(problem);
            (None, problems)
        }
    }
}

/// Gives all events of the text to `builder`; ends early at the first that leaves the shape open.
fn feed(text: &str, builder: &mut Builder<'_>) -> Result<(), Problem> {
    let offsets = Offsets::of(text);
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(next) = parser.next_event() {
        let (event, place) = next.map_err(|error| {
            syntax::explain(text, offsets.byte(error.marker().index()), error.info())
        })?;
        let (start, end) = (offsets.byte(place.start.index()), offsets.byte(place.end.index()));
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(second_document(start));
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                builder.scalar(&value, style, anchor, tag.as_deref(), (start, end))?;
            }
            Event::SequenceStart(anchor, tag) => {
                builder.open_list(start, anchor, tag.as_deref())?;
            }
            Event::MappingStart(anchor, tag) => builder.open_map(start, anchor, tag.as_deref())?,
            Event::SequenceEnd | Event::MappingEnd => builder.close(start)?,
            Event::Alias(anchor) => builder.alias(anchor, (start, end))?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    Ok(())
}

/// The scanner takes NUL for the end of the text and would silently drop what follows.
fn control_character(text: &str) -> Option<Problem> {
    let bad = |c: char| c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
    let at = text.find(bad)?;
    let code = text.as_bytes()[at];
    let message = format!("the text holds the control character U+{code:04X}");
    let hint = format!("remove it, or write it inside double quotes as `\\x{code:02x}`");
    Some(Problem::syntax("control_character", span(at, at + 1), message, hint))
}

fn second_document(at: usize) -> Problem {
    Problem::syntax(
        "several_documents",
        span(at, at + 3),
        "a second document starts here",
        "one file is one intent; put each into a file of its own",
    )
}

#[cfg(test)]
mod tests;
