use super::super::{Entry, FileHeader, RecordHeader, file_header, write_record};
use super::*;
use crate::io::{Pool, Slice, replace_file};
use crate::sim::{Faults, SimFs, SimWorld};
use crate::types::{ShardId, TopicId};

const ID: u64 = 99;
const EPOCH: LeaderEpoch = LeaderEpoch::new(4);
const AREA: usize = 4 * BLOCK_SIZE;

/// A data folder with a segment of three blocks of zeros for each of two partitions.
struct Folder {
    world: SimWorld,
    fs: SimFs,
    areas: Vec<Vec<u8>>,
}

fn partition(index: i32) -> PartitionId {
    PartitionId::new(TopicId::from_random(1, 2), index)
}

fn segment_path(index: i32) -> PathBuf {
    segment::folder(Path::new("/data"), partition(index)).join(segment::file_name(Offset::ZERO))
}

impl Folder {
    fn new() -> Self {
        let world = SimWorld::new(1, Faults::none());
        let fs = world.fs();
        fs.create_folder(Path::new("/data")).expect("no faults");
        for index in 0..2 {
            fs.create_folder(&segment::folder(Path::new("/data"), partition(index))).expect("no faults");
            replace_file(&fs, &segment_path(index), &[0; 3 * BLOCK_SIZE]).expect("no faults");
        }
        Self { world, fs, areas: vec![vec![0; AREA]; 2] }
    }

    /// Puts a record into a block of an area: one entry for each partition, with bytes at a place of its segment.
    fn record(
        &mut self,
        area: usize,
        block: usize,
        sequence: u64,
        live_from: u64,
        entries: &[(i32, u64, &[u8])],
    ) {
        let entry = |(index, at, bytes): &(i32, u64, &[u8])| Entry {
            partition: partition(*index),
            segment: Offset::ZERO,
            at: *at,
            slices: vec![Slice::copy_from(bytes)],
        };
        let entries: Vec<Entry> = entries.iter().map(entry).collect();
        let mut chunk = Pool::heap(AREA);
        write_record(RecordHeader { id: ID, sequence, live_from }, &entries, &mut chunk);
        let start = block * BLOCK_SIZE;
        self.areas[area][start..start + chunk.len()].copy_from_slice(&chunk);
    }

    fn save(&self) {
        let mut bytes = file_header(FileHeader { area_bytes: AREA as u64, id: ID, epoch: EPOCH });
        self.areas.iter().for_each(|area| bytes.extend_from_slice(area));
        self.save_as(&bytes);
    }

    fn save_as(&self, bytes: &[u8]) {
        let path = super::super::path(Path::new("/data"), ShardId::new(0));
        replace_file(&self.fs, &path, bytes).expect("no faults");
    }

    fn replay(&self) -> Result<Replayed, JournalError> {
        self.save();
        replay(&self.fs, Path::new("/data"), EPOCH).map(|(replayed, _)| replayed)
    }

    fn segment(&self, index: i32, at: usize, len: usize) -> Vec<u8> {
        read_file(&self.fs, &segment_path(index)).expect("no faults")[at..at + len].to_vec()
    }

    fn has_journal(&self) -> bool {
        !journals(&self.fs, Path::new("/data")).expect("no faults").is_empty()
    }
}

#[test]
fn what_may_be_unsettled_goes_to_its_place_and_the_journal_goes() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"settled")]);
    folder.record(0, 1, 1, 0, &[(0, 5007, b"first"), (1, 4096, b"other")]);
    folder.record(1, 0, 2, 1, &[(0, 5012, b"second")]);
    let replayed = folder.replay().expect("it is sound");
    assert_eq!(replayed, Replayed { journals: 1, records: 2, files: 2, bytes: 16 });
    assert_eq!(folder.segment(0, 5000, 18), b"\0\0\0\0\0\0\0firstsecond", "what was settled is not touched");
    assert_eq!(folder.segment(1, 4096, 5), b"other");
    assert!(!folder.has_journal());
    assert_eq!(replay(&folder.fs, Path::new("/data"), EPOCH).expect("there is none").0, Replayed::default());
}

#[test]
fn a_survey_changes_nothing() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"bytes")]);
    folder.save();
    let (survey, segments) = survey(&folder.fs, Path::new("/data"), EPOCH).expect("it is sound");
    assert_eq!(survey, Replayed { journals: 1, records: 1, files: 1, bytes: 5 });
    assert_eq!(segments, BTreeSet::from([(partition(0), Offset::ZERO)]));
    assert_eq!(folder.segment(0, 5000, 5), [0; 5]);
    assert!(folder.has_journal());
}

