//! The end of the log: is what follows the last good batch a torn end, or damage?
//!
//! At most W bytes of a segment are unflushed at any time, so a crash can spoil only bytes that lie less than W behind
//! the last flushed one. The first bad batch begins at or behind that one; an intact batch of this log that begins more
//! than W behind the first bad one was therefore flushed, and with it everything before it. Within W the two cannot be
//! told apart, and what is there is cut.

use std::io;

use super::error::RecoveryError;
use super::reader::Reader;
use super::scan::{Expected, Fault, Window};
use crate::batch::{BatchHeader, CrcCheck, Read, layout, read_one};
use crate::io::{BLOCK_SIZE, Fs};
use crate::log::segment::zeros::{first_in, last_in};
use crate::log::segment::{HEADER_SIZE, SegmentHeader};
use crate::sim::plant::{Plant, planted};
use crate::types::{LeaderEpoch, Offset};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;
/// Bytes skipped in one step where they are zeros.
const STEP: usize = 4096;

/// Where a log's last segment stops being right.
pub(super) struct End<'a> {
    pub header: &'a SegmentHeader,
    /// The end of the last good batch, an offset in the file.
    pub at: u64,
    /// What is there instead of another one; `None` at the file's end.
    pub fault: Option<Fault>,
    pub expected: Expected,
    /// The epoch of this opening: no batch is of a later one.
    pub current: LeaderEpoch,
}

