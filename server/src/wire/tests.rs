use tora_engine::io::Slice;
use tora_engine::types::{PartitionId, Position, TopicId};

use super::{Encoding, Malformed, Reader, Stored, Writer};

#[test]
fn what_was_written_is_read_back_in_both_encodings() {
    for encoding in [Encoding::Classic, Encoding::Flexible] {
        let mut writer = Writer::default();
        writer.set_encoding(encoding);
        writer.i8(-3);
        writer.i64(i64::MIN);
        writer.string("tora");
        writer.nullable_string(None);
        writer.array_len(2);
        writer.i16(7);
        writer.bool(true);
        writer.no_tagged_fields();
        let mut reader = Reader::new(writer.bytes(), encoding);
        assert_eq!(reader.i8(), Ok(-3));
        assert_eq!(reader.i64(), Ok(i64::MIN));
        assert_eq!(reader.string(), Ok("tora"));
        assert_eq!(reader.nullable_string(), Ok(None));
        assert_eq!(reader.array_len(), Ok(2));
        assert_eq!(reader.i16(), Ok(7));
        assert_eq!(reader.bool(), Ok(true));
        assert_eq!(reader.skip_tagged_fields(), Ok(()));
        assert_eq!(reader.end(), Ok(()));
    }
}

#[test]
fn varints_of_every_length() {
    for value in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455, 268_435_456, u32::MAX] {
        let mut writer = Writer::default();
        writer.unsigned_varint(value);
        let mut reader = Reader::new(writer.bytes(), Encoding::Flexible);
        assert_eq!(reader.unsigned_varint(), Ok(value));
        assert_eq!(reader.end(), Ok(()));
    }
}

#[test]
fn a_varint_of_more_than_32_bits_is_refused() {
    for bytes in [&[0xff; 6][..], &[0xff, 0xff, 0xff, 0xff, 0x10], &[0x80, 0x80]] {
        assert!(Reader::new(bytes, Encoding::Flexible).unsigned_varint().is_err(), "{bytes:?}");
    }
}

#[test]
fn no_length_is_trusted() {
    let huge = i32::MAX.to_be_bytes();
    assert!(Reader::new(&huge, Encoding::Classic).array_len().is_err());
    assert!(Reader::new(&huge, Encoding::Classic).nullable_bytes().is_err());
    assert!(Reader::new(&huge, Encoding::Classic).nullable_string().is_err());
    assert!(Reader::new(&(-2_i32).to_be_bytes(), Encoding::Classic).nullable_array_len().is_err());
    let compact = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!(Reader::new(&compact, Encoding::Flexible).array_len().is_err());
    assert!(Reader::new(&compact, Encoding::Flexible).nullable_bytes().is_err());
    assert!(Reader::new(&compact, Encoding::Flexible).skip_tagged_fields().is_err());
    assert_eq!(
        Reader::new(&[0xff, 0xff], Encoding::Classic).string(),
        Err(Malformed { what: "string", at: 0 }),
        "null where a string must be"
    );
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    assert!(Reader::new(&[0, 1, 0xff], Encoding::Classic).string().is_err());
}

#[test]
fn records_stand_behind_their_length() {
    let mut writer = Writer::default();
    writer.i8(1);
    let partition = PartitionId::new(TopicId::from_random(1, 2), 0);
    let stored = Stored { partition, at: Position::new(70) };
    writer.records(stored, vec![Slice::copy_from(b"abc"), Slice::copy_from(b""), Slice::copy_from(b"de")]);
    writer.i8(2);
    assert_eq!(writer.bytes(), [1, 0, 0, 0, 5, 2]);
    assert_eq!(writer.len(), 11);
    let records = writer.records_at().iter();
    let records: Vec<_> =
        records.map(|part| (part.after, part.slice.to_vec(), part.stored.at.value())).collect();
    assert_eq!(records, [(5, b"abc".to_vec(), 70), (5, b"de".to_vec(), 73)]);
}

#[test]
fn a_string_too_long_for_its_length_is_cut_at_a_character() {
    let text = "ä".repeat(20_000);
    let mut writer = Writer::default();
    writer.string(&text);
    let mut reader = Reader::new(writer.bytes(), Encoding::Classic);
    assert_eq!(reader.string().map(str::len), Ok(32_766));
}
