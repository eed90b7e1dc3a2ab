//! What all stores share and no database knows: numbers for states, bounds of lists, records that
//! were joined, and the words of refusals.

use jalm_kernel::ids::ExecutionId;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::{Append, Filter, Record, StoreError};

/// How far an id's own time may lie before its `created_at`, in milliseconds.
const ID_SLACK: i64 = 2000;

/// The stored number of a state. Released numbers never change.
pub(crate) fn status_code(status: Status) -> i64 {
    match status {
        Status::Pending => 0,
        Status::Running => 1,
        Status::Completed => 2,
        Status::Failed => 3,
        Status::Cancelled => 4,
    }
}

/// The state of a stored number.
pub(crate) fn status_of(code: i64) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status_code(*status) == code)
}

/// A filter as inclusive bounds on ids. UUIDv7 bytes sort by time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) low: u128,
    pub(crate) high: u128,
    pub(crate) since: i64,
    pub(crate) limit: u32,
}

impl Bounds {
    /// `None` when nothing can be that old.
    pub(crate) fn of(filter: &Filter) -> Option<Self> {
        let since = filter.since.map_or(i64::MIN, |at| at.0);
        let millis = u128::try_from(since.saturating_sub(ID_SLACK)).unwrap_or(0);
        Some(Self {
            low: millis.min((1 << 48) - 1) << 80,
            high: filter.before.map_or(Some(u128::MAX), |id| id.0.as_u128().checked_sub(1))?,
            since,
            limit: filter.limit.clamp(1, 1000),
        })
    }
}

/// Where the records that one row holds begin: `None` for a single one, otherwise a pair
/// (events, bytes) each, as `u32` little-endian.
pub(crate) fn parts_of<'a>(appends: impl ExactSizeIterator<Item = &'a Append>) -> Option<Vec<u8>> {
    if appends.len() == 1 {
        return None;
    }
    let mut parts = Vec::with_capacity(8 * appends.len());
    for append in appends {
        parts.extend(append.count.to_le_bytes());
        // A batch is bounded far below 4 GiB, so the length always fits.
        parts.extend(u32::try_from(append.record.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    Some(parts)
}

/// Takes a row apart into the records that were appended. The error says what does not fit.
pub(crate) fn split(
    row: Record,
    parts: Option<&[u8]>,
    into: &mut Vec<Record>,
) -> Result<(), String> {
    let broken = || format!("the record at event {} is not put together as it says", row.first);
    let end = row.first.checked_add(u64::from(row.count)).ok_or_else(broken)?;
    let Some(parts) = parts else {
        into.push(row);
        return Ok(());
    };
    let (pairs, rest) = parts.as_chunks::<8>();
    let (mut first, mut bytes) = (row.first, row.record.as_slice());
    for [a, b, c, d, e, f, g, h] in pairs {
        let count = u32::from_le_bytes([*a, *b, *c, *d]);
        let length = u32::from_le_bytes([*e, *f, *g, *h]);
        let (record, behind) = usize::try_from(length)
            .ok()
            .and_then(|length| bytes.split_at_checked(length))
            .ok_or_else(broken)?;
        into.push(Record { first, count, record: record.to_vec() });
        first = first.checked_add(u64::from(count)).ok_or_else(broken)?;
        bytes = behind;
    }
    let complete = rest.is_empty() && bytes.is_empty() && first == end;
    if complete { Ok(()) } else { Err(broken()) }
}

/// Why an append can never be stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// No events, or a birth that is not the first record.
    Malformed,
    /// The execution exists.
    Exists,
    /// The key belongs to another execution.
    Key(ExecutionId),
    /// No such execution.
    Unknown,
    /// It does not start where the stored journal ends.
    Gap { stored: u64 },
}

impl Refusal {
    /// What can be said without looking into the store.
    pub(crate) fn of(append: &Append) -> Option<Self> {
        let born_late = append.birth.is_some() && append.first != 0;
        (append.count == 0 || born_late).then_some(Self::Malformed)
    }

    /// The error for whoever made the append.
    pub(crate) fn of_append(self, append: &Append) -> StoreError {
        let id = append.summary.execution_id;
        let why = match self {
            Self::Malformed => format!(
                "it holds {} events from number {}, {} a plan; this is a bug in jalm, please \
                 report it",
                append.count,
                append.first,
                if append.birth.is_some() { "with" } else { "without" }
            ),
            Self::Exists => "an execution of this id is stored already; submit it again".to_owned(),
            Self::Key(other) => {
                format!("its idempotency key belongs to execution `{other}`; ask for that one")
            }
            Self::Unknown => {
                "the store has no such execution; it was deleted while it ran".to_owned()
            }
            Self::Gap { stored } => format!(
                "it starts at event {}, but the journal ends at {stored}; this is a bug in jalm, \
                 please report it",
                append.first
            ),
        };
        StoreError::Corrupt {
            message: format!("a record of execution `{id}` was not stored: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_numbers_are_part_of_the_format() {
        let codes = Status::ALL.map(status_code);
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        assert_eq!(codes.map(status_of), Status::ALL.map(Some));
        assert_eq!(status_of(5), None);
    }

    #[test]
    fn a_joined_row_that_does_not_add_up_is_refused() {
        let row = |record: &[u8], count| Record { first: 4, count, record: record.to_vec() };
        let parts = [1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0];
        let mut good = Vec::new();
        split(row(b"abc", 3), Some(&parts), &mut good).unwrap();
        assert_eq!(good[0], Record { first: 4, count: 1, record: b"ab".to_vec() });
        assert_eq!(good[1], Record { first: 5, count: 2, record: b"c".to_vec() });
        for (record, count, parts) in [
            (&b"ab"[..], 3, &parts[..]),
            (b"abcd", 3, &parts),
            (b"abc", 4, &parts),
            (b"abc", 3, &parts[..12]),
        ] {
            split(row(record, count), Some(parts), &mut Vec::new()).unwrap_err();
        }
    }

    #[test]
    fn a_row_whose_number_cannot_be_is_refused() {
        let first = u64::MAX - 1;
        let row = |count| Record { first, count, record: b"ab".to_vec() };
        let parts = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        for (count, parts) in [(2, None), (2, Some(&parts[..])), (1, Some(&parts[..]))] {
            split(row(count), parts, &mut Vec::new()).unwrap_err();
        }
    }

    #[test]
    fn nothing_is_older_than_the_first_id() {
        let nil = Some(ExecutionId(uuid::Uuid::nil()));
        assert!(Bounds::of(&Filter { before: nil, ..Filter::default() }).is_none());
    }
}
