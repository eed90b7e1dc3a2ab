//! Where the parts of the JavaScript come from.

/// A place in a text: line and column, both from 0.
type Place = (u32, u32);

/// Places in JavaScript, in order, each with its place in the author's TypeScript.
#[derive(Debug, Default)]
pub(in crate::engines) struct Places(Vec<(Place, Place)>);

impl Places {
    pub(super) fn new(known: impl Iterator<Item = (Place, Place)>) -> Self {
        let mut known: Vec<_> = known.collect();
        known.sort_by_key(|(here, _)| *here);
        Self(known)
    }

    /// All of them: line and column here, line and column there, from 0.
    pub(in crate::engines) fn list(&self) -> Vec<[u32; 4]> {
        self.0.iter().map(|((a, b), (c, d))| [*a, *b, *c, *d]).collect()
    }

    /// Line and column of the author's source, both from 1, for those of the JavaScript.
    pub(in crate::engines) fn author(&self, line: u32, column: u32) -> (u32, u32) {
        let here = (line.saturating_sub(1), column.saturating_sub(1));
        // What was added has no place of its own: it belongs to what stands before it.
        let behind = self.0.partition_point(|(known, _)| *known <= here);
        let found = self.0.get(behind.saturating_sub(1));
        found.map_or((line, column), |(_, (line, column))| (line + 1, column + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_that_of_the_last_known_one_before_it() {
        let places = Places::new([((2, 4), (7, 1)), ((0, 0), (1, 2))].into_iter());
        assert_eq!(places.author(1, 1), (2, 3));
        assert_eq!(places.author(2, 9), (2, 3));
        assert_eq!(places.author(3, 4), (2, 3));
        assert_eq!(places.author(3, 5), (8, 2));
        assert_eq!(places.author(9, 1), (8, 2));
        assert_eq!(Places::default().author(4, 5), (4, 5));
    }
}
