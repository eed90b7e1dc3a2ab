//! The one place where the store takes bytes apart: rows that hold several records.
#![no_main]
#[path = "../../state-store/src/codec.rs"]
#[allow(dead_code, reason = "the target needs one function of the file")]
mod codec;

use jalm_kernel::ports::Record;

// `first` (8 bytes), `count` (4), the length of `parts` (2), `parts`, the record.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<14>() else { return };
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = *head;
    let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let count = u32::from_le_bytes([i, j, k, l]);
    let length = usize::from(u16::from_le_bytes([m, n])).min(rest.len());
    let (parts, record) = rest.split_at(length);
    let row = Record { first, count, record: record.to_vec() };
    for parts in [None, Some(parts)] {
        let mut records = Vec::new();
        if codec::split(row.clone(), parts, &mut records).is_ok() {
            let joined: Vec<u8> = records.iter().flat_map(|it| it.record.clone()).collect();
            assert_eq!(joined, row.record, "bytes were lost");
            let events: u64 = records.iter().map(|it| u64::from(it.count)).sum();
            assert_eq!(events, u64::from(row.count), "events were lost");
        }
    }
});
