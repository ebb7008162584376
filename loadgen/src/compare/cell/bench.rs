//! Measurements that are a `tora-load bench` of their own, on a broker that is running.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Cell;
use crate::compare::contest::{Broker, Contest};
use crate::compare::floor::{self, Floor};
use crate::compare::plan::Plan;
use crate::dataset;
use crate::sys;

/// What a `bench` may take beside the time in which it measures: a topic of ten thousand partitions takes some brokers
/// minutes.
const BENCH_PATIENCE: Duration = Duration::from_secs(240);
/// How long one that takes too long may take to end.
const END_PATIENCE: Duration = Duration::from_secs(20);

impl Cell {
    /// The workload's phases, one `bench`.
    pub(super) fn bench(&self, contest: &Contest<'_>, plan: &Plan) -> Result<(), String> {
        let floor = self.floor(contest, plan)?;
        let own = floor.as_ref().map(Floor::broker);
        let broker = own.as_ref().unwrap_or_else(|| contest.broker(self.contender));
        let mut command = self.command(contest, broker, plan, &self.folder)?;
        command.arg("--phases").arg(self.workload.phases.join(","));
        if !self.workload.probed {
            command.arg("--no-probe");
        }
        if self.workload.arguments.iter().any(|argument| argument.starts_with("--compression")) {
            command.arg("--payload").arg(payload(contest.out())?);
        }
        finish(&mut command, plan.duration_of(self.workload) + BENCH_PATIENCE)
    }

    /// A floor of this measurement's own; `None` where a broker is measured.
    fn floor(&self, contest: &Contest<'_>, plan: &Plan) -> Result<Option<Floor>, String> {
        if !self.contender.side.is_floor() {
            return Ok(None);
        }
        let program = plan.floor.as_deref().ok_or(floor::MISSING)?;
        let folder = contest.data_dir("floor")?;
        let log = contest.out().join("floor.log");
        Floor::start(program, self.contender, self.floor_gib(plan), folder, &log).map(Some)
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
        finish(&mut command, plan.duration_of(self.workload) + BENCH_PATIENCE)
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

/// Runs a `bench` to its end, which must come within `patience`.
///
/// # Errors
/// Its own words, where it fails.
pub(super) fn finish(command: &mut Command, patience: Duration) -> Result<(), String> {
    /// Short beside the shortest measurement, and no load to speak of.
    const POLL: Duration = Duration::from_millis(20);
    let cannot = |e: io::Error| format!("cannot run tora-load bench: {e}");
    // What it says on standard error is some sentences, for which a pipe has room.
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    sys::bind_to_parent(command);
    let mut child = command.spawn().map_err(cannot)?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => break status,
            None if begun.elapsed() < patience && !sys::interrupted() => std::thread::sleep(POLL),
            None => {
                // Asked with SIGTERM, it deletes its topic.
                sys::end(&mut child, END_PATIENCE).map_err(cannot)?;
                return Err(format!("not finished within {} s", begun.elapsed().as_secs()));
            }
        }
    };
    let mut said = String::new();
    child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said)).transpose().map_err(cannot)?;
    if status.success() { Ok(()) } else { Err(said.trim().trim_start_matches("tora-load: ").to_owned()) }
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
