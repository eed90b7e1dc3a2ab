//! What server and runner say to each other, on one stream.
//!
//! The server sends a job: how long its three parts are, then the parts. The runner answers with one byte,
//! whether it has the code, and if it has, with the frames of `native::frames`.

use super::compile::Shape;
use serde::{Deserialize, Serialize};
use std::io::Read;

/// The first part of a job, as JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    /// The hash of the source, under which the runner keeps the code.
    pub(super) key: [u8; 32],
    pub(super) shape: Shape,
    pub(super) wall_ms: u64,
    pub(super) memory: u64,
    pub(super) output: u64,
    /// System calls to try instead, for the conformance suite.
    #[cfg(feature = "testkit")]
    pub(super) probe: Option<Vec<String>>,
}

/// One job. The data are the variables as JSON, the code is empty if the runner should have it.
pub(super) struct Job<'a> {
    pub(super) head: &'a Head,
    pub(super) data: &'a [u8],
    pub(super) code: &'a [u8],
}

/// The runner does not have the code; nothing was run.
pub(super) const NO_CODE: u8 = b'N';
/// The runner begins.
pub(super) const BEGINS: u8 = b'B';

const LENGTHS: usize = 24;

impl Job<'_> {
    /// All but the code, which is not copied.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let head = serde_json::to_vec(self.head).unwrap_or_default();
        let mut bytes = Vec::with_capacity(LENGTHS + head.len() + self.data.len());
        for length in [head.len(), self.data.len(), self.code.len()] {
            bytes.extend(u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
        }
        bytes.extend(head);
        bytes.extend(self.data);
        bytes
    }
}

/// A job as the runner reads it.
pub(super) struct Received {
    pub(super) head: Head,
    pub(super) data: Vec<u8>,
    pub(super) code: Vec<u8>,
}

impl Received {
    /// The next job; an error when the server has gone.
    pub(super) fn read(stream: &mut impl Read) -> std::io::Result<Self> {
        let mut lengths = [0; LENGTHS];
        stream.read_exact(&mut lengths)?;
        let mut part = |at: usize| {
            let mut length = [0; 8];
            length.copy_from_slice(&lengths[8 * at..8 * at + 8]);
            let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(length)).unwrap_or(0)];
            stream.read_exact(&mut bytes).map(|()| bytes)
        };
        let (head, data, code) = (part(0)?, part(1)?, part(2)?);
        Ok(Self { head: serde_json::from_slice(&head)?, data, code })
    }
}

/// A frame of an answer; see `native::frames`.
pub(super) fn frame(answer: &mut Vec<u8>, kind: u8, data: &[u8]) {
    // No longer than the output may be, which is read by its length again.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    answer.push(kind);
    answer.extend(length.to_le_bytes());
    answer.extend(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_the_way() {
        let head = Head {
            key: [7; 32],
            shape: Shape { component: true, names: vec![(0, "a".to_owned())] },
            wall_ms: 1,
            memory: 2,
            output: 3,
            #[cfg(feature = "testkit")]
            probe: None,
        };
        let mut bytes = Job { head: &head, data: b"{}", code: b"code" }.to_bytes();
        assert!(Received::read(&mut &bytes[..]).is_err(), "without its code");
        bytes.extend(b"code");
        let received = Received::read(&mut &bytes[..]).unwrap();
        assert_eq!((&received.data[..], &received.code[..]), (&b"{}"[..], &b"code"[..]));
        assert_eq!((received.head.key, received.head.shape), (head.key, head.shape));
        assert_eq!((received.head.wall_ms, received.head.memory, received.head.output), (1, 2, 3));
    }
}
