//! Looking for bytes that are not zero in space that should hold nothing yet.

use std::io;
use std::ops::Range;

use crate::io::{File, Fs};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;
/// Bytes looked at in one step, which compiles to a few vector instructions.
const STEP: usize = 256;

/// The first byte of `range` that is not zero, as an offset in the file; `None` if there is none before the file's end.
pub(in crate::log) fn first_nonzero<F: Fs>(fs: &F, file: File, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut found = None;
    for_each_piece(fs, file, range, |at, piece| {
        found = first_in(piece).map(|index| at + index as u64);
        found.is_none()
    })?;
    Ok(found)
}

/// Hands the bytes of `range` to `look` piece by piece, each with its offset in the file, until it answers `false` or
/// the file ends.
pub(in crate::log) fn for_each_piece<F: Fs>(
    fs: &F,
    file: File,
    range: Range<u64>,
    mut look: impl FnMut(u64, &[u8]) -> bool,
) -> io::Result<()> {
    let mut at = range.start;
    let mut buffer = vec![0; PIECE.min(usize::try_from(range.end.saturating_sub(at)).unwrap_or(PIECE))];
    while at < range.end {
        let wanted = usize::try_from(range.end - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = fs.read_at(file, at, &mut buffer[..wanted])?;
        if count == 0 || !look(at, &buffer[..count]) {
            break;
        }
        at += count as u64;
    }
    Ok(())
}

/// The first byte that is not zero.
pub(in crate::log) fn first_in(bytes: &[u8]) -> Option<usize> {
    let step = bytes.chunks(STEP).position(|step| !is_zero(step))?;
    let start = step * STEP;
    bytes[start..].iter().position(|byte| *byte != 0).map(|index| start + index)
}

/// The last byte that is not zero.
pub(in crate::log) fn last_in(bytes: &[u8]) -> Option<usize> {
    let (step, start) = bytes
        .chunks(STEP)
        .enumerate()
        .rev()
        .find(|(_, step)| !is_zero(step))
        .map(|(index, step)| (step, index * STEP))?;
    step.iter().rposition(|byte| *byte != 0).map(|index| start + index)
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |all, byte| all | byte) == 0
}
