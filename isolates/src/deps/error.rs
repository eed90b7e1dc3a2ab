//! Why a script's dependencies cannot be had.

/// Why a script's dependencies cannot be had, for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DependencyError {
    /// `bad_input`, `dependency_refused`, `dependency_tool_missing`, `dependency_not_found`,
    /// `dependency_failed`, `dependency_too_large`, `dependency_unreachable`, `dependency_timeout`
    /// or `dependency_unavailable`; the last three may pass by themselves.
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// The last lines of what the tool said.
    pub said: Option<String>,
}

/// So many lines of what a tool said are shown.
const LINES: usize = 12;

impl DependencyError {
    pub(crate) fn new(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { code, message: message.into(), hint: hint.into(), said: None }
    }

    /// What the author wrote cannot be meant.
    pub(super) fn bad(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new("bad_input", message, hint)
    }

    /// The machine does not do what it should.
    pub(super) fn unavailable(what: &str, error: &dyn std::fmt::Display) -> Self {
        Self::new(
            "dependency_unavailable",
            format!("{what}: {error}"),
            "see whether the data folder can be written and has room; then try again",
        )
    }

    /// Whether the same may succeed later with nothing changed.
    pub fn may_pass(&self) -> bool {
        ["dependency_unreachable", "dependency_timeout", "dependency_unavailable"]
            .contains(&self.code)
    }

    /// Adds the end of what a tool said.
    pub(super) fn said(mut self, said: &str) -> Self {
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(LINES);
        let text = lines.get(from..).unwrap_or_default().join("\n");
        self.said = Some(without_passwords(&text)).filter(|text| !text.is_empty());
        self
    }
}

/// Addresses of registries may hold a name and a password: `https://name:password@host`.
fn without_passwords(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(['/', ' ', '\n', '"', '\'', ')', '?']).unwrap_or(after.len());
        let (host, others) = after.split_at(end);
        match host.rsplit_once('@') {
            Some((_, host)) => {
                shown.push_str("***@");
                shown.push_str(host);
            }
            None => shown.push_str(host),
        }
        rest = others;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_registries_are_not_told() {
        let told = DependencyError::new("dependency_failed", "m", "h")
            .said("GET https://me:secret@host.example/simple/ then https://other/x@y failed");
        assert_eq!(
            told.said.as_deref(),
            Some("GET https://***@host.example/simple/ then https://other/x@y failed")
        );
    }

    #[test]
    fn only_the_end_of_what_was_said_is_kept() {
        let said = (0..40).map(|number| format!("line {number}")).collect::<Vec<_>>().join("\n\n");
        let said = DependencyError::new("dependency_failed", "m", "h").said(&said).said.unwrap();
        assert_eq!((said.lines().count(), said.lines().last()), (LINES, Some("line 39")));
    }
}
