use super::*;

fn frames(sizes: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, size) in sizes.iter().enumerate() {
        push_frame(&mut bytes, number as u64, *size);
    }
    bytes
}

/// Everything cut from `bytes`, received in pieces of at most `piece`.
fn cut_in_pieces(bytes: &[u8], piece: usize) -> Vec<(u64, usize)> {
    let (mut input, mut rest, mut found) = (Input::default(), bytes, Vec::new());
    while !rest.is_empty() {
        let room = &mut input.bytes[input.end..];
        let count = room.len().min(piece).min(rest.len());
        assert!(count > 0, "there is always room for more");
        room[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        input.received(count);
        while let Some(body) = input.next_body().expect("all lengths are valid") {
            found.push((number(body), body.len()));
        }
        input.make_room();
    }
    found
}

#[test]
fn frames_are_cut_wherever_they_are_split() {
    let sizes = [8, 200, 9, BODY_BYTES_MAX, 200, BODY_BYTES_MAX - 1, 8];
    let expected: Vec<_> = sizes.iter().enumerate().map(|(number, size)| (number as u64, *size)).collect();
    for piece in [1, 3, 4, 7, 204, 4096, BODY_BYTES_MAX, RECEIVE_BYTES] {
        assert_eq!(cut_in_pieces(&frames(&sizes), piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn the_buffer_never_runs_out() {
    let sizes = [BODY_BYTES_MAX; 40];
    assert_eq!(cut_in_pieces(&frames(&sizes), RECEIVE_BYTES).len(), 40);
    assert_eq!(cut_in_pieces(&frames(&[200; 5000]), RECEIVE_BYTES).len(), 5000);
}

#[test]
fn lengths_that_no_frame_has_are_refused() {
    for length in [0, NUMBER_BYTES - 1, BODY_BYTES_MAX + 1, u32::MAX as usize] {
        assert!(cut(&u32::try_from(length).expect("four bytes").to_be_bytes()).is_err(), "{length}");
    }
}
