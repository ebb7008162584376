//! Running one phase: starting its threads, watching it, and what came of it.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::cli::{Phase, Rate};
use crate::clock::{Clock, Nanos};
use crate::consumer::Consumed;
use crate::cpu;
use crate::disk::Volume;
use crate::histogram::{LatencyLog, Percentiles};
use crate::meter::{Acknowledged, Counts, Meter, PhaseState, ThreadMeters};
use crate::progress::Progress;
use crate::sys;
use crate::verify::Verdict;
use crate::worker::{self, Plan};

/// How often the reporting thread looks around.
const TICK: Duration = Duration::from_millis(50);
/// The interval of progress lines and histogram logs.
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
    pub broker_cpu_seconds: Option<f64>,
    pub own_cpu_seconds: f64,
    pub device_flushes: Option<u64>,
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
    /// Bytes that may be sent.
    pub bytes: Option<u64>,
    /// Free space at which to stop.
    pub free_bytes: Option<u64>,
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
    let mut logs = Logs::create(context.out, phase, &plan, limits.warmup)
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

/// The histogram logs of a phase.
struct Logs {
    /// Absent where nothing is timed.
    main: Option<LatencyLog>,
    producing: Option<LatencyLog>,
    lateness: Option<LatencyLog>,
}

impl Logs {
    fn create(out: &Path, phase: Phase, plan: &Plan, warmup: Duration) -> io::Result<Self> {
        let base = SystemTime::now() + warmup;
        let name = phase.name();
        let create = |suffix: &str, what: &str| {
            let path = out.join(format!("{name}{suffix}.hlog"));
            LatencyLog::create(&path, &format!("{name}: {what}"), base)
        };
        let main = match phase {
            Phase::Produce => Some("intended send to acknowledgement"),
            Phase::ConsumeHot => Some("intended send to arrival"),
            Phase::ConsumeCold => None,
        };
        let producing = phase == Phase::ConsumeHot;
        let open_loop = matches!(plan.workload.rate, Rate::PerSecond(_)) && !plan.producers.is_empty();
        Ok(Self {
            main: main.map(|what| create("", what)).transpose()?,
            producing: producing
                .then(|| create("-producing", "intended send to acknowledgement"))
                .transpose()?,
            lateness: open_loop.then(|| create("-lateness", "intended send to the real one")).transpose()?,
        })
    }

    fn cut(&mut self, phase: Phase, state: &PhaseState, start: Duration, length: Duration) -> io::Result<()> {
        let meters = || state.meters.iter();
        if let Some(log) = &mut self.main {
            log.cut(meters().map(|m| &main_meter(phase, m).latency), start, length)?;
        }
        if let Some(log) = &mut self.producing {
            log.cut(meters().map(|m| &m.produce.latency), start, length)?;
        }
        if let Some(log) = &mut self.lateness {
            log.cut(meters().map(|m| &m.produce.lateness), start, length)?;
        }
        Ok(())
    }
}

/// The meter of what a phase is about.
fn main_meter(phase: Phase, meters: &ThreadMeters) -> &Meter {
    match phase {
        Phase::Produce => &meters.produce,
        Phase::ConsumeHot | Phase::ConsumeCold => &meters.consume,
    }
}

/// Counters from outside, read at the window's two ends.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    broker_cpu: Option<f64>,
    own_cpu: f64,
    flushes: Option<u64>,
    lag: u64,
}

/// The reporting thread's view of a running phase.
struct Watch<'a> {
    context: &'a Context<'a>,
    phase: Phase,
    state: &'a PhaseState,
    limits: Limits,
    begin: Option<Snapshot>,
    end: Option<Snapshot>,
    ended_by: EndedBy,
    last_cut: Nanos,
    last_line: Nanos,
    /// When records last moved, and how many had by then.
    moved: (Nanos, u64),
}

impl<'a> Watch<'a> {
    fn new(context: &'a Context<'a>, phase: Phase, state: &'a PhaseState, limits: Limits) -> Self {
        let ended_by = if phase == Phase::ConsumeCold { EndedBy::EndOfLog } else { EndedBy::Duration };
        let start = state.window.start();
        Self {
            context,
            phase,
            state,
            limits,
            begin: None,
            end: None,
            ended_by,
            last_cut: start,
            last_line: state.window.origin(),
            moved: (start, 0),
        }
    }

    /// Looks after the phase until all its threads are done or it has failed.
    fn until_done(&mut self, threads: &[JoinHandle<Vec<Consumed>>], logs: &mut Logs) -> Result<(), String> {
        while threads.iter().any(|thread| !thread.is_finished()) {
            if self.state.failed() {
                return Ok(());
            }
            let now = self.state.clock.now();
            self.look_for_ends(now);
            let window = &self.state.window;
            if self.begin.is_none() && now >= window.start() {
                self.begin = Some(self.snapshot());
            }
            if self.end.is_none() && now >= window.end() {
                self.end = Some(self.snapshot());
            }
            if now.since(self.last_cut) >= INTERVAL {
                self.cut(now, logs)?;
            }
            if now.since(self.last_line) >= INTERVAL {
                self.show_progress(now);
            }
            self.look_for_stall(now)?;
            std::thread::sleep(self.pause(now));
        }
        Ok(())
    }

    /// To the next tick, or to the window's next end where that is sooner.
    fn pause(&self, now: Nanos) -> Duration {
        let window = &self.state.window;
        let ends = [(self.begin.is_none(), window.start()), (self.end.is_none(), window.end())];
        let next = ends.into_iter().filter(|&(open, _)| open).map(|(_, at)| at.since(now)).min();
        next.map_or(TICK, |next| next.clamp(Duration::from_micros(100), TICK))
    }

