//! Brokers of a measurement's own, whose start is timed: on an empty folder, and after a kill.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bench::finish;
use super::first::{PATIENCE, acknowledged, served, until};
use super::{Cell, merged};
use crate::admin::Admin;
use crate::compare::contest::{Broker, Contest};
use crate::compare::instance::Launcher;
use crate::compare::plan::Plan;
use crate::cpu;
use crate::sys;

const TOPIC: &str = "tora-load-life";

impl Cell {
    /// From the start of the process on an empty folder to the first acknowledged record.
    pub(super) fn start(&self, contest: &Contest<'_>) -> Result<(), String> {
        let data = contest.data_dir(&format!("{}-start", self.folder_name()))?;
        let launcher = contest.launcher(self.contender.side, data.path())?;
        let begun = Instant::now();
        let broker = launcher.start()?;
        let answered = begun.elapsed();
        let configs = [self.contender.contract.topic_config()];
        // A broker that has only just begun may refuse for a moment.
        until(|| Admin::connect(broker.address())?.create_topic(TOPIC, 1, &configs))?;
        until(|| acknowledged(broker.address(), TOPIC))?;
        let first = begun.elapsed();
        let used = used_since_its_start(broker.pid());
        broker.stop()?;
        self.summarise(&merged(
            json!({
                "answered_ms": answered.as_secs_f64() * 1e3,
                "first_acknowledgement_ms": first.as_secs_f64() * 1e3,
            }),
            used,
        ))
    }

    /// From the next start of the process after a kill under load to all partitions served and one record acknowledged.
    pub(super) fn recovery(
        &self,
        contest: &Contest<'_>,
        plan: &Plan,
        partitions: i32,
        bytes: u64,
    ) -> Result<(), String> {
        /// Of the load under which it is killed.
        const UNDER_LOAD: Duration = Duration::from_millis(1000);
        let data = contest.data_dir(&format!("{}-recovery", self.folder_name()))?;
        let launcher = contest.launcher(self.contender.side, data.path())?;
        let running = launcher.start()?;
        let configs = [self.contender.contract.topic_config()];
        Admin::connect(running.address())?.create_topic(TOPIC, partitions, &configs)?;
        served(running.address(), TOPIC)?;
        let broker = Broker {
            address: running.address().to_owned(),
            pid: Some(running.pid()),
            folder: Some(data.path().to_path_buf()),
        };
        // Small batches where there are many partitions, so that each gets some.
        let batch = if partitions > 1000 { 1 } else { 500 };
        let load = |name: &str| {
            let mut command = self.command(contest, &broker, plan, &self.folder.join(name))?;
            command.args(["--phases=produce", "--no-probe", "--warmup=0s", "--duration=10m"]);
            command.arg(format!("--topic={TOPIC}")).arg(format!("--batch-records={batch}"));
            Ok::<_, String>(command)
        };
        finish(load("fill")?.arg(format!("--bytes={bytes}")), PATIENCE)?;
        let mut under_load = load("under-load")?;
        under_load.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        sys::bind_to_parent(&mut under_load);
        let child = under_load.spawn().map_err(|e| format!("cannot start tora-load bench: {e}"))?;
        let generator = Ended(child);
        std::thread::sleep(UNDER_LOAD);
        running.kill()?;
        drop(generator);

        let begun = Instant::now();
        let figures = match restarted(&launcher, begun) {
            Ok(figures) => figures,
            // That is a result too, and would be the same another time.
            Err(why) if begun.elapsed() >= PATIENCE => json!({
                "finding": format!("not ready within {} s of its start after the kill ({why})", PATIENCE.as_secs()),
            }),
            Err(why) => return Err(why),
        };
        self.summarise(&merged(figures, json!({ "partitions": partitions, "bytes_before": bytes })))
    }

    /// The last part of its folder's path, which no other cell of the same workload has.
    fn folder_name(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Starts a broker on what a killed one left behind; gives how long it took, and what it used.
fn restarted(launcher: &Launcher, begun: Instant) -> Result<Value, String> {
    let running = launcher.start()?;
    let answered = begun.elapsed();
    until(|| served(running.address(), TOPIC))?;
    let ready = begun.elapsed();
    until(|| acknowledged(running.address(), TOPIC))?;
    let first = begun.elapsed();
    let used = used_since_its_start(running.pid());
    running.stop()?;
    let times = json!({
        "answered_ms": answered.as_secs_f64() * 1e3,
        "ready_ms": ready.as_secs_f64() * 1e3,
        "first_acknowledgement_ms": first.as_secs_f64() * 1e3,
    });
    Ok(merged(times, used))
}

/// What a process has used by now.
fn used_since_its_start(pid: u32) -> Value {
    json!({
        "resident_bytes": cpu::resident_bytes_of(pid),
        "broker_cpu_seconds": cpu::seconds_of(pid),
        "broker_written_bytes": cpu::written_bytes_of(pid),
    })
}

/// A process of ours that is ended with the value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
