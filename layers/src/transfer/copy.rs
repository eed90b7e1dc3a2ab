//! From one path below the file root to another.

use crate::blocking;
use crate::context::Cx;
use crate::files::{CHUNK, RelPath, Written};
use crate::input::ByteSize;
use jalm_kernel::failure::Failure;
use std::io::Read;
use std::sync::Arc;

/// Copies; the new file appears when it is whole. With `sha256` only if that is its digest.
pub(crate) async fn copy(
    cx: &Cx,
    from: RelPath,
    to: RelPath,
    most: ByteSize,
    create_only: bool,
    sha256: Option<String>,
) -> Result<Written, Failure> {
    let mut source = cx.shared.files.open_read(cx.access()?, from.clone(), most).await?;
    let mut pending =
        cx.shared.files.begin(cx.access()?, to, Arc::clone(&cx.key), cx.attempt).await?;
    blocking::run(move |abort| {
        let mut chunk = vec![0; CHUNK];
        let mut total = 0;
        loop {
            let count = source.file.read(&mut chunk).map_err(|error| source.failed(&error))?;
            if count == 0 {
                break;
            }
            total += count as u64;
            if total > most.0 {
                return Err(source.too_large(most));
            }
            pending.add(&chunk[..count], abort)?;
        }
        check(sha256.as_deref(), &pending.digest(), from.as_str())?;
        pending.finish(create_only, abort)
    })
    .await
}

/// Whether the content is the expected one.
pub(super) fn check(expected: Option<&str>, found: &str, from: &str) -> Result<(), Failure> {
    match expected {
        Some(expected) if !expected.eq_ignore_ascii_case(found) => Err(Failure::permanent(
            "checksum_differs",
            format!("`{from}` has the SHA-256 {found}, not the expected one"),
        )
        .hint("the file was changed or damaged on its way; correct `sha256` if the new content is right")),
        Some(_) | None => Ok(()),
    }
}
