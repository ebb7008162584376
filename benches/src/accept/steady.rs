//! An open loop at a low rate: what a request waits for when nothing else does, against the disk's own time; and what it
//! waits for in the floor, where the way over the network and through sleeping threads is the same.

use std::time::Duration;

use serde_json::json;

use super::load::Figures;
use super::report::Report;
use super::rounds::{floor_round, raw, run_tora};
use super::{Setup, median, median_ratio};
use crate::journals::disk_us;

/// How many times as long as the disk's own write and flush a request may take.
const RATIO_MAX: f64 = 2.0;
/// 2,000 requests of one record a second.
const LOAD: [&str; 4] = ["--rate", "2000", "--batch-records", "1"];
/// From one to the next.
const PACE: Duration = Duration::from_micros(500);
/// How long the disk is asked before each run.
const ASK_DISK: Duration = Duration::from_millis(500);

/// What is measured in turn.
#[derive(Default)]
struct Rounds {
    /// The disk's own write and flush, one after the other; medians in microseconds.
    disk: Vec<f64>,
    /// The same at the load's pace.
    paced_disk: Vec<f64>,
    /// The floor that writes nothing: what the network and two threads that have to be woken take.
    network: Vec<Figures>,
    floor: Vec<Figures>,
    tora: Vec<Figures>,
}

/// Measures the disk, the floor and Tora in turn.
pub fn open_loop(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let mut rounds = Rounds::default();
    for round in 1..=setup.rounds {
        let folder = setup.folder("open-loop-disk")?;
        let ask = |pace| {
            setup.calm_down(report);
            disk_us(&folder, ASK_DISK, pace, 0.5).map_err(|e| format!("cannot measure the disk: {e}"))
        };
        rounds.disk.push(ask(None)?);
        rounds.paced_disk.push(ask(Some(PACE))?);
        let of_floor = |name: &str, how: &str| {
            setup.calm_down(report);
            floor_round(setup, &format!("open-loop-{round}-{name}"), &LOAD, &[how])
        };
        rounds.network.push(of_floor("network", "--no-write")?);
        rounds.floor.push(of_floor("floor", "--flush")?);
        setup.calm_down(report);
        let measured = run_tora(setup, &format!("open-loop-{round}-tora"), "produce", &LOAD, &[])?;
        report.progress(&format!(
            "open loop {round}/{}: disk p50 {:.0} µs; tora p50 {:.0} µs, p99 {:.0} µs",
            setup.rounds,
            rounds.disk.last().expect("it was just pushed"),
            measured.p50_us,
            measured.p99_us
        ));
        rounds.tora.push(measured);
    }
    tell(&rounds, report);
    Ok(())
}

fn tell(rounds: &Rounds, report: &mut Report) {
    let some = "at least one round";
    let p50s = |figures: &[Figures]| figures.iter().map(|f| f.p50_us).collect::<Vec<_>>();
    let middle = |of: fn(&Figures) -> f64| median(rounds.tora.iter().map(of)).expect(some);
    let against =
        |ours: &[Figures], theirs: &[f64]| median_ratio(p50s(ours), theirs.iter().copied()).expect(some);
    let ratio = against(&rounds.tora, &rounds.disk);
    report.check(
        "2,000 one-record requests/s, flushed: p50 against the disk's own 4 KiB write + flush",
        &format!("≤ {RATIO_MAX} ×"),
        &format!(
            "{ratio:.2} × (tora p50 {:.0} µs, p99 {:.0} µs; disk p50 {:.0} µs)",
            middle(|f| f.p50_us),
            middle(|f| f.p99_us),
            median(rounds.disk.iter().copied()).expect(some)
        ),
        ratio <= RATIO_MAX,
    );
    report.note(
        "… against the floor's p50",
        &format!(
            "{:.2} × (the floor itself {:.2} × the disk)",
            against(&rounds.tora, &p50s(&rounds.floor)),
            against(&rounds.floor, &rounds.disk)
        ),
    );
    // What no server could do without.
    let network = p50s(&rounds.network);
    let least = network.iter().zip(&rounds.paced_disk).map(|(network, disk)| network + disk);
    let least: Vec<f64> = least.collect();
    report.note(
        "… against the network alone and the disk, asked at the same pace",
        &format!(
            "{:.2} × (network {:.0} µs + disk {:.0} µs = {:.2} × the disk one after the other)",
            against(&rounds.tora, &least),
            median(network.iter().copied()).expect(some),
            median(rounds.paced_disk.iter().copied()).expect(some),
            median_ratio(least.iter().copied(), rounds.disk.iter().copied()).expect(some),
        ),
    );
    report.detail(
        "open_loop",
        json!({
            "ratio": ratio,
            "disk_p50_us": rounds.disk,
            "paced_disk_p50_us": rounds.paced_disk,
            "network": raw(&rounds.network),
            "floor": raw(&rounds.floor),
            "tora": raw(&rounds.tora),
        }),
    );
}
