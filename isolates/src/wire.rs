//! What server, worker and children say to each other.
//!
//! The *control* socket joins server and worker: one datagram a message, orders of a fixed size
//! one way, small JSON the other way. Each child has a *socket of its own* to the server: its terms
//! and the job as JSON one way, the answer as JSON the other way, each ended by closing.

use crate::api::{Report, ScriptError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest message on the control socket.
pub(crate) const MAX_NOTICE: usize = 16 * 1024;

/// From the server to the worker. A `Fork` carries the child's end of its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A child is wanted, which locks itself in and waits for its job.
    Fork { id: u64 },
    /// Its job comes now: it is watched from here on.
    Run { id: u64, wall_ms: u64 },
    /// Nobody waits for it any more.
    Kill { id: u64 },
}

impl Order {
    pub(crate) const SIZE: usize = 24;

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        to_bytes(match self {
            Self::Run { id, wall_ms } => [1, id, wall_ms],
            Self::Kill { id } => [2, id, 0],
            Self::Fork { id } => [3, id, 0],
        })
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match from_bytes(bytes)? {
            [1, id, wall_ms] => Some(Self::Run { id, wall_ms }),
            [2, id, _] => Some(Self::Kill { id }),
            [3, id, _] => Some(Self::Fork { id }),
            _ => None,
        }
    }
}

/// What a child has to keep to: the first bytes on its socket, before the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) wall_ms: u64,
    pub(crate) memory: u64,
    pub(crate) output: u64,
}

impl Terms {
    pub(crate) const SIZE: usize = 24;

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        to_bytes([self.wall_ms, self.memory, self.output])
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [wall_ms, memory, output] = from_bytes(bytes)?;
        Some(Self { wall_ms, memory, output })
    }
}

fn to_bytes(numbers: [u64; 3]) -> [u8; 24] {
    let mut bytes = [0; 24];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    if bytes.len() != 24 {
        return None;
    }
    for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = u64::from_le_bytes(place.try_into().ok()?);
    }
    Some(numbers)
}

/// From the worker to the server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Notice {
    /// The sandbox stands.
    Ready(Report),
    /// The sandbox cannot be built as asked; the worker ends.
    Failed {
        /// The layer that failed.
        layer: String,
        /// Why.
        why: String,
    },
    /// A child has ended.
    Ended(Ended),
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) id: u64,
    /// The signal that ended it, if one did.
    pub(crate) signal: Option<i32>,
    /// Its exit code, if it left by itself.
    pub(crate) code: Option<i32>,
    /// There was no process to begin with.
    pub(crate) never_started: bool,
    /// It overstayed and was killed.
    pub(crate) overstayed: bool,
    /// The most memory it had.
    pub(crate) memory: u64,
}

/// A child's answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Value, ScriptError>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The most memory the child had, in bytes, by its own word.
    #[serde(default)]
    pub(crate) memory: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_way() {
        for order in [
            Order::Fork { id: 1 << 63 },
            Order::Run { id: 7, wall_ms: 30_000 },
            Order::Kill { id: u64::MAX },
        ] {
            assert_eq!(Order::from_bytes(&order.to_bytes()), Some(order));
        }
        assert_eq!(Order::from_bytes(&[0; 24]), None);
        assert_eq!(Order::from_bytes(&[1; 23]), None);
    }

    #[test]
    fn terms_survive_the_way() {
        let terms = Terms { wall_ms: u64::MAX, memory: 1 << 40, output: 3 };
        assert_eq!(Terms::from_bytes(&terms.to_bytes()), Some(terms));
        assert_eq!(Terms::from_bytes(&[0; 25]), None);
    }
}
