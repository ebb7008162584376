//! The two brokers of a layout, both running while they take turns.

use std::cell::Cell as Shared;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cell::Cell;
use super::instance::{Launcher, Running};
use super::kafka;
use super::plan::{Contender, Contract, Layout, Plan, Side};
use super::workloads::{self, Kind};
use crate::broker::{DataDir, Launch};
use crate::cli::CompareArgs;
use crate::cpu;
use crate::disk::Volume;
use crate::probe::calm;
use crate::progress::Progress;
use crate::sys;

/// In all, lest a broker or a disk that never rests make a comparison endless.
const WAITS_MAX: Duration = Duration::from_secs(900);

/// A running broker, as a measurement needs it.
pub struct Broker {
    /// HOST:PORT.
    pub address: String,
    pub pid: Option<u32>,
    /// Where its data is, if it is ours.
    pub folder: Option<PathBuf>,
}

/// Both brokers. What is ours is ended with the value, and then its data is removed.
pub struct Contest<'a> {
    args: &'a CompareArgs,
    layout: Layout,
    out: PathBuf,
    /// Kafka's jars; `None` where a peer stands in for it.
    pub libs: Option<PathBuf>,
    tora: Broker,
    other: Broker,
    version: Option<String>,
    about_other: Value,
    // Before their data: they are ended first.
    running: Vec<Running>,
    data: Vec<DataDir>,
    /// What may still be spent on waiting for brokers to have nothing to do, and for the disk to calm down.
    waits: Shared<Duration>,
    /// What is known of the disk from waiting for it before.
    disk: Shared<calm::Known>,
}

impl<'a> Contest<'a> {
    /// Starts Tora, and Kafka unless there is a peer.
    ///
    /// # Errors
    /// A sentence that says what to do, where one of them does not start.
    pub fn start(
        args: &'a CompareArgs,
        plan: &Plan,
        layout: Layout,
        out: &Path,
        progress: &Progress,
    ) -> Result<Self, String> {
        let libs = match &args.peer {
            Some(_) => None,
            None => Some(kafka::Launch::libs(args.kafka_home.as_deref(), args.cache.as_deref(), progress)?),
        };
        let nobody = || Broker { address: String::new(), pid: None, folder: None };
        let mut contest = Self {
            args,
            layout,
            out: out.to_path_buf(),
            libs,
            tora: nobody(),
            other: nobody(),
            version: None,
            about_other: Value::Null,
            running: Vec::new(),
            data: Vec::new(),
            waits: Shared::new(WAITS_MAX),
            disk: Shared::new(calm::Known::default()),
        };
        contest.tora = contest.run(Side::Tora, plan, progress)?;
        contest.other = match &args.peer {
            Some(peer) => {
                contest.about_other = json!({
                    "name": peer.name, "address": peer.address, "settings": "not known to tora-load",
                });
                Broker { address: peer.address.clone(), pid: peer.pid, folder: None }
            }
            None => contest.run(Side::Other, plan, progress)?,
        };
        Ok(contest)
    }

    /// Starts the broker that a side has all the time.
    fn run(&mut self, side: Side, plan: &Plan, progress: &Progress) -> Result<Broker, String> {
        progress.say(&format!("starting {} ({})", plan.broker_name(side), self.layout.name()));
        let data = self.data_dir(plan.broker_name(side))?;
        let launcher = self.launcher(side, data.path())?;
        let folder = data.path().to_path_buf();
        self.data.push(data);
        let running = launcher.start()?;
        match &launcher {
            Launcher::Tora(launch) => self.version = launch.version(),
            Launcher::Kafka(launch) => self.about_other = launch.describe(),
        }
        let broker =
            Broker { address: running.address().to_owned(), pid: Some(running.pid()), folder: Some(folder) };
        progress.say(&format!("{} is at {}", plan.broker_name(side), broker.address));
        self.running.push(running);
        Ok(broker)
    }

    /// A new folder for a broker's data, where the comparison keeps such.
    pub fn data_dir(&self, name: &str) -> Result<DataDir, String> {
        let parent = self.args.data_dir.clone().unwrap_or_else(|| self.out.clone());
        let parent = std::path::absolute(&parent).map_err(|e| format!("{}: {e}", parent.display()))?;
        DataDir::create(parent.join(format!("data-{name}-{}", std::process::id())), false)
    }

    /// How to start a broker of `side` on `folder`, in this layout.
    pub fn launcher(&self, side: Side, folder: &Path) -> Result<Launcher, String> {
        let bound_to = (self.layout == Layout::Split).then_some(Layout::BROKER_CORE);
        match (side, &self.libs) {
            (Side::Tora, _) => Ok(Launcher::Tora(Launch {
                program: self.args.tora.clone().map_or_else(Launch::find_program, Ok)?,
                data_dir: folder.to_path_buf(),
                cores: if bound_to.is_some() { 1 } else { self.args.cores },
                settings: Vec::new(),
                bound_to,
                log: self.out.join("tora.log"),
            })),
            (Side::Other, Some(libs)) => {
                let launch = kafka::Launch::prepare(libs, folder, &self.out.join("kafka.log"), bound_to)?;
                Ok(Launcher::Kafka(launch))
            }
            (Side::Other, None) => Err("a peer is not ours to start".into()),
            (Side::Floor | Side::FreshFloor, _) => {
                Err("the floor is started by each of its measurements".into())
            }
        }
    }

    /// The core that a load generator is bound to.
    pub fn generator_core(&self) -> Option<usize> {
        (self.layout == Layout::Split).then_some(Layout::GENERATOR_CORE)
    }

