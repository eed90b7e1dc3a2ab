//! What server, worker and children say to each other.
//!
//! The *control* socket joins server and worker: one datagram a message, orders of a fixed size
//! one way, small JSON the other way. Each job has a *socket of its own* between server and child:
//! the job as JSON one way, the answer as JSON the other way, each ended by closing.

use crate::api::{Report, ScriptError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Largest message on the control socket.
pub(crate) const MAX_NOTICE: usize = 16 * 1024;

/// From the server to the worker. A `Run` carries the child's end of the job's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Run { id: u64, wall_ms: u64, memory: u64, output: u64 },
    Kill { id: u64 },
}

impl Order {
    pub(crate) const SIZE: usize = 40;

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        let numbers = match self {
            Self::Run { id, wall_ms, memory, output } => [1, id, wall_ms, memory, output],
            Self::Kill { id } => [2, id, 0, 0, 0],
        };
        let mut bytes = [0; Self::SIZE];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut numbers = [0_u64; 5];
        if bytes.len() != Self::SIZE {
            return None;
        }
        for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
            *number = u64::from_le_bytes(place.try_into().ok()?);
        }
        match numbers {
            [1, id, wall_ms, memory, output] => Some(Self::Run { id, wall_ms, memory, output }),
            [2, id, ..] => Some(Self::Kill { id }),
            _ => None,
        }
    }
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
            Order::Run { id: 7, wall_ms: 30_000, memory: 1 << 40, output: 3 },
            Order::Kill { id: u64::MAX },
        ] {
            assert_eq!(Order::from_bytes(&order.to_bytes()), Some(order));
        }
        assert_eq!(Order::from_bytes(&[0; 40]), None);
        assert_eq!(Order::from_bytes(&[1; 39]), None);
    }
}
