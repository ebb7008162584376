//! A moment's wait for those who were just answered.
//!
//! Who appends one record after the other has the next one ready a few microseconds after it was told of the one before. A
//! shard that wrote its next round at once, with what had come from others meanwhile, would have two crowds take turns: each
//! appender would wait for two rounds, its own and the others'. So a shard that has answered several outside looks at its
//! mailbox for a moment, until as many have come again.
//!
//! For one alone that would be in vain: there is no other crowd, and it is woken sooner on the core that the shard leaves by
//! going to sleep. Where they do not come, it is tried ever more seldom.

use super::Shard;
use crate::io::Io;
use crate::limits;
use crate::mailbox::gather::Gathering;
use crate::mailbox::{Mail, ReplyTo};

/// Whom a shard has answered, and whether waiting for them pays.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// Threads, or records, that were answered since it last waited.
    answered: usize,
    /// How often in a row most of them did not come.
    failures: u32,
    /// How often not to wait.
    skips: u32,
}

impl Lingering {
    /// So many outside were answered.
    pub(super) fn note_answered(&mut self, count: usize) {
        self.answered += count;
    }

    /// Whether there are some to wait for.
    pub(super) const fn is_due(&self) -> bool {
        self.answered >= limits::LINGER_ANSWERED_MIN
    }

    /// How many to wait for now; `None` where it does not pay.
    fn begin(&mut self) -> Option<usize> {
        let is_due = self.is_due();
        let answered = std::mem::take(&mut self.answered);
        if is_due && self.skips > 0 {
            self.skips -= 1;
            return None;
        }
        is_due.then_some(answered)
    }

    /// Of those waited for, so many came, within the time that they had.
    fn end(&mut self, wanted: usize, came: usize, in_time: bool) {
        if in_time && 2 * came >= wanted {
            self.failures = 0;
        } else {
            self.failures = (self.failures + 1).min(limits::LINGER_FAILURES_MAX);
            self.skips = (1 << self.failures) - 1;
        }
    }
}

impl<I: Io> Shard<I> {
    /// Waits a moment for those who were answered since the last time, and takes what comes.
    pub(super) fn linger(&mut self) {
        let Some(wanted) = self.lingering.begin() else { return };
        // Those who are waited for may need this core.
        if self.stopping || !self.io.give_way() {
            return;
        }
        let until = self.io.now().plus(patience(wanted));
        let (mut came, mut gathering): (usize, Option<Gathering>) = (0, None);
        loop {
            let gathered = gathering.as_ref().map_or(0, |gathering| gathering.records() + self.inbox.len());
            if came + gathered >= wanted || self.io.now() >= until {
                came += gathered;
                break;
            }
            // What is gathered grows until it is taken, and nothing that came after it may take effect before it.
            let mail = if gathering.is_none() { self.inbox.pop() } else { None };
            match mail {
                Some(Mail::Gathered(more)) => gathering = Some(more),
                Some(mail) => {
                    came += usize::from(matches!(mail, Mail::Request { from: ReplyTo::Handle(_), .. }));
                    self.take(mail);
                }
                None => _ = self.io.give_way(),
            }
        }
        if let Some(gathering) = gathering {
            self.append_gathered(gathering);
        }
        // Where somebody else has taken the core meanwhile, and kept it, it does not pay.
        let in_time = self.io.now() < until.plus(limits::LINGER_NANOS);
        self.lingering.end(wanted, came, in_time);
    }
}

/// Nanoseconds to wait at most for so many: one thread may send for all of them, one after the other.
fn patience(wanted: usize) -> u64 {
    let each = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_mul(limits::LINGER_NANOS_EACH);
    limits::LINGER_NANOS.saturating_add(each).min(limits::LINGER_NANOS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_as_many_as_were_answered() {
        let mut lingering = Lingering::default();
        assert_eq!(lingering.begin(), None);
        lingering.note_answered(1);
        assert_eq!(lingering.begin(), None, "for one alone it does not pay");
        lingering.note_answered(1);
        lingering.note_answered(8);
        assert!(lingering.is_due());
        assert_eq!(lingering.begin(), Some(9));
        assert_eq!(lingering.begin(), None, "once");
    }

    #[test]
    fn where_they_do_not_come_it_waits_ever_more_seldom() {
        let mut lingering = Lingering::default();
        let mut waits = |rounds: usize, came: usize, in_time: bool| {
            let mut count = 0;
            for _ in 0..rounds {
                lingering.note_answered(4);
                if let Some(wanted) = lingering.begin() {
                    count += 1;
                    lingering.end(wanted, came, in_time);
                }
            }
            count
        };
        assert_eq!(waits(100, 2, true), 100, "half of them are enough");
        let seldom = 1 << limits::LINGER_FAILURES_MAX;
        assert!(waits(100 * seldom, 1, true) < 110);
        assert!(waits(2 * seldom, 4, true) > seldom / 2, "and all the time again when it pays");
        assert!(waits(100 * seldom, 4, false) < 110, "or if they took too long");
    }

    #[test]
    fn it_has_an_end() {
        assert!(patience(1) < patience(30));
        assert_eq!(patience(usize::MAX), limits::LINGER_NANOS_MAX);
    }
}
