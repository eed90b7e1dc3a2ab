//! Characters, names and references of XML.

use std::borrow::Cow;

/// The one character that a reference stands for; `name` is what is between `&` and `;`.
pub(super) fn reference(name: &str) -> Result<char, String> {
    let unknown = || {
        format!(
            "the entity `&{};` is not one of XML's own; write the character, or `&amp;` for `&`",
            super::super::json::shorten(name)
        )
    };
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#').ok_or_else(unknown)?;
            let (digits, radix) = match number.strip_prefix('x') {
                Some(hex) => (hex, 16),
                None => (number, 10),
            };
            if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
                return Err(unknown());
            }
            u32::from_str_radix(digits, radix)
                .ok()
                .and_then(char::from_u32)
                .filter(|c| is_allowed(*c))
                .ok_or_else(|| {
                    format!("`&{};` is no character of XML", super::super::json::shorten(name))
                })?
        }
    };
    Ok(character)
}

/// An attribute's value: references resolved, white space as spaces.
pub(super) fn attribute(raw: &str) -> Result<String, String> {
    let mut value = String::with_capacity(raw.len());
    let text = raw.replace("\r\n", "\n");
    let mut rest = text.as_str();
    loop {
        let plain = rest.find(['&', '<']).unwrap_or(rest.len());
        for character in rest[..plain].chars() {
            if !is_allowed(character) {
                return Err(format!(
                    "the character U+{:04X} cannot stand in XML",
                    u32::from(character)
                ));
            }
            value.push(if matches!(character, '\t' | '\n' | '\r') { ' ' } else { character });
        }
        rest = &rest[plain..];
        if rest.is_empty() {
            return Ok(value);
        }
        if rest.starts_with('<') {
            return Err("`<` cannot stand in an attribute; write `&lt;`".to_owned());
        }
        let end = rest.find(';').ok_or("`&` begins no entity; write `&amp;`")?;
        value.push(reference(&rest[1..end])?);
        rest = &rest[end + 1..];
    }
}

/// Line ends as XML wants them.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

pub(super) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let starts = |c: char| c.is_alphabetic() || matches!(c, '_' | ':');
    characters.next().is_some_and(starts) && characters.all(|c| {
        starts(c)
            || c.is_alphanumeric()
            || matches!(c, '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    })
}
