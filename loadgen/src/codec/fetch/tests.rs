use super::*;

const POSITIONS: [Position; 1] = [Position { partition: 3, offset: 7 }];

#[test]
fn a_request_of_version_4() {
    let body = [
        &[0, 1, 0, 4, 0, 0, 0, 1, 0, 9][..],
        b"tora-load",
        &[0xff, 0xff, 0xff, 0xff],    // a consumer
        &[0, 0, 1, 0xf4, 0, 0, 0, 1], // 500 ms, a byte
        &[0x03, 0x20, 0, 0, 0],       // 50 MiB, uncommitted
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1],
        &[0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0x10, 0, 0],
    ]
    .concat();
    assert_eq!(encode(4, 1, "t", &POSITIONS)[4..], body);
}

#[test]
fn a_request_of_version_12() {
    let body = [
        &[0, 1, 0, 12, 0, 0, 0, 1, 0, 9][..],
        b"tora-load",
        &[0],
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xf4, 0, 0, 0, 1, 0x03, 0x20, 0, 0, 0],
        &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], // no session
        &[2, 2, b't', 2],
        &[0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff], // partition, any epoch
        &[0, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff], // offset, no epoch fetched
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // no log start
        &[0, 0x10, 0, 0, 0],                   // 1 MiB, tags
        &[0, 1, 1, 0],                         // topic's tags, nothing forgotten, no rack, tags
    ]
    .concat();
    assert_eq!(encode(12, 1, "t", &POSITIONS)[4..], body);
}

fn response() -> Vec<u8> {
    [
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], // throttle, error, session
        &[2, 2, b't', 2],
        &[0, 0, 0, 3, 0, 0],       // partition, error
        &[0, 0, 0, 0, 0, 0, 0, 9], // high watermark
        &[0, 0, 0, 0, 0, 0, 0, 9], // last stable
        &[0; 8],                   // log start
        &[0],                      // aborted: null
        &[0xff; 4],                // no replica preferred
        &[4, b'a', b'b', b'c'],    // records
        &[0, 0, 0],
    ]
    .concat()
}

#[test]
fn partitions_are_visited() {
    let body = response();
    let mut seen = Vec::new();
    let error = decode(&body, 12, |data| {
        seen.push(data);
        Ok::<_, DecodeError>(())
    });
    assert_eq!(error, Ok(0));
    let expected = PartitionData { partition: 3, error: 0, high_watermark: 9, records: b"abc" };
    assert_eq!(seen, [expected]);
}

#[test]
fn every_cut_is_an_error_and_no_panic() {
    let body = response();
    // The last byte is the response's own tags, which nobody needs.
    for length in 0..body.len() - 1 {
        assert!(decode(&body[..length], 12, |_| Ok::<_, DecodeError>(())).is_err(), "{length} bytes");
    }
}
