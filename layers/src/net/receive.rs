//! An answer that goes into a file while it comes in.

use super::answer::{Decoded, Overflow, read_bounded, too_large};
use super::failure::wire_failure;
use crate::blocking;
use crate::context::Cx;
use crate::files::RelPath;
use crate::input::ByteSize;
use jalm_kernel::failure::Failure;
use reqwest::Response;
use std::sync::Arc;

/// Pieces that are collected before a thread writes them.
const PIECE: usize = 1024 * 1024;
/// How much of a refusing answer is read.
const EXCERPT: ByteSize = ByteSize(4096);

/// A body, where it went.
pub(crate) enum Received {
    /// In memory, with its length on the wire.
    Decoded(u64, Decoded),
    /// In a file.
    Saved(Saved),
}

/// A body in a file.
pub(crate) struct Saved {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Writes the body to a file below the file root; the file appears when it is whole.
pub(crate) async fn receive(
    cx: &Cx,
    mut response: Response,
    path: RelPath,
    most: ByteSize,
) -> Result<Saved, Failure> {
    let (url, shown) = (response.url().clone(), path.to_string());
    let mut pending =
        cx.shared.files.begin(cx.access()?, path, Arc::clone(&cx.key), cx.attempt).await?;
    let (mut piece, mut total) = (Vec::with_capacity(PIECE), 0);
    loop {
        let chunk = response.chunk().await.map_err(|error| wire_failure(&url, error))?;
        let last = chunk.is_none();
        if let Some(chunk) = chunk {
            total += chunk.len() as u64;
            if total > most.0 {
                return Err(too_large(&url, most));
            }
            piece.extend_from_slice(&chunk);
        }
        if last || piece.len() >= PIECE {
            let ready =
                std::mem::replace(&mut piece, Vec::with_capacity(if last { 0 } else { PIECE }));
            pending = blocking::run(move |abort| {
                pending.add(&ready, abort)?;
                Ok(pending)
            })
            .await?;
        }
        if last {
            let written = blocking::run(move |abort| pending.finish(false, abort)).await?;
            return Ok(Saved { path: shown, bytes: written.bytes, sha256: written.sha256 });
        }
    }
}

/// The start of a refusing answer, as far as it can be read.
pub(crate) async fn excerpt(response: Response) -> Vec<u8> {
    read_bounded(response, EXCERPT, Overflow::Cut).await.unwrap_or_default()
}
