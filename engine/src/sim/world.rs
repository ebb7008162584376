//! The machine that a run lives in: its disk, its clock, its luck, and the choice of what happens next.
//!
//! Nothing here happens by itself. Whoever drives a run asks [`SimWorld::step`] again and again; each step runs a helper
//! job, or lets part of a write reach the device, or names the shard whose turn it is; where nobody can do anything, the
//! clock moves on to when somebody can. All of it is chosen by the seed, so the same seed is the same run.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, system_error};
use super::faults::Faults;
use super::fs::SimFs;
use super::io::{InFlight, SimIo, Work, has_come};
use super::rng::Rng;
use super::trace::{Sink, Trace};
use crate::io::{Pool, Wait};
use crate::types::Nanos;

/// Time passes while a processor works: at most this much a step.
const STEP_NS_MAX: u64 = 2_000;

/// Milliseconds since the Unix epoch at which every run begins.
const UNIX_START_MS: i64 = 1_700_000_000_000;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This shard is to take a turn.
    Turn(u16),
    /// Something happened inside the machine.
    Inside,
    /// Nothing is under way and nobody waits for a time: nothing will ever happen again.
    Idle,
    /// The power is gone; [`SimWorld::crash`] brings it back.
    Crashed,
}

/// The simulated machine, shared by everything that runs on it. It outlives crashes.
#[derive(Clone)]
pub struct SimWorld {
    inner: Arc<Mutex<World>>,
    clock: Arc<AtomicU64>,
}

/// One shard's side of the machine, from its [`SimIo`]'s birth to the next crash.
pub(super) struct Seat {
    pub(super) shard: u16,
    pub(super) in_flight: Vec<InFlight>,
    pub(super) sleep: Wait,
    pub(super) woken: Arc<AtomicBool>,
    /// Its shard has ended: what it left in flight stays so until the next crash.
    pub(super) is_left: bool,
}

pub(super) struct World {
    pub(super) disk: Disk,
    pub(super) faults: Faults,
    pub(super) rng: Rng,
    pub(super) trace: Trace,
    pub(super) seats: Vec<Seat>,
    pub(super) incarnation: u64,
    crashed: bool,
    /// Events until the power goes.
    crash_in: Option<u64>,
    clock: Arc<AtomicU64>,
    unix_skew_ms: i64,
    order: u64,
}

/// The error of every call after the power has gone.
pub(super) fn crashed() -> io::Error {
    io::Error::other("sim: crashed")
}

enum Choice {
    Turn(u16),
    Early(usize, usize),
    Job(usize, usize),
}

