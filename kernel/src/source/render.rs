//! Problems as a person reads them in a terminal: in the manner of rustc.

use super::problem::{Problem, Report, reports};
use std::fmt::Write;

/// All `problems` of the text `source` called `name`, in the order in which they stand there.
///
/// With `color` the parts carry ANSI colours; without it the text is plain. Control characters
/// of the source never reach the terminal.
pub fn render(name: &str, source: &str, problems: &[Problem], color: bool) -> String {
    let paint = if color { COLORED } else { PLAIN };
    let mut out = String::new();
    for (index, report) in reports(source, problems).iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        one(&mut out, name, report, &paint);
    }
    out
}

/// The escape sequences around the parts; empty in plain text.
struct Paint {
    error: &'static str,
    warning: &'static str,
    frame: &'static str,
    bold: &'static str,
    end: &'static str,
}

const PLAIN: Paint = Paint { error: "", warning: "", frame: "", bold: "", end: "" };
const COLORED: Paint = Paint {
    error: "\u{1b}[1;31m",
    warning: "\u{1b}[1;33m",
    frame: "\u{1b}[1;34m",
    bold: "\u{1b}[1m",
    end: "\u{1b}[0m",
};

fn one(out: &mut String, name: &str, report: &Report, paint: &Paint) {
    let Paint { frame, bold, end, .. } = paint;
    let (word, tone) =
        if report.warning { ("warning", paint.warning) } else { ("error", paint.error) };
    let number = report.line.to_string();
    let gutter = " ".repeat(number.len());
    let (code, message) = (report.code, printable(&report.message));
    let (line, column) = (report.line, report.column);
    let (before, meant, after) = parts(report);
    let pad = " ".repeat(columns(&before));
    let mark = "^".repeat(columns(&meant).max(1));
    let hint = printable(&report.hint);
    let name = printable(name);
    let excerpt = format!(" {before}{meant}{after}");
    let excerpt = excerpt.trim_end();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{tone}{word}[{code}]{end}{bold}: {message}{end}\n\
         {gutter}{frame}-->{end} {name}:{line}:{column}\n\
         {gutter} {frame}|{end}\n\
         {frame}{number} |{end}{excerpt}\n\
         {gutter} {frame}|{end} {pad}{tone}{mark}{end}\n\
         {gutter} {frame}={end} {bold}help{end}: {hint}\n"
    );
}

/// The excerpt before, in and behind the meant part.
fn parts(report: &Report) -> (String, String, String) {
    let mut chars = report.excerpt.chars();
    let before: String = chars.by_ref().take(report.indent as usize).collect();
    let meant: String = chars.by_ref().take(report.width as usize).collect();
    (printable(&before), printable(&meant), printable(chars.as_str()))
}

/// Tabs as four spaces; what could steer a terminal or turn the direction of text as `�`.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// How many columns `text` takes in a terminal. Near enough for underlining: wide East Asian
/// characters and emoji take two, combining ones none.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{fe00}'..='\u{fe0f}' => 0,
            '\u{1100}'..='\u{115f}'
            | '\u{2e80}'..='\u{a4cf}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}'
            | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1f64f}'
            | '\u{1f680}'..='\u{1f6ff}'
            | '\u{1f900}'..='\u{1f9ff}'
            | '\u{20000}'..='\u{3fffd}' => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn problem(start: u32, end: u32, warning: bool) -> Problem {
        Problem { warning, ..Problem::syntax("code", Span { start, end }, "what", "how") }
    }

    #[test]
    fn a_problem_is_shown_with_its_line() {
        let text = render("a.yaml", "one\ntwo: x\n", &[problem(4, 7, false)], false);
        assert_eq!(
            text,
            "error[code]: what\n --> a.yaml:2:1\n  |\n2 | two: x\n  | ^^^\n  = help: how\n"
        );
    }

    #[test]
    fn problems_come_in_the_order_of_the_text() {
        let text = render("a", "one\ntwo", &[problem(4, 5, false), problem(0, 1, true)], false);
        assert!(text.find("warning").unwrap() < text.find("error").unwrap());
    }

    #[test]
    fn the_mark_stands_under_the_place_behind_tabs_and_wide_characters() {
        let source = "\t日本 x";
        let text = render("a", source, &[problem(8, 9, false)], false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "1 |     日本 x");
        assert_eq!(lines[4], "  |          ^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut bad = problem(0, 1, false);
        bad.message = "key `\u{1b}[2J`".to_owned();
        let text = render("\u{7}a", "x\u{1b}[31m\u{202e}y", &[bad], false);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn colours_only_on_request() {
        assert!(render("a", "x", &[problem(0, 1, false)], true).contains("\u{1b}[1;31merror"));
        assert!(!render("a", "x", &[problem(0, 1, false)], false).contains('\u{1b}'));
    }
}
