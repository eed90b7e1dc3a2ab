//! Files on their way: from and to a place that an address names.
//!
//! A place is an `http(s)://` address or a path below the file root. Object stores will be further
//! schemes of the same text (`s3://bucket/key`), so that no intent has to change.

mod copy;
mod fetch;
mod kind;
mod send;

pub(crate) use copy::copy;
pub(crate) use fetch::{Fetch, Fetched, fetch};
pub(crate) use kind::content_type;
pub(crate) use send::{Sent, Shipment, ship};

use crate::files::RelPath;
use crate::input::{bad, nearest};
use crate::net::address;
use jalm_kernel::failure::Failure;
use reqwest::Url;

/// Where a file comes from or goes to.
#[derive(Clone, Debug)]
pub(crate) enum Remote {
    Http(Url),
    Local(RelPath),
}

impl Remote {
    pub(crate) fn parse(atom: &str, path: &str, text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        match text.split_once("://") {
            Some(("http" | "https", _)) => address(atom, text).map(Self::Http),
            Some((scheme, _)) => Err(bad(atom, path, format!("`{scheme}://` is not supported"))
                .hint(format!(
                    "write an address with `https://`, or a path from the file root; {}",
                    nearest(scheme, ["http", "https"].into_iter())
                ))),
            None => RelPath::parse(text).map(Self::Local).map_err(|what| {
                bad(atom, path, what)
                    .hint("write an address with `https://`, or a path from the file root")
            }),
        }
    }
}
