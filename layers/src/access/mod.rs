//! What an execution may touch: the operator's policy, narrowed by the intent's grants.
//!
//! Effective access = policy ∩ grants; without `grants` in the intent it is the policy alone. A
//! kind that is left out of a present `grants` grants nothing of that kind. Scripts, transforms,
//! rendering, ids and the cache touch nothing outside and need no grant.

mod rules;
#[cfg(test)]
mod tests;
mod url_pattern;
mod wildcard;

pub(crate) use rules::Rules;
pub use url_pattern::{PatternError, UrlPattern};

use jalm_isolates::Language;
use jalm_kernel::failure::Failure;
use jalm_kernel::intent::Grants;
use reqwest::Url;
use std::sync::Arc;

/// The failure code of every refused access.
pub(crate) const NOT_GRANTED: &str = "not_granted";

/// What one call may touch.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    policy: Arc<Rules>,
    /// None when the intent has no `grants`.
    grants: Option<Arc<Rules>>,
}

/// Reading or writing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileUse {
    /// Its content, or its name in a list.
    Read,
    /// Making, changing, deleting it.
    Write,
}

impl FileUse {
    fn key(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Access {
    /// The policy alone, or narrowed by an intent's grants.
    pub(crate) fn new(policy: Arc<Rules>, grants: Option<&Arc<Grants>>) -> Result<Self, Failure> {
        let grants = grants.map(|grants| policy.narrowed(grants)).transpose()?;
        Ok(Self { policy, grants })
    }

    /// Whether this address may be requested.
    pub(crate) fn http(&self, url: &Url) -> Result<(), Failure> {
        let origin = format!("{}/*", url.origin().ascii_serialization());
        self.decide(
            |rules| rules.http(url),
            &format!("`{origin}`", origin = origin.trim_end_matches("/*")),
            &Line::same(format!("http: [\"{origin}\"]")),
        )
    }

    /// Whether a tunnel to this host and port may be opened, given as `https` and as `http`. Nobody
    /// sees what goes through it, so that the whole origin must be granted.
    pub(crate) fn tunnel(&self, secure: &Url, plain: &Url) -> Result<(), Failure> {
        let origin = secure.origin().ascii_serialization();
        let decided = self.decide(
            |rules| rules.tunnel(secure, plain),
            &format!("`{origin}`"),
            &Line::same(format!("http: [\"{origin}\"]")),
        );
        let partly = |rules: &Rules| rules.concerns(secure, plain);
        let grants = self.grants.as_ref();
        decided.map_err(|mut refused| {
            if partly(&self.policy) && grants.is_none_or(|grants| partly(grants)) {
                let hint = refused.hint.take().unwrap_or_default();
                refused.hint = Some(format!(
                    "{hint}; a pattern with a path opens no tunnel, which would hide the path: an `exec_http` step can use it"
                ));
            }
            refused
        })
    }

    /// Whether scripts may be written in this language.
    pub(crate) fn language(&self, language: Language) -> Result<(), Failure> {
        let name = language.name();
        self.decide(
            |rules| rules.language(language),
            &format!("scripts in `{name}`"),
            &Line {
                grants: format!("script: {{ languages: [{name}] }}"),
                policy: format!("script_languages: [{name}]"),
            },
        )
    }

    /// Whether scripts have the network: only where an intent says so, and the policy too.
    pub(crate) fn network(&self) -> Result<bool, Failure> {
        let asked = self.grants.as_ref().is_some_and(|grants| grants.network());
        if asked && !self.policy.network() {
            return Err(Failure::permanent(
                NOT_GRANTED,
                "this runner's policy does not allow scripts to use the network",
            )
            .hint("leave out `network` under `grants.script`; or the operator can set `script_network: true` under `policy` in the runner's config"));
        }
        Ok(asked)
    }

    /// Whether this database connection may be used.
    pub(crate) fn db(&self, connection: &str) -> Result<(), Failure> {
        self.decide(
            |rules| rules.db(connection),
            &format!("database connection `{connection}`"),
            &Line::same(format!("db: [{connection}]")),
        )
    }

    /// Whether this notification channel may be used.
    pub(crate) fn notify(&self, channel: &str) -> Result<(), Failure> {
        self.decide(
            |rules| rules.notify(channel),
            &format!("notification channel `{channel}`"),
            &Line::same(format!("notify: [{channel}]")),
        )
    }

    /// Whether this file, named from the file root with `/` between folders, may be used so.
    pub(crate) fn file(&self, path: &str, usage: FileUse) -> Result<(), Failure> {
        let verb = usage.key();
        self.decide(
            |rules| rules.file(path, usage),
            &format!("to {verb} file `{path}`"),
            &Line::of_file(verb, path),
        )
    }

    /// As [`Self::file`], for lists: what may not be read is left out instead of refused.
    pub(crate) fn may_read(&self, path: &str) -> bool {
        self.file_allowed(path, FileUse::Read)
    }

    fn file_allowed(&self, path: &str, usage: FileUse) -> bool {
        self.policy.file(path, usage)
            && self.grants.as_ref().is_none_or(|grants| grants.file(path, usage))
    }

    /// Whether anything at all may be read; a list without any grant is an error, not empty.
    pub(crate) fn reads_something(&self) -> Result<(), Failure> {
        self.decide(Rules::reads_something, "to read files", &Line::of_file("read", "**"))
    }

    fn decide(
        &self,
        allows: impl Fn(&Rules) -> bool,
        what: &str,
        line: &Line,
    ) -> Result<(), Failure> {
        if !allows(&self.policy) {
            return Err(Failure::permanent(
                NOT_GRANTED,
                format!("this runner's policy does not allow {what}"),
            )
            .hint(format!(
                "the operator can add `{}` under `policy` in the runner's config",
                line.policy
            )));
        }
        match &self.grants {
            Some(grants) if !allows(grants) => {
                Err(Failure::permanent(NOT_GRANTED, format!("the intent has no grant for {what}"))
                    .hint(format!("add `{}` under `grants`", line.grants)))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What to write to allow an access: in the intent, and in the runner's config.
struct Line {
    grants: String,
    policy: String,
}

impl Line {
    fn same(line: String) -> Self {
        Self { policy: line.clone(), grants: line }
    }

    fn of_file(verb: &str, path: &str) -> Self {
        Self {
            grants: format!("file: {{ {verb}: [\"{path}\"] }}"),
            policy: format!("file_{verb}: [\"{path}\"]"),
        }
    }
}
