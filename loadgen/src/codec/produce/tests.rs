use super::*;

#[test]
fn a_request_of_version_3() {
    let request = encode(3, "t", -1, b"BATCH");
    let expected = [
        &[0, 0, 0, 57][..],
        &[0, 0, 0, 3, 0, 0, 0, 0, 0, 9],
        b"tora-load",
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0x75, 0x30], // no transaction, all acks, 30 s
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1],
        &[0, 0, 0, 0], // partition
        &[0, 0, 0, 5],
        b"BATCH",
    ]
    .concat();
    assert_eq!(
        request.frame,
        [&u32::try_from(expected.len() - 4).expect("short").to_be_bytes(), &expected[4..]].concat()
    );
    assert_eq!(&request.frame[request.batch_at..], b"BATCH");
    assert_eq!(request.partition_at, request.batch_at - 8);
}

#[test]
fn a_request_of_version_12() {
    let request = encode(12, "t", 1, b"BATCH");
    let expected = [
        &[0, 0, 0, 45][..],
        &[0, 0, 0, 12, 0, 0, 0, 0, 0, 9],
        b"tora-load",
        &[0],                         // header's tags
        &[0, 0, 1, 0, 0, 0x75, 0x30], // no transaction, one ack, 30 s
        &[2, 2, b't', 2],             // one topic, its name, one partition
        &[0, 0, 0, 0, 6],             // partition, length + 1
        b"BATCH",
        &[0, 0, 0],
    ]
    .concat();
    assert_eq!(
        request.frame,
        [&u32::try_from(expected.len() - 4).expect("short").to_be_bytes(), &expected[4..]].concat()
    );
    assert_eq!(&request.frame[request.partition_at..][..5], [0, 0, 0, 0, 6]);
}

#[test]
fn acknowledgements_are_read() {
    let body = [
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0][..],
        &[0, 0, 0, 0, 0, 0, 1, 244],
        &[0xff; 8],
        &[0, 0, 0, 0],
    ]
    .concat();
    let expected = Ack { partition: 2, error: 0, base_offset: 500, message: None };
    assert_eq!(decode(&body, 3), Ok(expected));
}

#[test]
fn refusals_carry_the_brokers_words() {
    let body = [
        &[2, 2, b't', 2, 0, 0, 0, 2, 0, 87][..],
        &[0xff; 24],                              // base offset, append time, log start
        &[2, 0, 0, 0, 0, 4, b'b', b'a', b'd', 0], // one record's error
        &[0],                                     // no message for all
        &[0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let ack = decode(&body, 9).expect("the body is well-formed");
    assert_eq!((ack.error, ack.message.as_deref()), (87, Some("bad")));
    for length in 0..body.len() - 7 {
        assert!(decode(&body[..length], 9).is_err(), "{length} bytes");
    }
}
