//! What a client may append and what it may not.

use super::super::*;
use super::ONE_RECORD;
use crate::types::{LeaderEpoch, Offset};

/// The hand-written batch with the bytes at `at` replaced and the checksum made right again.
fn with<const N: usize>(at: usize, field: [u8; N]) -> Vec<u8> {
    let mut bytes = ONE_RECORD.to_vec();
    layout::write(&mut bytes, at, field);
    let crc = layout::checksum(&bytes);
    layout::write(&mut bytes, layout::CRC, crc.to_be_bytes());
    bytes
}

fn refusal(bytes: &[u8]) -> (BatchError, BatchErrorKind) {
    let error = validate_produce(bytes, 1000).expect_err("the batch must be refused");
    assert!(!error.to_string().is_empty());
    (error, error.kind())
}

#[test]
fn the_header_is_read_as_written() {
    let header = validate_produce(&ONE_RECORD, ONE_RECORD.len()).unwrap();
    assert_eq!(header.total_size(), ONE_RECORD.len());
    assert_eq!(
        (header.base_offset, header.last_offset(), header.end_offset().value()),
        (Offset::ZERO, Offset::ZERO, 1)
    );
    assert_eq!((header.producer_id.value(), header.producer_epoch, header.base_sequence), (1000, 7, 42));
    assert_eq!((header.base_timestamp, header.max_timestamp), (1_700_000_000_000, 1_700_000_000_000));
    assert_eq!((header.codec(), header.timestamp_type()), (Codec::None, TimestampType::CreateTime));
    assert!(header.is_idempotent() && !header.is_transactional() && !header.is_control());
    assert_eq!(header.leader_epoch, LeaderEpoch::new(-1));
}

#[test]
fn stamping_leaves_the_checksum_right() {
    let mut bytes = ONE_RECORD.to_vec();
    stamp(&mut bytes, Offset::new(1 << 40), LeaderEpoch::new(12));
    let Read::Complete(header) = read_one(&bytes, 1000, CrcCheck::Full) else { panic!("the batch is whole") };
    assert_eq!((header.base_offset, header.leader_epoch), (Offset::new(1 << 40), LeaderEpoch::new(12)));
    assert_eq!(header.end_offset(), Offset::new((1 << 40) + 1));
}

#[test]
fn nothing_is_no_batch() {
    assert_eq!(refusal(&[]), (BatchError::Empty, BatchErrorKind::InvalidRecord));
}

#[test]
fn two_batches_are_one_too_many() {
    let error = BatchError::MoreThanOneBatch { first: 73, total: 146 };
    assert_eq!(refusal(&[ONE_RECORD, ONE_RECORD].concat()), (error, BatchErrorKind::InvalidRecord));
    let error = BatchError::MoreThanOneBatch { first: 73, total: 74 };
    assert_eq!(refusal(&[&ONE_RECORD[..], &[0]].concat()).0, error);
}

#[test]
fn the_limit_counts_the_whole_batch() {
    let error = validate_produce(&ONE_RECORD, ONE_RECORD.len() - 1).unwrap_err();
    assert_eq!(error, BatchError::TooLarge { size: 73, max: 72 });
    assert_eq!(error.kind(), BatchErrorKind::TooLarge);
}

#[test]
fn old_formats_are_named_even_when_shorter_than_a_header() {
    for magic in [0, 1] {
        let mut message = [0; 26];
        message[layout::MAGIC] = magic;
        let error = BatchError::OldFormat { magic: magic as i8 };
        assert_eq!(refusal(&message), (error, BatchErrorKind::UnsupportedFormat));
    }
    for magic in [3, 0xff] {
        let error = BatchError::UnknownFormat { magic: magic as i8 };
        assert_eq!(refusal(&with(layout::MAGIC, [magic])), (error, BatchErrorKind::Corrupt));
    }
}

#[test]
fn counts_have_to_agree() {
    for (count, delta) in [(0, 0), (0, -1), (-1, -2), (1, 1), (2, 0), (i32::MIN, i32::MAX)] {
        let mut bytes = with(layout::RECORDS_COUNT, i32::to_be_bytes(count));
        layout::write(&mut bytes, layout::LAST_OFFSET_DELTA, i32::to_be_bytes(delta));
        let crc = layout::checksum(&bytes);
        layout::write(&mut bytes, layout::CRC, crc.to_be_bytes());
        let error = BatchError::Counts { records_count: count, last_offset_delta: delta };
        assert_eq!(refusal(&bytes), (error, BatchErrorKind::InvalidRecord));
    }
}

