use super::*;

#[test]
fn old_and_flexible_encodings_differ_as_kip_482_says() {
    let write = |flexible| {
        let mut writer = Writer::new(flexible);
        writer.string("ab");
        writer.null_string();
        writer.array(2);
        writer.records(300);
        writer.end();
        writer.finish()
    };
    let old = [0, 0, 0, 14, 0, 2, b'a', b'b', 0xff, 0xff, 0, 0, 0, 2, 0, 0, 1, 44];
    let flexible = [0, 0, 0, 8, 3, b'a', b'b', 0, 3, 0xad, 0x02, 0];
    assert_eq!(write(false), old);
    assert_eq!(write(true), flexible);
}

#[test]
fn varints_are_zigzag() {
    let encoded = |value| {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        bytes
    };
    assert_eq!(encoded(0), [0]);
    assert_eq!(encoded(-1), [1]);
    assert_eq!(encoded(1), [2]);
    assert_eq!(encoded(63), [126]);
    assert_eq!(encoded(64), [0x80, 0x01]);
    assert_eq!(encoded(-65), [0x81, 0x01]);
    assert_eq!(encoded(i64::MIN).len(), 10);
}

#[test]
fn nulls_and_tagged_fields_are_read() {
    // null string, "hi", null array, array of 1, two tagged fields of 1 and 2 bytes, then an INT8.
    let bytes = [0, 3, b'h', b'i', 0, 2, 2, 0, 1, 9, 5, 2, 9, 9, 7];
    let mut reader = Reader::new(&bytes, true);
    assert_eq!(reader.string(), Ok(None));
    assert_eq!(reader.string(), Ok(Some("hi")));
    assert_eq!(reader.array(), Ok(0));
    assert_eq!(reader.array(), Ok(1));
    assert_eq!(reader.end(), Ok(()));
    assert_eq!(reader.i8(), Ok(7));
    assert!(reader.i8().is_err());
}

#[test]
fn lengths_are_never_trusted() {
    // An array and records that claim two billion elements, in both encodings.
    let old = [0x7f, 0xff, 0xff, 0xff];
    assert!(Reader::new(&old, false).array().is_err());
    assert!(Reader::new(&old, false).records().is_err());
    let flexible = [0xff, 0xff, 0xff, 0xff, 0x07];
    assert!(Reader::new(&flexible, true).array().is_err());
    assert!(Reader::new(&flexible, true).records().is_err());
    // A varint without an end.
    assert!(Reader::new(&[0xff; 9], true).array().is_err());
    // Text that is not text.
    assert!(Reader::new(&[0, 1, 0xff], false).string().is_err());
}
