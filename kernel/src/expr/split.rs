//! Finds the `{{ … }}` in a text.

/// A stretch of text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Stands as written.
    Text(&'a str),
    /// What stands between the braces, and its byte offset in the text.
    Expression(&'a str, usize),
}

/// Splits `text`; the error is the offset of an `{{` that is never closed.
pub(super) fn split(text: &str) -> Result<Vec<Part<'_>>, usize> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| at + from) {
        if open > from {
            parts.push(Part::Text(&text[from..open]));
        }
        let length = closing(&text[open + 2..]).ok_or(open)?;
        let end = open + 2 + length;
        parts.push(Part::Expression(&text[open + 2..end], open + 2));
        from = end + 2;
    }
    if from < text.len() {
        parts.push(Part::Text(&text[from..]));
    }
    Ok(parts)
}

/// Offset of the `}}` that ends the expression at the start of `text`. Quoted text and nested
/// brackets may hold braces of their own.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b'}') if depth == 0 => {
                if bytes.get(at + 1) == Some(&b'}') {
                    return Some(at);
                }
            }
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_expressions_alternate() {
        let parts = split("a {{ b }} c{{d}}").unwrap();
        assert_eq!(
            parts,
            [
                Part::Text("a "),
                Part::Expression(" b ", 4),
                Part::Text(" c"),
                Part::Expression("d", 13)
            ]
        );
    }

    #[test]
    fn braces_inside_quotes_and_maps_do_not_close() {
        assert_eq!(split("{{ '}}' }}").unwrap(), [Part::Expression(" '}}' ", 2)]);
        assert_eq!(split("{{ {'a': {}} }}").unwrap(), [Part::Expression(" {'a': {}} ", 2)]);
        assert_eq!(split(r#"{{ "\"}}" }}"#).unwrap(), [Part::Expression(r#" "\"}}" "#, 2)]);
    }

    #[test]
    fn an_open_expression_is_reported_where_it_opens() {
        assert_eq!(split("ab {{ c }"), Err(3));
        assert_eq!(split("{{"), Err(0));
    }
}
