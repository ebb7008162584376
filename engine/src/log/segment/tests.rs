use std::io;

use super::*;
use crate::io::{Fs, OpenMode, read_file, with_file};
use crate::log::index::SparseIndex;
use crate::sim::plant::{Plant, set_planted};
use crate::sim::{Faults, SimFs, SimWorld};

fn header() -> SegmentHeader {
    SegmentHeader {
        partition: PartitionId::new(TopicId::from_random(3, 4), 7),
        base_offset: Offset::new(123_456),
        base_position: Position::new(1 << 33),
        unflushed_max: 8 << 20,
    }
}

fn data_dir() -> &'static Path {
    Path::new("/data")
}

/// A machine with an empty data folder.
fn machine() -> (SimWorld, SimFs) {
    let world = SimWorld::new(1, Faults::none());
    let fs = world.fs();
    fs.create_folder(data_dir()).expect("it is new");
    fs.sync_folder(Path::new("/")).expect("no faults");
    (world, fs)
}

#[test]
fn headers_round_trip() {
    let block = header().encode();
    assert_eq!(block.len(), BLOCK_SIZE);
    assert_eq!(SegmentHeader::decode(&block), Ok(header()));
}

#[test]
fn every_flip_and_every_cut_of_a_header_is_noticed() {
    let block = header().encode();
    for len in 0..FRAME_SIZE {
        assert_eq!(SegmentHeader::decode(&block[..len]), Err(StoredError::Short));
    }
    for bit in 0..FRAME_SIZE * 8 {
        let mut flipped = block.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit} flipped");
    }
    assert_eq!(SegmentHeader::decode(&[0; BLOCK_SIZE]), Err(StoredError::Magic));
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut out = Writer::new(MAGIC, VERSION + 1);
    out.bytes(&header().encode()[12..FRAME_SIZE - 4]);
    let error = SegmentHeader::decode(&out.finish()).expect_err("it is newer");
    assert_eq!(error, StoredError::Version { found: 2, known: 1 });
    assert!(error.to_string().contains("with the program that wrote it"));
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    let refused = |change: fn(&mut SegmentHeader)| {
        let mut header = header();
        change(&mut header);
        SegmentHeader::decode(&header.encode()).is_err()
    };
    assert!(refused(|header| header.base_offset = Offset::new(-1)));
    assert!(refused(|header| header.base_position = Position::new(u64::MAX)));
    assert!(refused(|header| header.unflushed_max = 0));
    assert!(refused(|header| header.unflushed_max = u64::MAX));
    assert!(refused(|header| header.partition = PartitionId::new(TopicId::NONE, -1)));
}

#[test]
fn names_are_twenty_digits() {
    assert_eq!(file_name(Offset::new(123)), "00000000000000000123.log");
    assert_eq!(index_name(Offset::new(123)), "00000000000000000123.index");
    assert_eq!(parse_file_name(&file_name(Offset::new(i64::MAX))), Some(Offset::new(i64::MAX)));
    for name in
        ["123.log", "0000000000000000012x.log", "+0000000000000000123.log", "00000000000000000123.index"]
    {
        assert_eq!(parse_file_name(name), None, "{name}");
    }
    assert_eq!(parse_file_name("99999999999999999999.log"), None, "past the largest offset");
    assert!(
        is_unfinished("00000000000000000123.index-hint") && is_unfinished("00000000000000000123.index.tmp")
    );
    assert!(!is_unfinished("00000000000000000123.index") && !is_unfinished("notes.tmp"));
}

#[test]
fn positions_and_file_offsets_are_each_others_inverse() {
    let header = header();
    let position = header.base_position.plus(77);
    assert_eq!(header.file_offset(position), HEADER_SIZE + 77);
    assert_eq!(header.position(HEADER_SIZE + 77), position);
}

#[test]
fn a_prepared_segment_survives_a_crash() {
    let (world, fs) = machine();
    prepare(&fs, data_dir(), &header(), 10_000, true).expect("no faults");
    world.crash();
    let bytes = read_file(&world.fs(), &path(data_dir(), &header())).expect("its name is durable");
    assert_eq!(bytes.len() as u64, HEADER_SIZE + 12_288, "whole blocks");
    assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
    assert_eq!(zeros::first_in(&bytes[BLOCK_SIZE..]), None);
}

#[test]
fn without_the_folders_sync_some_crash_takes_the_segment() {
    let lost = |plant| {
        (0..50).any(|seed| {
            let world = SimWorld::new(seed, Faults::none());
            let fs = world.fs();
            fs.create_folder(data_dir()).and_then(|()| fs.sync_folder(Path::new("/"))).expect("no faults");
            set_planted(plant);
            prepare(&fs, data_dir(), &header(), 4096, true).expect("no faults");
            set_planted(None);
            world.crash();
            world.fs().open(&path(data_dir(), &header()), OpenMode::Read).is_err()
        })
    };
    assert!(!lost(None));
    assert!(lost(Some(Plant::SkipFolderSync)));
}