#[test]
fn uncompressed_records_cannot_be_more_than_their_bytes_hold() {
    let mut bytes = with(layout::RECORDS_COUNT, 2i32.to_be_bytes());
    layout::write(&mut bytes, layout::LAST_OFFSET_DELTA, 1i32.to_be_bytes());
    let crc = layout::checksum(&bytes);
    layout::write(&mut bytes, layout::CRC, crc.to_be_bytes());
    let error = BatchError::TooManyRecords { records_count: 2, body_size: 12 };
    assert_eq!(refusal(&bytes), (error, BatchErrorKind::InvalidRecord));
}

#[test]
fn a_client_counts_its_offsets_from_0() {
    let mut bytes = ONE_RECORD;
    stamp(&mut bytes, Offset::new(5), LeaderEpoch::new(0));
    assert_eq!(refusal(&bytes), (BatchError::BaseOffset { base_offset: 5 }, BatchErrorKind::InvalidRecord));
    for base_offset in [-1, i64::MIN, i64::MAX] {
        stamp(&mut bytes, Offset::new(base_offset), LeaderEpoch::new(0));
        let expected = Read::Invalid(BatchError::BaseOffset { base_offset });
        assert_eq!(read_one(&bytes, 1000, CrcCheck::Full), expected, "no log has such an offset");
    }
}

#[test]
fn attributes_that_are_not_a_clients_are_refused() {
    let with_attributes = |bits: i16| refusal(&with(layout::ATTRIBUTES, bits.to_be_bytes()));
    assert_eq!(with_attributes(1 << 3), (BatchError::LogAppendTime, BatchErrorKind::InvalidTimestamp));
    assert_eq!(with_attributes(1 << 4), (BatchError::Transactional, BatchErrorKind::InvalidRecord));
    assert_eq!(with_attributes(1 << 5), (BatchError::Control, BatchErrorKind::InvalidRecord));
    for id in 5..8 {
        let error = BatchError::UnknownCodec { id };
        assert_eq!(with_attributes(i16::from(id)), (error, BatchErrorKind::UnsupportedCompression));
    }
}

#[test]
fn every_codec_is_accepted_without_looking_inside() {
    for (id, codec) in [(1, Codec::Gzip), (2, Codec::Snappy), (3, Codec::Lz4), (4, Codec::Zstd)] {
        let bytes = with(layout::ATTRIBUTES, i16::to_be_bytes(id));
        assert_eq!(validate_produce(&bytes, 1000).unwrap().codec(), codec);
    }
}

#[test]
fn a_producers_epoch_and_sequence_are_not_negative() {
    for bytes in [with(layout::PRODUCER_EPOCH, [0xff; 2]), with(layout::BASE_SEQUENCE, [0xff; 4])] {
        let (error, kind) = refusal(&bytes);
        assert!(matches!(error, BatchError::Producer { producer_id: 1000, .. }));
        assert_eq!(kind, BatchErrorKind::InvalidRecord);
    }
    let mut none = with(layout::PRODUCER_ID, [0xff; 14]);
    assert!(!validate_produce(&none, 1000).unwrap().is_idempotent(), "no producer has neither");
    set_log_append_time(&mut none, 3);
    assert_eq!(read_one(&none, 1000, CrcCheck::Full), Read::Complete(BatchHeader::parse(&none).unwrap()));
}

#[test]
fn a_run_is_read_batch_by_batch_up_to_what_is_none() {
    let mut second = ONE_RECORD;
    stamp(&mut second, Offset::new(1), LeaderEpoch::new(0));
    let run = [&ONE_RECORD[..], &second, &ONE_RECORD[..70]].concat();
    let read: Vec<_> = batches(&run, CrcCheck::Full).collect();
    let [Ok(a), Ok(b), Err(BatchError::Truncated { needed: 73, available: 70 })] = &read[..] else {
        panic!("two whole batches and a cut one: {read:?}")
    };
    assert_eq!((a.header.base_offset, b.header.base_offset), (Offset::ZERO, Offset::new(1)));
    assert_eq!((a.bytes(), b.bytes()), (&ONE_RECORD[..], &second[..]));
    assert!(batches(&[], CrcCheck::Full).next().is_none());
}
