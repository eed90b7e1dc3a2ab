//! Which delimiter a table most likely has: the one that gives the most columns, as many in each
//! of the first records.

use super::{Dialect, Reader};

const CANDIDATES: [char; 5] = [',', ';', '\t', '|', ':'];
const RECORDS: usize = 20;

/// The delimiter of this text; `,` when nothing speaks for another.
pub(crate) fn delimiter(text: &str, skip: usize, dialect: Dialect) -> char {
    let mut best = (',', 0);
    for candidate in CANDIDATES {
        let mut reader = Reader::new(text, Dialect { delimiter: candidate, ..dialect });
        reader.skip_lines(skip);
        let mut widths = Vec::new();
        while widths.len() < RECORDS {
            match reader.next_record() {
                Ok(Some(record)) => widths.push(record.fields.len()),
                Ok(None) => break,
                Err(_) => {
                    widths.clear();
                    break;
                }
            }
        }
        let (low, high) = (widths.iter().min().copied(), widths.iter().max().copied());
        let score = match (low, high) {
            // Ten points for each column when all agree.
            (Some(low), Some(high)) if low == high && low > 1 => 10 * low,
            (Some(low), Some(_)) if low > 1 => low,
            _ => 0,
        };
        if score > best.1 {
            best = (candidate, score);
        }
    }
    best.0
}
