//! Just enough of PEP 440 to answer `requires-python`.

/// The numbers of a release: `3.11.7rc1` is 3, 11, 7.
pub(super) fn release(version: &str) -> Option<Vec<u64>> {
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let numbers = version[..end].trim_end_matches('.');
    numbers.split('.').map(|number| number.parse().ok()).collect()
}

/// Whether a version is among those that are wanted; none if that cannot be read.
pub(super) fn fits(version: &str, wanted: &str) -> Option<bool> {
    let version = release(version)?;
    let mut fits = true;
    for part in wanted.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        fits &= one(&version, part)?;
    }
    Some(fits)
}

fn one(version: &[u64], part: &str) -> Option<bool> {
    let operators = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
    let (operator, text) = operators
        .iter()
        .find_map(|operator| Some((*operator, part.strip_prefix(operator)?.trim())))?;
    let (text, any) = match text.strip_suffix(".*") {
        Some(text) => (text, true),
        None => (text, false),
    };
    if !text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let wanted = release(text)?;
    let at = |numbers: &[u64], length: usize| -> Vec<u64> {
        (0..length).map(|place| numbers.get(place).copied().unwrap_or(0)).collect()
    };
    let length = version.len().max(wanted.len());
    let (full, other) = (at(version, length), at(&wanted, length));
    let begins = at(version, wanted.len()) == wanted;
    Some(match operator {
        "==" | "===" if any => begins,
        "!=" if any => !begins,
        _ if any => return None,
        "==" | "===" => full == other,
        "!=" => full != other,
        "<=" => full <= other,
        ">=" => full >= other,
        "<" => full < other,
        ">" => full > other,
        _ => {
            let shorter = wanted.len().checked_sub(1).filter(|length| *length > 0)?;
            full >= other && at(version, shorter) == at(&wanted, shorter)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_pep_440_says() {
        for wanted in [
            ">=3.9", ">=3.9,<4", "==3.*", "==3.11.*", "~=3.9", "!=3.10.*", ">3.11", "<=3.11.7", "",
            "~=3.11.2", ">= 3",
        ] {
            assert_eq!(fits("3.11.7", wanted), Some(true), "{wanted}");
        }
        for wanted in [">=3.12", "<3", "==3.11", "~=3.12", "!=3.11.*", ">3.11.7", ">=3,<3.11"] {
            assert_eq!(fits("3.11.7", wanted), Some(false), "{wanted}");
        }
        for wanted in ["3.9", ">=x", "~=3", ">=3.*", "^3"] {
            assert_eq!(fits("3.11.7", wanted), None, "{wanted}");
        }
        assert_eq!(release("23.2.1"), Some(vec![23, 2, 1]));
        assert_eq!(release("3.13.0rc1"), Some(vec![3, 13, 0]));
    }
}
