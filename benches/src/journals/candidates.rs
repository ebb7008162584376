//! The journals, each behind the same few calls, each used as its documentation says for flushed appends.

mod file;
mod fjall;
mod nano_wal;
mod okaywal;
mod redb;
mod tora;

use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;

use super::measure::{Latencies, Records, Until};
use super::{Failure, IN_FLIGHT, RECORD_BYTES};

/// A journal to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Candidate {
    /// This project's engine, embedded
    Tora,
    /// A file, write(2) and fdatasync(2)
    File,
    /// An LSM tree
    Fjall,
    /// A B-tree
    Redb,
    /// A write-ahead log with group commit
    Okaywal,
    /// A log of files
    NanoWal,
}

impl Candidate {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tora => "tora",
            Self::File => "file",
            Self::Fjall => "fjall",
            Self::Redb => "redb",
            Self::Okaywal => "okaywal",
            Self::NanoWal => "nano-wal",
        }
    }

    /// How it keeps many appends in flight.
    pub fn way(self) -> &'static str {
        match self {
            Self::Tora => "64 futures of one thread",
            Self::Okaywal => "64 threads",
            Self::File | Self::Fjall | Self::Redb | Self::NanoWal => "commits of 64 by one thread",
        }
    }

    /// Opens it in an empty folder.
    pub fn open(self, folder: &Path) -> Result<Box<dyn Journal>, Failure> {
        Ok(match self {
            Self::Tora => Box::new(tora::Tora::open(folder)?),
            Self::File => Box::new(Batches(file::Plain::open(folder)?)),
            Self::Fjall => Box::new(Batches(fjall::Fjall::open(folder)?)),
            Self::Redb => Box::new(Batches(redb::Redb::open(folder)?)),
            Self::Okaywal => Box::new(okaywal::OkayWal::open(folder)?),
            Self::NanoWal => Box::new(Batches(nano_wal::NanoWal::open(folder)?)),
        })
    }
}

/// What a journal can do.
pub trait Journal {
    /// Appends a record; returns when it is flushed.
    fn append(&mut self, record: &[u8]) -> Result<(), Failure>;

    /// Appends with [`IN_FLIGHT`] under way at all times, until it is time.
    fn append_many(&mut self, records: &mut Records, until: Until) -> Result<Latencies, Failure>;

    /// Reads every record, in order.
    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure>;
}

/// A journal that groups nothing itself, so that its caller collects records and commits them together.
pub trait Commits {
    /// Commits records together; returns when they are flushed.
    fn commit(&mut self, records: &[[u8; RECORD_BYTES]]) -> Result<(), Failure>;

    /// Reads every record, in order.
    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure>;
}

/// Keeps [`IN_FLIGHT`] appends in flight by committing so many together. That is kinder than life, in which a writer's
/// thread has to be handed the records of others and to wake them afterwards.
struct Batches<J>(J);

impl<J: Commits> Journal for Batches<J> {
    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.0.commit(&[record.try_into()?])
    }

    fn append_many(&mut self, records: &mut Records, until: Until) -> Result<Latencies, Failure> {
        let mut latencies = Latencies::start();
        while until.goes_on() {
            let group: [_; IN_FLIGHT] = std::array::from_fn(|_| records.next());
            let begun = Instant::now();
            self.0.commit(&group)?;
            let took = begun.elapsed();
            (0..IN_FLIGHT).for_each(|_| latencies.record(took));
        }
        Ok(latencies.stop())
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        self.0.read_all(visit)
    }
}
