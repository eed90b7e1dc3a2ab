//! Walking folders, in order, within bounds, and only where reading is granted.

use super::path::{RelPath, TEMPORARY};
use super::root::{FileRoot, io_failure};
use crate::access::Access;
use crate::blocking::{self, Abort};
use cap_std::fs::Dir;
use globset::{GlobBuilder, GlobMatcher};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::Timestamp;
use std::sync::Arc;

/// Entries looked at before a walk gives up.
const MOST_VISITED: u32 = 1_000_000;
/// Folders within folders; deeper ones are left out.
const DEEPEST: usize = 64;

/// What to look for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The folder to start in; none is the root.
    pub(crate) folder: Option<RelPath>,
    /// What the path below `folder` must match.
    pub(crate) glob: Option<GlobMatcher>,
    /// Whether folders are entered.
    pub(crate) recursive: bool,
    /// Whether folders are shown too.
    pub(crate) folders: bool,
    /// At most this many.
    pub(crate) most: usize,
}

/// What was found, in order of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Found>,
    /// There is more.
    pub(crate) truncated: bool,
}

/// One file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// From the file root.
    pub(crate) path: String,
    pub(crate) is_folder: bool,
    pub(crate) bytes: u64,
    pub(crate) modified: Timestamp,
}

/// A glob for [`Wanted::glob`]: `*` stays within a folder, `**` crosses folders.
pub(crate) fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| error.kind().to_string())
}

impl FileRoot {
    /// Lists what is wanted and may be read. Links are left out: they are no files of their own.
    pub(crate) async fn list(&self, access: Access, wanted: Wanted) -> Result<Listing, Failure> {
        access.reads_something()?;
        let dir = Arc::clone(&self.dir);
        blocking::run(move |abort| {
            let start = match &wanted.folder {
                // What lies in it needs a grant, the folder itself does not.
                Some(folder) => dir
                    .canonicalize(folder.as_str())
                    .map_err(|error| io_failure("list", folder, &error))?
                    .to_str()
                    .map(str::to_owned),
                None => Some(String::new()),
            };
            let start = start.unwrap_or_default();
            let mut walk = Walk {
                dir: &dir,
                access: &access,
                prefix: if start.is_empty() { 0 } else { start.len() + 1 },
                wanted: &wanted,
                abort,
                visited: 0,
                listing: Listing::default(),
            };
            walk.folder(&start, 0)?;
            Ok(walk.listing)
        })
        .await
    }
}

struct Walk<'a> {
    dir: &'a Dir,
    access: &'a Access,
    /// How much of a path lies before the part that the glob sees.
    prefix: usize,
    wanted: &'a Wanted,
    abort: &'a Abort,
    visited: u32,
    listing: Listing,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str, depth: usize) -> Result<(), Failure> {
        let shown = RelPath::known(if folder.is_empty() { "." } else { folder }.to_owned());
        let failed = |error: std::io::Error| io_failure("list", &shown, &error);
        let mut names = Vec::new();
        for entry in self.dir.read_dir(shown.as_str()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // A name that is no text cannot be named by a step.
            if let Ok(name) = entry.file_name().into_string()
                && !name.starts_with(TEMPORARY)
            {
                names.push(name);
            }
            self.visited += 1;
            if self.visited > MOST_VISITED {
                self.listing.truncated = true;
                break;
            }
        }
        names.sort_unstable();
        for name in names {
            self.abort.check()?;
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            self.entry(path, depth)?;
            if self.listing.truncated {
                break;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: String, depth: usize) -> Result<(), Failure> {
        // One that has gone since is not there.
        let Ok(about) = self.dir.symlink_metadata(&path) else { return Ok(()) };
        let is_folder = about.is_dir();
        let fits = self.wanted.glob.as_ref().is_none_or(|glob| glob.is_match(&path[self.prefix..]));
        let shown = if is_folder { self.wanted.folders } else { about.is_file() };
        if fits && shown && self.access.may_read(&path) {
            if self.listing.entries.len() == self.wanted.most {
                self.listing.truncated = true;
                return Ok(());
            }
            let modified = about.modified().map_or(0, |time| {
                let since = time.into_std().duration_since(std::time::UNIX_EPOCH);
                i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
            });
            self.listing.entries.push(Found {
                path: path.clone(),
                is_folder,
                bytes: if is_folder { 0 } else { about.len() },
                modified: Timestamp(modified),
            });
        }
        if is_folder && self.wanted.recursive && depth < DEEPEST {
            self.folder(&path, depth + 1)?;
        }
        Ok(())
    }
}
