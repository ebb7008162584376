use super::*;

/// Joins parts into a frame with its size in front.
fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len()).expect("frames of tests are short");
    [&size.to_be_bytes()[..], &body].concat()
}

#[test]
fn metadata_in_the_old_and_the_flexible_encoding() {
    let old = frame(&[&[0, 3, 0, 4, 0, 0, 0, 5, 0, 9], b"tora-load", &[0, 0, 0, 1, 0, 1, b't', 1]]);
    assert_eq!(metadata_request(4, 5, "t"), old);
    let flexible = frame(&[
        &[0, 3, 0, 12, 0, 0, 0, 5, 0, 9],
        b"tora-load",
        &[0, 2],
        &[0; 16],      // no topic id
        &[2, b't', 0], // name, tags
        &[1, 0, 0],    // may create, no authorized operations, tags
    ]);
    assert_eq!(metadata_request(12, 5, "t"), flexible);
}

#[test]
fn metadata_is_read() {
    let body = [
        &[0, 0, 0, 0][..],                                       // throttle
        &[0, 0, 0, 1],                                           // one broker
        &[0, 0, 0, 7, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff], // 7, "h", 9092, no rack
        &[0xff, 0xff],                                           // no cluster id
        &[0, 0, 0, 7],                                           // controller
        &[0, 0, 0, 1],                                           // one topic
        &[0, 0, 0, 1, b't', 0],                                  // no error, "t", not internal
        &[0, 0, 0, 1],                                           // one partition
        &[0, 5, 0, 0, 0, 2, 0, 0, 0, 7],                         // error 5, partition 2, leader 7
        &[0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7],       // replicas, in sync
    ]
    .concat();
    let metadata = metadata_response(&body, 4).expect("the body is well-formed");
    assert_eq!(metadata.nodes, [Node { id: 7, host: "h".into(), port: 9092 }]);
    assert_eq!(metadata.partitions, [Leader { error: 5, partition: 2, node: 7 }]);
    for length in 0..body.len() {
        assert!(metadata_response(&body[..length], 4).is_err(), "{length} bytes");
    }
}

#[test]
fn create_topics_with_a_config() {
    let configs = [("a".to_owned(), "1".to_owned())];
    let expected = frame(&[
        &[0, 19, 0, 7, 0, 0, 0, 1, 0, 9],
        b"tora-load",
        &[0, 2, 2, b't'],          // header's tags, one topic, its name
        &[0, 0, 0, 4, 0xff, 0xff], // four partitions, the default replication
        &[1],                      // no assignments
        &[2, 2, b'a', 2, b'1', 0], // one config
        &[0],                      // the topic's tags
        &[0, 1, 0xad, 0xb0, 0, 0], // 110 s, really, tags
    ]);
    assert_eq!(create_topic_request(7, 1, "t", 4, &configs), expected);
    let old = frame(&[
        &[0, 19, 0, 2, 0, 0, 0, 1, 0, 9],
        b"tora-load",
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 1, 0xad, 0xb0, 0],
    ]);
    assert_eq!(create_topic_request(2, 1, "t", 4, &[]), old);
}

#[test]
fn create_and_delete_responses_are_read() {
    let created = [&[0, 0, 0, 0, 2, 2, b't'][..], &[9; 16], &[0, 36, 4, b'o', b'h', b'o', 0, 0]].concat();
    assert_eq!(create_topic_response(&created, 7), Ok((36, "oho".to_owned())));
    assert_eq!(delete_topic_response(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 3], 1), Ok(3));
    assert_eq!(delete_topic_response(&[0, 0, 0, 0, 2, 2, b't', 0, 0, 0, 0, 0], 5), Ok(0));
}

#[test]
fn delete_topics() {
    let expected =
        frame(&[&[0, 20, 0, 5, 0, 0, 0, 1, 0, 9], b"tora-load", &[0, 2, 2, b't', 0, 1, 0xad, 0xb0, 0]]);
    assert_eq!(delete_topic_request(5, 1, "t"), expected);
}

#[test]
fn list_offsets_asks_for_the_end() {
    let old = frame(&[
        &[0, 2, 0, 1, 0, 0, 0, 1, 0, 9],
        b"tora-load",
        &[0xff; 4],
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 3],
        &[0xff; 8],
    ]);
    assert_eq!(list_offsets_request(1, 1, "t", &[3]), old);
    let flexible = frame(&[
        &[0, 2, 0, 9, 0, 0, 0, 1, 0, 9],
        b"tora-load",
        &[0],
        &[0xff; 4],
        &[0, 2, 2, b't', 2, 0, 0, 0, 3],
        &[0xff; 4], // any leader epoch
        &[0xff; 8], // the end
        &[0, 0, 0],
    ]);
    assert_eq!(list_offsets_request(9, 1, "t", &[3]), flexible);
}

#[test]
fn list_offsets_are_read() {
    let body = [
        &[0, 0, 0, 0, 2, 2, b't', 2, 0, 0, 0, 3, 0, 0][..],
        &[0xff; 8],
        &[0, 0, 0, 0, 0, 0, 1, 0],
        &[0, 0, 0, 1, 0, 0, 0],
    ]
    .concat();
    let expected = [LogEnd { partition: 3, error: 0, offset: 256 }];
    assert_eq!(list_offsets_response(&body, 9).as_deref(), Ok(&expected[..]));
}

#[test]
fn init_producer_id_without_a_transaction() {
    let expected = frame(&[
        &[0, 22, 0, 4, 0, 0, 0, 1, 0, 9],
        b"tora-load",
        &[0, 0],                   // tags, no transactional id
        &[0x7f, 0xff, 0xff, 0xff], // timeout
        &[0xff; 10],               // a new id and epoch
        &[0],
    ]);
    assert_eq!(init_producer_id_request(4, 1), expected);
    let body = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 232, 0, 2, 0];
    assert_eq!(init_producer_id_response(&body, 4), Ok((0, ProducerIdentity { id: 1000, epoch: 2 })));
}

#[test]
fn create_partitions_in_the_old_and_the_flexible_encoding() {
    let old = frame(&[
        &[0, 37, 0, 1, 0, 0, 0, 5, 0, 9],
        b"tora-load",
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0x27, 0x10], // one topic, "t", 10,000
        &[0xff, 0xff, 0xff, 0xff, 0, 1, 0xad, 0xb0, 0], // no assignments, 30 s, not only validated
    ]);
    assert_eq!(create_partitions_request(1, 5, "t", 10_000), old);
    let flexible = frame(&[
        &[0, 37, 0, 3, 0, 0, 0, 5, 0, 9],
        b"tora-load",
        &[0, 2, 2, b't', 0, 0, 0x27, 0x10, 0, 0], // tags, one topic, "t", 10,000, no assignments, tags
        &[0, 1, 0xad, 0xb0, 0, 0],
    ]);
    assert_eq!(create_partitions_request(3, 5, "t", 10_000), flexible);
    let refused = [&[0, 0, 0, 0, 2, 2, b't', 0, 44, 3, b'n', b'o', 0, 0][..]].concat();
    assert_eq!(create_partitions_response(&refused, 3), Ok((44, "no".to_owned())));
}
