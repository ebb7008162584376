//! Damage: what cannot be a crash's doing is refused, with the place and what to do about it.

use super::support::*;
use crate::io::{Fs, OpenMode, with_file};
use crate::log::recovery::{Recovered, RecoveryError};
use crate::log::segment::{self, HEADER_SIZE};
use crate::types::{LeaderEpoch, Offset, Position};

fn len(batches: &[Vec<u8>]) -> u64 {
    batches.concat().len() as u64
}

/// A log of batches of about 1000 bytes whose second one is damaged, and what is recovered with this W.
fn recover_with_bad_second(
    unflushed_max: u64,
    count: usize,
) -> (Result<Option<Recovered>, RecoveryError>, u64) {
    let machine = Machine::new(1);
    let header = header(0, 0, unflushed_max);
    let mut batches = batches(0, &vec![1000; count], 3);
    batches[1][200] ^= 4;
    machine.segment(&header, &batches, 1 << 18);
    (machine.recover(None), HEADER_SIZE + len(&batches[..1]))
}

#[test]
fn an_intact_batch_more_than_w_behind_a_bad_one_proves_damage() {
    // Every batch but the bad one is intact; the last one begins `far` behind it.
    let all = batches(0, &[1000; 60], 3);
    let far = len(&all[1..59]);
    let (result, _) = recover_with_bad_second(far, 60);
    let recovered = result.expect("within W it may be torn").expect("it is there");
    assert_eq!(recovered.end_offset, Offset::new(2));

    let (result, bad) = recover_with_bad_second(far - 1, 60);
    let message = assert_damaged(result, &header(0, 0, 1), bad);
    assert!(message.contains(&format!("intact batch at byte {}", bad + far)), "{message}");
    assert!(message.contains("truncate -s") && message.contains("checkpoint-*"), "{message}");
}

#[test]
fn a_hole_of_zeros_is_a_bad_batch_as_well() {
    let machine = Machine::new(1);
    let (header, mut batches) = (header(0, 0, 4096), batches(0, &[1000; 60], 3));
    let bad = HEADER_SIZE + len(&batches[..10]);
    batches[10].fill(0);
    machine.segment(&header, &batches, 1 << 18);
    let message = assert_damaged(machine.recover(None), &header, bad);
    assert!(message.contains("zeros where a batch should begin"), "{message}");
}

#[test]
fn a_lost_region_reaching_past_w_is_damage_if_anything_follows() {
    let machine = Machine::new(1);
    let (header, batches) = (header(0, 0, 4096), batches(0, &[1000; 60], 3));
    machine.segment(&header, &batches, 1 << 18);
    let bad = HEADER_SIZE + len(&batches[..10]);
    machine.write(&header, bad + 3, &vec![0; 40_000], true);
    assert_damaged(machine.recover(None), &header, bad);
}

#[test]
fn garbage_without_an_intact_batch_proves_nothing() {
    let machine = Machine::new(1);
    let (header, batches) = (header(0, 0, 4096), batches(0, &[1000; 3], 3));
    machine.segment(&header, &batches, 1 << 18);
    // Twos are magic bytes, everywhere.
    machine.write(&header, HEADER_SIZE + len(&batches) + 10_000, &[2; 30_000], true);
    assert_eq!(machine.recovered(None).end_offset, Offset::new(6));
}

#[test]
fn other_logs_batches_prove_nothing() {
    let machine = Machine::new(1);
    let (header, batches) = (header(0, 0, 4096), batches(0, &[1000; 3], 3));
    machine.segment(&header, &batches, 1 << 18);
    let end = HEADER_SIZE + len(&batches);
    let earlier_offset = batch(4, 1000, 3);
    let earlier_epoch = batch(100, 1000, 2);
    let later_epoch = batch(100, 1000, EPOCH.value() + 1);
    let larger_than_w = batch(100, 5000, 3);
    for (at, bytes) in [earlier_offset, earlier_epoch, later_epoch, larger_than_w].iter().enumerate() {
        machine.write(&header, end + 10_000 * (at as u64 + 1), bytes, true);
    }
    assert_eq!(machine.recovered(None).end_offset, Offset::new(6));
}

#[test]
fn a_bad_batch_below_the_checkpoint_is_damage_even_at_the_end() {
    let (header, batches) = (header(0, 0, 1 << 20), batches(0, &[1000; 6], 3));
    let mut entry = checkpoint(&batches[..5]);
    // Without usable producers the whole log is read.
    entry.producers = b"damaged".to_vec();
    let machine = Machine::new(1);
    machine.segment(&header, &batches, 1 << 18);
    assert_eq!(machine.recovered(Some(&entry)).end_offset, Offset::new(12));

    let bad = HEADER_SIZE + len(&batches[..4]);
    machine.write(&header, bad + 300, b"?", true);
    let message = assert_damaged(machine.recover(Some(&entry)), &header, bad);
    assert!(message.contains("flushed up to offset 10"), "{message}");
}

