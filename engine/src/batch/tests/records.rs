//! Reading records, and every way in which one can be wrong.

use super::super::*;
use super::ONE_RECORD;
use crate::types::Offset;

/// A batch of `count` records whose body is `body`, its checksum right.
fn batch_of(count: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = ONE_RECORD[..layout::HEADER_SIZE].to_vec();
    bytes.extend_from_slice(body);
    let length = (bytes.len() - layout::LENGTH_OVERHEAD) as i32;
    layout::write(&mut bytes, layout::LENGTH, length.to_be_bytes());
    layout::write(&mut bytes, layout::RECORDS_COUNT, count.to_be_bytes());
    layout::write(&mut bytes, layout::LAST_OFFSET_DELTA, (count - 1).to_be_bytes());
    let crc = layout::checksum(&bytes);
    layout::write(&mut bytes, layout::CRC, crc.to_be_bytes());
    bytes
}

/// The fault that ends the records of such a batch, and its index.
fn fault(count: i32, body: &[u8]) -> (i32, RecordFault) {
    let bytes = batch_of(count, body);
    let batch = batches(&bytes, CrcCheck::Full).next().unwrap().unwrap();
    let mut records = batch.records().unwrap().skip_while(Result::is_ok);
    let Some(Err(BatchError::Record { index, fault })) = records.next() else { panic!("no fault found") };
    assert_eq!(records.next(), None, "a fault is the last item");
    (index, fault)
}

#[test]
fn a_record_is_read_with_all_of_its_fields() {
    let batch = batches(&ONE_RECORD, CrcCheck::Full).next().unwrap().unwrap();
    let records: Vec<_> = batch.records().unwrap().map(Result::unwrap).collect();
    let [record] = records[..] else { panic!("one record was written") };
    assert_eq!((record.offset, record.timestamp), (Offset::ZERO, 1_700_000_000_000));
    assert_eq!((record.key, record.value), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!(record.headers.collect::<Vec<_>>(), [Header { key: "h", value: None }]);
}

#[test]
fn log_append_time_is_every_records_time() {
    let mut bytes = ONE_RECORD;
    set_log_append_time(&mut bytes, 1_800_000_000_000);
    let batch = batches(&bytes, CrcCheck::Full).next().unwrap().expect("the checksum was computed anew");
    assert_eq!(batch.header.timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(batch.header.base_timestamp, 1_700_000_000_000);
    let record = batch.records().unwrap().next().unwrap().unwrap();
    assert_eq!(record.timestamp, 1_800_000_000_000);
}

#[test]
fn a_compressed_batch_has_no_records_in_place() {
    let mut bytes = ONE_RECORD;
    bytes[layout::ATTRIBUTES + 1] = 4;
    let batch = batches(&bytes, CrcCheck::Skip).next().unwrap().unwrap();
    assert_eq!(batch.header.codec(), Codec::Zstd);
    assert_eq!(batch.records().unwrap_err(), BatchError::Compressed);
}

#[test]
fn each_fault_is_named() {
    const GOOD: [u8; 7] = [12, 0, 0, 0, 1, 1, 0];
    let two = |second: [u8; 7]| fault(2, &[GOOD, second].concat());
    let one = |body: &[u8]| fault(1, body);

    assert_eq!(two([14, 0, 0, 2, 1, 1, 0]), (1, RecordFault::Length), "reaches past the batch");
    assert_eq!(two([1, 0, 0, 2, 1, 1, 0]), (1, RecordFault::Negative), "a record of length -1");
    assert_eq!(two([12, 0, 0, 0, 1, 1, 0]), (1, RecordFault::Offset), "an offset twice");
    assert_eq!(two([12, 0, 0, 4, 1, 1, 0]), (1, RecordFault::Offset), "an offset past the last");
    assert_eq!(two([12, 0, 0, 2, 3, 1, 0]), (1, RecordFault::Negative), "a key of length -2");
    assert_eq!(two([12, 0, 0, 2, 1, 2, 0]), (1, RecordFault::Short), "no number of headers");
    assert_eq!(two([12, 0, 0, 2, 1, 1, 1]), (1, RecordFault::Negative), "-1 headers");
    assert_eq!(two([12, 0, 0, 2, 1, 1, 2]), (1, RecordFault::Short), "a header that is not there");
    assert_eq!(two([12, 0, 0, 0x82, 0x80, 0x80, 0x80]), (1, RecordFault::Short), "a number without its end");
    assert_eq!(one(&[14, 0, 0, 0, 1, 1, 0, 0]), (0, RecordFault::Length), "a byte too many inside");
    assert_eq!(one(&[12, 0, 0, 0, 1, 1, 0, 0]), (1, RecordFault::Trailing), "a byte too many behind");
    assert_eq!(one(&[18, 0, 0, 0, 1, 1, 2, 2, 0xff, 1]), (0, RecordFault::HeaderKey));
    assert_eq!(one(&[16, 0, 0, 0, 1, 1, 2, 1, 1]), (0, RecordFault::Negative), "a header without a key");
    assert_eq!(
        one(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0]),
        (0, RecordFault::Varint),
        "six bytes for 32 bits"
    );
    assert_eq!(one(&[0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0]), (0, RecordFault::Varint), "33 bits and more");
}

#[test]
fn a_claim_of_more_headers_than_bytes_allocates_nothing() {
    assert_eq!(
        fault(1, &[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (0, RecordFault::Short),
        "2^31 - 1 headers"
    );
}
