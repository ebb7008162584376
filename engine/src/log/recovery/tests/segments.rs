//! Logs of several segments, and what unfinished jobs leave of them.

use super::support::*;
use crate::io::{BLOCK_SIZE, Fs, OpenMode, replace_file, with_file};
use crate::log::recovery::RecoveryError;
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader};
use crate::sim::plant::{Plant, set_planted};
use crate::types::{Offset, Position, TopicId};

const W: u64 = 1 << 16;

/// Three segments of ten batches each, none of them sealed yet, with their batches.
fn three(machine: &Machine) -> ([SegmentHeader; 3], Vec<Vec<u8>>) {
    let all = batches(0, &[1500; 30], 3);
    let position = |batches: usize| all[..batches].concat().len() as u64;
    let headers = [header(0, 0, W), header(20, position(10), W), header(40, position(20), W)];
    for (header, batches) in headers.iter().zip(all.chunks(10)) {
        machine.segment(header, batches, 1 << 16);
    }
    (headers, all)
}

#[test]
fn segments_follow_one_another() {
    let machine = Machine::new(1);
    let (headers, all) = three(&machine);
    let recovered = machine.recovered(None);
    assert_eq!(recovered.segments.len(), 3);
    assert_eq!(recovered.end_offset, Offset::new(60));
    assert_eq!(recovered.end_position, Position::new(all.concat().len() as u64));
    for header in &headers[..2] {
        assert!(
            machine.names().contains(&segment::index_name(header.base_offset)),
            "it was sealed meanwhile"
        );
    }
}

#[test]
fn a_checkpoint_in_any_place_gives_the_same_log() {
    let machine = Machine::new(1);
    let (_, all) = three(&machine);
    let whole = machine.recovered(None);
    for flushed in 0..=30 {
        let recovered = machine.recovered(Some(&checkpoint(&all[..flushed])));
        assert_eq!(recovered.segments, whole.segments, "{flushed} batches flushed");
        assert_eq!(recovered.end_offset, whole.end_offset);
        // The checkpoint remembers when the producers last wrote; which batches they wrote is the same.
        assert_eq!(recovered.producers.len(), whole.producers.len());
        assert_eq!(recovered.last_epoch, whole.last_epoch);
    }
}

#[test]
fn what_lies_below_the_checkpoint_is_not_read() {
    let machine = Machine::new(1);
    let (headers, all) = three(&machine);
    machine.recovered(None);
    // Damage that only a read of the whole log would notice; the index of the first segment is saved.
    machine.write(&headers[0], HEADER_SIZE + 1000, &[0; 10_000], true);
    let recovered = machine.recover(Some(&checkpoint(&all[..25]))).expect("it is not looked at");
    assert_eq!(recovered.expect("it is there").end_offset, Offset::new(60));
    assert!(machine.recover(None).is_err());
}

#[test]
fn a_bad_batch_in_a_segment_with_a_successor_is_damage() {
    let machine = Machine::new(1);
    let (headers, all) = three(&machine);
    let bad = HEADER_SIZE + all[..9].concat().len() as u64;
    machine.write(&headers[0], bad + 100, b"?", true);
    let message = assert_damaged(machine.recover(None), &headers[0], bad);
    assert!(message.contains("next segment proves"), "{message}");
}

#[test]
fn even_a_successor_without_an_intact_batch_proves_it() {
    for damaged in [false, true] {
        let machine = Machine::new(1);
        let first = batches(0, &[1500; 5], 3);
        let (one, two) = (header(0, 0, W), header(10, first.concat().len() as u64, W));
        machine.segment(&one, &first, 1 << 16);
        machine.prepare(&two, 1 << 16);
        machine.write(&two, HEADER_SIZE + 20_000, b"torn", true);
        if damaged {
            machine.write(&one, HEADER_SIZE + 100, b"?", true);
            assert_damaged(machine.recover(None), &one, HEADER_SIZE);
        } else {
            assert_eq!(machine.recovered(None).end_offset, Offset::new(10));
        }
    }
}

#[test]
fn segments_that_never_held_a_batch_are_removed() {
    let machine = Machine::new(1);
    let first = batches(0, &[1500; 5], 3);
    let one = header(0, 0, W);
    machine.segment(&one, &first, 1 << 16);
    // The log never came as far as these were prepared for.
    machine.prepare(&header(30, 1 << 20, W), 1 << 16);
    machine.prepare(&header(70, 1 << 21, W), 1 << 16);
    replace_file(&machine.fs, &folder().join("00000000000000000070.index-hint"), b"torn").expect("no faults");
    let recovered = machine.recovered(None);
    assert_eq!((recovered.segments.len(), recovered.end_offset), (1, Offset::new(10)));
    assert_eq!(machine.names(), [segment::file_name(Offset::ZERO)]);
}

#[test]
fn a_removed_segment_does_not_come_back() {
    for seed in 0..20 {
        let mut machine = Machine::new(seed);
        machine.segment(&header(0, 0, W), &batches(0, &[1500; 5], 3), 1 << 16);
        machine.prepare(&header(30, 1 << 20, W), 1 << 16);
        machine.recovered(None);
        machine.crash();
        assert_eq!(machine.names(), [segment::file_name(Offset::ZERO)]);
    }
}

