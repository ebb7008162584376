//! The rules, held by small histories of one or a few producers.

mod model;
mod storage;

use super::*;
use crate::batch::{BatchBuilder, validate_produce};

const DAY_MS: i64 = 86_400_000;

/// The header of a batch of `count` records from producer `id`.
fn batch(id: i64, epoch: i16, base_sequence: i32, count: i32) -> BatchHeader {
    let mut builder = BatchBuilder::new(1 << 20);
    for _ in 0..count {
        builder.push(1000 + i64::from(base_sequence), None, None).unwrap();
    }
    builder.set_producer(ProducerId::new(id), epoch, base_sequence);
    validate_produce(builder.finish().unwrap(), 1 << 20).unwrap()
}

/// Appends batches of `count` records each, as a partition does, and checks that each is welcome.
fn append(producers: &mut Producers, end: &mut i64, batches: &[(i64, i16, i32, i32)]) {
    for &(id, epoch, base_sequence, count) in batches {
        let header = batch(id, epoch, base_sequence, count);
        assert_eq!(producers.check(&header), Verdict::Append, "{id} {epoch} {base_sequence}");
        producers.record(&header, Offset::new(*end), *end);
        *end += i64::from(count);
    }
}

fn with(batches: &[(i64, i16, i32, i32)]) -> Producers {
    let mut producers = Producers::new(100);
    append(&mut producers, &mut 0, batches);
    producers
}

#[test]
fn a_batch_without_a_producer_is_always_appended_and_never_remembered() {
    let mut producers = Producers::new(1);
    let header = batch(-1, -1, -1, 3);
    for _ in 0..2 {
        assert_eq!(producers.check(&header), Verdict::Append);
        producers.record(&header, Offset::ZERO, 0);
    }
    assert!(producers.is_empty());
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    let producers = Producers::new(1);
    assert_eq!(producers.check(&batch(5, 3, 0, 1)), Verdict::Append);
    assert_eq!(producers.check(&batch(5, 3, 12_345, 1)), Verdict::Append);
}

#[test]
fn a_known_producer_continues_where_it_ended() {
    let producers = with(&[(5, 0, 0, 10), (5, 0, 10, 5)]);
    assert_eq!(producers.check(&batch(5, 0, 15, 1)), Verdict::Append);
    for gap in [16, 14, 1_000_000, i32::MAX] {
        assert_eq!(producers.check(&batch(5, 0, gap, 1)), Verdict::OutOfOrder { expected: 15 }, "{gap}");
    }
}

#[test]
fn each_of_the_last_five_is_answered_with_its_originals_offsets() {
    let producers =
        with(&[(5, 0, 0, 2), (9, 0, 0, 7), (5, 0, 2, 1), (5, 0, 3, 4), (5, 0, 7, 1), (5, 0, 8, 2)]);
    for (sequence, count, base_offset) in [(0, 2, 0), (2, 1, 9), (3, 4, 10), (7, 1, 14), (8, 2, 15)] {
        let verdict = producers.check(&batch(5, 0, sequence, count));
        let (base_offset, end_offset) =
            (Offset::new(base_offset), Offset::new(base_offset + i64::from(count)));
        let max_timestamp = 1000 + i64::from(sequence);
        assert_eq!(verdict, Verdict::Duplicate { base_offset, end_offset, max_timestamp });
    }
}

#[test]
fn an_older_duplicate_is_known_as_such() {
    let sequences =
        [(5, 0, 0, 3), (5, 0, 3, 2), (5, 0, 5, 1), (5, 0, 6, 1), (5, 0, 7, 1), (5, 0, 8, 1), (5, 0, 9, 1)];
    let producers = with(&sequences);
    let older = Verdict::DuplicateSequence { before: Offset::new(5) };
    assert_eq!(producers.check(&batch(5, 0, 0, 3)), older);
    assert_eq!(producers.check(&batch(5, 0, 3, 2)), older);
    assert_eq!(producers.check(&batch(5, 0, 1, 3)), older, "cut otherwise, but stored all the same");
    assert_eq!(
        producers.check(&batch(5, 0, 4, 2)),
        Verdict::OutOfOrder { expected: 10 },
        "half of it is kept"
    );
    assert_eq!(
        producers.check(&batch(5, 0, 5, 2)),
        Verdict::OutOfOrder { expected: 10 },
        "two batches as one"
    );
}

#[test]
fn what_this_epoch_never_covered_is_not_called_a_duplicate() {
    let producers = with(&[(5, 0, 100, 1), (5, 0, 101, 1), (5, 0, 102, 1)]);
    let refused = Verdict::OutOfOrder { expected: 103 };
    assert_eq!(producers.check(&batch(5, 0, 99, 1)), refused, "before the first that was seen");
    assert_eq!(producers.check(&batch(5, 0, i32::MAX, 1)), refused, "a gap, not the past");
}

