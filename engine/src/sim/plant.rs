//! Bugs planted on purpose, to prove that the simulator finds them.
//!
//! The engine asks [`planted`] where each bug would be. Outside the simulation that is a constant `false`, and the
//! branch vanishes. The switch belongs to the thread, so that tests running beside each other don't disturb one another;
//! the simulation runs everything, helper jobs included, in one thread.

/// A bug that somebody could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// An append is acknowledged once it is written, before its flush.
    AckBeforeFlush,
    /// A new segment's name isn't synced into its folder.
    SkipFolderSync,
    /// What lies behind a recovery's cut isn't zeroed.
    StaleBytesAfterCut,
    /// The watermark shows what isn't flushed yet.
    WatermarkEarly,
    /// A retried batch is acknowledged while its original is still under way.
    RetryAckedBeforeOriginal,
    /// A log's start is moved without waiting for the checkpoint that says so.
    LogStartNotStored,
    /// An area of a journal is written again before every log is settled that has bytes in it.
    JournalReusedEarly,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AckBeforeFlush,
        Self::SkipFolderSync,
        Self::StaleBytesAfterCut,
        Self::WatermarkEarly,
        Self::RetryAckedBeforeOriginal,
        Self::LogStartNotStored,
        Self::JournalReusedEarly,
    ];

    /// The name by which a run is told to plant it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeFlush => "ack-before-flush",
            Self::SkipFolderSync => "skip-folder-sync",
            Self::StaleBytesAfterCut => "stale-bytes-after-cut",
            Self::WatermarkEarly => "watermark-early",
            Self::RetryAckedBeforeOriginal => "retry-acked-before-original",
            Self::LogStartNotStored => "log-start-not-stored",
            Self::JournalReusedEarly => "journal-reused-early",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }
}

#[cfg(any(test, feature = "sim"))]
mod switch {
    use std::cell::Cell;

    use super::Plant;

    thread_local! {
        static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
    }

    /// Whether this bug is planted in this thread.
    #[must_use]
    pub fn planted(plant: Plant) -> bool {
        PLANTED.get() == Some(plant)
    }

    /// Plants this bug, and no other, in this thread; `None` for a sound engine.
    pub fn set_planted(plant: Option<Plant>) {
        PLANTED.set(plant);
    }
}

#[cfg(any(test, feature = "sim"))]
pub use switch::{planted, set_planted};

/// Whether this bug is planted: never, outside the simulation.
#[cfg(not(any(test, feature = "sim")))]
#[inline]
#[must_use]
pub const fn planted(_: Plant) -> bool {
    false
}
