//! Torn ends: what a crash may leave behind the last flushed byte is cut, and nothing else is.

use super::support::*;
use crate::batch::BatchHeader;
use crate::io::BLOCK_SIZE;
use crate::log::segment::HEADER_SIZE;
use crate::producers::Verdict;
use crate::sim::plant::{Plant, set_planted};
use crate::types::{LeaderEpoch, Offset, Position};

const W: u64 = 1 << 16;
const SECTOR: usize = 512;

/// How many of these batches, one after the other from the segment's start, are whole in `bytes`.
fn whole(bytes: &[u8], batches: &[Vec<u8>]) -> usize {
    let mut at = BLOCK_SIZE;
    let intact = |batch: &&Vec<u8>| {
        let found = bytes.get(at..at + batch.len()) == Some(&batch[..]);
        at += batch.len();
        found
    };
    batches.iter().take_while(intact).count()
}

#[test]
fn an_untouched_log_comes_back_whole() {
    let machine = Machine::new(1);
    let (header, batches) = (header(0, 0, W), batches(0, &[100, 5000, 1, 9000, 300], 3));
    machine.segment(&header, &batches, 1 << 18);
    let recovered = machine.recovered(None);
    assert_eq!(recovered.end_offset, Offset::new(10));
    assert_eq!(recovered.end_position, Position::new(batches.concat().len() as u64));
    assert_eq!((recovered.log_start, recovered.last_epoch), (Offset::ZERO, LeaderEpoch::new(3)));
    assert_eq!(recovered.segments[0].allocated, 1 << 18, "the space stays allocated");
    assert_eq!(recovered.producers.len(), 1);
}

