//! A partition's folder on a simulated machine, written by hand.

use std::path::{Path, PathBuf};

use crate::batch::{self, BatchBuilder, BatchHeader};
use crate::checkpoint::Entry;
use crate::io::{BLOCK_SIZE, Fs, OpenMode, read_file, with_file};
use crate::log::index::SparseIndex;
use crate::log::recovery::{Recovered, RecoveryError, RecoverySettings, recover};
use crate::log::segment::{self, HEADER_SIZE, SegmentHeader, zeros};
use crate::producers::Producers;
use crate::sim::{Faults, SimFs, SimWorld};
use crate::types::{LeaderEpoch, Offset, PartitionId, Position, ProducerId, TopicId};

pub const PRODUCERS_MAX: usize = 100;
/// The epoch of the opening that recovers.
pub const EPOCH: LeaderEpoch = LeaderEpoch::new(9);

pub fn partition() -> PartitionId {
    PartitionId::new(TopicId::from_random(5, 6), 2)
}

pub fn data_dir() -> &'static Path {
    Path::new("/data")
}

pub fn folder() -> PathBuf {
    segment::folder(data_dir(), partition())
}

pub fn settings() -> RecoverySettings {
    RecoverySettings { epoch: EPOCH, now_ms: 1_000_000, producers_max: PRODUCERS_MAX, synced: None }
}

/// A batch of two records and about `size` bytes, as the log stores it, without a zero byte in its value. It is the
/// producer's only batch of these sequence numbers.
pub fn batch(base: i64, size: usize, epoch: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 24);
    let value: Vec<u8> = (0..size).map(|at| (at as i64 * 7 + base * 13) as u8 | 1).collect();
    builder.push(base * 10, None, Some(&value)).expect("far below the limit");
    builder.push(base * 10, None, Some(b"second")).expect("far below the limit");
    builder.set_producer(ProducerId::new(77), 1, i32::try_from(base).expect("small"));
    let mut bytes = builder.finish().expect("it has records").to_vec();
    batch::stamp(&mut bytes, Offset::new(base), LeaderEpoch::new(epoch));
    bytes
}

/// Consecutive batches from offset `base` on, one for each size.
pub fn batches(base: i64, sizes: &[usize], epoch: i32) -> Vec<Vec<u8>> {
    sizes.iter().enumerate().map(|(at, size)| batch(base + 2 * at as i64, *size, epoch)).collect()
}

pub fn header(base_offset: i64, base_position: u64, unflushed_max: u64) -> SegmentHeader {
    SegmentHeader {
        partition: partition(),
        base_offset: Offset::new(base_offset),
        base_position: Position::new(base_position),
        unflushed_max,
    }
}

pub struct Machine {
    pub world: SimWorld,
    pub fs: SimFs,
}

impl Machine {
    /// With an empty data folder.
    pub fn new(seed: u64) -> Self {
        let world = SimWorld::new(seed, Faults::none());
        let fs = world.fs();
        fs.create_folder(data_dir()).and_then(|()| fs.sync_folder(Path::new("/"))).expect("no faults");
        Self { world, fs }
    }

    pub fn crash(&mut self) {
        self.world.crash();
        self.fs = self.world.fs();
    }

    /// Prepares a segment with space for `allocate` bytes.
    pub fn prepare(&self, header: &SegmentHeader, allocate: u64) {
        let file = segment::prepare(&self.fs, data_dir(), header, allocate, true).expect("no faults");
        self.fs.close(file);
    }

    /// Prepares a segment and writes all batches into it, durably.
    pub fn segment(&self, header: &SegmentHeader, batches: &[Vec<u8>], allocate: u64) {
        self.prepare(header, allocate);
        self.write(header, HEADER_SIZE, &batches.concat(), true);
    }

    /// Writes bytes at a place of the segment's file.
    pub fn write(&self, header: &SegmentHeader, at: u64, bytes: &[u8], sync: bool) {
        with_file(&self.fs, &segment::path(data_dir(), header), OpenMode::ReadWrite, |file| {
            self.fs.write_at(file, at, bytes)?;
            if sync { self.fs.sync(file) } else { Ok(()) }
        })
        .expect("no faults");
    }

