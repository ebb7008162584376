//! Running one phase: starting its threads, watching it, and what came of it.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::check::Verdict;
use crate::cli::{Phase, Rate};
use crate::clock::Clock;
use crate::consumer::Consumed;
use crate::cpu::Machine;
use crate::disk::Volume;
use crate::histogram::Percentiles;
use crate::meter::{Acknowledged, Meter, PhaseState, ThreadMeters};
use crate::progress::Progress;
use crate::usage::Usage;
use crate::worker::{self, Plan};

mod logs;
mod watch;

use logs::Logs;
use watch::Watch;

/// How often the reporting thread looks around.
const TICK: Duration = Duration::from_millis(50);
/// The interval of progress lines, histogram logs and samples.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between opening the window and the first send: every thread has passed the gate by then.
const START_DELAY: Duration = Duration::from_millis(5);
/// A phase that is past its end and in which nothing moves for this long has a broker that does not answer.
const STALL: Duration = Duration::from_secs(30);
/// How long threads may take to end after a failure; a broker that hangs may keep them.
const FAREWELL: Duration = Duration::from_secs(3);

/// What all phases of a run share.
pub struct Context<'a> {
    pub clock: Clock,
    pub out: &'a Path,
    pub progress: &'a Progress,
    /// The broker's process, where its CPU time is to be had.
    pub broker_pid: Option<u32>,
    /// Below the broker's data, where it is known.
    pub volume: Option<&'a Volume>,
    pub threads: usize,
}

/// Why a phase ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    Duration,
    /// Everything acknowledged had been read.
    EndOfLog,
    /// As many bytes were sent as were asked for.
    Bytes,
    /// Half of the free space was used.
    DiskGuard,
    /// SIGINT or SIGTERM.
    Interrupt,
}

/// One direction of a phase, within its window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    pub records: u64,
    pub value_bytes: u64,
    pub requests: u64,
    pub latency_us: Option<Percentiles>,
}

/// What came of a phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub phase: Phase,
    /// The window's length.
    pub seconds: f64,
    pub ended_by: EndedBy,
    /// What the phase is about: producing, or consuming.
    pub main: Flow,
    /// The producers that the consumers followed.
    pub producing: Option<Flow>,
    /// How late batches were sent (open loop only).
    pub lateness_us: Option<Percentiles>,
    pub unsent_records: u64,
    /// How far consumers were behind producers at the window's end.
    pub lag_records: Option<u64>,
    /// What broker, load generator, machine and disk used within the window.
    pub used: Usage,
    /// The most memory that the broker held at the end of any interval.
    pub broker_resident_bytes: Option<u64>,
    /// The rate that this phase was to have.
    pub rate: Rate,
    /// Threads of the load generator.
    pub threads: usize,
    pub verdict: Option<Verdict>,
    /// Bytes of frames sent, warm-up included.
    pub sent_bytes: u64,
    /// All that has been acknowledged so far in the run.
    pub acknowledged: Vec<Acknowledged>,
}

/// How long a phase lasts and what may end it early.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub warmup: Duration,
    pub duration: Duration,
    /// Bytes that may be sent before the disk gets full.
    pub bytes: Option<u64>,
    /// Bytes that are to be sent.
    pub wanted_bytes: Option<u64>,
    /// Free space at which to stop.
    pub free_bytes: Option<u64>,
}

impl Limits {
    /// Of time alone: nothing is written.
    pub fn of_time(warmup: Duration, duration: Duration) -> Self {
        Self { warmup, duration, bytes: None, wanted_bytes: None, free_bytes: None }
    }
}

/// Runs `phase`. `acknowledged` is what earlier phases of the run have written and consumers are to find.
///
/// # Errors
/// A sentence that says what went wrong; the threads may still be about then.
pub fn run(
    context: &Context<'_>,
    phase: Phase,
    plan: Plan,
    limits: Limits,
    acknowledged: Vec<Acknowledged>,
) -> Result<Outcome, String> {
    let state = PhaseState::new(context.clock, context.threads, plan.producers.len(), acknowledged);
    let state = Arc::new(state);
    let plan = Arc::new(plan);
    let gate = Arc::new(Barrier::new(context.threads + 1));
    let mut threads = Vec::new();
    for thread in 0..context.threads {
        let spawned = worker::spawn(Arc::clone(&plan), Arc::clone(&state), thread, Arc::clone(&gate));
        threads.push(spawned.map_err(|e| format!("cannot start a thread: {e}"))?);
    }
    gate.wait();
    if !state.failed() {
        // Without a schedule the first request goes out at once.
        let delay = if plan.producers.is_empty() { Duration::ZERO } else { START_DELAY };
        state.window.open(context.clock.now() + delay, limits.warmup, limits.duration);
    }
    let mut logs = Logs::create(context, phase, &plan, limits.warmup)
        .map_err(|e| format!("cannot write histograms to {}: {e}", context.out.display()))?;
    gate.wait();

    let mut watch = Watch::new(context, phase, &state, limits);
    let watched = watch.until_done(&threads, &mut logs);
    if let Err(why) = watched {
        state.fail(why);
    }
    let consumed = join(threads, &state)?;
    watch.finish(&mut logs, &consumed)?;
    Ok(watch.outcome(&plan, &logs, &consumed))
}

/// Collects the threads' results, or the error that ended the phase.
fn join(threads: Vec<JoinHandle<Vec<Consumed>>>, state: &PhaseState) -> Result<Vec<Consumed>, String> {
    let begun = state.clock.now();
    while state.failed() && threads.iter().any(|t| !t.is_finished()) {
        if state.clock.now().since(begun) > FAREWELL {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    if let Some(why) = state.failure() {
        return Err(why);
    }
    let mut consumed = Vec::new();
    for thread in threads {
        consumed.extend(thread.join().map_err(|_| "a thread of the load generator was lost")?);
    }
    state.failure().map_or(Ok(consumed), Err)
}

/// The meter of what a phase is about.
fn main_meter(phase: Phase, meters: &ThreadMeters) -> &Meter {
    match phase {
        Phase::Produce => &meters.produce,
        Phase::ConsumeHot | Phase::EndToEnd | Phase::ConsumeCached | Phase::ConsumeCold => &meters.consume,
    }
}

impl Outcome {
    /// The share of its threads' time in which the load generator was busy: near 1 it measured itself.
    pub fn own_busy_share(&self) -> f64 {
        self.used.own_cpu_seconds / (self.seconds * self.threads as f64)
    }

    /// The share of the processors' time that the machine's host withheld; `None` where that is not counted.
    pub fn stolen_share(&self) -> Option<f64> {
        Some(self.used.machine_stolen_cpu_seconds? / (self.seconds * Machine::now()?.processors as f64))
    }

    /// Whether the host withheld so much that the pauses of the machine stand in the latencies.
    pub fn was_held_up(&self) -> bool {
        /// A hundredth is enough to be a 99th percentile.
        const SHARE: f64 = 0.01;
        self.stolen_share().is_some_and(|share| share > SHARE)
    }

    /// Whether the load generator, not the broker, may have set the pace.
    pub fn generator_bound(&self) -> bool {
        /// The rest goes to waiting that no program can avoid.
        const BUSY: f64 = 0.95;
        self.own_busy_share() > BUSY
    }
}
