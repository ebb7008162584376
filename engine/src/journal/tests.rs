use super::*;
use crate::io::Pool;
use crate::sim::{Faults, SimWorld};

const ID: u64 = 0x1234_5678_9abc_def0;

fn entry(index: i32, at: u64, pieces: &[&[u8]]) -> Entry {
    Entry {
        partition: PartitionId::new(TopicId::from_random(7, 8), index),
        segment: Offset::new(40),
        at,
        slices: pieces.iter().map(|piece| Slice::copy_from(piece)).collect(),
    }
}

fn record(sequence: u64, live_from: u64, entries: &[Entry]) -> Vec<u8> {
    let mut chunk = Pool::heap(8 * BLOCK_SIZE);
    write_record(RecordHeader { id: ID, sequence, live_from }, entries, &mut chunk);
    chunk.to_vec()
}

#[test]
fn a_record_reads_back_with_its_entries() {
    let bytes = record(5, 3, &[entry(0, 4096, &[b"one", b" and two"]), entry(1, 9000, &[&[7; 5000]])]);
    assert_eq!(bytes.len(), 2 * BLOCK_SIZE, "whole blocks");
    let record = parse_record(&bytes, ID).expect("it was just written");
    assert_eq!((record.sequence, record.live_from, record.blocks), (5, 3, 2 * BLOCK_SIZE));
    let [first, second] = &record.entries[..] else { panic!("two entries: {record:?}") };
    assert_eq!((first.bytes, first.at, first.segment.value()), (&b"one and two"[..], 4096, 40));
    assert_eq!((second.bytes, second.at, second.partition.index.value()), (&[7; 5000][..], 9000, 1));
}

#[test]
fn no_byte_of_a_record_may_change() {
    let bytes = record(5, 3, &[entry(0, 4096, &[b"value"])]);
    let len = RECORD_HEADER_SIZE + ENTRY_HEADER_SIZE + 5;
    for at in 0..len {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert_eq!(parse_record(&changed, ID), None, "byte {at}");
    }
    assert_eq!(parse_record(&bytes[..len - 1], ID), None, "it ends too early");
}

#[test]
fn a_record_of_another_journal_is_none() {
    let bytes = record(5, 3, &[entry(0, 4096, &[b"value"])]);
    assert_eq!(parse_record(&bytes, ID + 1), None);
}

#[test]
fn a_files_header_reads_back_and_a_damaged_or_newer_one_is_refused() {
    let header = FileHeader { area_bytes: 1 << 20, id: ID, epoch: LeaderEpoch::new(3) };
    let block = file_header(header);
    assert_eq!(block.len(), BLOCK_SIZE);
    assert_eq!(parse_file_header(&block), Ok(header));
    let mut damaged = block.clone();
    damaged[13] ^= 1;
    assert!(matches!(parse_file_header(&damaged), Err(StoredError::Checksum { .. })));
    let odd = file_header(FileHeader { area_bytes: 1000, id: ID, epoch: LeaderEpoch::new(3) });
    assert_eq!(parse_file_header(&odd), Err(StoredError::Field("area bytes")));
}

#[test]
fn only_a_shards_journal_is_one_by_its_name() {
    assert!(is_journal("journal-0") && is_journal("journal-65535"));
    assert!(!is_journal("journal-") && !is_journal("journal-x") && !is_journal("checkpoint-0"));
    assert_eq!(path(Path::new("/data"), ShardId::new(3)), Path::new("/data/journal-3"));
}

#[test]
fn a_journal_that_cannot_be_made_leaves_nothing_behind() {
    let (data_dir, shard) = (Path::new("/data"), ShardId::new(0));
    let header = FileHeader { area_bytes: 1 << 20, id: ID, epoch: LeaderEpoch::new(3) };
    let fails = [
        Faults { space_bytes_max: 1 << 19, ..Faults::none() },
        Faults { write_error_one_in: 1, ..Faults::none() },
        Faults { flush_error_one_in: 1, ..Faults::none() },
        Faults { folder_error_one_in: 1, ..Faults::none() },
    ];
    let world = SimWorld::new(1, Faults::none());
    let fs = world.fs();
    fs.create_folder(data_dir).expect("no faults");
    for faults in fails {
        world.set_faults(faults.clone());
        make(&fs, data_dir, shard, header).expect_err("it cannot be made");
        assert_eq!(fs.list(data_dir).expect("reading works"), [], "{faults:?}");
        assert_eq!(world.open_files(), 0, "{faults:?}");
    }
    world.set_faults(Faults::none());
    let file = make(&fs, data_dir, shard, header).expect("no faults any more");
    fs.close(file);
    world.crash();
    let made = crate::io::read_file(&world.fs(), &path(data_dir, shard)).expect("its name is durable, too");
    assert_eq!(made.len() as u64, FILE_HEADER_SIZE + header.area_bytes);
    assert_eq!(parse_file_header(&made[..BLOCK_SIZE]), Ok(header));
}
