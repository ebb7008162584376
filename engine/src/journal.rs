//! A shard's journal: where small appends become durable before their logs' own files have them.
//!
//! Appends to many partitions that are to be durable one by one would cost a write and a flush of each partition's file.
//! So what a shard's partitions have to acknowledge at one time goes as one **record** into the shard's journal, whose blocks
//! were all written before: one durable write, however many partitions it is for. Each log writes and flushes its own file
//! later, in larger groups, and out of everybody's way: it is **settled** then, and what the journal held of it is of no use
//! any more. After a crash [`replay`] copies what had not been settled into the logs' files, before anything else looks at
//! them, so that recovery knows nothing of journals.
//!
//! The file `journal-<shard>` in the data folder is made anew by every opening, and removed when everything is settled. Its
//! first block, in the frame of `stored`:
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 8 | magic `TORAJNL\n` |
//! | 8 | 4 | version: 1 (`u32`) |
//! | 12 | 8 | bytes of an area (`u64`), a multiple of the block size |
//! | 20 | 8 | the journal's id (`u64`): random, so that no record of another journal, or of a user, is taken for one of its own |
//! | 28 | 4 | the opening's epoch (`i32`): only a journal of the last opening is replayed |
//! | 32 | 4 | CRC-32C of bytes 0 to 31 |
//! | 36 | | zeros up to 4096 |
//!
//! Areas follow, each with records one after the other from its start. A record begins on a block:
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 4 | CRC-32C of the record's bytes from 4 on |
//! | 4 | 4 | bytes of the record, this header included, without what fills its last block (`u32`) |
//! | 8 | 8 | the journal's id (`u64`) |
//! | 16 | 8 | sequence (`u64`): one more than the record's before, whichever area that is in |
//! | 24 | 8 | the sequence from which on something may be unsettled (`u64`) |
//! | 32 | 4 | number of entries (`u32`) |
//! | 36 | | the entries |
//!
//! An entry, bytes of one partition's log that stand in one segment:
//!
//! | at | bytes | field |
//! | --: | --: | --- |
//! | 0 | 16 | topic id |
//! | 16 | 4 | partition's number (`i32`) |
//! | 20 | 4 | number of bytes (`u32`) |
//! | 24 | 8 | the segment's base offset (`i64`) |
//! | 32 | 8 | where the bytes stand in the segment's file (`u64`) |
//! | 40 | | the bytes |
//!
//! One record is written at a time, so that none is intact behind one that is not, unless the medium has lost something.
//! Areas are written again in the order in which they were written first, so that the records from the first one that
//! may be unsettled on are all there.
#![forbid(unsafe_code)]

mod areas;
mod replay;

use std::io;
use std::path::{Path, PathBuf};

pub use areas::Areas;
pub use replay::{JournalError, Replayed, SegmentId, replay, survey};

use crate::io::{BLOCK_SIZE, ChunkMut, File, Fs, OpenMode, Slice};
use crate::stored::{Reader, StoredError, Writer};
use crate::types::{LeaderEpoch, Offset, PartitionId, ShardId, TopicId};

const MAGIC: &[u8; 8] = b"TORAJNL\n";
const VERSION: u32 = 1;
const PREFIX: &str = "journal-";
/// Bytes of the file's own header that are looked at.
const FRAME_SIZE: usize = 36;

/// Zeros written at a time.
const ZEROS_SIZE: usize = 1 << 20;

/// Bytes before the first area.
pub const FILE_HEADER_SIZE: u64 = BLOCK_SIZE as u64;

/// Areas of a journal, at most: one is written, most wait for their logs to be settled, a few are free.
pub const AREAS_MAX: u64 = 16;

/// Bytes of a record before its entries.
pub const RECORD_HEADER_SIZE: usize = 36;
/// Bytes of an entry before what it holds.
pub const ENTRY_HEADER_SIZE: usize = 40;

/// The journal of a shard.
#[must_use]
pub fn path(data_dir: &Path, shard: ShardId) -> PathBuf {
    data_dir.join(format!("{PREFIX}{shard}"))
}

