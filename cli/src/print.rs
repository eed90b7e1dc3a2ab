//! Writing for people and programs: colour on terminals only, a closed pipe is no error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Error {
    /// The exit code.
    pub(crate) exit: u8,
    /// What happened, to what.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Error {
    /// Something did not work.
    pub(crate) fn failed(message: impl Display) -> Self {
        Self { exit: 1, message: message.to_string(), hint: None }
    }

    /// What was typed or configured cannot be used.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { exit: 2, message: message.to_string(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

/// Text to stdout. When the reader has gone, the process has nothing left to do.
pub(crate) fn out(text: impl Display) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// A line to stderr.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

pub(crate) fn error(error: &Error) {
    note(format_args!("{}: {}", paint(Colour::Red, "error"), error.message));
    if let Some(hint) = &error.hint {
        note(format_args!("  {}: {hint}", paint(Colour::Blue, "help")));
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
    Blue,
    Dim,
}

/// Whether stderr shows colours.
pub(crate) fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Colours text meant for stderr.
pub(crate) fn paint(colour: Colour, text: &str) -> String {
    if !colours() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Red => 31,
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Blue => 34,
        Colour::Dim => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// The colour of a state.
pub(crate) fn paint_status(status: &str, text: &str) -> String {
    let colour = match status {
        "completed" => Colour::Green,
        "failed" => Colour::Red,
        "cancelled" | "skipped" => Colour::Yellow,
        _ => Colour::Dim,
    };
    paint(colour, text)
}

/// Columns as wide as they must be, two spaces between.
pub(crate) fn table(rows: &[Vec<String>], status_column: Option<usize>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().enumerate().map(|(line, row)| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let padded = format!("{cell:<width$}", width = widths[column]);
            match status_column {
                Some(status) if status == column && line > 0 => paint_status(cell, &padded),
                _ => padded,
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `850 µs`, `12.3 ms`, `4.56 s`.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}
