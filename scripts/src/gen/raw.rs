//! `kernel/raw_atomics.csv`: one line for each atom.

use super::File;
use jalm_layers::{Card, catalog};

pub(super) fn make() -> Vec<File> {
    let rows = catalog().cards().map(Card::csv_row);
    let mut text =
        std::iter::once(Card::CSV_HEADER.to_owned()).chain(rows).collect::<Vec<_>>().join("\n");
    text.push('\n');
    vec![File::new("kernel/raw_atomics.csv", text)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_six_columns_of_the_specification() {
        let files = make();
        let lines: Vec<&str> = files[0].text.lines().collect();
        assert_eq!(lines[0], "name|lang|side_effect|io_type|freq|blocker");
        assert_eq!(lines.len(), 1 + catalog().entries().len());
        assert!(lines.iter().all(|line| line.split('|').count() == 6), "{lines:#?}");
    }
}
