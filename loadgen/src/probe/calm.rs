//! Waiting until the disk has calmed down.
//!
//! Where the device is told of freed blocks (the mount option `discard`), it may stall everybody's writes after large
//! files were removed. Seen on ext4 on a virtual disk, for five seconds after 4 GB: a flush of 18 ms some twenty times a
//! second, and all the others took 0.1 ms as ever. The median does not see it, nor does the 99th percentile of writes that
//! wait for one another, while of requests that come by the clock every third meets a stall. So it is the share of the
//! *time* that tells.
//!
//! And it tells only while it lasts. The host of a virtual disk goes on freeing what was discarded when it next writes out its
//! own file system, seconds later: seen two and four seconds after the last of 1.2 GB, every write and flush for a tenth of
//! a second took 40 ms. So after much was discarded, a while is waited, however calm the disk looks.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{BLOCK_BYTES, Blocks};
use crate::disk::Volume;
use crate::sys;

/// How long a disk may take to calm down; discards of some GB are over by then.
pub const PATIENCE: Duration = Duration::from_secs(12);
/// How long after much was discarded the host may still have to do with it: file systems write out every five seconds.
const DISCARDS_LINGER: Duration = Duration::from_secs(6);
/// So much is much where requests come by the clock, so that a pause counts for all that it holds up.
pub const MUCH_BYTES: u64 = 64 << 20;
/// And so much where they follow one another, and a pause is one of many.
pub const VERY_MUCH_BYTES: u64 = 1 << 30;
/// Room for 256 blocks: each is one that was written before.
const FILE_BYTES: usize = 256 * BLOCK_BYTES;
/// Long enough to meet some of twenty stalls a second.
const LOOK: Duration = Duration::from_millis(250);
/// So many looks in a row must find it calm: between two bursts of discards is a pause.
const CALM_LOOKS: u32 = 2;
/// How many times as long as at its quietest a calm disk's median may be; on a virtual one it is now this, now that.
const MEDIAN_TIMES_MAX: u32 = 2;
/// A write and flush that takes so many times the quietest median is a stall.
const STALL_TIMES: u32 = 10;
/// The part of the time that stalls may take: more, and a 99th percentile is theirs.
const STALLED_MAX: f64 = 0.02;

/// What is known of a disk from the last time that it was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Of a write and its flush, the least median so far.
    pub quietest: Option<Duration>,
    /// How much the device had been told to discard, since boot.
    pub discarded_bytes: Option<u64>,
}

/// What came of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calm {
    /// Whether it was calm in the end.
    pub calm: bool,
    /// How long it was not.
    pub waited: Duration,
    /// The last look's median of a write and its flush.
    pub median: Duration,
    /// The least median so far: what to compare with the next time. That of a disk which was not calm in the end is
    /// forgotten, lest what once was be waited for again and again.
    pub quietest: Duration,
    /// How much the device has been told to discard, since boot; `None` where that is not counted.
    pub discarded_bytes: Option<u64>,
}

impl Calm {
    /// What to start from the next time.
    pub const fn known(&self) -> Known {
        Known { quietest: Some(self.quietest), discarded_bytes: self.discarded_bytes }
    }

    /// A sentence about the wait, if there was one.
    pub fn words(&self) -> Option<String> {
        let (waited, micros) = (self.waited.as_secs_f64(), self.median.as_micros());
        match (self.calm, self.waited) {
            (true, Duration::ZERO) => None,
            (true, _) => Some(format!("waited {waited:.1} s for the disk to calm down")),
            (false, _) => Some(format!(
                "the disk has not calmed down in {waited:.1} s (now {micros} µs at the median for a write and its flush; \
                 does this machine do something else?)"
            )),
        }
    }
}

/// Waits as [`wait`] does, for another program, which reads off standard output what came of it.
///
/// # Errors
/// A sentence, where that cannot be told.
pub fn run(folder: &Path, known: Known) -> Result<(), String> {
    let calm = wait(folder, known, MUCH_BYTES, PATIENCE)
        .map_err(|e| format!("cannot tell whether the disk of {} is calm: {e}", folder.display()))?;
    let quietest_us = u64::try_from(calm.quietest.as_micros()).unwrap_or(u64::MAX);
    println!(
        "{}",
        json!({
            "calm": calm.calm,
            "quietest_us": quietest_us,
            "discarded_bytes": calm.discarded_bytes,
            "words": calm.words(),
        })
    );
    Ok(())
}

