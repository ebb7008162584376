//! One measurement: a workload on a contender in a round, with a results folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::contest::Contest;
use super::plan::{Contender, Plan};
use super::workloads::{Kind, Workload};

mod bench;
mod first;
mod knee;
mod lives;
mod tool;

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

    /// Makes it.
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

    /// Writes the summary of a measurement that is not one `bench`: its one phase with these figures.
    fn summarise(&self, figures: &Value) -> Result<(), String> {
        let phase = self.workload.phases[0];
        let summary = json!({
            "ok": true,
            "durability": self.contender.contract.name(),
            "phases": { phase: figures },
        });
        let text = serde_json::to_string_pretty(&summary).expect("it is plain data");
        let path = self.folder.join("summary.json");
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&path, text + "\n"))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))
    }
}
