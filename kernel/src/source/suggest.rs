//! "Did you mean": the nearest of some known words.

/// Longer words are not compared: no key is that long, and the work grows with the square.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be meant.
///
/// Upper and lower case, `-` and `_` count as equal. Otherwise a third of the longer word may
/// differ (a missing, extra, changed or swapped letter counts one). Of equally near candidates
/// the first wins.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word)?;
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = folded(candidate)?;
            let distance = distance(&word, &other);
            let allowed = word.len().max(other.len()) / 3;
            (distance <= allowed).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn folded(word: &str) -> Option<Vec<char>> {
    let chars: Vec<char> = word
        .chars()
        .take(LONGEST + 1)
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' || c == ' ' { '_' } else { c })
        .collect();
    (chars.len() <= LONGEST).then_some(chars)
}

/// Edits between two words, where swapping two neighbours is one edit.
fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the table are enough: the swap looks back two.
    let mut two_back = vec![0; b.len() + 1];
    let mut back: Vec<usize> = (0..=b.len()).collect();
    let mut row = vec![0; b.len() + 1];
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let change = back[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(back[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(two_back[j - 2] + 1);
            }
            row[j] = best;
        }
        std::mem::swap(&mut two_back, &mut back);
        std::mem::swap(&mut back, &mut row);
    }
    back[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 9] =
        ["id", "name", "retry", "timeout", "on_error", "steps", "input", "foreach", "as"];

    #[test]
    fn slips_of_the_finger_are_understood() {
        for (typed, meant) in [
            ("retri", "retry"),
            ("rety", "retry"),
            ("tiemout", "timeout"),
            ("time_out", "timeout"),
            ("on-error", "on_error"),
            ("onError", "on_error"),
            ("Steps", "steps"),
            ("stpes", "steps"),
            ("ids", "id"),
            ("ID", "id"),
            ("for_each", "foreach"),
        ] {
            assert_eq!(closest(typed, KEYS), Some(meant), "{typed}");
        }
    }

    #[test]
    fn other_words_are_not_taken_for_a_slip() {
        for typed in ["", "x", "if", "url", "banana", "intent", &"steps".repeat(100)] {
            assert_eq!(closest(typed, KEYS), None, "{typed}");
        }
        assert_eq!(closest("x", []), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        let d = |a: &str, b: &str| {
            distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
        };
        assert_eq!(d("ab", "ba"), 1);
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("same", "same"), 0);
    }
}
