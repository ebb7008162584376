//! Measurements that are a `tora-load bench` of their own, on a broker that is running.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Cell;
use crate::compare::contest::{Broker, Contest};
use crate::compare::plan::Plan;
use crate::dataset;
use crate::sys;

impl Cell {
    /// The workload's phases, one `bench`.
    pub(super) fn bench(&self, contest: &Contest<'_>, plan: &Plan) -> Result<(), String> {
        let mut command = self.command(contest, contest.broker(self.contender), plan, &self.folder)?;
        command.arg("--phases").arg(self.workload.phases.join(","));
        if !self.workload.probed {
            command.arg("--no-probe");
        }
        if self.workload.arguments.iter().any(|argument| argument.starts_with("--compression")) {
            command.arg("--payload").arg(payload(contest.out())?);
        }
        finish(&mut command)
    }

    /// A log is written; then it is read, from memory and from the disk; then the disk alone is.
    pub(super) fn fetch(&self, contest: &Contest<'_>, plan: &Plan) -> Result<(), String> {
        /// Enough for a steady speed.
        const PROBE_BYTES_MAX: u64 = 1_000_000_000;
        let broker = contest.broker(self.contender);
        let mut command = self.command(contest, broker, plan, &self.folder)?;
        command.arg("--phases=produce,consume_cached,consume_cold").arg("--no-probe");
        command.arg(format!("--bytes={}", plan.fetch_bytes));
        if broker.folder.is_some() {
            command.arg("--drop-page-cache");
            command.arg(format!("--read-probe={}", plan.fetch_bytes.min(PROBE_BYTES_MAX)));
        }
        // The producing phase ends with its bytes; the time is the cached phase's, and the most that producing may take.
        finish(&mut command)
    }

    /// A `bench` of the workload on `broker`, still without its phases.
    pub(super) fn command(
        &self,
        contest: &Contest<'_>,
        broker: &Broker,
        plan: &Plan,
        out: &Path,
    ) -> Result<Command, String> {
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
        let (key, value) = self.contender.contract.topic_config();
        command.arg("--topic-config").arg(format!("{key}={value}"));
        command.args(self.workload.arguments);
        command.arg("--duration").arg(format!("{}ms", plan.duration_of(self.workload).as_millis()));
        command.arg("--warmup").arg(format!("{}ms", plan.warmup.as_millis()));
        command.arg("--out").arg(out).stdin(Stdio::null());
        if let Some(core) = contest.generator_core() {
            sys::bind_to_core(&mut command, core);
        }
        Ok(command)
    }
}

/// Runs a `bench` to its end.
///
/// # Errors
/// Its own words, where it fails.
pub(super) fn finish(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("cannot start tora-load bench: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("tora-load bench failed ({}): {}", output.status, said.trim()))
}

/// Lines that compress as people's data does, written once below `out`.
fn payload(out: &Path) -> Result<OsString, String> {
    let folder = out.join("dataset");
    let file = folder.join("click.jsonl");
    if fs::metadata(&file).is_err() {
        dataset::write(&folder)?;
    }
    Ok(file.into())
}