#[test]
fn an_empty_active_segment_is_durable_before_it_is_used() {
    for seed in 0..20 {
        let mut machine = Machine::new(seed);
        machine
            .fs
            .create_folder(&folder())
            .and_then(|()| machine.fs.sync_folder(data_dir()))
            .expect("no faults");
        set_planted(Some(Plant::SkipFolderSync));
        machine.prepare(&header(500, 123_456, W), 1 << 16);
        set_planted(None);
        let recovered = machine.recovered(None);
        machine.crash();
        assert_eq!(machine.recovered(None), recovered);
    }
}

#[test]
fn a_torn_end_with_a_prepared_successor_is_cut() {
    let machine = Machine::new(1);
    let mut first = batches(0, &[1500; 5], 3);
    let one = header(0, 0, W);
    machine.prepare(&header(10, first.concat().len() as u64, W), 1 << 16);
    first[4][700] ^= 1;
    machine.segment(&one, &first, 1 << 16);
    assert_eq!(machine.recovered(None).end_offset, Offset::new(8));
    assert_eq!(machine.names().len(), 1);
}

#[test]
fn nothing_appended_is_nothing_recovered() {
    let machine = Machine::new(1);
    assert!(machine.recover(None).expect("there is no folder").is_none());
    machine.prepare(&header(0, 0, W), 1 << 16);
    assert!(machine.recover(None).expect("there is no batch").is_none());
    assert_eq!(machine.names(), [""; 0]);
    assert!(machine.recover(None).expect("there is no segment").is_none());
}

#[test]
fn the_only_segment_of_a_log_that_has_moved_on_stays() {
    let machine = Machine::new(1);
    machine.prepare(&header(500, 123_456, W), 1 << 16);
    let recovered = machine.recovered(None);
    assert_eq!((recovered.end_offset, recovered.log_start), (Offset::new(500), Offset::new(500)));
    assert_eq!(recovered.end_position, Position::new(123_456));

    let mut entry = checkpoint(&[]);
    (entry.flushed_offset, entry.flushed_position) = (Offset::new(400), Position::new(100_000));
    entry.log_start = Offset::new(300);
    assert_eq!(machine.recovered(Some(&entry)).log_start, Offset::new(500));
}

#[test]
fn the_logs_start_comes_from_the_checkpoint() {
    let machine = Machine::new(1);
    let (_, all) = three(&machine);
    let mut entry = checkpoint(&all[..20]);
    entry.log_start = Offset::new(15);
    assert_eq!(machine.recovered(Some(&entry)).log_start, Offset::new(15));
}

#[test]
fn segments_before_the_logs_start_are_removed() {
    for (log_start, first) in [(0, 0), (19, 0), (20, 1), (39, 1), (40, 2), (50, 2)] {
        let mut machine = Machine::new(1);
        let (headers, all) = three(&machine);
        machine.recovered(None);
        let mut entry = checkpoint(&all[..25]);
        entry.log_start = Offset::new(log_start);
        let recovered = machine.recovered(Some(&entry));
        assert_eq!(recovered.segments.len(), 3 - first, "start {log_start}");
        assert_eq!(recovered.segments[0].header, headers[first]);
        assert_eq!((recovered.log_start, recovered.end_offset), (Offset::new(log_start), Offset::new(60)));
        machine.crash();
        let kept = machine.names();
        for (at, header) in headers.iter().enumerate() {
            assert_eq!(kept.contains(&segment::file_name(header.base_offset)), at >= first);
            assert_eq!(kept.contains(&segment::index_name(header.base_offset)), at >= first && at < 2);
        }
    }
}

#[test]
fn what_a_removal_left_is_not_damage() {
    let machine = Machine::new(1);
    let (headers, all) = three(&machine);
    machine.recovered(None);
    // A crash has undone the first removal and kept the second one.
    machine.fs.remove_file(&segment::path(data_dir(), &headers[1])).expect("it is there");
    let mut entry = checkpoint(&all[..25]);
    entry.log_start = Offset::new(44);
    let recovered = machine.recovered(Some(&entry));
    assert_eq!((recovered.segments.len(), recovered.end_offset), (1, Offset::new(60)));
    assert_eq!(machine.names(), [segment::file_name(Offset::new(40))], "nor is an index of nothing left");
}

#[test]
fn what_could_not_be_removed_does_not_stand_for_the_logs_end() {
    let machine = Machine::new(1);
    let (headers, all) = three(&machine);
    machine.recovered(None);
    // The first segment's removal failed, those behind it went later, and the log goes on in a segment without a batch.
    let end: u64 = all.iter().map(|bytes| bytes.len() as u64).sum();
    for header in &headers[1..] {
        machine.fs.remove_file(&segment::path(data_dir(), header)).expect("it is there");
    }
    machine.prepare(&header(60, end, W), 1 << 16);
    let mut entry = checkpoint(&all);
    entry.log_start = Offset::new(60);
    let recovered = machine.recovered(Some(&entry));
    assert_eq!((recovered.log_start, recovered.end_offset), (Offset::new(60), Offset::new(60)));
    assert_eq!(recovered.end_position, Position::new(end));
    assert_eq!(machine.names(), [segment::file_name(Offset::new(60))]);
}

