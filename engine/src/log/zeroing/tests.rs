use super::*;
use crate::io::Pool;
use crate::log::Admission;
use crate::log::rig::Rig;
use crate::log::segment::HEADER_SIZE;

const BLOCK: u64 = BLOCK_SIZE as u64;

fn zeros() -> Slice {
    let mut chunk = Pool::heap(limits::ZERO_PIECE_BYTES);
    chunk.advance(limits::ZERO_PIECE_BYTES);
    chunk.filled()
}

/// A log with its file and one small append that is acknowledged.
fn rig() -> Rig {
    let mut rig = Rig::new();
    assert_eq!(rig.admit(8 << 20), Ok(Admission::Later), "there is no file yet");
    rig.run();
    rig.append(1000);
    rig.run();
    rig.settle();
    rig
}

/// Where the writes of zeros under way begin, in bytes of batches, and how long they are.
fn pieces(rig: &Rig) -> Vec<(u64, u64)> {
    let piece = |(op, what): &(LogOp, Op<_>)| match (op, what) {
        (LogOp::Zero { .. }, Op::Write { offset, data, .. }) => {
            Some((offset - HEADER_SIZE, data.len() as u64))
        }
        _ => None,
    };
    rig.under_way.iter().filter_map(piece).collect()
}

#[test]
fn slow_appends_find_zeros_that_are_already_written() {
    let mut rig = rig();
    rig.look(&zeros());
    let piece = limits::ZERO_PIECE_BYTES as u64;
    assert_eq!(pieces(&rig), [(2 * BLOCK, piece)]);
    rig.end_first();
    assert_eq!(pieces(&rig), [(2 * BLOCK + piece, piece - BLOCK)], "one after the other");
    rig.end_first();
    assert_eq!(pieces(&rig), [], "far enough");
    rig.append(1000);
    rig.look(&zeros());
    assert_eq!(pieces(&rig), [], "still far enough");
    rig.settle();
    for _ in 0..40 {
        rig.append(4000);
        rig.run();
        rig.settle();
    }
    rig.look(&zeros());
    assert_eq!(pieces(&rig), [(2 * piece + BLOCK, piece)], "where the zeros end");
}

#[test]
fn a_quiet_or_a_fast_partition_is_left_alone() {
    let mut rig = rig();
    rig.look(&zeros());
    rig.settle();
    rig.look(&zeros());
    assert_eq!(pieces(&rig), [], "nothing was appended");
    for _ in 0..6 {
        rig.append(900_000);
        rig.run();
        rig.settle();
    }
    rig.look(&zeros());
    assert_eq!(pieces(&rig), [], "far too much was");
}

#[test]
fn an_append_waits_for_the_piece_that_it_reaches() {
    let mut rig = rig();
    rig.look(&zeros());
    let (from, _) = pieces(&rig)[0];
    rig.append(100_000);
    rig.run();
    let submitted = rig.under_way.iter().filter_map(|(op, what)| match (op, what) {
        (LogOp::Write { .. }, Op::Write { offset, data, .. }) => {
            Some(offset - HEADER_SIZE + data.len() as u64)
        }
        _ => None,
    });
    assert_eq!(submitted.max(), Some(from), "up to where the zeros begin");
    rig.settle();
    assert_eq!(rig.log.visible_upto().value(), 2);
    assert_eq!(rig.log.durable().1.value(), 2);
}

#[test]
fn a_segment_is_not_trimmed_under_its_zeros() {
    let mut rig = rig();
    rig.look(&zeros());
    assert_eq!(pieces(&rig).len(), 1);
    rig.roll();
    // Everything but the zeros ends.
    while let Some(at) = rig.under_way.iter().position(|(op, _)| !matches!(op, LogOp::Zero { .. })) {
        rig.end_at(at);
    }
    let sealed = |rig: &Rig| rig.log.segments.first().expect("it has two").sealed;
    assert!(!sealed(&rig));
    rig.settle();
    assert!(sealed(&rig));
}

#[test]
fn a_full_disk_ends_it_and_other_errors_fail_the_partition() {
    let mut rig = rig();
    rig.look(&zeros());
    rig.fail_first(io::Error::from(io::ErrorKind::StorageFull));
    assert_eq!(rig.log.failure(), None);
    rig.append(1000);
    rig.look(&zeros());
    assert_eq!(pieces(&rig), []);

    let mut rig = self::rig();
    rig.look(&zeros());
    rig.fail_first(io::Error::other("a bad block"));
    assert!(rig.log.failure().is_some());
}

#[test]
fn zeros_end_with_the_last_whole_block_that_is_allocated() {
    let mut rig = rig();
    rig.log.segments.active_mut().expect("it has one").allocated = 10 * BLOCK + 100;
    rig.look(&zeros());
    assert_eq!(pieces(&rig), [(2 * BLOCK, 8 * BLOCK)]);
}

#[test]
fn nothing_is_zeroed_while_others_keep_the_device_busy() {
    let mut rig = rig();
    rig.look_busy(&zeros());
    assert_eq!(pieces(&rig), []);
    rig.append(1000);
    rig.look(&zeros());
    assert_eq!(pieces(&rig).len(), 1, "as soon as it is not");
    rig.settle();
}
