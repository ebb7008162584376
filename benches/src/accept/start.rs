//! Starting on an empty folder, and what an idle server holds.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::report::Report;
use super::{Setup, median, remove_data};

const READY_MS_MAX: f64 = 100.0;
const STARTS: u32 = 11;
const IDLE_BYTES_MAX: u64 = 64 << 20;
/// Whatever a server does after its start is over by then.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// From starting the process to `listening on`, on an empty folder.
pub fn ready(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("start")?;
    let mut starts_ms = Vec::new();
    for _ in 0..STARTS {
        let server = setup.start_tora(&folder, &[])?;
        starts_ms.push(server.ready_after.as_secs_f64() * 1e3);
        server.stop()?;
        remove_data(&folder)?;
    }
    let middle = median(starts_ms.iter().copied()).expect("it was started several times");
    let longest = starts_ms.iter().copied().fold(0.0, f64::max);
    report.check(
        "ready on an empty folder",
        &format!("< {READY_MS_MAX} ms"),
        &format!("{middle:.1} ms (median of {STARTS}; longest {longest:.1} ms)"),
        middle < READY_MS_MAX,
    );
    report.detail("start", json!({ "ready_ms": starts_ms }));
    Ok(())
}

/// Resident memory a while after a start.
pub fn idle(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("idle")?;
    let server = setup.start_tora(&folder, &[])?;
    thread::sleep(SETTLED_AFTER);
    let resident = server.resident_bytes()?;
    server.stop()?;
    remove_data(&folder)?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    report.check(
        "resident when idle",
        &format!("< {:.0} MiB", mib(IDLE_BYTES_MAX)),
        &format!("{:.1} MiB", mib(resident)),
        resident < IDLE_BYTES_MAX,
    );
    report.detail("idle", json!({ "resident_bytes": resident }));
    Ok(())
}
