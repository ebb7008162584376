//! Room that threads outside the shards share, in units: taken, given back, and waited for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};

use super::sync::{AtomicU32, Fence, Mutex, MutexGuard, Ordering};
use super::waking::wake;

/// A number of units. Taking and giving back are an atomic operation each; a lock is taken, and anybody woken, only
/// while somebody waits.
///
/// Who waits stands in line, but whoever comes by while there is room takes it: a task that was woken and does not come
/// holds up nobody else for longer than what is under way takes to be given back.
pub struct Room {
    left: AtomicU32,
    total: u32,
    /// Those in line.
    waiting: AtomicU32,
    fence: Fence,
    line: Mutex<Line>,
}

/// Those in line, by their numbers. Who was woken and has not come yet is not gone through again: there may be thousands,
/// and as many units to be given back one by one.
#[derive(Default)]
struct Line {
    next: u64,
    asleep: BTreeMap<u64, Sleeper>,
    /// Units that those want who were woken and have not come yet.
    claimed: u64,
    /// Times that it was looked at one of those asleep.
    #[cfg(all(test, not(loom)))]
    looks: u64,
}

struct Sleeper {
    wanted: u32,
    waker: Waker,
}

impl Line {
    /// Takes somebody out who wants so many units. Whoever is not asleep was woken.
    fn take_out(&mut self, number: u64, wanted: u32) -> Option<Sleeper> {
        let sleeper = self.asleep.remove(&number);
        if sleeper.is_none() {
            self.claimed -= u64::from(wanted);
        }
        sleeper
    }

    /// Wakes the next one, if `goes` says so of what that one wants.
    fn wake_next(&mut self, goes: impl FnOnce(u64) -> bool) -> Option<Sleeper> {
        #[cfg(all(test, not(loom)))]
        {
            self.looks += 1;
        }
        let next = self.asleep.first_entry()?;
        let wanted = u64::from(next.get().wanted);
        goes(wanted).then(|| {
            self.claimed += wanted;
            next.remove()
        })
    }
}

impl Room {
    /// Room for `total` units.
    #[must_use]
    pub fn new(total: u32) -> Self {
        Self::with_fence(total, Fence::new())
    }

    /// One with a fence that a test may have left out.
    pub(super) fn with_fence(total: u32, fence: Fence) -> Self {
        Self {
            left: AtomicU32::new(total),
            total,
            waiting: AtomicU32::new(0),
            fence,
            line: Mutex::new(Line::default()),
        }
    }

    /// Takes so many units if they are there.
    #[must_use]
    pub fn try_take(&self, units: u32) -> bool {
        self.left.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |left| left.checked_sub(units)).is_ok()
    }

    /// Gives units back that were taken, and wakes those in line for whom there is room now.
    pub fn give_back(&self, units: u32) {
        let left = self.left.fetch_add(units, Ordering::AcqRel);
        assert!(
            u64::from(left) + u64::from(units) <= u64::from(self.total),
            "more is given back than was taken"
        );
        // Gives back, then looks for who waits; `Place::poll` stands in line, then looks for room.
        self.fence.full();
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.rouse();
        }
    }

    /// Units that are not taken.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// Units in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those in line for whom there is room.
    ///
    /// Who was woken before is counted on to take its share; but it may never come, and then others want the room. So each
    /// time that nobody else would be woken one more is, and everybody is once all of the room is there: nothing will be
    /// given back any more that would wake them.
    fn rouse(&self) {
        let mut woken = Vec::new();
        let mut line = self.line();
        let left = u64::from(self.left.load(Ordering::Acquire));
        let is_whole = left == u64::from(self.total);
        loop {
            let unclaimed = left.saturating_sub(line.claimed);
            let is_first = woken.is_empty();
            let goes = |wanted| wanted <= unclaimed || (is_first && wanted <= left) || is_whole;
            let Some(next) = line.wake_next(goes) else { break };
            woken.push(next.waker);
        }
        drop(line);
        woken.into_iter().for_each(wake);
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({} of {} left)", self.left(), self.total)
    }
}

/// Somebody who wants room. Dropping it gives up the place in line, not what was taken.
#[derive(Debug)]
pub struct Place {
    room: Arc<Room>,
    wanted: u32,
    /// Its number in line, once it stands there.
    number: Option<u64>,
}

impl Place {
    /// For `wanted` units of `room`, which must not be more than there are in all.
    #[must_use]
    pub fn new(room: Arc<Room>, wanted: u32) -> Self {
        assert!(wanted <= room.total, "{wanted} units are wanted of {}", room.total);
        Self { room, wanted, number: None }
    }

    /// Takes the units once they are there; until then the waker given last is woken when it may be worth trying.
    pub fn poll(&mut self, waker: &Waker) -> Poll<()> {
        if !self.room.try_take(self.wanted) {
            self.stand_in_line(waker);
            self.room.fence.full();
            if !self.room.try_take(self.wanted) {
                return Poll::Pending;
            }
        }
        self.leave();
        Poll::Ready(())
    }

    fn stand_in_line(&mut self, waker: &Waker) {
        let sleeper = Sleeper { wanted: self.wanted, waker: waker.clone() };
        let mut line = self.room.line();
        let (number, before) = if let Some(number) = self.number {
            (number, line.take_out(number, self.wanted))
        } else {
            line.next += 1;
            self.room.waiting.fetch_add(1, Ordering::Relaxed);
            (line.next, None)
        };
        self.number = Some(number);
        line.asleep.insert(number, sleeper);
        drop(line);
        drop(before);
    }

    /// Says whether it stood in line.
    fn leave(&mut self) -> bool {
        let Some(number) = self.number.take() else { return false };
        let left = self.room.line().take_out(number, self.wanted);
        self.room.waiting.fetch_sub(1, Ordering::Relaxed);
        drop(left);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.leave() {
            // It may have been woken for room that the next in line can take as well.
            self.room.rouse();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