#[test]
fn a_removal_leaves_a_log_whenever_it_crashes() {
    for events in 0..40 {
        let mut machine = Machine::new(events);
        let (headers, _) = three(&machine);
        machine.recovered(None);
        machine.world.crash_after(events);
        let mut bases = headers[..2].iter().map(|header| header.base_offset);
        let done = bases.all(|base| segment::remove(&machine.fs, &folder(), base, 4096).is_ok());
        machine.crash();
        // Without a checkpoint, too: what is left begins where its first segment does.
        let recovered = machine.recovered(None);
        let left = recovered.segments.len();
        assert_eq!(recovered.end_offset, Offset::new(60));
        assert_eq!(recovered.log_start, headers[3 - left].base_offset);
        if done {
            assert_eq!(left, 1);
            return;
        }
    }
    panic!("removing takes fewer than 40 calls");
}

#[test]
fn unreadable_headers_of_unfinished_preparations_are_removed() {
    let machine = Machine::new(1);
    let first = batches(0, &[1500; 5], 3);
    machine.segment(&header(0, 0, W), &first, 1 << 16);
    let torn = header(10, first.concat().len() as u64, W);
    for bytes in [vec![], vec![0; 100], vec![0; 3 * BLOCK_SIZE], torn.encode()[..30].to_vec()] {
        machine.prepare(&torn, 8192);
        machine.replace(&torn, &bytes);
        assert_eq!(machine.recovered(None).end_offset, Offset::new(10));
    }
}

#[test]
fn unreadable_headers_of_used_segments_are_damage() {
    for at in 0..3 {
        let machine = Machine::new(1);
        let (headers, _) = three(&machine);
        machine.write(&headers[at], 20, b"?", true);
        let message = assert_damaged(machine.recover(None), &headers[at], 0);
        assert!(message.contains("header is unreadable"), "{message}");
    }
}

#[test]
fn a_segment_of_another_partition_or_place_is_damage() {
    let machine = Machine::new(1);
    let (headers, _) = three(&machine);
    let mut foreign = headers[1].clone();
    foreign.partition.topic = TopicId::from_random(9, 9);
    machine.write(&headers[1], 0, &foreign.encode(), true);
    assert_damaged(machine.recover(None), &headers[1], 0);

    let mut elsewhere = headers[1].clone();
    elsewhere.base_offset = Offset::new(21);
    machine.write(&headers[1], 0, &elsewhere.encode(), true);
    assert_damaged(machine.recover(None), &headers[1], 0);

    let mut before = headers[1].clone();
    before.base_position = Position::new(1 << 30);
    machine.write(&headers[1], 0, &before.encode(), true);
    assert!(matches!(machine.recover(None), Err(RecoveryError::Damaged { .. })));
}

#[test]
fn a_newer_segment_is_refused_as_such() {
    let machine = Machine::new(1);
    let (headers, _) = three(&machine);
    let mut block = headers[2].encode();
    block[8] = 2;
    let crc = crc32c::crc32c(&block[..56]);
    block[56..60].copy_from_slice(&crc.to_le_bytes());
    machine.write(&headers[2], 0, &block, true);
    let error = machine.recover(None).expect_err("it is newer");
    assert!(matches!(error, RecoveryError::Newer { .. }), "{error}");
}

#[test]
fn a_missing_segment_is_noticed() {
    for checkpointed in [false, true] {
        let machine = Machine::new(1);
        let (headers, all) = three(&machine);
        machine.recovered(None);
        machine.fs.remove_file(&segment::path(data_dir(), &headers[1])).expect("it is there");
        let entry = checkpointed.then(|| checkpoint(&all[..25]));
        let size = HEADER_SIZE + all[..10].concat().len() as u64;
        assert_damaged(machine.recover(entry.as_ref()), &headers[0], size);
    }
}

#[test]
fn other_files_are_left_alone() {
    let machine = Machine::new(1);
    three(&machine);
    replace_file(&machine.fs, &folder().join("notes.txt"), b"mine").expect("no faults");
    machine.recovered(None);
    assert!(machine.names().contains(&"notes.txt".to_owned()));
}

#[test]
fn a_full_disk_opens_the_log_untrimmed() {
    let machine = Machine::new(1);
    let (headers, _) = three(&machine);
    machine.world.set_faults(crate::sim::Faults { space_bytes_max: 1, ..crate::sim::Faults::none() });
    let recovered = machine.recover(None).expect("reading needs no space").expect("it is there");
    assert_eq!(recovered.end_offset, Offset::new(60));
    machine.world.set_faults(crate::sim::Faults::none());
    assert_eq!(machine.recovered(None), recovered);
    let sizes = with_file(&machine.fs, &segment::path(data_dir(), &headers[0]), OpenMode::Read, |file| {
        machine.fs.size(file)
    });
    assert_eq!(sizes.expect("no faults"), HEADER_SIZE + recovered.segments[0].len);
}