/// Whether a file of the data folder is a journal, by its name.
fn is_journal(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|shard| shard.parse::<u16>().is_ok())
}

/// How a journal begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Bytes of an area.
    pub area_bytes: u64,
    /// The journal's id.
    pub id: u64,
    /// The opening of the folder that it belongs to.
    pub epoch: LeaderEpoch,
}

/// The first block of a journal.
#[must_use]
pub fn file_header(header: FileHeader) -> Vec<u8> {
    let mut out = Writer::new(MAGIC, VERSION);
    out.u64(header.area_bytes);
    out.u64(header.id);
    out.i32(header.epoch.value());
    let mut block = out.finish();
    debug_assert_eq!(block.len(), FRAME_SIZE);
    block.resize(BLOCK_SIZE, 0);
    block
}

/// Reads the first block.
fn parse_file_header(block: &[u8]) -> Result<FileHeader, StoredError> {
    let frame = block.get(..FRAME_SIZE).ok_or(StoredError::Short)?;
    let mut reader = Reader::new(frame, MAGIC, VERSION)?;
    let header =
        FileHeader { area_bytes: reader.u64()?, id: reader.u64()?, epoch: LeaderEpoch::new(reader.i32()?) };
    reader.finish()?;
    let is_possible = header.area_bytes > 0 && header.area_bytes.is_multiple_of(BLOCK_SIZE as u64);
    if is_possible { Ok(header) } else { Err(StoredError::Field("area bytes")) }
}

/// Bytes of one partition's log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose they are.
    pub partition: PartitionId,
    /// The segment, by its base offset.
    pub segment: Offset,
    /// Where they stand in its file.
    pub at: u64,
    /// The bytes, in pieces.
    pub slices: Vec<Slice>,
}

impl Entry {
    /// Bytes of log in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slices.iter().map(|slice| slice.len()).sum()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn header(&self) -> [u8; ENTRY_HEADER_SIZE] {
        let len = u32::try_from(self.len()).expect("an entry is smaller than a record");
        let mut header = [0; ENTRY_HEADER_SIZE];
        header[..16].copy_from_slice(&self.partition.topic.bytes());
        header[16..20].copy_from_slice(&self.partition.index.value().to_le_bytes());
        header[20..24].copy_from_slice(&len.to_le_bytes());
        header[24..32].copy_from_slice(&self.segment.value().to_le_bytes());
        header[32..].copy_from_slice(&self.at.to_le_bytes());
        header
    }
}

/// Makes a shard's journal with its first area, durably, and opens it to be written.
///
/// # Errors
/// `AlreadyExists`, or the system's error; nothing is left behind that takes space then, unless it cannot be removed either.
pub fn make<F: Fs>(fs: &F, data_dir: &Path, shard: ShardId, header: FileHeader) -> io::Result<File> {
    let path = path(data_dir, shard);
    let file = fs.open(&path, OpenMode::CreateNew)?;
    let written =
        fs.write_at(file, 0, &file_header(header)).and_then(|()| first_area(fs, file, header.area_bytes));
    fs.close(file);
    let named = written.and_then(|()| fs.sync_folder(data_dir));
    named.and_then(|()| fs.open(&path, OpenMode::Direct)).inspect_err(|_| {
        // It would take space that others need until the next start, and be of no use.
        let _ = fs.remove_file(&path);
    })
}

/// Makes the first area of a new journal ready to be written, and everything durable: its blocks are written once, since a
/// flush of blocks that never were costs more.
fn first_area<F: Fs>(fs: &F, file: File, bytes: u64) -> io::Result<()> {
    let from = FILE_HEADER_SIZE;
    let zeros = vec![0; ZEROS_SIZE.min(usize::try_from(bytes).unwrap_or(ZEROS_SIZE))];
    let write = |at: u64| {
        let len = (from + bytes - at).min(zeros.len() as u64);
        fs.write_at(file, at, &zeros[..usize::try_from(len).expect("no longer than the zeros")])
    };
    let mut made = fs.allocate(file, from, bytes);
    for at in (from..from + bytes).step_by(zeros.len()) {
        made = made.and_then(|()| write(at));
    }
    made.and_then(|()| fs.sync(file))
}

