//! Changes as bytes.

use super::*;

fn samples() -> Vec<Change> {
    vec![
        Change::TopicCreated {
            id: id(1),
            name: "t".to_owned(),
            partitions: 258,
            configs: pairs(&[("a", "é")]),
        },
        Change::TopicCreated { id: id(2), name: String::new(), partitions: i32::MAX, configs: Vec::new() },
        Change::TopicDeleted { id: id(3) },
        Change::TopicPurged { id: id(4) },
        Change::ProducerIdsReserved { upto: 1000 },
        Change::TopicReconfigured { id: id(5), configs: pairs(&[("a", "é")]) },
        Change::PartitionsAdded { id: id(6), partitions: 258 },
    ]
}

fn encoded(change: &Change) -> Vec<u8> {
    let mut bytes = Vec::new();
    change.encode(&mut bytes);
    bytes
}

#[test]
fn changes_come_back_as_they_were() {
    for change in samples() {
        assert_eq!(Change::decode(&encoded(&change)), Ok(change));
    }
}

#[test]
fn the_bytes_are_those_of_the_table() {
    let [created, _, deleted, purged, reserved, reconfigured, added] =
        &samples().iter().map(encoded).collect::<Vec<_>>()[..]
    else {
        panic!("there are seven samples")
    };
    let mut expected = vec![1, 1];
    expected.extend([1; 16]);
    expected.extend([1, 0, 0, 0, b't', 2, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, b'a', 2, 0, 0, 0, 0xc3, 0xa9]);
    assert_eq!(created, &expected);
    assert_eq!(deleted, &[&[1, 2][..], &[3; 16]].concat());
    assert_eq!(purged, &[&[1, 3][..], &[4; 16]].concat());
    assert_eq!(reserved, &[1, 4, 0xe8, 3, 0, 0, 0, 0, 0, 0]);
    let settings = [1, 0, 0, 0, 1, 0, 0, 0, b'a', 2, 0, 0, 0, 0xc3, 0xa9];
    assert_eq!(reconfigured, &[&[1, 5][..], &[5; 16], &settings].concat());
    assert_eq!(added, &[&[1, 6][..], &[6; 16], &[2, 1, 0, 0]].concat());
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    for change in samples() {
        let bytes = encoded(&change);
        for length in 0..bytes.len() {
            assert_eq!(
                Change::decode(&bytes[..length]),
                Err(DecodeError::Short),
                "{change:?} cut at {length}"
            );
        }
        assert_eq!(Change::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::Long));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let created = encoded(&samples()[0]);
    let change = |at: usize, field: &[u8]| {
        let mut bytes = created.clone();
        bytes[at..at + field.len()].copy_from_slice(field);
        Change::decode(&bytes)
    };
    assert_eq!(change(0, &[2]), Err(DecodeError::Version(2)));
    assert_eq!(change(1, &[0]), Err(DecodeError::Kind(0)));
    assert_eq!(change(1, &[7]), Err(DecodeError::Kind(7)));
    assert_eq!(change(18, &[0xff; 4]), Err(DecodeError::Short), "a name of 4 GiB");
    assert_eq!(change(22, &[0xff]), Err(DecodeError::Text));
    assert_eq!(change(23, &[0; 4]), Err(DecodeError::Number(0)), "no partitions");
    assert_eq!(change(23, &[0xff; 4]), Err(DecodeError::Number(-1)));
    assert_eq!(change(27, &[0xff; 4]), Err(DecodeError::Short), "4 billion settings");
    assert_eq!(Change::decode(&[1, 4, 0, 0, 0, 0, 0, 0, 0, 0]), Err(DecodeError::Number(0)));
    assert_eq!(Change::decode(&[1, 4, 0, 0, 0, 0, 0, 0, 0, 0x80]), Err(DecodeError::Number(i64::MIN)));
}

#[test]
fn no_damage_makes_reader_or_catalog_panic() {
    for change in samples() {
        let bytes = encoded(&change);
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let Ok(change) = Change::decode(&bytes) else { continue };
                let _ = Catalog::new(defaults()).apply(&change);
            }
        }
    }
}
