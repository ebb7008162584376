//! Retention: which of the oldest segments are kept no longer.

use crate::io::Fs;
use crate::log::{Log, Wanted};
use crate::types::Offset;

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// A segment goes once its latest record is so many milliseconds old; −1 for never.
    pub ms: i64,
    /// The oldest segments go while so many bytes are left without them; −1 for never.
    pub bytes: i64,
}

impl Retention {
    /// Everything for ever.
    pub const ALL: Self = Self { ms: -1, bytes: -1 };
}

impl Log {
    /// Has the start moved past the segments that are kept no longer, the active one ended if it is among them. Says whether
    /// a checkpoint has to be written for that. What could not be removed the last time may be removed again.
    pub fn retain<F: Fs>(&mut self, now_ms: i64, out: &mut Wanted<F>) -> bool {
        self.remove_again();
        if self.failed.is_some() {
            return false;
        }
        let mut moves = false;
        if let Some((start, with_active)) = self.outlived(now_ms) {
            if with_active {
                self.roll(0, out);
            }
            moves = self.want_start(start);
        }
        // There may have been no space for it the last time.
        self.bring_successor(out);
        moves
    }

    /// Where the log may start, if not where it does, and whether the active segment lies before that.
    fn outlived(&self, now_ms: i64) -> Option<(Offset, bool)> {
        let bytes = self.settings.retention.bytes;
        let appended = self.positions.appended().position();
        let held = appended.since(self.segments.first()?.base());
        let mut excess = u64::try_from(bytes).map_or(0, |bytes| held.saturating_sub(bytes));
        let aged = self.aged(now_ms);
        let mut start = None;
        for (nth, segment) in self.segments.iter().enumerate() {
            let len = segment.end.unwrap_or(appended).since(segment.base());
            let is_active = segment.end.is_none();
            let goes = nth < aged || (bytes >= 0 && excess >= len);
            // An empty active segment is what is left in the end.
            let may_go = segment.index.covered_to().offset <= self.durable.offset()
                && !(is_active && (len == 0 || self.growth.in_flight));
            if !goes || !may_go {
                break;
            }
            excess = excess.saturating_sub(len);
            start = Some((segment.index.covered_to().offset, is_active));
        }
        start
    }

    /// How many of the first segments have grown too old. One whose records have no timestamps goes with the next.
    fn aged(&self, now_ms: i64) -> usize {
        let ms = self.settings.retention.ms;
        if ms < 0 {
            return 0;
        }
        let mut aged = 0;
        for (nth, segment) in self.segments.iter().enumerate() {
            match segment.index.max_timestamp() {
                ..0 => {}
                latest if now_ms.saturating_sub(latest) > ms => aged = nth + 1,
                _ => break,
            }
        }
        aged
    }
}

#[cfg(test)]
mod tests;