    /// Ends the phase early where something asks for it.
    fn look_for_ends(&mut self, now: Nanos) {
        let window = &self.state.window;
        if now >= window.end() {
            return;
        }
        let sent = self.state.sent_bytes.load(Ordering::Relaxed);
        let over_bytes = self.limits.bytes.is_some_and(|limit| sent >= limit);
        let over_space = || {
            let free = self.context.volume.and_then(|volume| volume.free_bytes().ok());
            free.zip(self.limits.free_bytes).is_some_and(|(free, limit)| free <= limit)
        };
        if sys::interrupted() {
            self.ended_by = EndedBy::Interrupt;
        } else if over_bytes || over_space() {
            self.ended_by = EndedBy::DiskGuard;
        } else {
            return;
        }
        window.close(now);
        if self.phase == Phase::ConsumeCold {
            self.state.fail("interrupted".into());
        }
    }

    fn look_for_stall(&mut self, now: Nanos) -> Result<(), String> {
        let records = self.records();
        if records != self.moved.1 || (now < self.state.window.end() && self.phase != Phase::ConsumeCold) {
            self.moved = (now, records);
        }
        if now.since(self.moved.0) < STALL {
            return Ok(());
        }
        Err(format!("the broker has not answered for {} s: see its log", STALL.as_secs()))
    }

    fn records(&self) -> u64 {
        self.state.sum(|m| &m.produce.records) + self.state.sum(|m| &m.consume.records)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            broker_cpu: self.context.broker_pid.and_then(cpu::seconds_of),
            own_cpu: cpu::seconds_of(std::process::id()).unwrap_or(0.0),
            flushes: self.context.volume.and_then(Volume::flushes),
            lag: self
                .state
                .sum(|m| &m.produce.records)
                .saturating_sub(self.state.sum(|m| &m.consume.records)),
        }
    }

    fn show_progress(&mut self, now: Nanos) {
        self.last_line = now;
        let records = self.state.sum(|m| &main_meter(self.phase, m).records);
        let elapsed = now.since(self.state.window.origin());
        self.context.progress.line(self.phase, elapsed, self.limits.warmup, self.limits.duration, records);
    }

    /// Ends an interval of the histogram logs.
    fn cut(&mut self, now: Nanos, logs: &mut Logs) -> Result<(), String> {
        let start = self.state.window.start();
        let length = now.since(self.last_cut);
        logs.cut(self.phase, self.state, self.last_cut.since(start), length)
            .map_err(|e| format!("cannot write histograms to {}: {e}", self.context.out.display()))?;
        self.last_cut = now;
        Ok(())
    }

    /// Closes the window for good once all threads are done.
    fn finish(&mut self, logs: &mut Logs, consumed: &[Consumed]) -> Result<(), String> {
        if self.phase == Phase::ConsumeCold
            && let Some(last) = consumed.iter().map(|c| c.last_arrival).max()
        {
            self.state.window.close(last + Duration::from_nanos(1));
        }
        let now = self.state.clock.now();
        self.begin.get_or_insert(self.snapshot());
        self.end.get_or_insert(self.snapshot());
        self.cut(now, logs)?;
        if self.phase == Phase::ConsumeCold {
            // It may have been over before the first line.
            self.show_progress(now);
        }
        self.context.progress.end();
        Ok(())
    }

    fn outcome(&self, plan: &Plan, logs: &Logs, consumed: &[Consumed]) -> Outcome {
        let window = &self.state.window;
        let (begin, end) = self.begin.zip(self.end).expect("finish has taken both");
        let percentiles = |log: &Option<LatencyLog>| log.as_ref().and_then(|log| Percentiles::of(&log.total));
        let flow = |meter: &dyn Fn(&ThreadMeters) -> &Meter, log: &Option<LatencyLog>| {
            let sum = |count: fn(&Counts) -> &_| self.state.sum(|m| count(&meter(m).measured));
            Flow {
                records: sum(|c| &c.records),
                value_bytes: sum(|c| &c.value_bytes),
                requests: sum(|c| &c.requests),
                latency_us: percentiles(log),
            }
        };
        let acknowledged = self.state.acknowledged.lock().expect("nothing panics while holding it").clone();
        let mut verdict = Verdict::default();
        consumed.iter().for_each(|c| verdict += c.verdict);
        Outcome {
            phase: self.phase,
            seconds: window.end().since(window.start()).as_secs_f64(),
            ended_by: self.ended_by,
            main: flow(&|m| main_meter(self.phase, m), &logs.main),
            producing: logs.producing.is_some().then(|| flow(&|m| &m.produce, &logs.producing)),
            lateness_us: percentiles(&logs.lateness),
            unsent_records: self.state.unsent_records.load(Ordering::Relaxed),
            lag_records: (self.phase == Phase::ConsumeHot).then_some(end.lag),
            broker_cpu_seconds: end.broker_cpu.zip(begin.broker_cpu).map(|(end, begin)| end - begin),
            own_cpu_seconds: end.own_cpu - begin.own_cpu,
            device_flushes: end.flushes.zip(begin.flushes).map(|(end, begin)| end.saturating_sub(begin)),
            verdict: (!plan.consumers.is_empty()).then_some(verdict),
            sent_bytes: self.state.sent_bytes.load(Ordering::Relaxed),
            acknowledged,
        }
    }
}
