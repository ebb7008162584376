use super::line::{Format, of_json, of_text, to_json, to_text};
use super::place::Place;
use super::table::{columns, counted};
use crate::client::records::{Content, decode, encode};

fn content(key: Option<&[u8]>, value: Option<&[u8]>) -> Content {
    let bytes = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
    let headers = vec![("trace".to_owned(), Some(b"7".to_vec())), ("none".to_owned(), None)];
    Content { key: bytes(key), value: bytes(value), headers, timestamp: 1_700_000_000_000 }
}

#[test]
fn places() {
    for (text, place) in [
        ("earliest", Place::Earliest),
        ("latest", Place::Latest),
        ("42", Place::Offset(42)),
        ("@1700000000000", Place::Time(1_700_000_000_000)),
        ("2023-11-14T22:13:20Z", Place::Time(1_700_000_000_000)),
    ] {
        assert_eq!(text.parse(), Ok(place), "{text}");
    }
    for text in ["-1", "soon", "@", "@-1", ""] {
        assert!(text.parse::<Place>().is_err(), "{text}");
    }
}

#[test]
fn a_record_is_a_line_and_a_line_a_record() {
    let record = content(Some(b"k"), Some(b"v"));
    let format = Format { key_separator: Some(": ".to_owned()), headers: true };
    assert_eq!(to_text(&record, &format), b"trace=7,none=\tk: v");
    assert_eq!(to_text(&record, &Format::default()), b"v");
    let read = of_text(b"k: v: w", Some(": "));
    assert_eq!((read.key, read.value), (Some(b"k".to_vec()), Some(b"v: w".to_vec())));
    let read = of_text(b"v", Some(": "));
    assert_eq!((read.key, read.value), (None, Some(b"v".to_vec())));
}

#[test]
fn json_can_be_read_again() {
    for record in [
        content(Some(b"k"), Some("ü".as_bytes())),
        content(Some(&[0xff, 0]), Some(&[0x80])),
        content(None, None),
    ] {
        let line = to_json("t", 3, 9, &record);
        let (read, partition, timestamp) = of_json(line.as_bytes()).expect(&line);
        let read = Content { timestamp: timestamp.expect(&line), ..read };
        assert_eq!((read, partition), (record, Some(3)), "{line}");
    }
    for line in ["", "[]", "{}", "{\"value_hex\": \"0\"}", "{\"value\": 1, \"headers\": [1]}"] {
        assert!(of_json(line.as_bytes()).is_err(), "{line}");
    }
    let (read, ..) = of_json(b"{\"value\": {\"a\": 1}}").expect("an object is its text");
    assert_eq!(read.value, Some(b"{\"a\":1}".to_vec()));
}

#[test]
fn batches_come_back_as_they_were_and_half_of_one_is_left_out() {
    let records = [content(Some(b"k"), Some(b"v")), content(None, Some(b"w"))];
    let mut bytes = encode(&records).expect("they can be encoded").to_vec();
    let whole = bytes.len();
    bytes.extend_from_within(..whole - 1);
    let read = decode(bytes.into()).expect("batches");
    assert_eq!(read.contents, [(0, records[0].clone()), (1, records[1].clone())]);
    assert_eq!(read.end, Some(2));
}

/// Or whoever reads to the end would ask for the same batch again and again.
#[test]
fn a_batch_is_passed_though_its_last_records_are_not_shown() {
    let records = [content(None, Some(b"v")), content(None, Some(b"w"))];
    let batch = encode(&records).expect("they can be encoded");
    // Control records, as transactions end with; and a batch whose last seven offsets were compacted away.
    let changed = |at: usize, byte: u8| {
        let mut bytes = batch.to_vec();
        bytes[at] = byte;
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        decode(bytes.into()).expect("batches")
    };
    let control = changed(22, 0x20);
    assert_eq!((control.contents, control.end), (Vec::new(), Some(2)));
    let compacted = changed(26, 8);
    assert_eq!((compacted.contents.len(), compacted.end), (2, Some(9)));
    let nothing = decode(bytes::Bytes::new()).expect("no batches");
    assert_eq!((nothing.contents, nothing.end), (Vec::new(), None));
}

#[test]
fn columns_are_as_wide_as_they_have_to_be() {
    let rows = [["a", "1"], ["long name", "-"], ["b", "100"]].map(|row| row.map(str::to_owned).to_vec());
    let expected = "NAME       LAG\na            1\nlong name    -\nb          100\n";
    assert_eq!(columns(&["NAME", "LAG"], &rows), expected);
}

#[test]
fn one_thing_is_one() {
    assert_eq!([0, 1, 2].map(|count| counted(count, "record")), ["0 records", "1 record", "2 records"]);
}
