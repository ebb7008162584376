//! The indexes of what recovery does not scan: loaded if they can be, rebuilt from the batches' headers if not.

use std::path::Path;

use super::error::RecoveryError;
use super::files::Found;
use super::reader::Reader;
use super::scan::{Expected, Next, Scan};
use crate::batch::CrcCheck;
use crate::io::{Fs, OpenMode, read_file};
use crate::log::index::{CoveredTo, SparseIndex};
use crate::log::segment::{self, HEADER_SIZE};
use crate::types::{LeaderEpoch, Position};

/// Before any batch.
const NO_EPOCH: LeaderEpoch = LeaderEpoch::new(i32::MIN);

/// An index, and what of it needs not be saved.
pub(super) struct Loaded {
    /// Of the segment's batches up to where it was asked for.
    pub index: SparseIndex,
    /// Whether that is what the saved one has, no more and no less.
    pub is_saved: bool,
    /// Up to here it was loaded from the saved one; [`Position::ZERO`] where it was not.
    pub saved_to: Position,
    /// Why the saved one is of no use, if it is there and is not.
    pub unfit: Option<String>,
}

/// The index of a segment's batches up to `end`, which are known to be flushed. `file` is the segment's, if it is open.
pub(super) fn load<F: Fs>(
    fs: &F,
    folder: &Path,
    found: &Found,
    file: Option<&Reader<'_, F>>,
    end: CoveredTo,
) -> Result<Loaded, RecoveryError> {
    let unfit = match read(fs, folder, found) {
        Ok(None) => None,
        Ok(Some(mut index)) => {
            let is_saved = index.covered_to() == end;
            index.truncate_to(end.offset);
            let saved_to = index.covered_to().position;
            // What it covers decides where reading begins; if that leads nowhere, the index was wrong and not the segment.
            if is_saved || extend(fs, found, file, &mut index, end).is_ok() {
                return Ok(Loaded { index, is_saved, saved_to, unfit: None });
            }
            Some("does not fit its segment".to_owned())
        }
        Err(why) => Some(why),
    };
    let mut index = SparseIndex::new(found.header.base_offset, found.header.base_position);
    extend(fs, found, file, &mut index, end)?;
    Ok(Loaded { index, is_saved: false, saved_to: Position::ZERO, unfit })
}

/// The saved index, if there is one. Fails with the reason why it is of no use.
fn read<F: Fs>(fs: &F, folder: &Path, found: &Found) -> Result<Option<SparseIndex>, String> {
    if !found.has_index {
        return Ok(None);
    }
    let path = folder.join(segment::index_name(found.header.base_offset));
    let bytes = read_file(fs, &path).map_err(|error| format!("cannot be read: {error}"))?;
    match SparseIndex::decode(&bytes) {
        Ok(index)
            if index.base_offset() == found.header.base_offset
                && index.base_position() == found.header.base_position =>
        {
            Ok(Some(index))
        }
        Ok(_) => Err("belongs to another segment".to_owned()),
        Err(error) => Err(format!("cannot be used: {error}")),
    }
}

/// Goes on where the index ends, up to `end`, looking at headers only.
fn extend<F: Fs>(
    fs: &F,
    found: &Found,
    file: Option<&Reader<'_, F>>,
    index: &mut SparseIndex,
    end: CoveredTo,
) -> Result<(), RecoveryError> {
    let CoveredTo { position, offset } = index.covered_to();
    if position > end.position {
        return Err(RecoveryError::damaged(
            &found.path,
            found.header.file_offset(end.position),
            "no batch ends there",
        ));
    }
    let opened;
    let file = match file {
        Some(file) => file,
        None => {
            opened = Reader::open(fs, &found.path, OpenMode::Read, HEADER_SIZE)?;
            &opened
        }
    };
    let expected = Expected { offset, epoch: NO_EPOCH };
    let limit = found.header.file_offset(end.position);
    let mut scan = Scan::new(file, &found.header, CrcCheck::Skip, position, limit, expected);
    loop {
        let at = scan.at();
        match scan.next().map_err(RecoveryError::io("reading", &found.path))? {
            Next::Batch(batch) => index.add(&batch, found.header.position(at)),
            Next::End => break,
            Next::Fault(fault) => {
                let why = format!("{fault}, and this part of the log was flushed");
                return Err(RecoveryError::damaged(&found.path, at, why));
            }
        }
    }
    let reached = scan.expected().offset;
    if reached == end.offset {
        return Ok(());
    }
    let why = format!("its batches end with offset {reached} there, and offset {} was flushed", end.offset);
    Err(RecoveryError::damaged(&found.path, limit, why))
}