#[test]
fn a_file_that_ends_below_the_checkpoint_is_damage() {
    let (header, batches) = (header(0, 0, 1 << 20), batches(0, &[1000; 6], 3));
    let machine = Machine::new(1);
    machine.segment(&header, &batches, 1 << 18);
    let entry = checkpoint(&batches);
    let size = HEADER_SIZE + len(&batches) - 1;
    with_file(&machine.fs, &segment::path(data_dir(), &header), OpenMode::ReadWrite, |file| {
        machine.fs.truncate(file, size)
    })
    .expect("no faults");
    assert_damaged(machine.recover(Some(&entry)), &header, size);
}

#[test]
fn a_log_that_is_gone_below_the_checkpoint_is_damage() {
    let (header, batches) = (header(0, 0, 1 << 20), batches(0, &[1000], 3));
    let entry = checkpoint(&batches);
    let machine = Machine::new(1);
    for prepared in [false, true] {
        if prepared {
            machine.prepare(&header, 8192);
        }
        let error = machine.recover(Some(&entry)).expect_err("flushed records are gone");
        assert!(matches!(error, RecoveryError::Missing { .. }), "{error}");
        assert!(error.to_string().contains("Restore the folder"), "{error}");
    }
}

#[test]
fn a_checkpoint_that_ends_inside_a_batch_contradicts_the_log() {
    let (header, batches) = (header(0, 0, 1 << 20), batches(0, &[1000; 6], 3));
    let machine = Machine::new(1);
    machine.segment(&header, &batches, 1 << 18);
    let mut entry = checkpoint(&batches[..3]);
    entry.flushed_position = entry.flushed_position.plus(5);
    assert!(matches!(machine.recover(Some(&entry)), Err(RecoveryError::Damaged { .. })));
    let mut entry = checkpoint(&batches[..3]);
    entry.flushed_offset = entry.flushed_offset.plus(1);
    assert!(matches!(machine.recover(Some(&entry)), Err(RecoveryError::Damaged { .. })));
}

#[test]
fn offsets_have_no_gaps_and_epochs_never_go_back() {
    for (bad, what) in [(batch(7, 1000, 3), "offset 7 instead of 6"), (batch(6, 1000, 2), "leader epoch 2")] {
        let machine = Machine::new(1);
        let header = header(0, 0, 1500);
        let mut batches = batches(0, &[1000; 6], 3);
        batches[3] = bad;
        machine.segment(&header, &batches, 1 << 18);
        let message = assert_damaged(machine.recover(None), &header, HEADER_SIZE + len(&batches[..3]));
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn a_broker_epoch_that_went_back_is_told_and_cuts_nothing() {
    let (header, mut batches) = (header(0, 0, 1 << 20), batches(0, &[1000; 3], 3));
    batches[2] = batch(4, 1000, EPOCH.value() + 1);
    let machine = Machine::new(1);
    machine.segment(&header, &batches, 1 << 18);
    let before = machine.bytes(&header);
    let mut ahead = checkpoint(&batches[..2]);
    ahead.last_epoch = LeaderEpoch::new(EPOCH.value() + 1);
    for entry in [None, Some(&ahead)] {
        let error = machine.recover(entry).expect_err("new batches would be cut later");
        assert!(matches!(error, RecoveryError::EpochBehind { .. }), "{error}");
        assert!(error.to_string().contains("broker-epoch"), "{error}");
    }
    assert_eq!(machine.bytes(&header), before);
}

#[test]
fn following_the_advice_opens_the_log_again() {
    let machine = Machine::new(1);
    let first = batches(0, &[1000; 40], 3);
    let (one, two) = (header(0, 0, 4096), header(80, len(&first), 4096));
    machine.segment(&one, &first, 1 << 16);
    machine.segment(&two, &batches(80, &[1000; 3], 3), 1 << 16);
    machine.write(&one, HEADER_SIZE + len(&first[..5]) + 100, b"?", true);
    let Err(RecoveryError::Damaged { file, offset, .. }) = machine.recover(None) else {
        panic!("it is damaged")
    };
    assert_eq!(file, segment::path(data_dir(), &one));

    with_file(&machine.fs, &file, OpenMode::ReadWrite, |file| machine.fs.truncate(file, offset))
        .expect("no faults");
    machine.fs.remove_file(&segment::path(data_dir(), &two)).expect("it is there");
    let recovered = machine.recovered(None);
    assert_eq!(
        (recovered.end_offset, recovered.end_position),
        (Offset::new(10), Position::new(len(&first[..5])))
    );
}
