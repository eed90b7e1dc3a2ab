//! Tables of text: CSV and its dialects. One pass over the characters; a fault knows its record
//! and its line. Typing of fields is in `typed`, guessing of the delimiter in `detect`.

mod detect;
mod typed;

use super::Fault;
pub(crate) use detect::delimiter;
pub(crate) use typed::{Kind, Typing};

/// How a table is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) delimiter: char,
    /// None: a quote is a character as any other.
    pub(crate) quote: Option<char>,
    /// Stands before a quote that is meant as such. None: the quote is doubled.
    pub(crate) escape: Option<char>,
    /// Lines that start with it are left out.
    pub(crate) comment: Option<char>,
    /// White space around unquoted fields is left out.
    pub(crate) trim: bool,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) fields: Vec<Field>,
    /// The line where it starts, counted from 1.
    pub(crate) line: u64,
}

/// One cell. A quoted one is text, even when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) quoted: bool,
}

/// Fields in one record, and so columns of a table.
const MOST_FIELDS: usize = 16_384;

/// Reads record after record. After a fault it goes on with the next line.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    /// Records so far; comments and empty lines are none.
    records: u64,
    dialect: Dialect,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { text, at: 0, line: 1, records: 0, dialect }
    }

    /// Leaves out so many lines, whatever is in them.
    pub(crate) fn skip_lines(&mut self, count: usize) {
        for _ in 0..count {
            self.skip_line();
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Takes a character; a line end of any kind is one `\n`.
    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\r' && self.peek() == Some('\n') {
            self.at += 1;
        }
        if matches!(c, '\r' | '\n') {
            self.line += 1;
            return Some('\n');
        }
        Some(c)
    }

    fn skip_line(&mut self) {
        while let Some(c) = self.take() {
            if c == '\n' {
                return;
            }
        }
    }

    fn at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some('\r' | '\n'))
    }

    fn wrong(&self, line: u64, what: String, hint: &str) -> Fault {
        let mut fault = Fault::permanent(
            "not_csv",
            format!("record {}, line {line}: {what}", self.records),
            hint,
        );
        (fault.line, fault.record) = (Some(line), Some(self.records));
        fault
    }

    /// The next record; none at the end.
    pub(crate) fn next_record(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            let first = self.peek();
            if first.is_none() {
                return Ok(None);
            }
            if matches!(first, Some('\r' | '\n'))
                || (first.is_some() && first == self.dialect.comment)
            {
                self.skip_line();
                continue;
            }
            self.records += 1;
            let mut record = Record { fields: Vec::new(), line: self.line };
            loop {
                if record.fields.len() >= MOST_FIELDS {
                    self.skip_line();
                    return Err(self.wrong(
                        record.line,
                        format!("there are more than {MOST_FIELDS} fields"),
                        "check `delimiter`",
                    ));
                }
                let field = self.field()?;
                record.fields.push(field);
                match self.take() {
                    Some(c) if c == self.dialect.delimiter => {}
                    _ => return Ok(Some(record)),
                }
            }
        }
    }

    /// Up to the delimiter or the line's end, which are left there.
    fn field(&mut self) -> Result<Field, Fault> {
        let Dialect { delimiter, quote, trim, .. } = self.dialect;
        let blank = |c: char| trim && c != delimiter && (c == ' ' || c == '\t');
        while self.peek().is_some_and(blank) {
            self.take();
        }
        if quote.is_some() && self.peek() == quote {
            let text = self.quoted()?;
            while self.peek().is_some_and(blank) {
                self.take();
            }
            if !self.at_line_end() && self.peek() != Some(delimiter) {
                let line = self.line;
                self.skip_line();
                return Err(self.wrong(
                    line,
                    "something follows a closing quote".to_owned(),
                    "double a quote inside of a quoted field, or set `escape`",
                ));
            }
            return Ok(Field { text, quoted: true });
        }
        let mut text = String::new();
        while !self.at_line_end() && self.peek() != Some(delimiter) {
            let Some(c) = self.take() else { break };
            if Some(c) == self.dialect.escape && !self.at_line_end() {
                text.extend(self.take());
            } else {
                text.push(c);
            }
        }
        if trim {
            text.truncate(text.trim_end_matches([' ', '\t']).len());
        }
        Ok(Field { text, quoted: false })
    }

    fn quoted(&mut self) -> Result<String, Fault> {
        let (start, at) = (self.line, self.at);
        let quote = self.take();
        let mut text = String::new();
        loop {
            let from = self.at;
            let Some(c) = self.take() else {
                // The rest of the text is not eaten by one forgotten quote.
                (self.at, self.line) = (at, start);
                self.skip_line();
                return Err(self.wrong(
                    start,
                    "a quoted field is never closed".to_owned(),
                    "close it, or set `quote: null` if quotes mean nothing",
                ));
            };
            if Some(c) == self.dialect.escape && Some(c) != quote {
                if let Some(meant) = self.take() {
                    text.push(meant);
                }
            } else if Some(c) == quote {
                if self.dialect.escape.is_some_and(|escape| Some(escape) != quote)
                    || self.peek() != quote
                {
                    return Ok(text);
                }
                self.take();
                text.push(c);
            } else {
                // As written: `\r\n` inside of quotes stays.
                text.push_str(&self.text[from..self.at]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