#[test]
fn what_an_unfinished_preparation_left_is_replaced() {
    for events in 0..40 {
        let (world, fs) = machine();
        world.crash_after(events);
        let done = prepare(&fs, data_dir(), &header(), 8192, true).is_ok();
        world.crash();
        let fs = world.fs();
        let file = prepare(&fs, data_dir(), &header(), 8192, true);
        let file = file.unwrap_or_else(|error| panic!("after {events} events: {error}"));
        fs.close(file);
        world.crash();
        let bytes = read_file(&world.fs(), &path(data_dir(), &header())).expect("its name is durable");
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
        if done {
            return;
        }
    }
    panic!("preparing takes fewer than 40 calls");
}

#[test]
fn a_segment_with_batches_is_never_replaced() {
    let (_world, fs) = machine();
    let file = prepare(&fs, data_dir(), &header(), 8192, true).expect("no faults");
    fs.close(file);
    with_file(&fs, &path(data_dir(), &header()), OpenMode::ReadWrite, |file| fs.write_at(file, 9000, b"x"))
        .expect("no faults");
    let error = prepare(&fs, data_dir(), &header(), 8192, false).expect_err("it holds data");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("byte 9000"), "{error}");
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let (world, fs) = machine();
    world.set_faults(Faults { space_bytes_max: 10_000, ..Faults::none() });
    let error = prepare(&fs, data_dir(), &header(), 1 << 20, true).expect_err("there is no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs.list(&folder(data_dir(), header().partition)).expect("the folder stays"), []);
    assert_eq!(world.open_files(), 0);
    world.set_faults(Faults::none());
    prepare(&fs, data_dir(), &header(), 1 << 20, true).expect("space has returned");
}

#[test]
fn space_grows_behind_the_header() {
    let (_world, fs) = machine();
    let file = prepare(&fs, data_dir(), &header(), 4096, true).expect("no faults");
    extend(&fs, file, 4096, 8192).expect("no faults");
    assert_eq!(fs.size(file).expect("it is open"), HEADER_SIZE + 12_288);
}

#[test]
fn space_that_is_too_little_is_given_back() {
    let (world, fs) = machine();
    let file = prepare(&fs, data_dir(), &header(), 4096, true).expect("no faults");
    world.set_faults(Faults { space_bytes_max: 40_000, ..Faults::none() });
    let error = extend(&fs, file, 4096, 1 << 20).expect_err("there is no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs.size(file).expect("it is open"), HEADER_SIZE + 4096);
    extend(&fs, file, 4096, 8192).expect("there is room for this");
    world.set_faults(Faults { allocate_full_one_in: 1, ..Faults::none() });
    for _ in 0..20 {
        extend(&fs, file, 12_288, 1 << 20).expect_err("there is no room");
        assert_eq!(fs.size(file).expect("it is open"), HEADER_SIZE + 12_288);
    }
}

#[test]
fn a_sealed_segment_is_trimmed_and_has_its_index() {
    let (world, fs) = machine();
    let header = header();
    let file = prepare(&fs, data_dir(), &header, 1 << 20, true).expect("no faults");
    fs.close(file);
    let index = SparseIndex::new(header.base_offset, header.base_position);
    seal(&fs, data_dir(), &header, 0, &index).expect("no faults");
    seal(&fs, data_dir(), &header, 0, &index).expect("again is fine");
    world.crash();
    let fs = world.fs();
    assert_eq!(read_file(&fs, &path(data_dir(), &header)).expect("durable").len() as u64, HEADER_SIZE);
    let saved = folder(data_dir(), header.partition).join(index_name(header.base_offset));
    assert_eq!(SparseIndex::decode(&read_file(&fs, &saved).expect("durable")), Ok(index));
}

#[test]
fn hints_replace_each_other_and_leave_nothing() {
    let (_world, fs) = machine();
    let header = header();
    prepare(&fs, data_dir(), &header, 0, true).expect("no faults");
    let index = SparseIndex::new(header.base_offset, header.base_position);
    for _ in 0..3 {
        save_index_hint(&fs, data_dir(), header.partition, &index).expect("no faults");
    }
    let names: Vec<_> = fs
        .list(&folder(data_dir(), header.partition))
        .expect("it exists")
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, [index_name(header.base_offset), file_name(header.base_offset)]);
}

#[test]
fn a_removed_partition_is_gone_for_good_whenever_it_crashes() {
    for events in 0..60 {
        let (world, fs) = machine();
        let header = header();
        prepare(&fs, data_dir(), &header, 100_000, true).expect("no faults");
        world.crash_after(events);
        let done = remove_partition(&fs, data_dir(), header.partition, 16_384).is_ok();
        world.crash();
        remove_partition(&world.fs(), data_dir(), header.partition, 16_384).expect("it can be repeated");
        world.crash();
        assert_eq!(world.fs().list(data_dir()).expect("it exists"), []);
        if done {
            return;
        }
    }
    panic!("removing takes fewer than 60 calls");
}
