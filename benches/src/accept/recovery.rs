//! Recovery of a 4 GB log after `kill -9` under load.

use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::probe::{Probe, Topic};
use super::process::Server;
use super::report::Report;
use super::{Setup, remove_data};

/// Bytes of record values in the log.
const LOG_BYTES: i64 = 4_000_000_000;
/// The generator's default record size.
const VALUE_BYTES: i64 = 100;
const RECOVERY_SECONDS_MAX: f64 = 1.0;
/// Four gigabytes have to be there by then.
const FILL_PATIENCE: Duration = Duration::from_secs(180);
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Fills the log, kills the server under load and times the next start.
pub fn recover(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("recovery")?;
    let data = super::data_folder(&folder);
    fs::create_dir_all(&data).map_err(|e| format!("cannot make {}: {e}", data.display()))?;
    let server = setup.start_tora(&folder, &[])?;
    let mut load = setup.generator.produce(&server, FILL_PATIENCE, &data, &folder)?;
    let filled = fill(&server, &mut load);
    server.kill()?;
    // The generator can only complain that its broker has gone.
    let ended = load.kill().and_then(|()| load.wait());
    ended.map_err(|e| format!("cannot stop tora-load: {e}"))?;
    let (topic, acknowledged) = filled?;

    let begun = Instant::now();
    let server = setup.start_tora(&folder, &[])?;
    let ready = server.ready_after.as_secs_f64();
    let mut probe = Probe::connect(&server.address)?;
    for partition in 0..topic.partitions {
        probe.read_from_start(&topic, partition)?;
    }
    let readable = begun.elapsed().as_secs_f64();
    let recovered = probe.records(&topic)?;
    server.stop()?;
    remove_data(&folder)?;

    let gb = (recovered * VALUE_BYTES) as f64 / 1e9;
    report.check(
        "recovery of a 4 GB log after kill -9: ready",
        &format!("< {RECOVERY_SECONDS_MAX} s"),
        &format!("{ready:.3} s ({gb:.1} GB; all partitions readable after {readable:.3} s)"),
        readable < RECOVERY_SECONDS_MAX,
    );
    report.check(
        "recovery: records seen before the kill are there",
        &format!("≥ {acknowledged}"),
        &recovered.to_string(),
        recovered >= acknowledged,
    );
    report.detail(
        "recovery",
        json!({
            "ready_seconds": ready, "readable_seconds": readable, "records_before": acknowledged,
            "records_after": recovered,
        }),
    );
    Ok(())
}

/// Waits until the log is large enough; gives its topic and how many records it had at least.
fn fill(server: &Server, load: &mut Child) -> Result<(Topic, i64), String> {
    let mut probe = Probe::connect(&server.address)?;
    let deadline = Instant::now() + FILL_PATIENCE;
    let mut records = 0;
    while Instant::now() < deadline {
        thread::sleep(ASK_EVERY);
        if let Some(topic) = probe.topics()?.pop() {
            records = probe.records(&topic)?;
            if records * VALUE_BYTES >= LOG_BYTES {
                return Ok((topic, records));
            }
        }
        if let Some(status) = load.try_wait().map_err(|e| format!("cannot wait for tora-load: {e}"))? {
            return Err(format!("tora-load ended with {status} before the log was large enough"));
        }
    }
    Err(format!("the log had only {records} records after {} s", FILL_PATIENCE.as_secs()))
}
