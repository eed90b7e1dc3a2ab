//! One side's rules, compiled: the policy's, or those of an intent's grants.

use super::{FileUse, NOT_GRANTED, UrlPattern};
use crate::options::SetupError;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jalm_isolates::Language;
use jalm_kernel::failure::Failure;
use jalm_kernel::intent::{FileGrants, Grants};
use reqwest::Url;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many intents' compiled grants are kept; more are compiled anew.
const KEPT: usize = 1024;

type Narrowed = HashMap<usize, (Weak<Grants>, Arc<Rules>)>;

/// Compiled patterns of every kind.
#[derive(Debug)]
pub(crate) struct Rules {
    http: Vec<UrlPattern>,
    db: Vec<String>,
    read: GlobSet,
    write: GlobSet,
    notify: Vec<String>,
    /// None is all of them.
    languages: Option<Vec<Language>>,
    network: bool,
    /// Compiled grants of running intents. The key is the address of the grants, which stays
    /// theirs for as long as the weak reference beside it is alive.
    narrowed: Mutex<Narrowed>,
}

impl Rules {
    /// Compiles lists of patterns; the error names the bad one.
    pub(crate) fn compile(grants: &Grants) -> Result<Self, SetupError> {
        let Grants { http, db, file: FileGrants { read, write }, notify, script } = grants;
        Ok(Self {
            http: http.iter().map(|pattern| pattern.parse()).collect::<Result<_, _>>()?,
            db: db.clone(),
            read: globs(read)?,
            write: globs(write)?,
            notify: notify.clone(),
            languages: languages(script.languages.as_deref())?,
            network: script.network,
            narrowed: Mutex::default(),
        })
    }

    /// The compiled grants of an intent; those of a plan are compiled once.
    pub(super) fn narrowed(&self, grants: &Arc<Grants>) -> Result<Arc<Self>, Failure> {
        let address = Arc::as_ptr(grants).addr();
        let mut known = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((owner, rules)) = known.get(&address)
            && owner.strong_count() > 0
        {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Self::compile(grants).map_err(|error| {
            Failure::permanent(NOT_GRANTED, format!("in the intent's grants, {error}"))
                .hint("mend the pattern under `grants`")
        })?);
        if known.len() >= KEPT {
            known.retain(|_, (owner, _)| owner.strong_count() > 0);
        }
        if known.len() < KEPT {
            known.insert(address, (Arc::downgrade(grants), Arc::clone(&rules)));
        }
        Ok(rules)
    }

    pub(super) fn http(&self, url: &Url) -> bool {
        self.http.iter().any(|pattern| pattern.matches(url))
    }

    /// Whether all that goes to this host and port is allowed: as `https`, or as `http`.
    pub(super) fn tunnel(&self, secure: &Url, plain: &Url) -> bool {
        self.http.iter().any(|pattern| pattern.opens(secure) || pattern.opens(plain))
    }

    /// Whether something that goes there is allowed.
    pub(super) fn concerns(&self, secure: &Url, plain: &Url) -> bool {
        self.http.iter().any(|pattern| pattern.concerns(secure) || pattern.concerns(plain))
    }

    pub(super) fn language(&self, language: Language) -> bool {
        self.languages.as_ref().is_none_or(|known| known.contains(&language))
    }

    pub(super) fn network(&self) -> bool {
        self.network
    }

    pub(super) fn db(&self, connection: &str) -> bool {
        named(&self.db, connection)
    }

    pub(super) fn notify(&self, channel: &str) -> bool {
        named(&self.notify, channel)
    }

    pub(super) fn file(&self, path: &str, usage: FileUse) -> bool {
        match usage {
            FileUse::Read => self.read.is_match(path),
            FileUse::Write => self.write.is_match(path),
        }
    }

    pub(super) fn reads_something(&self) -> bool {
        !self.read.is_empty()
    }
}

/// `*` stands for every name.
fn named(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known == "*" || known == name)
}

/// `*` stands for every language.
fn languages(names: Option<&[String]>) -> Result<Option<Vec<Language>>, SetupError> {
    let Some(names) = names.filter(|names| !names.iter().any(|name| name == "*")) else {
        return Ok(None);
    };
    let known = |name: &String| {
        Language::from_name(name).ok_or_else(|| SetupError::Language { name: name.clone() })
    };
    names.iter().map(known).collect::<Result<_, _>>().map(Some)
}

/// `*` and `?` stay within a folder, `**` crosses folders.
fn globs(patterns: &[String]) -> Result<GlobSet, SetupError> {
    let bad = |pattern: &str, error: &globset::Error| SetupError::Glob {
        pattern: pattern.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let relative = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(relative)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| bad(pattern, &error))?;
        set.add(glob);
    }
    set.build().map_err(|error| bad("*", &error))
}