impl SimWorld {
    /// A machine with an empty disk, whose every chance comes from `seed`.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Self {
        let clock = Arc::new(AtomicU64::new(1_000_000));
        let world = World {
            disk: Disk::new(),
            faults,
            rng: Rng::new(seed),
            trace: Trace::new(seed),
            seats: Vec::new(),
            incarnation: 0,
            crashed: false,
            crash_in: None,
            clock: Arc::clone(&clock),
            unix_skew_ms: 0,
            order: 0,
        };
        Self { inner: Arc::new(Mutex::new(world)), clock }
    }

    /// A shard's way to the machine until the next crash, with its memory.
    #[must_use]
    pub fn io(&self, shard: u16, pool: Pool) -> SimIo {
        SimIo::new(self.clone(), shard, pool)
    }

    /// The blocking file system until the next crash.
    #[must_use]
    pub fn fs(&self) -> SimFs {
        SimFs::new(self.clone(), self.lock().incarnation)
    }

    /// Lets the next thing happen.
    #[must_use]
    pub fn step(&self) -> Step {
        let mut world = self.lock();
        if world.tick().is_err() {
            return Step::Crashed;
        }
        loop {
            let choices = world.choices();
            if !choices.is_empty() {
                let chosen = world.rng.index(choices.len());
                return match choices[chosen] {
                    Choice::Turn(shard) => Step::Turn(shard),
                    Choice::Early(seat, at) => {
                        world.write_early(seat, at);
                        Step::Inside
                    }
                    Choice::Job(seat, at) => {
                        drop(world);
                        self.run_job(seat, at)
                    }
                };
            }
            let Some(next) = world.next_event() else { return Step::Idle };
            let idle = next.saturating_sub(world.now());
            world.pass(idle);
        }
    }

    /// The medium is damaged: from now on no read of these bytes of a file succeeds (EIO).
    ///
    /// # Errors
    /// There is no such file.
    pub fn spoil(&self, path: &Path, bytes: Range<u64>) -> io::Result<()> {
        self.lock().disk.spoil(path, bytes)
    }

    /// The power goes after `events` more steps, submissions, turns and file system calls, wherever that may be.
    pub fn crash_after(&self, events: u64) {
        self.lock().crash_in = Some(events);
    }

    /// Takes back what [`Self::crash_after`] said, if the power is still there.
    pub fn crash_never(&self) {
        self.lock().crash_in = None;
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.lock().crashed
    }

    /// Takes the power away, if it isn't gone, and brings it back: settles what the disk keeps, drops what was in
    /// flight. What belongs to the time before, [`SimIo`]s and [`SimFs`]s, is dead.
    pub fn crash(&self) {
        self.end("crash", |world| {
            let mut rng = world.rng.fork();
            world.write_in_flight(|_| true);
            world.disk.crash(&mut rng);
            world.unix_skew_ms = i64::try_from(rng.below(4_000)).expect("a few seconds") - 2_000;
        });
    }

    /// Kills the program, as `kill -9` does: what it wrote stays as it is, what was in flight is done or not. Its
    /// [`SimIo`]s and [`SimFs`]s are dead.
    pub fn kill(&self) {
        self.end("kill", |world| {
            assert!(!world.crashed, "the power is gone: crash, don't kill");
            let mut rng = world.rng.fork();
            let done = rng.below(3);
            world.write_in_flight(|_| done == 0 || (done == 1 && rng.coin()));
            world.disk.kill(&mut rng);
        });
    }

    fn end(&self, kind: &str, settle: impl FnOnce(&mut World)) {
        let seats = {
            let mut world = self.lock();
            settle(&mut world);
            world.crashed = false;
            world.crash_in = None;
            world.incarnation += 1;
            let incarnation = world.incarnation;
            world.note(kind, "", &[("incarnation", incarnation)]);
            std::mem::take(&mut world.seats)
        };
        // Jobs may own anything, file systems included: they are dropped outside the lock.
        drop(seats);
    }

    /// Changes the odds from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Sends a line for each event to `sink` from now on.
    pub fn print_to(&self, sink: Sink) {
        self.lock().trace.print_to(sink);
    }

    /// Adds an event of the driver's own to the trace.
    pub fn note(&self, kind: &str, name: &str, numbers: &[(&str, u64)]) {
        self.lock().note(kind, name, numbers);
    }

    /// The hash of everything that has happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.lock().trace.hash()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        Nanos::new(self.clock.load(Ordering::Relaxed))
    }

    /// Files that are open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.lock().disk.open_files()
    }

    /// A random word.
    pub(super) fn word(&self) -> u64 {
        self.lock().rng.word()
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        let millis = i64::try_from(self.now().value() / 1_000_000).expect("a run is short");
        UNIX_START_MS + self.lock().unix_skew_ms + millis
    }

    /// The world itself. A panic while it was locked ends the run anyhow, so its state no longer matters.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn run_job(&self, seat: usize, at: usize) -> Step {
        let (token, job, fs) = {
            let mut world = self.lock();
            let op = &mut world.seats[seat].in_flight[at];
            let Work::Job(job) = std::mem::replace(&mut op.work, Work::Running) else {
                unreachable!("only jobs are chosen to run")
            };
            let token = op.token;
            world.note("job", "", &[("token", token.0)]);
            (token, job, SimFs::new(self.clone(), world.incarnation))
        };
        let result = job(&fs);
        let mut world = self.lock();
        if world.crashed {
            return Step::Crashed;
        }
        let ready_at = world.after_delay();
        let ops = &mut world.seats[seat].in_flight;
        // Nothing else ran meanwhile, so the operation is still where it was.
        assert!(ops[at].token == token, "a job's slot was given away");
        ops[at].work = Work::Done(result);
        ops[at].ready_at = ready_at;
        Step::Inside
    }
}

