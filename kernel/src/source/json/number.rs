//! Numbers of JSON.

use super::{Problem, Reader};
use crate::source::span;
use serde_json::Number;

impl Reader<'_> {
    pub(super) fn number(&mut self) -> Result<Number, Problem> {
        let start = self.at;
        self.take(b'-');
        let digits = self.digits();
        let leading_zero = digits > 1 && self.text.as_bytes()[self.at - digits] == b'0';
        let fraction = self.take(b'.');
        let good_fraction = !fraction || self.digits() > 0;
        let exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if exponent {
            self.at += 1;
            if !self.take(b'+') {
                self.take(b'-');
            }
        }
        let good_exponent = !exponent || self.digits() > 0;
        // What follows directly belongs to the same slip: `0x1F`, `1_000`, `2h`.
        let tail = self.word_length();
        if digits == 0 || leading_zero || !good_fraction || !good_exponent || tail > 0 {
            self.at += tail;
            return Err(self.malformed(start));
        }
        let text = &self.text[start..self.at];
        from_text(text, !fraction && !exponent).ok_or_else(|| {
            Problem::syntax(
                "number_out_of_range",
                span(start, self.at),
                format!("the number `{}` is too large", crate::source::shown(text)),
                "numbers go up to about 1.8e308; write it as text, in quotes",
            )
        })
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn malformed(&self, start: usize) -> Problem {
        let text = crate::source::shown(&self.text[start..self.at]);
        Problem::syntax(
            "syntax",
            span(start, self.at),
            format!("`{text}` is not a JSON number"),
            "write it like `12`, `-0.5` or `1e6`; anything else is text and stands in double quotes",
        )
    }
}

/// The number that `text` denotes: whole ones exactly if they have 64 bits, others as the nearest
/// 64-bit float; none if it would be infinite.
pub(in crate::source) fn from_text(text: &str, whole: bool) -> Option<Number> {
    // `-0` is a float: integers have no negative zero.
    if whole && text != "-0" {
        if let Ok(number) = text.parse::<u64>() {
            return Some(number.into());
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(number.into());
        }
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Number, Problem> {
        let mut reader = Reader::new(text);
        let number = reader.number()?;
        assert_eq!(reader.at, text.len());
        Ok(number)
    }

    #[test]
    fn whole_numbers_are_exact_as_far_as_64_bits_go() {
        for text in ["0", "-1", "18446744073709551615", "-9223372036854775808"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(
            read("18446744073709551616").unwrap().as_f64(),
            Some(18_446_744_073_709_551_616.0)
        );
        assert!(read("-0").unwrap().is_f64());
    }

    #[test]
    fn fractions_and_exponents_are_floats() {
        for (text, value) in [("1.5", 1.5), ("-0.25", -0.25), ("1e3", 1e3), ("1E-2", 0.01)] {
            assert_eq!(read(text).unwrap().as_f64(), Some(value), "{text}");
        }
    }

    #[test]
    fn what_json_does_not_allow_is_refused() {
        for text in ["01", "-", "1.", "1e", "1e+", "0x1F", "1_000", "2h", "-a", "1.5.2", "--1"] {
            assert_eq!(read(text).unwrap_err().code, "syntax", "{text}");
        }
        assert_eq!(read("1e999").unwrap_err().code, "number_out_of_range");
    }
}
