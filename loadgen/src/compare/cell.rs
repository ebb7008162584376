//! One measurement: a workload on a contender in a round, with a results folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::contest::Contest;
use super::floor;
use super::plan::{Contender, Plan, Side};
use super::workloads::{Kind, Workload};

mod bench;
mod first;
mod knee;
mod lives;
mod tool;

/// Where a measurement's folder says why it could not be made.
const FAILURE: &str = "failure.txt";

/// A measurement, made or to be made.
pub struct Cell {
    pub workload: Workload,
    pub contender: Contender,
    round: u32,
    contender_name: String,
    /// Its results folder.
    pub folder: PathBuf,
}

impl Cell {
    /// The measurement of `workload` on `contender` in `round`.
    pub fn new(plan: &Plan, out: &Path, workload: Workload, contender: Contender, round: u32) -> Self {
        let contender_name = plan.name(contender);
        let folder = out.join(workload.name).join(format!("{}-{round}", contender_name.replace(' ', "-")));
        Self { workload, contender, round, contender_name, folder }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        format!("{}, {}, round {}", self.workload.name, self.contender_name, self.round)
    }

    /// Its summary, if it is finished.
    pub fn summary(&self) -> Option<Value> {
        let text = fs::read_to_string(self.folder.join("summary.json")).ok()?;
        let summary: Value = serde_json::from_str(&text).ok()?;
        let measured = |phase: &&str| summary["phases"][*phase].is_object();
        (summary["ok"] == true && self.workload.phases.iter().all(measured)).then_some(summary)
    }

    /// Whether it has been made, and went well.
    pub fn is_finished(&self) -> bool {
        self.summary().is_some()
    }

    /// Bytes that it may write, generously.
    pub fn bytes_needed(&self, plan: &Plan) -> u64 {
        /// No disk that this has been seen on writes faster.
        const BYTES_PER_SECOND: f64 = 600e6;
        let time: Duration = plan.warmup + plan.duration_of(self.workload);
        if self.contender.side.is_floor() {
            return self.floor_gib(plan) << 30;
        }
        let in_time = (time.as_secs_f64() * BYTES_PER_SECOND) as u64;
        match self.workload.kind {
            Kind::Bench | Kind::Knee => in_time,
            Kind::Fetch => plan.fetch_bytes * 2,
            Kind::Start | Kind::Tool(_) => 500_000_000,
            // Each partition's file may take room ahead.
            Kind::Recovery { partitions, bytes } => {
                bytes * 2 + partitions.unsigned_abs() as u64 * 100_000 + in_time
            }
        }
    }

    /// The size of the floor's file, where it is the floor's.
    fn floor_gib(&self, plan: &Plan) -> u64 {
        floor::file_gib(self.contender, plan.warmup + plan.duration_of(self.workload))
    }

    /// How long it should take, all around it included.
    pub fn expected(&self, plan: &Plan) -> Duration {
        /// Topics, caches, reports: seen on two cores.
        const AROUND: Duration = Duration::from_millis(1500);
        const PROBE: Duration = Duration::from_secs(2);
        const STEPS: u32 = 10;
        let seconds = Duration::from_secs;
        let run = plan.warmup + plan.duration_of(self.workload) + AROUND;
        let many = |partitions: i32| match self.contender.side {
            // Kafka makes some hundred partitions a second, and takes as long again to start on them.
            Side::Other => seconds(partitions.unsigned_abs().into()) / 100,
            _ => Duration::ZERO,
        };
        match self.workload.kind {
            Kind::Bench if self.contender.side.is_floor() => run + seconds(2),
            Kind::Bench if self.workload.probed => run + PROBE,
            Kind::Bench => run + many(self.workload.partitions()),
            Kind::Knee => run * STEPS,
            // Written, read from the disk, and the probe's file written and read.
            Kind::Fetch => run + Duration::from_secs_f64(plan.fetch_bytes as f64 / 150e6),
            Kind::Start => seconds(4),
            Kind::Recovery { partitions, .. } => seconds(15) + many(partitions) * 2,
            Kind::Tool(_) => run + seconds(8),
        }
    }

    /// Makes it; what it could not be made for is a finding, and stands beside it until it can.
    ///
    /// # Errors
    /// A sentence with the load generator's own words, where it fails.
    pub fn measure(&self, contest: &Contest<'_>, plan: &Plan) -> Result<(), String> {
        match self.workload.kind {
            Kind::Bench => self.bench(contest, plan),
            Kind::Fetch => self.fetch(contest, plan),
            Kind::Knee => self.knee(contest, plan),
            Kind::Start => self.start(contest),
            Kind::Recovery { partitions, bytes } => self.recovery(contest, plan, partitions, bytes),
            Kind::Tool(tool) => self.tool(contest, plan, tool),
        }?;
        if self.is_finished() {
            return Ok(());
        }
        Err(format!("it left no complete summary in {}", self.folder.display()))
    }

    /// What it could not be made for, if that is how the last attempt ended.
    pub fn failure(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join(FAILURE)).ok()?;
        Some(text.trim().to_owned()).filter(|_| !self.is_finished())
    }

    /// Keeps how an attempt ended.
    ///
    /// # Errors
    /// A sentence, where the results folder cannot be written.
    pub fn keep_failure(&self, why: &str) -> Result<(), String> {
        self.keep(FAILURE, &format!("{why}\n"))
    }

    /// Writes the summary of a measurement that is not one `bench`: its one phase with these figures.
    fn summarise(&self, figures: &Value) -> Result<(), String> {
        let phase = self.workload.phases[0];
        let summary = json!({
            "ok": true,
            "durability": self.contender.contract.name(),
            "phases": { phase: figures },
        });
        let text = serde_json::to_string_pretty(&summary).expect("it is plain data");
        self.keep("summary.json", &(text + "\n"))
    }

    /// Writes a file into its folder.
    fn keep(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))
    }
}

/// Both objects' figures in one.
fn merged(mut all: Value, more: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}