    /// The comparison's results folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// The broker behind a contender.
    pub fn broker(&self, contender: Contender) -> &Broker {
        match contender.side {
            Side::Tora => &self.tora,
            Side::Other => &self.other,
            Side::Floor | Side::FreshFloor => unreachable!("each measurement of the floor has its own"),
        }
    }

    /// What is compared, for the results.
    pub fn describe(&self) -> Value {
        json!({
            "tora": { "name": "tora", "version": self.version, "settings": "defaults; flush.messages by topic" },
            "other": self.about_other,
        })
    }

    /// Runs each broker for a while without counting it: a JVM compiles what it runs often.
    ///
    /// # Errors
    /// A sentence, where one of them cannot be driven at all.
    pub fn warm_up(&self, plan: &Plan, progress: &Progress) -> Result<(), String> {
        /// Of a measurement's time: some seconds in a quick comparison, a quarter of a minute in a whole one.
        const TIMES: f64 = 6.0;
        let warm_up = workloads::all().into_iter().find(|workload| workload.kind == Kind::Bench);
        let mut warm_up = warm_up.expect("there is one");
        (warm_up.times, warm_up.phases) = (TIMES, &["consume_hot"]);
        for side in [Side::Other, Side::Tora] {
            progress.say(&format!("warming up {}", plan.broker_name(side)));
            let contender = Contender { side, contract: Contract::Written };
            let folder = self.out.join("warm-up").join(self.layout.name());
            Cell::new(plan, &folder, warm_up, contender, 0).measure(self, plan)?;
        }
        Ok(())
    }

    /// Waits until both brokers have nothing to do (one may still be deleting a topic), everything written so far is on the
    /// disk and that has calmed down, and sees to it that `cell` has room.
    ///
    /// # Errors
    /// A sentence, where the disk is too full or one of the folders is gone.
    pub fn settle(&self, cell: &Cell, plan: &Plan, progress: &Progress) -> Result<(), String> {
        /// What nothing may use up: other programs want to live too.
        const SPARE_BYTES: u64 = 1_000_000_000;
        self.wait_until_idle();
        for folder in self.data.iter().map(DataDir::path) {
            let cannot = |e| format!("cannot write out the caches of {}: {e}", folder.display());
            sys::sync_filesystem(folder).map_err(cannot)?;
            let volume = Volume::below(folder).map_err(cannot)?;
            let free = volume.free_bytes().map_err(cannot)?;
            let needed = cell.bytes_needed(plan) + SPARE_BYTES;
            if free < needed {
                return Err(format!(
                    "{} has {:.1} GB free and this needs {:.1} GB: make room, give --data-dir on a larger disk, or \
                     measure less (--fetch-bytes, --duration)",
                    volume.mount_point,
                    free as f64 / 1e9,
                    needed as f64 / 1e9
                ));
            }
        }
        self.calm_down(cell.workload.is_paced(), progress);
        Ok(())
    }

    /// Waits for the disk to be done with what it has been told last, but not for ever: after large files were deleted,
    /// it stalls the writes of whoever is measured next. Where requests come by the clock (`paced`), little is much.
    fn calm_down(&self, paced: bool, progress: &Progress) {
        // Below a peer's data there may be any disk; what is ours is all on one.
        let on_a_disk = |folder: &&Path| Volume::below(folder).is_ok_and(|volume| !volume.is_memory());
        let Some(folder) = self.data.iter().map(DataDir::path).next().filter(on_a_disk) else { return };
        let patience = calm::PATIENCE.min(self.waits.get());
        if patience.is_zero() {
            return;
        }
        let much = if paced { calm::MUCH_BYTES } else { calm::VERY_MUCH_BYTES };
        match calm::wait(folder, self.disk.get(), much, patience) {
            Ok(calm) => {
                self.disk.set(calm.known());
                self.waits.set(self.waits.get().saturating_sub(calm.waited));
                if let Some(words) = calm.words() {
                    progress.say(&format!("  {words}"));
                }
            }
            Err(error) => progress.say(&format!("  whether the disk is calm cannot be told: {error}")),
        }
    }

    /// Waits for a moment in which neither broker's process uses the processors, nor Kafka has files to remove, but not for
    /// ever.
    fn wait_until_idle(&self) {
        const LOOK: Duration = Duration::from_millis(100);
        const PATIENCE: Duration = Duration::from_secs(30);
        /// A JVM never rests altogether.
        const BUSY_SECONDS_MAX: f64 = 0.02;
        let used = || -> f64 {
            let pids = [self.tora.pid, self.other.pid].into_iter().flatten();
            pids.filter_map(cpu::seconds_of).sum()
        };
        let begun = Instant::now();
        let patience = PATIENCE.min(self.waits.get());
        let mut before = used();
        while begun.elapsed() < patience {
            std::thread::sleep(LOOK);
            let now = used();
            let deletes = self.other.folder.as_deref().is_some_and(kafka::has_to_delete);
            if now - before <= BUSY_SECONDS_MAX && !deletes {
                return;
            }
            before = now;
            self.waits.set(self.waits.get().saturating_sub(LOOK));
        }
    }

    /// Ends what is ours.
    ///
    /// # Errors
    /// A sentence, where a broker did not end well.
    pub fn end(self) -> Result<(), String> {
        let Self { running, data, .. } = self;
        let ended = running.into_iter().map(Running::stop).fold(Ok(()), Result::and);
        drop(data);
        ended
    }
}
