//! An open loop at a low rate: what a request waits for when nothing else does, against the disk's own time; and what it
//! waits for in the floor, where the way over the network and through sleeping threads is the same.

use std::time::Duration;

use serde_json::json;

use super::load::Figures;
use super::report::Report;
use super::rounds::{floor_round, raw, run_tora};
use super::{Setup, median, median_ratio};
use crate::journals::disk_p50_us;

/// How many times as long as the disk's own write and flush a request may take.
const RATIO_MAX: f64 = 2.0;
/// 2,000 requests of one record a second.
const LOAD: [&str; 4] = ["--rate", "2000", "--batch-records", "1"];
/// How long the disk is asked before each run.
const ASK_DISK: Duration = Duration::from_millis(500);

/// Measures the disk, the floor and Tora in turn.
pub fn open_loop(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let (mut disk, mut floor, mut tora) = (Vec::new(), Vec::<Figures>::new(), Vec::<Figures>::new());
    for round in 1..=setup.rounds {
        let folder = setup.folder("open-loop-disk")?;
        setup.calm_down(report);
        let p50 = disk_p50_us(&folder, ASK_DISK).map_err(|e| format!("cannot measure the disk: {e}"))?;
        setup.calm_down(report);
        floor.push(floor_round(setup, &format!("open-loop-{round}-floor"), &LOAD, &["--flush"])?);
        setup.calm_down(report);
        let measured = run_tora(setup, &format!("open-loop-{round}-tora"), "produce", &LOAD, &[])?;
        report.progress(&format!(
            "open loop {round}/{}: disk p50 {p50:.0} µs; tora p50 {:.0} µs, p99 {:.0} µs",
            setup.rounds, measured.p50_us, measured.p99_us
        ));
        disk.push(p50);
        tora.push(measured);
    }
    let middle = |of: fn(&Figures) -> f64| median(tora.iter().map(of)).expect("at least one round");
    let ratio =
        median_ratio(tora.iter().map(|f| f.p50_us), disk.iter().copied()).expect("at least one round");
    report.check(
        "2,000 one-record requests/s, flushed: p50 against the disk's own 4 KiB write + flush",
        &format!("≤ {RATIO_MAX} ×"),
        &format!(
            "{ratio:.2} × (tora p50 {:.0} µs, p99 {:.0} µs; disk p50 {:.0} µs)",
            middle(|f| f.p50_us),
            middle(|f| f.p99_us),
            median(disk.iter().copied()).expect("at least one round")
        ),
        ratio <= RATIO_MAX,
    );
    let p50s = |rounds: &[Figures]| rounds.iter().map(|f| f.p50_us).collect::<Vec<_>>();
    let of_floor = median_ratio(p50s(&tora), p50s(&floor)).expect("at least one round");
    let floors = median_ratio(p50s(&floor), disk.iter().copied()).expect("at least one round");
    report.note(
        "… against the floor's p50",
        &format!("{of_floor:.2} × (the floor itself {floors:.2} × the disk)"),
    );
    report.detail(
        "open_loop",
        json!({ "ratio": ratio, "disk_p50_us": disk, "floor": raw(&floor), "tora": raw(&tora) }),
    );
    Ok(())
}
