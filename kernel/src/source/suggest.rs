/// The candidate nearest to `word`, if it is near enough to be meant.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> { let _ = word; candidates.into_iter().next() }
