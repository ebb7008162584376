use tora_engine::types::TopicId;

use super::*;

fn name(text: &str) -> Name {
    Name::from(text)
}

fn committed() -> Committed {
    Committed {
        offset: 5_000_000_000,
        leader_epoch: 7,
        metadata: name("kept"),
        committed_at: 1_700_000_000_000,
        expires_at: None,
        topic_id: TopicId::new([9; 16]),
    }
}

fn stored() -> StoredGroup {
    let member = StoredMember {
        id: name("m-1"),
        instance: Some(name("m")),
        client_id: name("client"),
        client_host: name("/10.0.0.1"),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        subscription: Opaque::from(*b"wants"),
        assignment: Opaque::from(*b"has"),
    };
    StoredGroup {
        protocol_type: name("consumer"),
        generation: 4,
        protocol: Some(name("range")),
        leader: Some(name("m-1")),
        state_since: 1_700_000_000_000,
        members: vec![StoredMember { instance: None, ..member.clone() }, member],
    }
}

#[test]
fn what_is_written_is_read() {
    let key = OffsetKey { topic: name("t"), partition: 3 };
    let record = offset("g", &key, Some(&committed()));
    assert_eq!(read_key(&record.key), Ok(Key::Offset(name("g"), key.clone())));
    assert_eq!(read_offset(&record.value.expect("a value")), Ok(committed()));
    assert_eq!(offset("g", &key, None).value, None);
    let record = group("g", Some(&stored()));
    assert_eq!(read_key(&record.key), Ok(Key::Group(name("g"))));
    assert_eq!(read_group(&record.value.expect("a value")), Ok(stored()));
}

#[test]
fn an_offset_that_expires_is_written_in_the_version_that_says_so() {
    let expiring = Committed {
        expires_at: Some(1_800_000_000_000),
        leader_epoch: -1,
        topic_id: TopicId::NONE,
        ..committed()
    };
    let key = OffsetKey { topic: name("t"), partition: 0 };
    let value = offset("g", &key, Some(&expiring)).value.expect("a value");
    assert_eq!(value[..2], [0, 1]);
    assert_eq!(read_offset(&value), Ok(expiring));
}

/// Byte for byte as Kafka's schemas `OffsetCommitKey` 1 and `OffsetCommitValue` 4 say.
#[test]
fn bytes_are_as_kafka_writes_them() {
    let key = OffsetKey { topic: name("t"), partition: 3 };
    let record = offset("g", &key, Some(&committed()));
    assert_eq!(record.key, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3]);
    let mut value = vec![0, 4];
    value.extend_from_slice(&5_000_000_000_i64.to_be_bytes());
    value.extend_from_slice(&7_i32.to_be_bytes());
    value.extend_from_slice(b"\x05kept");
    value.extend_from_slice(&1_700_000_000_000_i64.to_be_bytes());
    value.extend_from_slice(&[1, 0, 16]);
    value.extend_from_slice(&[9; 16]);
    assert_eq!(record.value, Some(value));
}

/// Versions 0, 2 and 3 of an offset, 0 and 1 of a group, as older brokers wrote them.
#[test]
fn older_values_are_read() {
    let mut value = vec![0, 3];
    value.extend_from_slice(&12_i64.to_be_bytes());
    value.extend_from_slice(&5_i32.to_be_bytes());
    value.extend_from_slice(&[0, 0]);
    value.extend_from_slice(&77_i64.to_be_bytes());
    let read = read_offset(&value).expect("version 3");
    assert_eq!(
        (read.offset, read.leader_epoch, read.committed_at, read.topic_id),
        (12, 5, 77, TopicId::NONE)
    );
    for version in [0, 2] {
        let mut value = vec![0, version];
        value.extend_from_slice(&12_i64.to_be_bytes());
        value.extend_from_slice(&[0, 1, b'm']);
        value.extend_from_slice(&77_i64.to_be_bytes());
        let read = read_offset(&value).expect("an older version");
        assert_eq!((read.offset, read.leader_epoch, &*read.metadata), (12, -1, "m"));
    }
    for version in [0, 1] {
        let mut value = vec![0, version, 0, 1, b'c', 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1];
        value.extend_from_slice(&[0, 1, b'i', 0, 1, b'c', 0, 1, b'h']);
        if version == 1 {
            value.extend_from_slice(&600_i32.to_be_bytes());
        }
        value.extend_from_slice(&100_i32.to_be_bytes());
        value.extend_from_slice(&[0, 0, 0, 1, b's', 0, 0, 0, 0]);
        let read = read_group(&value).expect("an older version");
        assert_eq!((read.generation, read.state_since), (9, -1));
        let member = &read.members[0];
        let rebalance = if version == 1 { 600 } else { 100 };
        assert_eq!((member.rebalance_timeout_ms, member.session_timeout_ms), (rebalance, 100));
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_other_kinds_are_known_as_such() {
    assert_eq!(read_key(&[0, 15, 1, 2, 3]), Ok(Key::Other(15)));
    assert!(read_key(&[0]).is_err());
    assert!(read_key(&[0, 1, 0, 9, b'g']).is_err());
    assert!(read_offset(&[0, 5, 0, 0]).is_err());
    assert!(read_group(&[0xff, 0xff]).is_err());
    let whole = group("g", Some(&stored())).value.expect("a value");
    for end in 0..whole.len() {
        assert!(read_group(&whole[..end]).is_err(), "cut at {end}");
    }
}

/// By `java.lang.String.hashCode` and Kafka's `Utils.abs`.
#[test]
fn groups_fall_into_kafkas_partitions() {
    use crate::coordinator::partition_of;
    assert_eq!(partition_of("", 50), 0);
    assert_eq!(partition_of("abc", i32::MAX), 96_354);
    assert_eq!(partition_of("my-group", 50), 12, "whose hash is negative");
    assert_eq!(partition_of("polygenelubricants", 50), 0, "whose hash is the least number there is");
    assert_eq!(partition_of("𝄞", i32::MAX), 1_772_394);
}
