use super::*;

/// Two records, written by hand: the values "ab" (with a header k=v) and null, at offset 5.
fn two_records() -> Vec<u8> {
    // Lengths are zigzag: 24 is 12 bytes, 12 is 6; 1 is -1, for null.
    const FIRST: [u8; 13] = [24, 0, 0, 0, 1, 4, b'a', b'b', 2, 2, b'k', 2, b'v'];
    const SECOND: [u8; 7] = [12, 0, 0, 2, 1, 1, 0];
    let mut bytes = vec![0; at::RECORDS];
    bytes.extend_from_slice(&FIRST);
    bytes.extend_from_slice(&SECOND);
    bytes[at::LENGTH - 1] = 5;
    bytes[at::LENGTH + 3] = u8::try_from(bytes.len() - 12).expect("short");
    bytes[at::MAGIC] = 2;
    bytes[at::LAST_OFFSET_DELTA + 3] = 1;
    bytes[at::COUNT + 3] = 2;
    let crc = crc(&bytes);
    bytes[at::CRC..at::CRC + 4].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn only(mut bytes: &[u8]) -> Batch<'_> {
    let batch = Batch::split_off(&mut bytes).expect("well-formed").expect("whole");
    assert!(bytes.is_empty());
    batch
}

#[test]
fn a_batch_is_read() {
    let bytes = two_records();
    let batch = only(&bytes);
    assert!(batch.intact() && batch.plain());
    assert_eq!((batch.base_offset(), batch.next_offset(), batch.count()), (5, 7, 2));
    let records: Vec<_> = batch.records().collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].value, b"ab");
    assert_eq!(records[0].header(b"k"), Some(&b"v"[..]));
    assert_eq!(records[0].header(b"x"), None);
    assert_eq!(records[1].value, b"");
}

#[test]
fn a_flipped_bit_breaks_the_crc() {
    let good = two_records();
    for byte in at::ATTRIBUTES..good.len() {
        let mut bytes = good.clone();
        bytes[byte] ^= 0x10;
        assert!(!Batch { bytes: &bytes }.intact(), "byte {byte}");
    }
}

#[test]
fn a_cut_off_batch_is_left_alone() {
    let bytes = two_records();
    for length in 0..bytes.len() {
        let mut cut = &bytes[..length];
        assert!(Batch::split_off(&mut cut).expect("no nonsense").is_none(), "{length} bytes");
        assert_eq!(cut.len(), length);
    }
}

#[test]
fn an_impossible_length_is_refused() {
    for length in [-1, 0, 48] {
        let mut bytes = two_records();
        bytes[at::LENGTH..at::LENGTH + 4].copy_from_slice(&i32::to_be_bytes(length));
        assert!(Batch::split_off(&mut &bytes[..]).is_err(), "{length}");
    }
}

#[test]
fn malformed_records_end_the_iteration() {
    let good = two_records();
    for byte in at::RECORDS..good.len() {
        for value in [0, 1, 0x7e, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[byte] = value;
            let records: Vec<_> = Batch { bytes: &bytes }.records().collect();
            let found = records.iter().filter(|record| record.header(b"k").is_some()).count();
            assert!(found <= 2);
        }
    }
}

#[test]
fn compressed_and_control_batches_are_told_apart() {
    for (attributes, plain) in [(0, true), (0b1000, true), (1, false), (4, false), (1 << 5, false)] {
        let mut bytes = two_records();
        bytes[at::ATTRIBUTES + 1] = attributes;
        assert_eq!(Batch { bytes: &bytes }.plain(), plain, "{attributes:b}");
    }
}
