//! One measurement: a `tora-load bench` of its own, on a broker that is running.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::contest::Broker;
use super::plan::{Contender, Plan, Workload};

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
        (summary["ok"] == true && summary["phases"][self.workload.phase].is_object()).then_some(summary)
    }

    /// Whether it has been made, and went well.
    pub fn is_finished(&self) -> bool {
        self.summary().is_some()
    }

    /// Makes it.
    ///
    /// # Errors
    /// A sentence with the load generator's own words, where it fails.
    pub fn measure(&self, broker: &Broker, plan: &Plan) -> Result<(), String> {
        let own =
            std::env::current_exe().map_err(|e| format!("cannot tell where tora-load itself lies: {e}"))?;
        let mut command = Command::new(own);
        command.args(["bench", "--quiet", "--bootstrap", &broker.address]);
        if let Some(pid) = broker.pid {
            command.args(["--pid", &pid.to_string()]);
        }
        if let Some(folder) = &broker.folder {
            command.arg("--data-dir").arg(folder);
        }
        command.arg("--topic-config").arg(self.contender.contract.topic_config());
        command.arg("--phases").arg(self.workload.phase).args(self.workload.arguments);
        command.arg("--duration").arg(format!("{}ms", plan.duration.as_millis()));
        command.arg("--warmup").arg(format!("{}ms", plan.warmup.as_millis()));
        command.arg("--out").arg(&self.folder).stdin(Stdio::null());
        let output = command.output().map_err(|e| format!("cannot start tora-load bench: {e}"))?;
        if self.is_finished() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("tora-load bench failed ({}): {}", output.status, said.trim()))
    }
}
