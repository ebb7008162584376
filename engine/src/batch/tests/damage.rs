//! Every truncation and every flipped bit of a valid batch is noticed, and nothing panics on any bytes.

use super::super::*;
use super::{ONE_RECORD, Random, random_batch};

#[test]
fn every_truncation_is_incomplete_and_says_how_much_is_needed() {
    for length in 0..ONE_RECORD.len() {
        let needed = if length < layout::HEADER_SIZE { layout::HEADER_SIZE } else { ONE_RECORD.len() };
        let read = read_one(&ONE_RECORD[..length], 1000, CrcCheck::Full);
        assert_eq!(read, Read::Incomplete { needed }, "cut at {length}");
        assert!(validate_produce(&ONE_RECORD[..length], 1000).is_err(), "cut at {length}");
    }
}

#[test]
fn every_flipped_bit_is_found_or_lies_in_the_stamped_fields() {
    for at in 0..ONE_RECORD.len() {
        for bit in 0..8 {
            let mut bytes = ONE_RECORD;
            bytes[at] ^= 1 << bit;
            let read = read_one(&bytes, 1000, CrcCheck::Full);
            let stamped = at < layout::LENGTH || (layout::LEADER_EPOCH..layout::MAGIC).contains(&at);
            let negative = at == layout::BASE_OFFSET && bit == 7;
            match read {
                Read::Complete(header) => {
                    assert!(stamped && !negative, "bit {bit} of byte {at} went unnoticed");
                    let original = BatchHeader::parse(&ONE_RECORD).unwrap();
                    let differs = header.base_offset != original.base_offset
                        || header.leader_epoch != original.leader_epoch;
                    assert!(differs, "a reader can see what was changed at {at}");
                }
                Read::Incomplete { .. } => assert!((layout::LENGTH..layout::LEADER_EPOCH).contains(&at)),
                Read::Invalid(_) => {
                    assert!(!stamped || negative, "bit {bit} of byte {at} is not checksummed")
                }
            }
        }
    }
}

#[test]
fn damage_is_told_from_a_clients_mistake() {
    let mut bytes = ONE_RECORD;
    bytes[layout::RECORDS_COUNT + 3] = 2;
    let error = validate_produce(&bytes, 1000).unwrap_err();
    assert!(matches!(error, BatchError::Crc { .. }), "the checksum comes before what it covers: {error}");
    assert_eq!(error.kind(), BatchErrorKind::Corrupt);
}

#[test]
fn a_length_is_never_believed_past_the_limit() {
    let mut bytes = ONE_RECORD;
    for length in [i32::MAX, 1 << 30, 989, -1, i32::MIN, 0, 48] {
        layout::write(&mut bytes, layout::LENGTH, length.to_be_bytes());
        let read = read_one(&bytes, 1000, CrcCheck::Full);
        let expected = if length > 48 {
            BatchError::TooLarge { size: length as usize + 12, max: 1000 }
        } else {
            BatchError::LengthTooSmall { length }
        };
        assert_eq!(read, Read::Invalid(expected));
    }
    layout::write(&mut bytes, layout::LENGTH, 988i32.to_be_bytes());
    assert_eq!(read_one(&bytes, 1000, CrcCheck::Full), Read::Incomplete { needed: 1000 });
}

#[test]
fn zeroes_are_no_batch() {
    assert_eq!(
        read_one(&[0; 4096], 1000, CrcCheck::Full),
        Read::Invalid(BatchError::OldFormat { magic: 0 }),
        "blank space is told from a batch by its magic byte"
    );
}

#[test]
fn random_bytes_and_random_damage_never_panic() {
    let mut random = Random::new(2);
    for _ in 0..3000 {
        let mut bytes = random_batch(&mut random);
        for _ in 0..random.below(6) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next() as u8;
        }
        bytes.truncate(1 + random.below(2 * bytes.len() as u64) as usize);
        read_everything(&bytes);

        let len = bytes.len();
        if len >= layout::HEADER_SIZE {
            // What the checksum would have caught has to be survived by the record reader too.
            let crc = layout::checksum(&bytes);
            layout::write(&mut bytes, layout::CRC, crc.to_be_bytes());
            layout::write(&mut bytes, layout::LENGTH, (len as i32 - 12).to_be_bytes());
            layout::write(&mut bytes, layout::MAGIC, [2]);
            read_everything(&bytes);
        }
    }
}

fn read_everything(bytes: &[u8]) {
    let _ = validate_produce(bytes, 1 << 20);
    let _ = BatchHeader::parse(bytes);
    for crc in [CrcCheck::Full, CrcCheck::Skip] {
        let _ = read_one(bytes, 1 << 20, crc);
        for batch in batches(bytes, crc).flatten() {
            for record in batch.records().into_iter().flatten().flatten() {
                let _ = record.headers.count();
            }
        }
    }
}