impl World {
    pub(super) fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// One event passes: a little time, or the power with it.
    ///
    /// # Errors
    /// The power is gone.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        if self.crashed {
            return Err(crashed());
        }
        if let Some(left) = &mut self.crash_in {
            if *left == 0 {
                self.crashed = true;
                self.note("power off", "", &[]);
                return Err(crashed());
            }
            *left -= 1;
        }
        let passed = self.rng.below(STEP_NS_MAX);
        self.pass(passed);
        Ok(())
    }

    pub(super) fn note(&mut self, kind: &str, name: &str, numbers: &[(&str, u64)]) {
        let now = self.now();
        self.trace.note(now, kind, name, numbers);
    }

    /// The moment at which an operation that starts now ends.
    pub(super) fn after_delay(&mut self) -> u64 {
        let longest = self.faults.delay_ns_max.max(1);
        let slow = if self.rng.one_in(self.faults.slow_one_in) { 100 } else { 1 };
        self.now() + self.rng.below(longest) * slow
    }

    /// The next number in the order of submission.
    pub(super) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// EIO, once in so many times.
    pub(super) fn fail(&mut self, one_in: u64, what: &str) -> io::Result<()> {
        if self.rng.one_in(one_in) {
            self.note("fault", what, &[]);
            return Err(system_error(libc::EIO));
        }
        Ok(())
    }

    pub(super) fn seat(&mut self, shard: u16) -> &mut Seat {
        let seat = self.seats.iter_mut().find(|seat| seat.shard == shard);
        seat.expect("a shard's seat stays from its SimIo's birth to the next crash")
    }

    fn pass(&mut self, nanos: u64) {
        self.clock.fetch_add(nanos, Ordering::Relaxed);
    }

    fn choices(&self) -> Vec<Choice> {
        let now = self.now();
        let mut choices = Vec::new();
        for (nth, seat) in self.seats.iter().enumerate().filter(|(_, seat)| !seat.is_left) {
            if seat.can_turn(now) {
                choices.push(Choice::Turn(seat.shard));
            }
            for (at, op) in seat.in_flight.iter().enumerate() {
                match &op.work {
                    Work::Job(_) if op.ready_at <= now => choices.push(Choice::Job(nth, at)),
                    Work::Write { early_at: Some(early_at), .. } if *early_at <= now => {
                        choices.push(Choice::Early(nth, at));
                    }
                    _ => {}
                }
            }
        }
        choices
    }

    fn next_event(&self) -> Option<u64> {
        let of_seat = |seat: &Seat| {
            let deadline = match seat.sleep {
                Wait::Until(moment) => Some(moment.value()),
                Wait::No | Wait::Forever => None,
            };
            seat.in_flight.iter().filter_map(InFlight::next_event).chain(deadline).min()
        };
        self.seats.iter().filter(|seat| !seat.is_left).filter_map(of_seat).min()
    }

    /// Part of a write reaches the device before the write completes.
    fn write_early(&mut self, seat: usize, at: usize) {
        let Work::Write { file, offset, data, early_at, .. } = &mut self.seats[seat].in_flight[at].work
        else {
            unreachable!("only writes are chosen to write early")
        };
        *early_at = None;
        let (rng, space) = (&mut self.rng, self.faults.space_bytes_max);
        // Where there is no space for it, the completion says so.
        let _ = self.disk.write(*file, *offset, data, false, space, |_| rng.coin());
    }

    /// What is in flight at the end may have reached the device: those sectors that `chosen` picks.
    fn write_in_flight(&mut self, mut chosen: impl FnMut(usize) -> bool) {
        for op in self.seats.iter().flat_map(|seat| &seat.in_flight) {
            if let Work::Write { file, offset, data, .. } = &op.work {
                let _ =
                    self.disk.write(*file, *offset, data, false, self.faults.space_bytes_max, &mut chosen);
            }
        }
    }
}

impl Seat {
    fn can_turn(&self, now: u64) -> bool {
        has_come(self.sleep, now)
            || self.woken.load(Ordering::Relaxed)
            || self.in_flight.iter().any(|op| op.is_ready(now))
    }
}