    /// Makes the segment's file exactly these bytes, durably.
    pub fn replace(&self, header: &SegmentHeader, bytes: &[u8]) {
        with_file(&self.fs, &segment::path(data_dir(), header), OpenMode::ReadWrite, |file| {
            self.fs.truncate(file, 0)?;
            self.fs.write_at(file, 0, bytes)?;
            self.fs.sync(file)
        })
        .expect("no faults");
    }

    pub fn bytes(&self, header: &SegmentHeader) -> Vec<u8> {
        read_file(&self.fs, &segment::path(data_dir(), header)).expect("it is there")
    }

    pub fn names(&self) -> Vec<String> {
        self.fs.list(&folder()).expect("it is there").into_iter().map(|entry| entry.name).collect()
    }

    pub fn recover(&self, checkpoint: Option<&Entry>) -> Result<Option<Recovered>, RecoveryError> {
        recover(&self.fs, data_dir(), partition(), checkpoint, &settings())
    }

    /// Recovers a log that is there, checks that what is answered and what is on the disk agree, and that recovering
    /// again changes nothing.
    pub fn recovered(&self, checkpoint: Option<&Entry>) -> Recovered {
        let recovered = self.recover(checkpoint).expect("it is not damaged").expect("it is there");
        self.check(&recovered);
        let again = self.recover(checkpoint).expect("it is not damaged").expect("it is there");
        // A segment that was cut down to nothing counts as never used the next time.
        if recovered.segments.last().is_some_and(|last| last.len > 0) || recovered.segments.len() == 1 {
            assert!(again == recovered, "recovering again changes something");
        }
        assert_eq!(again.end_position, recovered.end_position);
        assert_eq!(again.end_offset, recovered.end_offset);
        assert_eq!(self.world.open_files(), 0);
        recovered
    }

    fn check(&self, recovered: &Recovered) {
        for segment in &recovered.segments {
            let bytes = self.bytes(&segment.header);
            let end = usize::try_from(HEADER_SIZE + segment.len).expect("small");
            assert_eq!(bytes.len() as u64, HEADER_SIZE + segment.allocated);
            assert_eq!(zeros::first_in(&bytes[end..]), None, "nothing stale behind the end");

            let mut index = SparseIndex::new(segment.header.base_offset, segment.header.base_position);
            for batch in batch::batches(&bytes[BLOCK_SIZE..end], batch::CrcCheck::Full) {
                let place = index.covered_to();
                index.add(&batch.expect("only whole batches are left").header, place.position);
            }
            assert_eq!(segment.index, index, "as if all of it had been read");
        }
        let last = recovered.segments.last().expect("there is one");
        let end = last.index.covered_to();
        assert_eq!((recovered.end_position, recovered.end_offset), (end.position, end.offset));
        let bytes = self.bytes(&last.header);
        let end = usize::try_from(HEADER_SIZE + last.len).expect("small");
        assert_eq!(recovered.active_tail, bytes[end / BLOCK_SIZE * BLOCK_SIZE..end]);
        for segment in &recovered.segments[..recovered.segments.len() - 1] {
            assert!(segment.sealed && segment.allocated == segment.len);
        }
        assert!(!last.sealed);
    }
}

/// A checkpoint that says: flushed to the end of these batches, which begin the log.
pub fn checkpoint(flushed: &[Vec<u8>]) -> Entry {
    let mut producers = Producers::new(PRODUCERS_MAX);
    let (mut position, mut offset, mut epoch) = (0, Offset::ZERO, LeaderEpoch::new(-1));
    for bytes in flushed {
        let header = BatchHeader::parse(bytes).expect("it is one");
        producers.record(&header, header.base_offset, 500);
        position += bytes.len() as u64;
        (offset, epoch) = (header.end_offset(), header.leader_epoch);
    }
    let mut encoded = Vec::new();
    producers.encode(&mut encoded);
    Entry {
        flushed_position: Position::new(position),
        flushed_offset: offset,
        log_start: Offset::ZERO,
        last_epoch: epoch,
        producers: encoded,
    }
}

/// Where a recovery must say that something is wrong, in which segment, at which byte of its file.
pub fn assert_damaged(
    result: Result<Option<Recovered>, RecoveryError>,
    header: &SegmentHeader,
    at: u64,
) -> String {
    let error = result.expect_err("damage must be refused");
    let message = error.to_string();
    let RecoveryError::Damaged { file, offset, .. } = error else { panic!("not damage: {message}") };
    assert_eq!((file, offset), (segment::path(data_dir(), header), at), "{message}");
    message
}
