use super::*;
use crate::io::HostFs;

type Out = Vec<(LogOp, Op<HostFs>)>;

fn target(limit: u64) -> Target {
    Target {
        file: File(7),
        base: Position::ZERO,
        header_size: 4096,
        limit: Position::new(limit),
        ends: false,
        durably: false,
        copied_max: COPIED_BYTES_MAX,
    }
}

fn tail(bytes: usize) -> (Tail, Pool, u64) {
    let (pool, mut clock) = (Pool::new(4), 0);
    let mut tail = Tail::new(Position::ZERO, Vec::new());
    tail.push(&vec![1; bytes], &pool, &mut clock);
    (tail, pool, clock)
}

fn writes(out: &Out) -> Vec<(u64, usize)> {
    let write = |op: &Op<HostFs>| match op {
        Op::Write { offset, data, .. } => (*offset, data.len()),
        _ => panic!("only writes"),
    };
    out.iter().map(|(_, op)| write(op)).collect()
}

fn written(end: u64) -> Moved {
    Moved { written: Some(Position::new(end)), flushed: None }
}

#[test]
fn whole_blocks_go_from_where_they_stand_and_the_partial_one_as_a_padded_copy() {
    let (tail, _, _) = tail(50_000);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    assert!(appender.pump(&tail, target(50_000), Extent::All, &mut out));
    assert_eq!(writes(&out), [(4096, 49_152), (4096 + 49_152, 4096)]);
}

#[test]
fn a_few_blocks_are_one_write() {
    let (tail, _, _) = tail(10_000);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    assert!(appender.pump(&tail, target(10_000), Extent::All, &mut out));
    assert_eq!(writes(&out), [(4096, 12_288)]);
    let (_, Op::Write { data, .. }) = &out[0] else { panic!("only writes") };
    assert!(data[..10_000].iter().all(|byte| *byte == 1) && data[10_000..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_partial_block_waits_for_more_where_more_is_to_come() {
    let (tail, _, _) = tail(10_000);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    assert!(!appender.pump(&tail, target(10_000), Extent::WholeBlocks, &mut out));
    assert_eq!(writes(&out), [(4096, 8192)]);
    let ends = Target { ends: true, ..target(10_000) };
    assert!(
        appender.pump(&tail, ends, Extent::WholeBlocks, &mut out),
        "nothing follows in the segment's last block"
    );
    assert_eq!(writes(&out), [(4096, 8192), (4096 + 8192, 4096)]);
}

#[test]
fn the_partial_block_waits_for_its_earlier_write() {
    let (mut tail, pool, mut clock) = tail(100);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    appender.pump(&tail, target(100), Extent::All, &mut out);
    tail.push(&[2; 100], &pool, &mut clock);
    assert!(!appender.pump(&tail, target(200), Extent::All, &mut out));
    assert_eq!(out.len(), 1);
    let moved = appender.complete(0, Ok(4096), &mut out).expect("no error");
    assert_eq!(moved, written(100));
    appender.pump(&tail, target(200), Extent::All, &mut out);
    assert_eq!(writes(&out), [(4096, 4096), (4096, 4096)], "the same block again, with more in it");
}

#[test]
fn written_is_the_contiguous_prefix() {
    let (tail, _, _) = tail(50_000);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    appender.pump(&tail, target(50_000), Extent::All, &mut out);
    assert_eq!(appender.complete(1, Ok(4096), &mut out).expect("no error"), Moved::default());
    assert_eq!(appender.complete(0, Ok(49_152), &mut out).expect("no error"), written(50_000));
}

#[test]
fn what_a_short_write_left_over_goes_again() {
    let (tail, _, _) = tail(8192);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    appender.pump(&tail, target(8192), Extent::All, &mut out);
    assert_eq!(appender.complete(0, Ok(4608), &mut out).expect("no error"), Moved::default());
    assert_eq!(writes(&out), [(4096, 8192), (8192, 4096)]);
    assert_eq!(appender.complete(0, Ok(4096), &mut out).expect("no error"), written(8192));
}

#[test]
fn one_small_write_alone_may_be_durable_by_itself() {
    let (tail, _, _) = tail(10_000);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    appender.pump(&tail, Target { durably: true, ..target(10_000) }, Extent::All, &mut out);
    assert!(matches!(&out[..], [(LogOp::Write { id: 0 }, Op::WriteDurably { .. })]));
    assert_eq!(appender.complete(0, Ok(8192), &mut out).expect("no error"), Moved::default());
    assert!(
        matches!(&out[1], (LogOp::Write { id: 0 }, Op::WriteDurably { .. })),
        "what a short one left over, too"
    );
    let moved = appender.complete(0, Ok(4096), &mut out).expect("no error");
    let end = Some(Position::new(10_000));
    assert_eq!(moved, Moved { written: end, flushed: end });
}

#[test]
fn several_writes_need_a_flush() {
    let (tail, _, _) = tail(50_000);
    let (mut appender, mut out) = (Appender::new(Position::ZERO), Out::new());
    appender.pump(&tail, Target { durably: true, ..target(50_000) }, Extent::All, &mut out);
    assert_eq!(writes(&out).len(), 2, "and none of them is durable by itself");
}
