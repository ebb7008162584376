//! A run: one seed, several lives of the engine on one disk.
//!
//! A life begins with opening the engine, which a power cut may hit too, and with reading every log as a whole; then the
//! clients work, until the power goes, the program is killed, or it is told to stop. Two lives at least end with the
//! power. In the last one nothing fails, and everything that was ever acknowledged or shown must be there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::Bench;
use super::cluster::Cluster;
use super::faults::Faults;
use super::plant::{Plant, set_planted};
use super::rng::Rng;
use super::trace::Sink;
use super::workload;
use super::world::{SimWorld, Step};
use crate::config::Config;
use crate::limits;

/// Operations of a run at least.
const OPERATIONS: u64 = 240;
/// Steps of a life at most: many times what the longest one takes.
const STEPS_MAX: u64 = 3_000_000;
/// How long a request may go unanswered: no fault lasts that long.
const ANSWER_NS_MAX: u64 = 300_000_000_000;

/// What a run is made with.
#[derive(Default)]
pub struct RunOptions {
    /// A bug to plant.
    pub plant: Option<Plant>,
    /// Takes a line for each event.
    pub sink: Option<Sink>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Client operations.
    pub operations: u64,
    /// Power cuts, those while opening included.
    pub crashes: u32,
    /// Kills, those after a failed opening included.
    pub kills: u32,
    /// Batches that were acknowledged or seen, and stayed.
    pub kept: u64,
    /// Batches that were refused or lost, and stayed away.
    pub gone: u64,
    /// Requests that the machine's faults kept from being answered well.
    pub excused: u64,
    /// The hash over everything that happened.
    pub trace_hash: u64,
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Power,
    Kill,
    Stop,
}

/// Runs a seed.
///
/// # Errors
/// What the engine is guilty of, panics included.
pub fn run_seed(seed: u64, options: RunOptions) -> Result<Report, String> {
    let RunOptions { plant, sink } = options;
    set_planted(plant);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let run = Run::new(seed);
        if let Some(sink) = sink {
            run.world.print_to(sink);
        }
        run.live_through()
    }));
    set_planted(None);
    outcome.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", words.unwrap_or("without words")))
    })
}

