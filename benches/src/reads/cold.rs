//! Consumers that read from the disk, against the disk's own sequential read of the same files.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::disk;
use crate::accept::load::summary;
use crate::accept::report::Report;
use crate::accept::{Setup, median, median_ratio};

/// The part of the disk's own speed that consumers reach.
const RATIO_MIN: f64 = 0.7;

/// The shape of a load: partitions, each with a producer and then a consumer on a connection of its own.
struct Shape {
    partitions: u32,
    target: Option<f64>,
    rounds: u32,
}

/// Measures the load generator's four consumers, and one alone.
pub fn cold(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let rounds = setup.rounds;
    measure(setup, &Shape { partitions: 4, target: Some(RATIO_MIN), rounds }, report)?;
    // It has no target: one round says what it is about.
    measure(setup, &Shape { partitions: 1, target: None, rounds: 1 }, report)
}

fn measure(setup: &Setup, shape: &Shape, report: &mut Report) -> Result<(), String> {
    let (mut disks, mut toras, mut cpu, mut most) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 1..=shape.rounds {
        let folder = setup.folder(&format!("reads-cold-{}-{round}", shape.partitions))?;
        let measured = one_round(setup, shape, &folder);
        let removed = remove_kept(&folder);
        let Round { tora, broker_cpu, disk, processors } = measured?;
        removed?;
        report.progress(&format!(
            "consume_cold, {} partitions, {round}/{}: disk {:.0} MB/s; tora {:.0} MB/s, {broker_cpu:.2} cpu-s/GB",
            shape.partitions,
            shape.rounds,
            disk / 1e6,
            tora / 1e6
        ));
        disks.push(disk);
        toras.push(tora);
        cpu.push(broker_cpu);
        most.push(processors);
    }
    let middle = |of: &[f64]| median(of.iter().copied()).expect("there is at least one round");
    let ratio = median_ratio(toras.iter().copied(), disks.iter().copied()).expect("at least one round");
    let what = format!("consume_cold, {} partition(s): bytes/s against the disk's own", shape.partitions);
    let measured = format!(
        "{ratio:.2} × (tora {:.0} MB/s, {:.2} cpu-s/GB; disk {:.0} MB/s)",
        middle(&toras) / 1e6,
        middle(&cpu),
        middle(&disks) / 1e6
    );
    match shape.target {
        Some(target) => report.check(&what, &format!("≥ {target} ×"), &measured, ratio >= target),
        None => report.note(&what, &measured),
    }
    // Broker and consumer share the processors, and a disk may be faster than those copy.
    report.note(
        "… the most that this machine's processors allow, broker and consumer together",
        &format!(
            "{:.0} MB/s, {:.2} × the disk",
            middle(&most) / 1e6,
            median_ratio(most.iter().copied(), disks.iter().copied()).expect("at least one round")
        ),
    );
    report.detail(
        &format!("reads_cold_{}", shape.partitions),
        json!({
            "ratio": ratio,
            "disk": disks,
            "tora": toras,
            "cpu_seconds_per_gb": cpu,
            "processors": most,
        }),
    );
    Ok(())
}

/// What one round measured, in bytes of batches a second unless said.
struct Round {
    /// That tora served.
    tora: f64,
    /// Seconds of its CPU time for each 10⁹ bytes of record values.
    broker_cpu: f64,
    /// That the disk gives by itself.
    disk: f64,
    /// That it would have been, had no processor been idle.
    processors: f64,
}

/// The load generator produces, restarts tora and consumes; then the same files are read without tora.
fn one_round(setup: &Setup, shape: &Shape, folder: &Path) -> Result<Round, String> {
    let problem = |e| format!("cannot read what tora-load left in {}: {e}", folder.display());
    let status = Command::new(&setup.generator.program)
        .args(["bench", "--quiet", "--keep-data", "--phases", "produce,consume_cold", "--cores", "2"])
        .arg("--partitions")
        .arg(shape.partitions.to_string())
        .arg("--connections")
        .arg(shape.partitions.to_string())
        .arg("--duration")
        .arg(format!("{}ms", setup.generator.duration.as_millis()))
        .arg("--tora")
        .arg(&setup.tora)
        .arg("--out")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|e| format!("cannot start {}: {e}", setup.generator.program.display()))?;
    let summary = summary(folder, status)?;
    if summary["ok"].as_bool() != Some(true) {
        return Err(format!("not every record was there once and unharmed: {}", folder.display()));
    }
    let phase = &summary["phases"]["consume_cold"];
    let number = |name: &str| {
        phase[name].as_f64().ok_or_else(|| format!("tora-load's summary has no {name} for consume_cold"))
    };
    let files = disk::segments(folder).map_err(problem)?;
    let bytes = disk::written_bytes(&files).map_err(problem)?;
    let disk = disk::sequential_read(&files).map_err(problem)?;
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Round {
        tora: bytes as f64 / number("seconds")?,
        broker_cpu: number("broker_cpu_seconds_per_gb")?,
        disk,
        processors: bytes as f64 * processors as f64 / number("machine_cpu_seconds")?,
    })
}

/// Removes the data folder that the generator kept; its results stay.
fn remove_kept(folder: &Path) -> Result<(), String> {
    let problem = |e| format!("cannot clear {}: {e}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        if path.is_dir() {
            std::fs::remove_dir_all(&path).map_err(problem)?;
        }
    }
    Ok(())
}