#[test]
fn a_record_that_a_crash_tore_is_left_out() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"whole")]);
    folder.record(0, 1, 1, 0, &[(0, 5005, b"torn")]);
    folder.areas[0][BLOCK_SIZE + 78] ^= 1;
    folder.replay().expect("nobody was told of the torn one");
    assert_eq!(folder.segment(0, 5000, 9), b"whole\0\0\0\0");
}

#[test]
fn a_record_that_is_missing_before_another_is_damage() {
    let mut folder = Folder::new();
    for sequence in 0..3 {
        folder.record(
            0,
            usize::try_from(sequence).expect("small"),
            sequence,
            0,
            &[(0, 5000 + sequence, b"x")],
        );
    }
    folder.areas[0][BLOCK_SIZE] ^= 1;
    let error = folder.replay().expect_err("record 1 was acknowledged").to_string();
    assert!(error.contains("record 1 is not there") && error.contains("/data/journal-0"), "{error}");
    assert!(folder.has_journal());
    assert_eq!(folder.segment(0, 5000, 3), [0; 3], "nothing was changed");
}

#[test]
fn an_area_that_was_settled_may_be_torn_by_what_was_to_follow() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"a")]);
    folder.record(0, 1, 1, 0, &[(0, 5001, b"b")]);
    folder.record(1, 0, 2, 0, &[(0, 5002, b"c")]);
    folder.record(1, 1, 3, 0, &[(0, 5003, b"d")]);
    // Meanwhile the first area was settled, and the record after is written over its first.
    folder.areas[0][..100].fill(0xee);
    folder.replay().expect("what is gone was settled");
    assert_eq!(folder.segment(0, 5001, 3), b"bcd");
}

#[test]
fn what_finds_no_descriptor_left_among_others_is_copied_alone() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"one"), (1, 5000, b"two")]);
    folder.save();
    folder.world.set_faults(Faults { crowded_one_in: 1, ..Faults::none() });
    replay(&folder.fs, Path::new("/data"), EPOCH).expect("one file at a time can be opened");
    assert_eq!((folder.segment(0, 5000, 3), folder.segment(1, 5000, 3)), (b"one".to_vec(), b"two".to_vec()));
    assert!(!folder.has_journal());
}

#[test]
fn who_has_no_descriptors_is_told_to_raise_their_number() {
    let error = io::Error::from_raw_os_error(libc::EMFILE);
    let error = io_error("opening", Path::new("/data/x"))(error).to_string();
    assert!(error.contains("opening /data/x failed") && error.contains("ulimit -n"), "{error}");
}

#[test]
fn a_segment_that_is_gone_is_passed_over() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"gone"), (1, 5000, b"here")]);
    folder.fs.remove_file(&segment_path(0)).expect("no faults");
    folder.replay().expect("a deleted topic's");
    assert_eq!(folder.segment(1, 5000, 4), b"here");
    assert!(folder.fs.open(&segment_path(0), OpenMode::Read).is_err());
}

#[test]
fn a_journal_that_was_just_being_made_holds_nothing() {
    let folder = Folder::new();
    for size in [0, 100, 3 * BLOCK_SIZE] {
        folder.save_as(&vec![0; size]);
        assert_eq!(replay(&folder.fs, Path::new("/data"), EPOCH).expect("zeros").0.records, 0);
        assert!(!folder.has_journal());
    }
}

#[test]
fn a_header_that_makes_no_sense_is_refused() {
    let folder = Folder::new();
    folder.save_as(&[0xab; 2 * BLOCK_SIZE]);
    let error = replay(&folder.fs, Path::new("/data"), EPOCH).expect_err("that is no journal").to_string();
    assert!(error.contains("/data/journal-0 cannot be used"), "{error}");
}

#[test]
fn a_journal_that_an_opening_left_out_is_refused() {
    let mut folder = Folder::new();
    folder.record(0, 0, 0, 0, &[(0, 5000, b"old")]);
    folder.save();
    let error =
        replay(&folder.fs, Path::new("/data"), LeaderEpoch::new(5)).expect_err("that one may have appended");
    assert!(
        error.to_string().contains("belongs to opening 4 of the folder, and the last one was 5"),
        "{error}"
    );
    assert_eq!(folder.segment(0, 5000, 3), [0; 3]);
}
