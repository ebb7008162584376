//! Runs of `tora-load` against a server, and what its `summary.json` says of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::process::Server;

/// How long a producing phase runs before it is measured: connections, buffers and space ahead have grown by then.
const WARM_UP: Duration = Duration::from_secs(1);

/// What one phase measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Records per second: acknowledged, or consumed in a consuming phase.
    pub records_per_second: f64,
    /// Records per second that were acknowledged while they were consumed; none in a producing phase.
    pub produced_per_second: Option<f64>,
    /// The server's CPU time for each 10⁹ bytes of record values.
    pub cpu_seconds_per_gb: f64,
    /// Median latency in microseconds.
    pub p50_us: f64,
    /// The 99th percentile of latency in microseconds.
    pub p99_us: f64,
    /// Bytes per second that were read from the disk meanwhile, by whomever; none where that is not known.
    pub disk_read_per_second: Option<f64>,
    /// Whether every record that was read back was there once, in order and unharmed.
    pub ok: bool,
}

impl Figures {
    /// Reads a phase of the generator's summary.
    pub fn from_summary(summary: &Value, phase: &str) -> Result<Self, String> {
        let figures = &summary["phases"][phase];
        let number = |value: &Value, name: &str| {
            value.as_f64().ok_or_else(|| format!("the load generator's summary has no {name} for {phase}"))
        };
        Ok(Self {
            records_per_second: number(&figures["records_per_second"], "records_per_second")?,
            produced_per_second: figures["producing"]["records_per_second"].as_f64(),
            cpu_seconds_per_gb: number(&figures["broker_cpu_seconds_per_gb"], "broker_cpu_seconds_per_gb")?,
            p50_us: number(&figures["latency_us"]["p50"], "p50")?,
            p99_us: number(&figures["latency_us"]["p99"], "p99")?,
            disk_read_per_second: figures["device_read_bytes"]
                .as_f64()
                .zip(figures["seconds"].as_f64())
                .map(|(bytes, seconds)| bytes / seconds),
            ok: summary["ok"].as_bool().unwrap_or(false),
        })
    }
}

/// The load generator: the same program with the same defaults for every server.
pub struct Generator {
    /// `tora-load`.
    pub program: PathBuf,
    /// The measured time of a producing phase.
    pub duration: Duration,
}

impl Generator {
    /// Runs one phase with more `arguments` against `server`; results and output go into `out`. `data` tells which disk
    /// to watch.
    pub fn measure(
        &self,
        server: &Server,
        phase: &str,
        arguments: &[&str],
        data: &Path,
        out: &Path,
    ) -> Result<Figures, String> {
        let status = self
            .command(server, phase, self.duration, data, out)?
            .args(arguments)
            .status()
            .map_err(|e| format!("cannot start {}: {e}", self.program.display()))?;
        Figures::from_summary(&summary(out, status)?, phase)
    }

    /// Starts to produce, for `duration` unless it is killed before.
    pub fn produce(
        &self,
        server: &Server,
        duration: Duration,
        data: &Path,
        out: &Path,
    ) -> Result<Child, String> {
        self.command(server, "produce", duration, data, out)?
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", self.program.display()))
    }

    fn command(
        &self,
        server: &Server,
        phase: &str,
        duration: Duration,
        data: &Path,
        out: &Path,
    ) -> Result<Command, String> {
        let cannot = |e| format!("cannot write into {}: {e}", out.display());
        fs::create_dir_all(out).map_err(cannot)?;
        let output = File::create(out.join("tora-load.txt")).map_err(cannot)?;
        let errors = output.try_clone().map_err(cannot)?;
        let mut command = Command::new(&self.program);
        command.args(["bench", "--quiet", "--phases", phase, "--bootstrap", &server.address]);
        command.arg("--pid").arg(server.pid().to_string());
        command.arg("--duration").arg(format!("{}ms", duration.as_millis()));
        command.arg("--warmup").arg(format!("{}ms", WARM_UP.as_millis()));
        command.arg("--data-dir").arg(data).arg("--out").arg(out);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        Ok(command)
    }
}

/// What a run of the generator, which ended with `status`, left in `out`.
pub fn summary(out: &Path, status: ExitStatus) -> Result<Value, String> {
    let path = out.join("summary.json");
    let text = fs::read_to_string(&path)
        .map_err(|e| format!("tora-load ended with {status} and left no {}: {e}", path.display()))?;
    let summary: Value = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    match summary["error"].as_str() {
        Some(why) => Err(format!("tora-load: {why} (its results: {})", out.display())),
        None => Ok(summary),
    }
}

#[cfg(test)]
mod tests;