/// What stands in a record's header, its entries aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The journal's id.
    pub id: u64,
    /// The record's sequence.
    pub sequence: u64,
    /// The sequence from which on something may be unsettled.
    pub live_from: u64,
}

/// Fills an empty chunk with a record and zeros up to the next block.
pub fn write_record(record: RecordHeader, entries: &[Entry], into: &mut ChunkMut) {
    let bytes: usize = entries.iter().map(|entry| ENTRY_HEADER_SIZE + entry.len()).sum();
    let bytes = u32::try_from(RECORD_HEADER_SIZE + bytes).expect("a record fits into a chunk");
    let count = u32::try_from(entries.len()).expect("entries fit into a chunk");
    let mut header = [0; RECORD_HEADER_SIZE];
    header[4..8].copy_from_slice(&bytes.to_le_bytes());
    header[8..16].copy_from_slice(&record.id.to_le_bytes());
    header[16..24].copy_from_slice(&record.sequence.to_le_bytes());
    header[24..32].copy_from_slice(&record.live_from.to_le_bytes());
    header[32..].copy_from_slice(&count.to_le_bytes());
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&header[4..]);
    for entry in entries {
        digest.update(&entry.header());
        entry.slices.iter().for_each(|slice| digest.update(slice));
    }
    let crc = u32::try_from(digest.finalize()).expect("a CRC of 32 bits");
    header[..4].copy_from_slice(&crc.to_le_bytes());

    let mut left = into.push(&header);
    for entry in entries {
        left += into.push(&entry.header());
        left += entry.slices.iter().map(|slice| into.push(slice)).sum::<usize>();
    }
    assert_eq!(left, bytes as usize, "a record fits into its chunk");
    let fill = [0; BLOCK_SIZE];
    into.push(&fill[..left.next_multiple_of(BLOCK_SIZE) - left]);
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record<'a> {
    sequence: u64,
    live_from: u64,
    /// Bytes up to the next record.
    blocks: usize,
    entries: Vec<Stored<'a>>,
}

/// An entry as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored<'a> {
    partition: PartitionId,
    segment: Offset,
    at: u64,
    bytes: &'a [u8],
}

/// The record of journal `id` that begins here; `None` where there is no intact one.
fn parse_record(bytes: &[u8], id: u64) -> Option<Record<'_>> {
    let mut header = Fields(bytes.get(..RECORD_HEADER_SIZE)?);
    let crc = u32::from_le_bytes(header.take()?);
    let len = usize::try_from(u32::from_le_bytes(header.take()?)).ok()?;
    if u64::from_le_bytes(header.take()?) != id {
        return None;
    }
    let sequence = u64::from_le_bytes(header.take()?);
    let live_from = u64::from_le_bytes(header.take()?);
    let count = u32::from_le_bytes(header.take()?);
    if crc_fast::crc32_iscsi(bytes.get(4..len)?) != crc {
        return None;
    }
    let mut fields = Fields(bytes.get(RECORD_HEADER_SIZE..len)?);
    let mut entries = Vec::new();
    for _ in 0..count {
        let topic = TopicId::new(fields.take()?);
        let partition = PartitionId::new(topic, i32::from_le_bytes(fields.take()?));
        let len = usize::try_from(u32::from_le_bytes(fields.take()?)).ok()?;
        let segment = Offset::new(i64::from_le_bytes(fields.take()?));
        let at = u64::from_le_bytes(fields.take()?);
        entries.push(Stored { partition, segment, at, bytes: fields.bytes(len)? });
    }
    let is_whole = fields.0.is_empty();
    is_whole.then(|| Record { sequence, live_from, blocks: len.next_multiple_of(BLOCK_SIZE), entries })
}

/// What is left to be read of a record.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests;
