use super::*;
use crate::batch::stamp;
use crate::types::LeaderEpoch;

/// Three batches of two, three and one records from offset 10 on, whose values are their offsets.
fn three_batches() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut offset = 10;
    for count in [2, 3, 1] {
        let mut builder = BatchBuilder::new(1 << 20);
        for record in 0..count {
            let value = (offset + record).to_string();
            builder.push(1, None, Some(value.as_bytes())).unwrap();
        }
        let start = bytes.len();
        bytes.extend_from_slice(builder.finish().unwrap());
        stamp(&mut bytes[start..], Offset::new(offset), LeaderEpoch::new(1));
        offset += count;
    }
    bytes
}

fn records_of(pieces: &[&[u8]]) -> Records {
    let slices = pieces.iter().map(|piece| Slice::copy_from(piece)).collect();
    Records {
        slices,
        high_watermark: Offset::new(16),
        log_start: Offset::ZERO,
        at: crate::types::Position::ZERO,
    }
}

fn visited(records: &Records, from: i64) -> (Vec<i64>, Result<i64, BatchError>) {
    let mut offsets = Vec::new();
    let next = for_each_record(records, Offset::new(from), |record| {
        let offset = record.offset.value();
        assert_eq!(record.value, Some(offset.to_string().as_bytes()));
        offsets.push(offset);
    });
    (offsets, next.map(Offset::value))
}

#[test]
fn batches_are_put_together_wherever_they_are_split() {
    let bytes = three_batches();
    for at in 0..=bytes.len() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(visited(&records_of(&[left, right]), 10), ((10..16).collect(), Ok(16)), "split at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(visited(&records_of(&single), 10), ((10..16).collect(), Ok(16)));
}

#[test]
fn it_begins_within_a_batch() {
    let bytes = three_batches();
    assert_eq!(visited(&records_of(&[&bytes]), 13), ((13..16).collect(), Ok(16)));
}

#[test]
fn a_visitor_that_fails_ends_it_and_says_why() {
    #[derive(Debug, PartialEq, Eq)]
    enum Why {
        Batch(BatchError),
        Record(i64),
    }
    impl From<BatchError> for Why {
        fn from(why: BatchError) -> Self {
            Self::Batch(why)
        }
    }
    let mut bytes = three_batches();
    let until = |bytes: &[u8], last: i64| {
        let mut seen = Vec::new();
        let end = try_for_each_record(&records_of(&[bytes]), Offset::new(11), |record| {
            let offset = record.offset.value();
            seen.push(offset);
            if offset == last { Err(Why::Record(offset)) } else { Ok(()) }
        });
        (seen, end.map(Offset::value))
    };
    assert_eq!(until(&bytes, 13), ((11..14).collect(), Err(Why::Record(13))));
    assert_eq!(until(&bytes, 99), ((11..16).collect(), Ok(16)));
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(
        until(&bytes, 13),
        ((11..14).collect(), Err(Why::Record(13))),
        "what comes later is not looked at"
    );
    let (seen, end) = until(&bytes, 99);
    assert_eq!(seen, (11..15).collect::<Vec<_>>());
    assert!(matches!(end, Err(Why::Batch(BatchError::Crc { .. }))), "{end:?}");
}

#[test]
fn nothing_read_leaves_the_offset_where_it_was() {
    assert_eq!(visited(&records_of(&[]), 16), (vec![], Ok(16)));
}

#[test]
fn damage_and_cut_batches_are_errors_after_the_records_before() {
    let mut bytes = three_batches();
    let (offsets, end) = visited(&records_of(&[&bytes[..bytes.len() - 1]]), 10);
    assert_eq!(offsets, (10..15).collect::<Vec<_>>());
    assert!(matches!(end, Err(BatchError::Truncated { .. })), "{end:?}");

    *bytes.last_mut().unwrap() ^= 1;
    let (offsets, end) = visited(&records_of(&[&bytes]), 10);
    assert_eq!(offsets, (10..15).collect::<Vec<_>>());
    assert!(matches!(end, Err(BatchError::Crc { .. })), "{end:?}");
}