#[test]
fn an_end_torn_at_any_sector_is_cut_there() {
    let sizes = [700, 3000, 100, 4096, 1500, 50, 2000];
    let (header, batches) = (header(0, 0, W), batches(0, &sizes, 3));
    let machine = Machine::new(1);
    machine.segment(&header, &batches, 1 << 16);
    let intact = machine.bytes(&header);
    let flushed = checkpoint(&batches[..2]);
    let end = HEADER_SIZE as usize + batches.concat().len();
    let first = HEADER_SIZE as usize + batches[..2].concat().len();
    for at in (first.next_multiple_of(SECTOR)..end).step_by(SECTOR) {
        for torn in [Torn::Lost, Torn::RestLost, Torn::Shorter] {
            let mut bytes = intact.clone();
            torn.apply(&mut bytes, at);
            machine.replace(&header, &bytes);
            let expected = whole(&bytes, &batches);
            assert!((2..7).contains(&expected));
            for entry in [None, Some(&flushed)] {
                machine.replace(&header, &bytes);
                let recovered = machine.recovered(entry);
                assert_eq!(recovered.end_offset, Offset::new(2 * expected as i64), "{torn:?} at byte {at}");
                assert_eq!(recovered.producers, machine.recovered(None).producers);
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Torn {
    /// One sector was never written.
    Lost,
    /// Nor was anything behind it.
    RestLost,
    /// Nor is the file as long as it was.
    Shorter,
}

impl Torn {
    fn apply(self, bytes: &mut Vec<u8>, at: usize) {
        match self {
            Self::Lost => bytes[at..at + SECTOR].fill(0),
            Self::RestLost => bytes[at..].fill(0),
            Self::Shorter => bytes.truncate(at),
        }
    }
}

#[test]
fn bytes_in_the_cuts_own_block_are_zero_too() {
    let machine = Machine::new(1);
    let (header, mut batches) = (header(0, 0, W), batches(0, &[600, 600, 600], 3));
    batches[1][80] ^= 1;
    machine.segment(&header, &batches, 8192);
    let recovered = machine.recovered(None);
    assert_eq!(recovered.end_offset, Offset::new(2));
    assert_eq!(recovered.active_tail, batches[0]);
}

#[test]
fn a_cut_that_a_crash_takes_back_is_made_again() {
    for seed in 0..30 {
        let mut machine = Machine::new(seed);
        let (header, mut batches) = (header(0, 0, W), batches(0, &[600, 600, 9000], 3));
        batches[1][80] ^= 1;
        machine.segment(&header, &batches, 1 << 15);
        machine.recovered(None);
        machine.crash();
        let bytes = machine.bytes(&header);
        assert_eq!(whole(&bytes, &batches), 1);
        assert!(bytes[BLOCK_SIZE + batches[0].len()..].iter().all(|byte| *byte == 0), "the cut is durable");
    }
}

#[test]
fn survivors_are_durable_before_they_are_shown() {
    let batches = batches(0, &[600, 5000, 700], 3);
    for seed in 0..50 {
        let mut machine = Machine::new(seed);
        let header = header(0, 0, W);
        machine.prepare(&header, 1 << 15);
        // Written and in the device's cache, as a killed process leaves it.
        machine.write(&header, HEADER_SIZE, &batches.concat(), false);
        let shown = machine.recovered(None);
        assert_eq!(shown.end_offset, Offset::new(6));
        machine.crash();
        assert_eq!(machine.recovered(None), shown);
    }
}

#[test]
fn a_batch_without_any_flushed_one_before_it_may_be_torn_as_well() {
    let machine = Machine::new(1);
    let (header, mut batches) = (header(0, 0, W), batches(0, &[600], 3));
    batches[0][100] ^= 1;
    machine.segment(&header, &batches, 8192);
    let recovered = machine.recover(None).expect("it is not damaged").expect("the segment was used");
    assert_eq!((recovered.end_offset, recovered.end_position), (Offset::ZERO, Position::ZERO));
    assert_eq!(recovered.active_tail, []);
    assert!(
        machine.recover(None).expect("it is not damaged").is_none(),
        "now it is as if it had never been used"
    );
}

/// A producer whose batch was lost would be told, on its retry, that the batch is there.
#[test]
fn producers_forget_batches_that_were_not_flushed() {
    let (header, batches) = (header(0, 0, W), batches(0, &[600, 600, 600], 3));
    let parsed: Vec<_> = batches.iter().map(|batch| BatchHeader::parse(batch).expect("it is one")).collect();
    // The checkpoint was taken while two batches were being written, of which none or one came to the disk.
    let mut entry = checkpoint(&batches[..1]);
    entry.producers = checkpoint(&batches).producers;
    for survived in [1, 2] {
        let machine = Machine::new(1);
        machine.segment(&header, &batches[..survived], 1 << 15);
        let producers = machine.recovered(Some(&entry)).producers;
        assert!(matches!(producers.check(&parsed[survived - 1]), Verdict::Duplicate { .. }));
        assert_eq!(producers.check(&parsed[survived]), Verdict::Append);
    }
}

#[test]
fn a_full_disk_cuts_without_allocating_again() {
    let machine = Machine::new(1);
    let (header, mut batches) = (header(0, 0, W), batches(0, &[600, 600], 3));
    batches[1][80] ^= 1;
    machine.segment(&header, &batches, 1 << 16);
    let full = crate::sim::Faults { space_bytes_max: 6000, ..crate::sim::Faults::none() };
    machine.world.set_faults(full);
    let recovered = machine.recovered(None);
    assert_eq!(recovered.segments[0].allocated, recovered.segments[0].len);
}

/// The story that zeroing prevents: a new batch of the same size as the torn one would make the stale one behind it
/// valid.
#[test]
fn stale_bytes_do_not_come_back() {
    let machine = Machine::new(1);
    let (header, mut old) = (header(0, 0, W), batches(0, &[600, 600, 600], 3));
    old[1][80] ^= 1;
    machine.segment(&header, &old, 1 << 15);
    assert_eq!(machine.recovered(None).end_offset, Offset::new(2));
    machine.write(&header, HEADER_SIZE + old[0].len() as u64, &batch(2, 600, 9), true);
    assert_eq!(machine.recovered(None).end_offset, Offset::new(4));
}

#[test]
fn a_cut_that_left_something_behind_is_noticed() {
    let machine = Machine::new(1);
    let (header, mut old) = (header(0, 0, W), batches(0, &[600, 600, 600], 3));
    old[1][80] ^= 1;
    machine.segment(&header, &old, 1 << 15);
    set_planted(Some(Plant::StaleBytesAfterCut));
    let outcome = machine.recover(None);
    set_planted(None);
    let error = outcome.expect_err("the stale batch is still there").to_string();
    assert!(error.contains("behind the cut"), "{error}");
}