impl End<'_> {
    /// Decides. Answers the first and the last byte that a crash tore; `None` where nothing but zeros follows.
    pub(super) fn judge<F: Fs>(&self, file: &Reader<'_, F>) -> Result<Option<(u64, u64)>, RecoveryError> {
        let reading = || RecoveryError::io("reading", &file.path);
        let rest = self.rest(file).map_err(reading())?;
        let beyond = self.at.saturating_add(self.header.unflushed_max);
        let proof = match rest {
            Some((_, last)) if last > beyond => self.batch_behind(file, beyond).map_err(reading())?,
            _ => None,
        };
        if let Some(proof) = proof {
            let fault =
                self.fault.map_or_else(|| "a batch should begin there".to_owned(), |fault| fault.to_string());
            let why = format!(
                "{fault}; the intact batch at byte {proof}, more than the {} bytes behind it that can be unflushed, \
                 proves that there was one",
                self.header.unflushed_max
            );
            return Err(RecoveryError::damaged(&file.path, self.at, why));
        }
        Ok(rest)
    }

    /// Decides, and makes the last good batch the end: nothing but zeros follows it afterwards. Nothing is synced yet.
    /// Answers the file's size and whether anything was changed.
    pub(super) fn settle<F: Fs>(&self, file: &mut Reader<'_, F>) -> Result<(u64, bool), RecoveryError> {
        let Some((first, last)) = self.judge(file)? else { return Ok((file.size, false)) };
        log::warn!(
            "{}: cut at byte {}, offset {}: {} bytes behind it, from byte {first} to byte {last}, were not flushed \
             before a crash",
            file.path.display(),
            self.at,
            self.expected.offset,
            last + 1 - self.at
        );
        let size = self.cut(file).map_err(RecoveryError::io("cutting", &file.path))?;
        file.forget(self.at);
        self.check_cut(file).map_err(RecoveryError::io("cutting", &file.path))?;
        Ok((size, true))
    }

    /// Looks whether the cut has left nothing behind: a stale batch would become a valid one again as soon as new ones
    /// fill the gap before it. Cuts are rare, and what is read is the space that was allocated ahead.
    fn check_cut<F: Fs>(&self, file: &Reader<'_, F>) -> io::Result<()> {
        match self.rest(file)? {
            None => Ok(()),
            Some((first, _)) => Err(io::Error::other(format!("byte {first} behind the cut is not zero"))),
        }
    }

    /// The first and the last byte behind the end that are not zero; `None` if all are.
    fn rest<F: Fs>(&self, file: &Reader<'_, F>) -> io::Result<Option<(u64, u64)>> {
        let mut rest = None;
        file.for_each_piece(self.at..file.size, |at, piece| {
            if let Some(last) = last_in(piece) {
                let first = first_in(piece).expect("there is a last one") as u64;
                rest = Some((rest.map_or(at + first, |(first, _)| first), at + last as u64));
            }
            true
        })?;
        Ok(rest)
    }

    /// Where, and with which offset, an intact batch of this log follows the missing one.
    pub(super) fn goes_on<F: Fs>(&self, file: &Reader<'_, F>) -> io::Result<Option<(u64, Offset)>> {
        let Some(at) = self.batch_behind(file, self.at)? else { return Ok(None) };
        let mut head = [0; layout::HEADER_SIZE];
        file.read_at(at, &mut head)?;
        Ok(BatchHeader::parse(&head).ok().map(|batch| (at, batch.base_offset)))
    }

    /// Where the first intact batch of this log begins behind the byte `beyond`.
    ///
    /// Batches follow each other without gaps or alignment, so one may begin at any byte. Few can: the magic byte is a 2
    /// and the numbers before it are small.
    fn batch_behind<F: Fs>(&self, file: &Reader<'_, F>, beyond: u64) -> io::Result<Option<u64>> {
        let mut window = Window::new(file, file.size, PIECE);
        let mut candidate = Window::new(file, file.size, layout::HEADER_SIZE);
        let mut at = beyond + 1;
        while at + (layout::HEADER_SIZE as u64) <= file.size {
            let bytes = window.bytes(at, layout::HEADER_SIZE)?;
            let Some(starts) = bytes.len().checked_sub(layout::HEADER_SIZE - 1) else { break };
            let mut index = 0;
            while index < starts {
                // A batch that begins within these has its magic byte within them or just behind.
                let step = index..(index + STEP).min(starts);
                if first_in(&bytes[step.start + layout::MAGIC..step.end + layout::MAGIC]).is_none() {
                    index = step.end;
                    continue;
                }
                for start in step.clone() {
                    if !self.is_plausible(&bytes[start..]) {
                        continue;
                    }
                    let start = at + start as u64;
                    if self.is_intact(&mut candidate, start, file.size)? {
                        return Ok(Some(start));
                    }
                }
                index = step.end;
            }
            at += starts as u64;
        }
        Ok(None)
    }

    /// Whether a batch of this log, of a later offset than the missing one, could begin here.
    fn is_plausible(&self, bytes: &[u8]) -> bool {
        bytes[layout::MAGIC].cast_signed() == layout::MAGIC_V2
            && BatchHeader::parse(bytes).is_ok_and(|batch| {
                batch.base_offset > self.expected.offset
                    && (self.expected.epoch..=self.current).contains(&batch.leader_epoch)
                    && batch.total_size() as u64 <= self.header.unflushed_max
            })
    }

    fn is_intact<F: Fs>(&self, window: &mut Window<'_, F>, at: u64, size: u64) -> io::Result<bool> {
        let left = usize::try_from(size - at).unwrap_or(usize::MAX);
        let mut needed = layout::HEADER_SIZE;
        loop {
            let bytes = window.bytes(at, needed)?;
            match read_one(bytes, left, CrcCheck::Full) {
                Read::Complete(_) => return Ok(true),
                Read::Incomplete { needed: more } if more <= left && bytes.len() >= needed => needed = more,
                Read::Incomplete { .. } | Read::Invalid(_) => return Ok(false),
            }
        }
    }

    /// Gives the space behind the end back and takes it again, so that it reads as zeros. Answers the file's size.
    fn cut<F: Fs>(&self, file: &Reader<'_, F>) -> io::Result<u64> {
        let size = file.size;
        if planted(Plant::StaleBytesAfterCut) {
            return Ok(size);
        }
        file.fs.truncate(file.file, self.at)?;
        match file.fs.allocate(file.file, self.at, size - self.at) {
            Ok(()) => Ok(size),
            // The next append asks again, and can wait.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => file.fs.size(file.file),
            Err(error) => Err(error),
        }
    }

    /// Makes the survivors durable and answers those in the last, partial block, and the first batch's largest timestamp.
    pub(super) fn finish<F: Fs>(
        &self,
        file: &Reader<'_, F>,
        sync: bool,
    ) -> Result<(Vec<u8>, i64), RecoveryError> {
        let finish = || {
            if sync {
                file.fs.sync(file.file)?;
            }
            let start = self.at - self.at % BLOCK_SIZE as u64;
            let mut block = vec![0; (self.at - start) as usize];
            let count = file.read_at(start, &mut block)?;
            if count < block.len() {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file became shorter meanwhile",
                ));
            }
            let mut first = [0; layout::HEADER_SIZE];
            let has_batches = self.at > HEADER_SIZE && file.read_at(HEADER_SIZE, &mut first)? == first.len();
            let first = has_batches.then(|| BatchHeader::parse(&first).ok()).flatten();
            Ok((block, first.map_or(-1, |first| first.max_timestamp)))
        };
        finish().map_err(RecoveryError::io("syncing", &file.path))
    }
}
