//! From byte offsets to lines and columns.

use super::Span;
use super::problem::{Problem, Report};

/// A longer line is shown in part only: minified JSON has the whole config in one line.
const WINDOW: usize = 160;
/// So many characters before the meant place stay visible in a part.
const BEFORE: usize = 60;

/// Where each line of a text starts.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Finds the lines of `source`; they end with `\n`, `\r\n` or `\r`, as in YAML.
    pub(crate) fn of(source: &'a str) -> Self {
        let bytes = source.as_bytes();
        // A byte order mark is no part of the first line: no editor shows it.
        let mut starts = vec![if source.starts_with('\u{feff}') { 3 } else { 0 }];
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
                starts.push(at + 1);
            }
        }
        Self { source, starts }
    }

    /// The line, from 1, on which byte `offset` stands.
    pub(crate) fn line(&self, offset: u32) -> u32 {
        let index = self.starts.partition_point(|start| *start <= offset as usize);
        u32::try_from(index.max(1)).unwrap_or(u32::MAX)
    }

    /// The text of line `number`, counted from 1, without its end.
    pub(super) fn text(&self, number: u32) -> &'a str {
        let index = (number as usize).saturating_sub(1).min(self.starts.len() - 1);
        let end = self.starts.get(index + 1).copied().unwrap_or(self.source.len());
        self.source[self.starts[index]..end].trim_end_matches(['\n', '\r'])
    }

    /// Byte offset of the first character of line `number`, counted from 1.
    pub(super) fn start(&self, number: u32) -> usize {
        let index = (number as usize).saturating_sub(1).min(self.starts.len() - 1);
        self.starts[index]
    }

    /// `problem` with its place.
    pub(super) fn report(&self, problem: &Problem) -> Report {
        let Wide { start, end } = self.within(problem.span);
        let line = self.line(u32::try_from(start).unwrap_or(u32::MAX));
        let text = self.text(line);
        let line_start = self.start(line);
        // A span that starts at the end of its line points just behind the last character.
        let from = start.saturating_sub(line_start).min(text.len());
        let to = end.saturating_sub(line_start).clamp(from, text.len());
        let column = text[..from].chars().count();
        let width = text[from..to].chars().count().max(1);
        let (excerpt, indent, width) = window(text, column, width);
        Report {
            path: problem.path.clone(),
            line,
            column: count(column + 1),
            code: problem.code,
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            excerpt,
            indent: count(indent),
            width: count(width),
            warning: problem.warning,
        }
    }

    /// The span in `usize`, moved onto character borders: a problem may be shown with another
    /// text than the one it came from, and that must not end in a panic.
    fn within(&self, span: Span) -> Wide {
        let floor = |offset: u32| self.source.floor_char_boundary(offset as usize);
        let start = floor(span.start).max(self.starts[0]);
        Wide { start, end: floor(span.end).max(start) }
    }
}

/// A span in `usize`.
struct Wide {
    start: usize,
    end: usize,
}

/// Cuts a long line; answers the part, the characters before the meant ones in it, and how many
/// of them are still visible.
fn window(text: &str, column: usize, width: usize) -> (String, usize, usize) {
    let length = text.chars().count();
    if length <= WINDOW {
        return (text.to_owned(), column, width);
    }
    let first = column.saturating_sub(BEFORE).min(length - WINDOW);
    let mut part = String::new();
    if first > 0 {
        part.push('…');
    }
    part.extend(text.chars().skip(first).take(WINDOW));
    let last = first + WINDOW;
    if last < length {
        part.push('…');
    }
    let indent = column - first + usize::from(first > 0);
    (part, indent, width.min(last.saturating_sub(column)).max(1))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, start: u32, end: u32) -> Report {
        Problem::syntax("code", Span { start, end }, "message", "hint").report(source)
    }

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let report = at("a: b\nключ: x\n", 14, 15);
        assert_eq!((report.line, report.column, report.width), (2, 6, 1));
        assert_eq!(report.excerpt, "ключ: x");
    }

    #[test]
    fn every_kind_of_line_end_counts_once() {
        let lines = Lines::of("a\r\nb\rc\nd");
        assert_eq!([lines.line(0), lines.line(3), lines.line(5), lines.line(7)], [1, 2, 3, 4]);
        assert_eq!(
            [lines.text(1), lines.text(2), lines.text(3), lines.text(4)],
            ["a", "b", "c", "d"]
        );
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let report = at("\u{feff}ab: c", 3, 5);
        assert_eq!((report.line, report.column, report.excerpt.as_str()), (1, 1, "ab: c"));
        assert_eq!(at("\u{feff}ab: c", 0, 1).column, 1);
    }

    #[test]
    fn a_span_over_many_lines_is_marked_on_its_first() {
        assert_eq!(at("ab\ncd", 1, 5).width, 1);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let source = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let report = at(&source, 5000, 5004);
        assert_eq!(report.column, 5001);
        let meant: String = report
            .excerpt
            .chars()
            .skip(report.indent as usize)
            .take(report.width as usize)
            .collect();
        assert_eq!(meant, "HERE");
        assert_eq!(report.excerpt.chars().count(), WINDOW + 2);
    }

    #[test]
    fn places_outside_the_text_or_inside_a_character_do_not_panic() {
        for (start, end) in [(0, 0), (1, 2), (2, 900), (700, 900), (5, 1), (u32::MAX, u32::MAX)] {
            for source in ["", "é", "aé\nü", "\u{feff}", "\n"] {
                assert!(at(source, start, end).width >= 1);
            }
        }
    }
}
