use super::*;

/// Three responses: with a body, without one, and one far longer than the buffer begins with.
fn responses() -> Vec<(i32, Vec<u8>)> {
    vec![(7, b"body".to_vec()), (8, Vec::new()), (9, vec![1; 300])]
}

fn stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (correlation, body) in responses() {
        let size = u32::try_from(SIZE_LEN + body.len()).expect("short");
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(&correlation.to_be_bytes());
        bytes.extend_from_slice(&body);
    }
    bytes
}

/// Feeds `bytes` as the ring would: never beyond the buffer's capacity.
fn feed(frames: &mut Frames, mut bytes: &[u8], seen: &mut Vec<(i32, Vec<u8>)>) {
    while !bytes.is_empty() {
        frames.make_room().expect("the sizes are sane");
        let spare = frames.buffer.capacity() - frames.buffer.len();
        assert!(spare > 0, "a receive needs room");
        let (now, later) = bytes.split_at(spare.min(bytes.len()));
        frames.buffer.extend_from_slice(now);
        bytes = later;
        while let Some(response) = frames.pop().expect("the frames are well-formed") {
            let body = response.body(false).expect("an old header has no tags");
            seen.push((response.correlation, body.to_vec()));
        }
    }
}

#[test]
fn frames_split_at_every_byte() {
    let bytes = stream();
    for split in 0..=bytes.len() {
        let mut frames = Frames::with_capacity(16);
        let mut seen = Vec::new();
        feed(&mut frames, &bytes[..split], &mut seen);
        feed(&mut frames, &bytes[split..], &mut seen);
        assert_eq!(seen, responses(), "split at {split}");
    }
}

#[test]
fn many_frames_byte_by_byte() {
    let mut frames = Frames::with_capacity(16);
    let mut seen = Vec::new();
    for _ in 0..20 {
        stream().iter().for_each(|&byte| feed(&mut frames, &[byte], &mut seen));
    }
    assert_eq!(seen, vec![responses(); 20].concat());
}

#[test]
fn an_absurd_size_and_a_missing_header_are_refused() {
    let with = |bytes: &[u8]| {
        let mut frames = Frames::with_capacity(16);
        frames.buffer.extend_from_slice(bytes);
        frames
    };
    assert!(with(&[0xff; 4]).pop().is_err());
    assert!(with(&[0xff; 4]).make_room().is_err());
    assert!(with(&[0, 0, 0, 2, 0, 0]).pop().is_err());
}

#[test]
fn the_tags_of_a_flexible_header_are_taken_off() {
    let response = Response { correlation: 1, after_correlation: &[1, 0, 1, 9, b'x'] };
    assert_eq!(response.body(true).as_deref(), Ok(&b"x"[..]));
    assert!(Response { correlation: 1, after_correlation: &[1, 0, 9] }.body(true).is_err());
}
