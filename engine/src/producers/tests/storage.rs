//! The state in a checkpoint.

use super::*;

fn encoded(producers: &Producers) -> Vec<u8> {
    let mut bytes = Vec::new();
    producers.encode(&mut bytes);
    bytes
}

fn sample() -> Producers {
    with(&[
        (7, 3, 0, 2),
        (5, 0, i32::MAX - 1, 4),
        (7, 3, 2, 1),
        (7, 3, 3, 1),
        (7, 3, 4, 1),
        (7, 3, 5, 1),
        (7, 3, 6, 9),
        (i64::MAX, i16::MAX, 0, 1),
        (5, 0, 2, 1),
    ])
}

#[test]
fn what_was_stored_comes_back_and_answers_alike() {
    let producers = sample();
    let decoded = Producers::decode(&encoded(&producers), 100).unwrap();
    assert_eq!(decoded, producers);
    assert_eq!(encoded(&decoded), encoded(&producers));
    for header in [batch(7, 3, 0, 2), batch(7, 3, 6, 9), batch(7, 3, 15, 1), batch(5, 0, i32::MAX - 1, 4)] {
        assert_eq!(decoded.check(&header), producers.check(&header));
    }
    let empty = Producers::new(1);
    assert_eq!(Producers::decode(&encoded(&empty), 1).unwrap(), empty);
}

#[test]
fn the_bytes_are_those_of_the_table() {
    let mut producers = Producers::new(1);
    producers.record(&batch(258, 3, 7, 2), Offset::new(9), 1);
    #[rustfmt::skip]
    let expected = [
        1, // version
        1, 0, 0, 0, // producers
        2, 1, 0, 0, 0, 0, 0, 0, // id
        3, 0, // epoch
        1, 0, 0, 0, 0, 0, 0, 0, // last append
        0, 0, 0, 0, 0, 0, 0, 0, // records before
        1, // batches
        7, 0, 0, 0, // base sequence
        9, 0, 0, 0, 0, 0, 0, 0, // base offset
        2, 0, 0, 0, // records
        0xef, 3, 0, 0, 0, 0, 0, 0, // timestamp 1007
    ];
    assert_eq!(encoded(&producers), expected);
}

#[test]
fn the_order_of_use_survives() {
    let mut producers = Producers::decode(&encoded(&sample()), 3).unwrap();
    producers.record(&batch(1, 0, 0, 1), Offset::new(90), 0);
    assert_eq!(producers.check(&batch(7, 3, 99, 1)), Verdict::Append, "7 was silent longest");
    assert_eq!(producers.check(&batch(5, 0, 99, 1)), Verdict::OutOfOrder { expected: 3 });

    let producers = Producers::decode(&encoded(&sample()), 1).unwrap();
    assert_eq!(producers.len(), 1, "a smaller limit keeps the latest");
    assert_eq!(producers.check(&batch(5, 0, 99, 1)), Verdict::OutOfOrder { expected: 3 });
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    let bytes = encoded(&sample());
    for length in 0..bytes.len() {
        assert_eq!(Producers::decode(&bytes[..length], 100), Err(DecodeError::Short), "cut at {length}");
    }
    assert_eq!(Producers::decode(&[&bytes[..], &[0]].concat(), 100), Err(DecodeError::Long));
}

#[test]
fn contradictions_are_refused() {
    let bytes = encoded(&with(&[(5, 0, 0, 2), (5, 0, 2, 1), (6, 0, 0, 1)]));
    let change = |at: usize, field: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + field.len()].copy_from_slice(field);
        Producers::decode(&bytes, 100)
    };
    let (id, epoch, before, count, first) = (5, 13, 23, 31, 32);
    let second = first + 24;
    let wrong = Err(DecodeError::Producer(ProducerId::new(5)));
    assert_eq!(change(0, &[2]), Err(DecodeError::Version(2)));
    assert_eq!(change(id, &[0xff; 8]), Err(DecodeError::Producer(ProducerId::new(-1))));
    assert_eq!(change(id, &[6]), Err(DecodeError::Producer(ProducerId::new(6))), "twice the same");
    assert_eq!(change(epoch, &[0xff; 2]), wrong);
    assert_eq!(change(before, &[0xff; 8]), wrong);
    assert_eq!(change(count, &[0]), wrong);
    assert_eq!(change(count, &[6]), wrong);
    assert_eq!(change(first, &[0xff; 4]), wrong, "a negative sequence");
    assert_eq!(change(first + 4, &[0xff; 8]), wrong, "a negative offset");
    assert_eq!(change(first + 12, &[0; 4]), wrong, "no records");
    assert_eq!(change(first + 12, &[0xff; 4]), wrong, "too many records");
    assert_eq!(change(second, &[3]), wrong, "a gap between the sequences");
    assert_eq!(change(second + 4, &[1]), wrong, "offsets that overlap");
}

#[test]
fn no_damage_makes_the_reader_or_the_rules_panic() {
    let bytes = encoded(&sample());
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            let Ok(mut producers) = Producers::decode(&bytes, 100) else { continue };
            for header in [batch(7, 3, 0, 2), batch(7, 3, 15, 1), batch(5, 0, 0, 1)] {
                let _ = producers.check(&header);
                producers.record(&header, Offset::new(1000), 0);
            }
            producers.truncate_to(Offset::new(3));
            producers.expire(i64::MAX, 1);
        }
    }
}
