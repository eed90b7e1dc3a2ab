//! Which prefix means which namespace, at this place of the document.

/// Bindings that may hold at one place; each name looks through them.
const MOST: usize = 256;
const XML: &str = "http://www.w3.org/XML/1998/namespace";

#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The prefix, empty for the default namespace, and its address, innermost last.
    bindings: Vec<(String, String)>,
    /// How many bindings each open element found.
    marks: Vec<usize>,
}

impl Scope {
    /// The prefix that an attribute declares; empty for the default namespace.
    pub(super) fn declares(key: &str) -> Option<&str> {
        if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") }
    }

    pub(super) fn enter(&mut self, attributes: &[(&str, String)]) -> Result<(), String> {
        self.marks.push(self.bindings.len());
        for (key, address) in attributes {
            if let Some(prefix) = Self::declares(key) {
                if self.bindings.len() >= MOST {
                    return Err(format!("more than {MOST} namespaces are declared at one place"));
                }
                self.bindings.push((prefix.to_owned(), address.clone()));
            }
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        if let Some(mark) = self.marks.pop() {
            self.bindings.truncate(mark);
        }
    }

    /// Address and local name.
    pub(super) fn resolve<'a>(
        &'a self,
        name: &'a str,
        element: bool,
    ) -> Result<(Option<&'a str>, &'a str), String> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if local.is_empty() || local.contains(':') || name.starts_with(':') {
            return Err(format!("`{name}` is no name with a namespace"));
        }
        if prefix.is_empty() && !element {
            return Ok((None, local));
        }
        if prefix == "xml" {
            return Ok((Some(XML), local));
        }
        let found = self
            .bindings
            .iter()
            .rev()
            .find(|(known, _)| known == prefix)
            .map(|(_, address)| address.as_str());
        match found {
            Some("") | None if prefix.is_empty() => Ok((None, local)),
            Some("") | None => {
                Err(format!("the prefix `{prefix}` of `{name}` is bound to no namespace"))
            }
            Some(address) => Ok((Some(address), local)),
        }
    }
}
