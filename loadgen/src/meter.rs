//! What the data threads count while a phase runs, and the window in which it counts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Nanos};
use crate::histogram::Recorder;
use crate::stamp::SessionId;

/// When a phase begins to send, and between which times it is measured.
#[derive(Debug, Default)]
pub struct Window {
    origin: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
}

impl Window {
    /// Opens the window: sending begins at `origin`, measuring `warmup` later, for `duration`.
    pub fn open(&self, origin: Nanos, warmup: Duration, duration: Duration) {
        let start = origin + warmup;
        self.origin.store(origin.0, Ordering::Relaxed);
        self.start.store(start.0, Ordering::Relaxed);
        self.end.store((start + duration).0, Ordering::Relaxed);
    }

    /// Ends it at `now`, if it has not ended before.
    pub fn close(&self, now: Nanos) {
        self.end.fetch_min(now.0, Ordering::Relaxed);
    }

    /// When sending begins.
    pub fn origin(&self) -> Nanos {
        Nanos(self.origin.load(Ordering::Relaxed))
    }

    /// When measuring begins.
    pub fn start(&self) -> Nanos {
        Nanos(self.start.load(Ordering::Relaxed))
    }

    /// When measuring and sending end.
    pub fn end(&self) -> Nanos {
        Nanos(self.end.load(Ordering::Relaxed))
    }

    /// Whether `time` is measured.
    pub fn contains(&self, time: Nanos) -> bool {
        self.start() <= time && time < self.end()
    }
}

/// What one thread did in one direction. Written by that thread, read by the reporting one.
#[derive(Debug, Default)]
pub struct Meter {
    /// Records in all, warm-up included.
    pub records: AtomicU64,
    /// Within the window.
    pub measured: Counts,
    /// From the intended send to the acknowledgement or the arrival.
    pub latency: Recorder,
    /// From the intended send to the real one (open loop only).
    pub lateness: Recorder,
}

/// Sums within the window.
#[derive(Debug, Default)]
pub struct Counts {
    pub records: AtomicU64,
    pub value_bytes: AtomicU64,
    pub requests: AtomicU64,
}

impl Meter {
    /// Counts a request that was answered at `now`.
    pub fn count(&self, window: &Window, now: Nanos, records: u64, value_bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        if window.contains(now) {
            self.measured.records.fetch_add(records, Ordering::Relaxed);
            self.measured.value_bytes.fetch_add(value_bytes, Ordering::Relaxed);
            self.measured.requests.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One thread's meters, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ThreadMeters {
    pub produce: Meter,
    pub consume: Meter,
}

/// How many records of a session and partition the broker has acknowledged (or, without acknowledgements, was sent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    pub session: SessionId,
    pub partition: i32,
    pub records: u64,
}

/// What a phase's threads and its reporting thread share.
#[derive(Debug)]
pub struct PhaseState {
    pub clock: Clock,
    pub window: Window,
    pub meters: Vec<ThreadMeters>,
    /// Producing connections that have not yet reported into `acknowledged`.
    pub producing: AtomicUsize,
    pub acknowledged: Mutex<Vec<Acknowledged>>,
    /// Bytes of frames sent in this phase.
    pub sent_bytes: AtomicU64,
    /// Records that were due before the window's end and never sent (open loop only).
    pub unsent_records: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl PhaseState {
    /// The state of a phase with so many `threads` and `producing` connections.
    pub fn new(clock: Clock, threads: usize, producing: usize, acknowledged: Vec<Acknowledged>) -> Self {
        Self {
            clock,
            window: Window::default(),
            meters: std::iter::repeat_with(ThreadMeters::default).take(threads).collect(),
            producing: AtomicUsize::new(producing),
            acknowledged: Mutex::new(acknowledged),
            sent_bytes: AtomicU64::new(0),
            unsent_records: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }

    /// Ends the phase with an error; the first one is kept.
    pub fn fail(&self, why: String) {
        self.failure.lock().expect("nothing panics while holding it").get_or_insert(why);
        self.window.close(Nanos(0));
    }

    /// The error that ended the phase.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().expect("nothing panics while holding it").clone()
    }

    /// Whether the phase has ended with an error.
    pub fn failed(&self) -> bool {
        self.failure.lock().expect("nothing panics while holding it").is_some()
    }

    /// The sum of a count over all threads.
    pub fn sum(&self, count: impl Fn(&ThreadMeters) -> &AtomicU64) -> u64 {
        self.meters.iter().map(|meters| count(meters).load(Ordering::Relaxed)).sum()
    }
}
