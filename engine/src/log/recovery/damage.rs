//! What is wrong with a data folder, in words for whoever has to decide what to do about it.

use std::fmt;
use std::path::PathBuf;

use super::error::RecoveryError;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which file, or folder.
    pub file: PathBuf,
    /// From which byte on.
    pub offset: u64,
    /// What it is.
    pub why: String,
    /// Which records are lost, as far as can be told.
    pub lost: String,
    /// What the next start makes of it, and of whatever else is wrong with the partition.
    pub start: AtStart,
    /// What to do.
    pub advice: String,
}

/// What a start makes of a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtStart {
    /// It opens nothing of the folder.
    RefusesFolder,
    /// It leaves the partition closed and opens the others.
    RefusesPartition,
    /// It opens the partition: it does not read what had been flushed long before.
    Overlooks,
    /// It makes the file anew, from others.
    Repairs,
}

impl AtStart {
    /// One word, for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefusesFolder => "refuses-folder",
            Self::RefusesPartition => "refuses-partition",
            Self::Overlooks => "overlooks",
            Self::Repairs => "repairs",
        }
    }
}

impl fmt::Display for AtStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefusesFolder => "the next start refuses the whole folder",
            Self::RefusesPartition => "the next start leaves this partition closed, and opens the others",
            Self::Overlooks => {
                "the next start opens the partition, since it does not read this again; whoever reads there gets an error, \
                 or what does not match its checksum"
            }
            Self::Repairs => "the next start makes that file anew",
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, why, lost, start, advice } = self;
        write!(f, "{} at byte {offset}: {why}. Lost: {lost}; {start}. {advice}", file.display())
    }
}

impl Damage {
    /// Damage to a file that says nothing which others do not say.
    pub(crate) fn repairable(file: PathBuf, why: String, lost: &str) -> Self {
        let advice = "Nothing has to be done about it; but whatever damaged it may damage more, so look after the disk";
        Self {
            file,
            offset: 0,
            why,
            lost: lost.to_owned(),
            start: AtStart::Repairs,
            advice: advice.to_owned(),
        }
    }
}

impl Damage {
    /// What a start would refuse a log for. Where that is `journaled`, journals hold records of it.
    pub(super) fn of(error: RecoveryError, journaled: bool) -> Self {
        let advice = error.advice(journaled);
        let (file, offset, why, lost) = match error {
            RecoveryError::Damaged { file, offset, why } => {
                (file, offset, why, "what was stored from that byte on, as far as this can be told")
            }
            RecoveryError::Missing { folder, flushed } => (
                folder,
                0,
                format!("its segments are gone, and {flushed} bytes of log were flushed"),
                "all of them",
            ),
            RecoveryError::EpochBehind { file, offset, found, current } => {
                // No batch begins at a file's first byte.
                let what = if offset == 0 { "the checkpoint says that a batch had" } else { "a batch has" };
                let why = format!("{what} leader epoch {found}, and the next start's is {current}");
                (file, offset, why, "nothing")
            }
            RecoveryError::Io { doing, path, error } => {
                (path, 0, format!("{doing} it failed: {error}"), "what cannot be read, if it stays so")
            }
            RecoveryError::Newer { file, error } => (file, 0, error.to_string(), "nothing"),
        };
        Self { file, offset, why, lost: lost.to_owned(), start: AtStart::RefusesPartition, advice }
    }
}
