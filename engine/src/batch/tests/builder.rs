//! What the builder writes is what the readers read.

use super::super::*;
use super::{ONE_RECORD, Random};
use crate::types::{Offset, ProducerId};

#[test]
fn a_built_batch_is_the_one_written_by_hand() {
    let mut builder = BatchBuilder::new(1000);
    builder.set_producer(ProducerId::new(1000), 7, 42);
    let headers = [Header { key: "h", value: None }];
    builder.push_with_headers(1_700_000_000_000, Some(b"k"), Some(b"v"), &headers).unwrap();
    let mut built = builder.finish().unwrap().to_vec();
    stamp(&mut built, Offset::ZERO, LeaderEpoch::new(-1));
    assert_eq!(built, ONE_RECORD);
}

#[test]
fn an_empty_builder_has_no_batch() {
    let mut builder = BatchBuilder::new(1000);
    assert_eq!(builder.finish(), None);
    builder.push(5, None, None).unwrap();
    builder.clear();
    assert_eq!(builder.finish(), None);
    assert_eq!(builder.size(), layout::HEADER_SIZE);
}

#[test]
fn a_record_past_the_limit_is_refused_and_changes_nothing() {
    let mut builder = BatchBuilder::new(82);
    builder.push(1, None, Some(b"0123")).unwrap();
    let before = builder.finish().unwrap().to_vec();
    let refused = builder.push(2, None, Some(b"0123"));
    assert_eq!(refused, Err(BatchError::TooLarge { size: 61 + 11 + 11, max: 82 }));
    assert_eq!(builder.finish().unwrap(), before);
    builder.push(2, None, Some(b"012")).unwrap();
    assert_eq!(builder.size(), 82);
}

#[test]
fn a_builder_is_used_again_for_the_next_batch() {
    let mut builder = BatchBuilder::new(1000);
    builder.set_producer(ProducerId::new(9), 1, 0);
    builder.push(100, Some(b"first"), None).unwrap();
    builder.finish().unwrap();
    builder.clear();
    builder.push(50, Some(b"second"), None).unwrap();
    let header = validate_produce(builder.finish().unwrap(), 1000).unwrap();
    assert!(!header.is_idempotent());
    assert_eq!((header.base_timestamp, header.max_timestamp, header.records_count), (50, 50, 1));
}

#[test]
fn records_added_after_finish_are_in_the_next_finish() {
    let mut builder = BatchBuilder::new(1000);
    builder.push(1, None, None).unwrap();
    builder.finish().unwrap();
    builder.push(7, None, None).unwrap();
    let header = validate_produce(builder.finish().unwrap(), 1000).unwrap();
    assert_eq!((header.records_count, header.max_timestamp), (2, 7));
}

#[test]
fn random_records_are_read_as_they_were_written() {
    let mut random = Random::new(1);
    for _ in 0..300 {
        let records: Vec<_> = (0..1 + random.below(40)).map(|_| RandomRecord::new(&mut random)).collect();
        let mut builder = BatchBuilder::new(1 << 20);
        for record in &records {
            let headers: Vec<_> =
                record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.push_with_headers(record.timestamp, key, value, &headers).unwrap();
        }
        let mut bytes = builder.finish().unwrap().to_vec();
        validate_produce(&bytes, 1 << 20).unwrap();
        stamp(&mut bytes, Offset::new(500), LeaderEpoch::new(3));

        let batch = batches(&bytes, CrcCheck::Full).next().unwrap().unwrap();
        let latest = records.iter().map(|record| record.timestamp).max().unwrap();
        assert_eq!(batch.header.max_timestamp, latest);
        let mut read = batch.records().unwrap();
        for (offset, record) in (500..).zip(&records) {
            let found = read.next().unwrap().unwrap();
            assert_eq!(found.offset, Offset::new(offset));
            assert_eq!(found.timestamp, record.timestamp);
            assert_eq!(found.key, record.key.as_deref());
            assert_eq!(found.value, record.value.as_deref());
            let headers: Vec<_> =
                found.headers.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect();
            assert_eq!(headers, record.headers);
        }
        assert_eq!(read.next(), None);
    }
}

struct RandomRecord {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl RandomRecord {
    fn new(random: &mut Random) -> Self {
        // Lengths on both sides of where the length varint grows to two bytes.
        Self {
            timestamp: (random.next() >> random.below(64)) as i64,
            key: random.bytes(70),
            value: random.bytes(200),
            headers: (0..random.below(4))
                .map(|_| ("é".repeat(random.below(40) as usize), random.bytes(70)))
                .collect(),
        }
    }
}

#[test]
fn a_batch_that_is_given_away_leaves_an_empty_builder() {
    let mut builder = BatchBuilder::new(1000);
    assert_eq!(builder.take(), None);
    builder.set_producer(ProducerId::new(1000), 7, 42);
    builder.push(5, None, Some(b"first")).unwrap();
    let shown = builder.finish().unwrap().to_vec();
    assert_eq!(builder.take(), Some(shown));
    assert_eq!((builder.take(), builder.size()), (None, layout::HEADER_SIZE));
    builder.push(6, None, Some(b"second")).unwrap();
    let batch = builder.take().unwrap();
    let header = BatchHeader::parse(&batch).unwrap();
    assert_eq!((header.records_count, header.base_timestamp, header.producer_id.value()), (1, 6, -1));
}
