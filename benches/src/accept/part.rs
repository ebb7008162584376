//! The parts of the acceptance.

use clap::ValueEnum;

use super::report::Report;
use super::{Setup, embedded, many, partitions, recovery, rounds, start, steady};
use crate::reads;

/// A part of the acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Flushed produce against the floor
    Produce,
    /// Written (not flushed) produce against the floor
    Written,
    /// Requests of one record from 64 connections, flushed, against the floor
    OneRecord,
    /// 2,000 requests of one record a second, flushed, against the disk's own write and flush
    OpenLoop,
    /// The embedded engine against the disk, and beside other journals
    Embedded,
    /// Consumers that follow the producers: every record, as fast as they come
    ConsumeHot,
    /// The broker's CPU time for consumers that read what is in memory
    HotReads,
    /// Consumers that read from the disk, against the disk itself
    ColdReads,
    /// What producers feel of a consumer that reads from the disk
    BesideReads,
    /// 1,000 partitions against 4
    ManyPartitions,
    /// Time until tora is ready on an empty folder
    Start,
    /// Resident memory when idle
    Idle,
    /// Recovery of a 4 GB log after kill -9
    Recovery,
    /// 10,000 partitions: ready after kill -9, and resident memory when idle
    Partitions,
}

impl Part {
    /// Measures it.
    pub fn measure(self, setup: &Setup, report: &mut Report) -> Result<(), String> {
        match self {
            Self::Produce => rounds::beside_the_floor(setup, &rounds::FLUSHED, report),
            Self::Written => rounds::beside_the_floor(setup, &rounds::WRITTEN, report),
            Self::OneRecord => rounds::beside_the_floor(setup, &rounds::ONE_RECORD, report),
            Self::OpenLoop => steady::open_loop(setup, report),
            Self::Embedded => embedded::beside_the_disk(setup, report),
            Self::ConsumeHot => rounds::consume_hot(setup, report),
            Self::HotReads => reads::hot(setup, report),
            Self::ColdReads => reads::cold(setup, report),
            Self::BesideReads => reads::beside(setup, report),
            Self::ManyPartitions => many::against_few(setup, report),
            Self::Start => start::ready(setup, report),
            Self::Idle => start::idle(setup, report),
            Self::Recovery => recovery::recover(setup, report),
            Self::Partitions => partitions::ready(setup, report),
        }
    }

    /// Bytes that it has on the disk at a time, roughly: what a fast disk takes while it runs.
    pub fn disk_bytes(self) -> u64 {
        let gib = match self {
            // The floor's file of blocks that were never written is as large as the longest run needs.
            Self::Produce | Self::Written => rounds::FRESH_FILE_GIB + 1,
            Self::ConsumeHot | Self::ColdReads | Self::BesideReads | Self::ManyPartitions => 16,
            Self::Recovery => 8,
            Self::Partitions => 3,
            Self::OneRecord | Self::OpenLoop | Self::Embedded | Self::HotReads => 2,
            Self::Start | Self::Idle => 1,
        };
        gib << 30
    }
}
