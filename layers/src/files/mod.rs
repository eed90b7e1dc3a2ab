//! Files below the file root.
//!
//! Every path is opened beneath a directory handle, so that neither `..` nor a link leads out of
//! the root: the system refuses, we do not filter text. A link that stays inside is followed, and
//! its target needs a grant as well as its name.

mod append;
mod list;
mod log;
mod path;
mod root;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use list::{Wanted, glob};
pub(crate) use log::Rotation;
pub(crate) use path::RelPath;
pub(crate) use root::{CHUNK, FileRoot, Opened};
pub(crate) use write::{Mode, Pending, Written, hex};