struct Run {
    world: SimWorld,
    config: Config,
    faults: Faults,
    rng: Rng,
    bench: Arc<Mutex<Bench>>,
    report: Report,
    /// Turns so far.
    steps: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let faults = if rng.coin() { Faults::none() } else { Faults::random(&mut rng) };
        let config = workload::config(&mut rng);
        let world = SimWorld::new(rng.word(), faults.clone());
        let bench = Arc::new(Mutex::new(Bench::new(rng.fork())));
        Self { world, config, faults, rng, bench, report: Report::default(), steps: 0 }
    }

    fn live_through(mut self) -> Result<Report, String> {
        // Two long lives that end with the power, and short ones between and after them.
        let mut lives = vec![(OPERATIONS / 2, 2, End::Power), (OPERATIONS / 2, 2, End::Power)];
        for _ in 0..self.rng.within(1..5) {
            let end = [End::Power, End::Kill, End::Stop][self.rng.index(3)];
            let operations = if self.rng.coin() { self.rng.below(4) } else { self.rng.below(20) };
            let shards = [1, 2, 2, 3][self.rng.index(4)];
            lives.insert(1 + self.rng.index(lives.len()), (operations, shards, end));
        }
        for (operations, shards, end) in lives {
            self.config.shards = shards;
            self.live(operations, end, self.faults.clone())?;
        }
        self.config.shards = 2;
        let missing = OPERATIONS.saturating_sub(self.bench().issued());
        if missing > 0 {
            self.live(missing, End::Power, self.calm())?;
        }
        self.live(0, End::Stop, self.calm())?;
        let operations = self.bench().issued();
        self.report.operations = operations;
        let (kept, gone) = self.bench().checker.tally();
        let excused = self.bench().excused();
        (self.report.kept, self.report.gone, self.report.excused) = (kept, gone, excused);
        self.report.trace_hash = self.world.trace_hash();
        Ok(self.report)
    }

    /// The machine's delays, without its faults.
    fn calm(&self) -> Faults {
        let Faults { delay_ns_max, slow_one_in, .. } = self.faults;
        Faults { delay_ns_max, slow_one_in, ..Faults::none() }
    }

    fn live(&mut self, operations: u64, end: End, faults: Faults) -> Result<(), String> {
        let faulty = faults != self.calm();
        self.world.set_faults(faults);
        let (mut cluster, faulty) = self.open(faulty)?;
        let topics = cluster.topics();
        self.bench().started(&topics, operations, faulty)?;
        self.drive(&mut cluster, |run| run.bench().has_ended())?;
        let drains = self.rng.one_in(4);
        if drains || operations == 0 {
            self.drive(&mut cluster, |run| run.bench().is_answered())?;
        }
        let world = self.world.clone();
        match end {
            End::Power => {
                let span = [10, 50, 400, 3_000][self.rng.index(4)];
                self.world.crash_after(self.rng.below(span));
                self.drive(&mut cluster, |_| false)?;
                self.report.crashes += 1;
                self.bench().lost_unflushed();
                cluster.end(|| world.crash())
            }
            End::Kill => {
                let span = [20, 200, 1_000][self.rng.index(3)];
                let mut steps = self.rng.below(span);
                self.drive(&mut cluster, |_| {
                    steps = steps.saturating_sub(1);
                    steps == 0
                })?;
                self.report.kills += 1;
                self.lost_after_failures(faulty);
                cluster.end(|| world.kill())
            }
            End::Stop => {
                self.bench().stop();
                cluster.stop();
                self.stop(&mut cluster)?;
                self.lost_after_failures(faulty);
                cluster.end(|| world.kill())
            }
        }
    }

    /// A kill takes nothing that is written, except where a flush has failed.
    fn lost_after_failures(&self, faulty: bool) {
        if faulty {
            self.bench().lost_unflushed();
        }
    }

    fn stop(&mut self, cluster: &mut Cluster) -> Result<(), String> {
        let begun = self.world.now();
        for _ in 0..STEPS_MAX {
            if cluster.has_stopped() {
                return match self.world.now().since(begun) / 1_000_000 {
                    0..limits::STOP_MS => Ok(()),
                    millis => Err(format!("the engine has given up its stop, after {millis} ms")),
                };
            }
            if !self.step(cluster)? {
                return Err("nothing happens, but the engine hasn't stopped".into());
            }
        }
        Err("the engine doesn't stop".into())
    }

    /// Opens the engine, however often the power goes meanwhile. Says whether the machine is still faulty.
    fn open(&mut self, mut faulty: bool) -> Result<(Cluster, bool), String> {
        loop {
            let cut = self.report.crashes > 0 && self.rng.one_in(3);
            if cut {
                self.world.crash_after(self.rng.below(300));
            }
            let opened = Cluster::open(&self.world, &self.config, &self.bench);
            match opened {
                _ if self.world.is_crashed() => {
                    drop(opened);
                    self.report.crashes += 1;
                    self.bench().lost_unflushed();
                    self.world.crash();
                }
                Ok(cluster) => {
                    self.world.crash_never();
                    return Ok((cluster, faulty));
                }
                Err(error) if faulty => {
                    self.world.note("not opened", &error, &[]);
                    self.report.kills += 1;
                    self.bench().lost_unflushed();
                    self.world.kill();
                    // The operator has changed the cable.
                    faulty = false;
                    self.world.set_faults(self.calm());
                }
                Err(error) => return Err(format!("the engine doesn't open: {error}")),
            }
        }
    }

    /// Lets things happen until `done`, the power goes, or nothing happens any more.
    fn drive(&mut self, cluster: &mut Cluster, mut done: impl FnMut(&Self) -> bool) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            if done(self) || !self.step(cluster)? {
                return Ok(());
            }
        }
        Err("the run doesn't come to an end".into())
    }

    /// Lets the next thing happen; false where there is none.
    fn step(&mut self, cluster: &mut Cluster) -> Result<bool, String> {
        match self.world.step() {
            Step::Inside => return Ok(true),
            Step::Crashed => return Ok(false),
            Step::Turn(shard) => {
                if let Err(error) = cluster.turn(shard) {
                    let crashed = self.world.is_crashed();
                    return if crashed {
                        Ok(false)
                    } else {
                        Err(format!("shard {shard} has failed: {error}"))
                    };
                }
            }
            Step::Idle => {
                return match self.bench().waits() {
                    Some((_, request)) => Err(format!("nothing happens, but {request} has no answer")),
                    None => Ok(false),
                };
            }
        }
        self.steps += 1;
        let bench = self.bench();
        if let Some(guilty) = bench.failure() {
            return Err(guilty.to_owned());
        }
        if self.steps.is_multiple_of(1_024)
            && let Some((since, request)) = bench.waits()
            && self.world.now().since(since) > ANSWER_NS_MAX
        {
            return Err(format!("{request} goes unanswered"));
        }
        Ok(true)
    }

    fn bench(&self) -> MutexGuard<'_, Bench> {
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