/// Has everything written out that the system still holds of the filesystem of `folder`, which is also what makes it
/// tell the device of freed blocks, and waits until the device takes its usual time again: that of its quietest moment,
/// if that is known from before. If `much` was discarded since then, or more, that has to be a while ago. For no longer than
/// `patience`.
///
/// # Errors
/// Where the filesystem has no O_DIRECT, or the folder may not be written.
pub fn wait(folder: &Path, known: Known, much: u64, patience: Duration) -> io::Result<Calm> {
    sys::sync_filesystem(folder)?;
    let volume = Volume::below(folder)?;
    let mut discards = Discards::new(known.discarded_bytes, much);
    let mut blocks = Blocks::create(folder, FILE_BYTES)?;
    let begun = Instant::now();
    let (mut looks, mut waited) = (Looks::new(known.quietest), Duration::ZERO);
    loop {
        let look = Look::at(&mut blocks)?;
        discards.see(volume.used().map(|used| used.discarded_bytes), begun.elapsed());
        let lingering = discards.linger_at(begun.elapsed());
        if !looks.add(&look) || lingering {
            waited = begun.elapsed();
        }
        if (looks.is_calm() && !lingering) || begun.elapsed() >= patience || sys::interrupted() {
            return Ok(looks.end(look.median(), waited, discards.seen));
        }
    }
}

/// What the device was told to discard, and when last; times count from the beginning of the wait.
struct Discards {
    /// How many bytes are much.
    much: u64,
    seen: Option<u64>,
    /// When it was much.
    last: Option<Duration>,
}

impl Discards {
    const fn new(known: Option<u64>, much: u64) -> Self {
        Self { much, seen: known, last: None }
    }

    /// Takes a reading of the device's counter at `now`.
    fn see(&mut self, total: Option<u64>, now: Duration) {
        let much = total.zip(self.seen).is_some_and(|(total, seen)| total.saturating_sub(seen) >= self.much);
        if much {
            self.last = Some(now);
        }
        if much || self.seen.is_none() {
            self.seen = total;
        }
    }

    /// Whether the host may still have to do with it.
    fn linger_at(&self, now: Duration) -> bool {
        self.last.is_some_and(|last| now.saturating_sub(last) < DISCARDS_LINGER)
    }
}

/// The times of the writes and flushes of a while, in ascending order.
struct Look(Vec<Duration>);

impl Look {
    fn at(blocks: &mut Blocks) -> io::Result<Self> {
        let begun = Instant::now();
        let mut times = Vec::new();
        while times.is_empty() || begun.elapsed() < LOOK {
            let taken = blocks.write_next()?;
            times.push(taken.write + taken.flush);
        }
        Ok(Self::of(times))
    }

    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    fn is_calm(&self, quietest: Duration) -> bool {
        let total: Duration = self.0.iter().sum();
        let stalled: Duration = self.0.iter().filter(|&&time| time > quietest * STALL_TIMES).sum();
        self.median() <= quietest * MEDIAN_TIMES_MAX && stalled <= total.mul_f64(STALLED_MAX)
    }
}

/// What looks, one after another, have found.
struct Looks {
    quietest: Option<Duration>,
    /// Of these looks alone.
    quietest_here: Duration,
    /// How many were calm since the last that was not.
    calm: u32,
}

impl Looks {
    fn new(quietest: Option<Duration>) -> Self {
        Self { quietest, quietest_here: Duration::MAX, calm: 0 }
    }

    /// Gives whether this one was calm.
    fn add(&mut self, look: &Look) -> bool {
        self.quietest_here = self.quietest_here.min(look.median());
        let quietest = self.quietest.map_or(look.median(), |quietest| quietest.min(look.median()));
        self.quietest = Some(quietest);
        self.calm = if look.is_calm(quietest) { self.calm + 1 } else { 0 };
        self.calm > 0
    }

    fn is_calm(&self) -> bool {
        self.calm >= CALM_LOOKS
    }

    fn end(&self, median: Duration, waited: Duration, discarded_bytes: Option<u64>) -> Calm {
        let calm = self.is_calm();
        let quietest = self.quietest.filter(|_| calm).unwrap_or(self.quietest_here);
        Calm { calm, waited, median, quietest, discarded_bytes }
    }
}

#[cfg(test)]
mod tests;