#[test]
fn sequence_numbers_go_on_at_0_after_the_largest() {
    let producers = with(&[(5, 0, i32::MAX - 1, 5)]);
    assert_eq!(producers.check(&batch(5, 0, 3, 1)), Verdict::Append);
    assert_eq!(producers.check(&batch(5, 0, 0, 1)), Verdict::OutOfOrder { expected: 3 });
    assert!(matches!(producers.check(&batch(5, 0, i32::MAX - 1, 5)), Verdict::Duplicate { .. }));

    let producers = with(&[(5, 0, i32::MAX, 1)]);
    assert_eq!(producers.check(&batch(5, 0, 0, 1)), Verdict::Append);

    let mut producers = Producers::new(1);
    let before: Vec<_> = (0..7).map(|i| (5, 0, i32::MAX - 6 + i, 1)).collect();
    append(&mut producers, &mut 0, &before);
    append(&mut producers, &mut 7, &[(5, 0, 0, 1), (5, 0, 1, 1), (5, 0, 2, 1), (5, 0, 3, 1), (5, 0, 4, 1)]);
    let older = Verdict::DuplicateSequence { before: Offset::new(7) };
    assert_eq!(producers.check(&batch(5, 0, i32::MAX, 1)), older, "older by way of the wrap");
}

#[test]
fn a_newer_epoch_begins_at_0_and_fences_the_older() {
    let mut producers = with(&[(5, 3, 0, 4)]);
    assert_eq!(producers.check(&batch(5, 4, 4, 1)), Verdict::OutOfOrder { expected: 0 });
    append(&mut producers, &mut 4, &[(5, 4, 0, 1)]);
    assert_eq!(producers.check(&batch(5, 3, 4, 1)), Verdict::Fenced { current: 4 });
    assert_eq!(producers.check(&batch(5, 3, 0, 4)), Verdict::Fenced { current: 4 }, "even its duplicates");
    assert_eq!(producers.check(&batch(5, 4, 1, 1)), Verdict::Append);
}

#[test]
fn producers_do_not_disturb_each_other() {
    let producers = with(&[(5, 0, 0, 4), (6, 0, 0, 2)]);
    assert_eq!(producers.check(&batch(5, 0, 4, 1)), Verdict::Append);
    assert_eq!(producers.check(&batch(6, 0, 2, 1)), Verdict::Append);
    assert_eq!(producers.check(&batch(6, 0, 4, 1)), Verdict::OutOfOrder { expected: 2 });
}

#[test]
fn recovery_starts_anew_where_the_log_does_not_continue() {
    let mut producers = with(&[(5, 2, 0, 4)]);
    producers.record(&batch(5, 2, 90, 1), Offset::new(4), 0);
    assert_eq!(producers.check(&batch(5, 2, 91, 1)), Verdict::Append);
    assert_eq!(producers.check(&batch(5, 2, 0, 4)), Verdict::OutOfOrder { expected: 91 });
    producers.record(&batch(5, 1, 7, 1), Offset::new(5), 0);
    assert_eq!(
        producers.check(&batch(5, 1, 8, 1)),
        Verdict::Append,
        "an older epoch after the newer expired"
    );
}

#[test]
fn a_cut_forgets_the_batches_that_are_gone() {
    let mut producers = with(&[(5, 0, 0, 2), (6, 0, 0, 1), (5, 0, 2, 3), (7, 0, 0, 1), (5, 0, 5, 1)]);
    assert_eq!(producers.truncate_to(Offset::new(6)), 1, "7 had its only batch at offset 6");
    assert_eq!(producers.len(), 2);
    assert_eq!(producers.check(&batch(5, 0, 5, 1)), Verdict::Append, "it is gone and may come again");
    assert!(matches!(producers.check(&batch(5, 0, 2, 3)), Verdict::Duplicate { .. }));
    assert_eq!(producers.truncate_to(Offset::new(5)), 0);
    assert_eq!(producers.check(&batch(5, 0, 2, 3)), Verdict::Append, "a batch cut in two is gone as a whole");
    assert_eq!(producers.truncate_to(Offset::ZERO), 2);
    assert!(producers.is_empty());
}

#[test]
fn the_silent_are_forgotten_in_time() {
    let mut producers = Producers::new(100);
    for (id, at) in [(1, 0), (2, 10), (3, 20)] {
        producers.record(&batch(id, 0, 0, 1), Offset::new(id), at);
    }
    producers.record(&batch(1, 0, 1, 1), Offset::new(4), 30);
    assert_eq!(producers.expire(DAY_MS + 9, DAY_MS), 0);
    assert_eq!(producers.expire(DAY_MS + 10, DAY_MS), 1, "2 has been silent for a day");
    assert_eq!(producers.check(&batch(2, 0, 99, 1)), Verdict::Append);
    assert_eq!(producers.check(&batch(1, 0, 99, 1)), Verdict::OutOfOrder { expected: 2 });
    assert_eq!(producers.expire(i64::MIN, DAY_MS), 0, "a clock that was set back");
    assert_eq!(producers.expire(i64::MAX, DAY_MS), 2);
}

#[test]
fn past_the_limit_the_longest_silent_is_forgotten() {
    let mut producers = Producers::new(3);
    append(&mut producers, &mut 0, &[(1, 0, 0, 1), (2, 0, 0, 1), (3, 0, 0, 1), (1, 0, 1, 1), (4, 0, 0, 1)]);
    assert_eq!(producers.len(), 3);
    assert_eq!(producers.check(&batch(2, 0, 50, 1)), Verdict::Append, "2 is unknown again");
    for (id, expected) in [(1, 2), (3, 1), (4, 1)] {
        assert_eq!(producers.check(&batch(id, 0, 50, 1)), Verdict::OutOfOrder { expected });
    }
}
