//! Why a partition's log cannot be opened, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::stored::StoredError;
use crate::types::{LeaderEpoch, Position};

/// Why a partition stays closed. No other partition is affected.
#[derive(Debug)]
pub enum RecoveryError {
    /// A call failed. Nothing is lost by that, and trying again is safe.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What came back.
        error: io::Error,
    },
    /// Bytes that had been flushed are not what they were.
    Damaged {
        /// The file.
        file: PathBuf,
        /// The first byte that is wrong, counted from the file's start.
        offset: u64,
        /// What is wrong there, and how it is known that it was right once.
        why: String,
    },
    /// The folder, or all segments in it, are gone though the checkpoint knows of flushed records.
    Missing {
        /// The partition's folder.
        folder: PathBuf,
        /// Up to where its log had been flushed.
        flushed: Position,
    },
    /// A newer program wrote the file.
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format version and the one that this program reads.
        error: StoredError,
    },
    /// The log has a batch of a later leader epoch than this opening has: the data folder's `broker-epoch` went back.
    /// New batches would look older than those before them, and the next recovery would cut them.
    EpochBehind {
        /// The file with the batch.
        file: PathBuf,
        /// Where the batch begins in it.
        offset: u64,
        /// The batch's epoch.
        found: LeaderEpoch,
        /// This opening's epoch.
        current: LeaderEpoch,
    },
}

impl RecoveryError {
    /// Whether the process, or the machine, had as many files open as it may: later it may go well.
    #[must_use]
    pub fn no_descriptors(&self) -> bool {
        matches!(self, Self::Io { error, .. } if crate::log::no_descriptors(error))
    }
}

impl RecoveryError {
    /// What to do about it. Where the log is `journaled`, journals hold records of it that a start would write behind a cut.
    pub(super) fn advice(&self, journaled: bool) -> String {
        match self {
            Self::Io { .. } => "See that the file can be read, and try again".to_owned(),
            Self::Damaged { .. } if journaled => "Restore the whole folder from a copy. Or start the server once and stop it, \
                                                  so that what the files journal-* hold of this log is copied into it; then \
                                                  verify it again, and only then give anything up: a start would write that \
                                                  behind a cut made now"
                .to_owned(),
            Self::Damaged { file, offset, .. } => format!(
                "Restore the file from a copy. Or give up what was stored from that byte on: stop the server, run \
                 `truncate -s {offset} {}`, remove the later .log files of that folder and all files checkpoint-* of the \
                 data folder, and start again",
                file.display()
            ),
            Self::Missing { .. } => {
                "Restore the folder from a copy. Or give its records up: stop the server, remove all \
                                     files checkpoint-* of the data folder, and start again"
                    .to_owned()
            }
            Self::Newer { .. } => "Use the newer Tora".to_owned(),
            Self::EpochBehind { found, .. } => format!(
                "The file broker-epoch of the data folder is older than the logs. Stop the server, write the number \
                 {found} into it, and start again"
            ),
        }
    }

    /// Turns a failed call into one of these.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { doing, path: path.to_owned(), error }
    }

    pub(super) fn damaged(file: &Path, offset: u64, why: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), offset, why: why.into() }
    }
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Before a log is opened journals are copied into it and removed.
        let advice = self.advice(false);
        match self {
            Self::Io { doing, path, error } => write!(f, "{doing} {} failed: {error}", path.display()),
            Self::Damaged { file, offset, why } => {
                let file = file.display();
                write!(f, "{file} is damaged at byte {offset}: {why}. The partition stays closed. {advice}")
            }
            Self::Missing { folder, flushed } => write!(
                f,
                "{} has lost its segments: {flushed} bytes of log were flushed there. The partition stays closed. {advice}",
                folder.display()
            ),
            Self::Newer { file, error } => write!(f, "{} cannot be read: {error}", file.display()),
            Self::EpochBehind { file, offset, found, current } => write!(
                f,
                "{} has a batch of leader epoch {found} at byte {offset}, but this start got epoch {current}. {advice}",
                file.display()
            ),
        }
    }
}

impl std::error::Error for RecoveryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Newer { error, .. } => Some(error),
            Self::Damaged { .. } | Self::Missing { .. } | Self::EpochBehind { .. } => None,
        }
    }
}
