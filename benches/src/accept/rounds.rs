//! Throughput: Tora beside the floor in interleaved rounds, and consumers that keep up.

use std::fs;

use serde_json::{Value, json};

use super::load::Figures;
use super::report::Report;
use super::{Setup, median, remove_data};

/// Consumers keep up if they read this part of what is acknowledged at the same time.
const KEEPS_UP_MIN: f64 = 0.95;

/// A load that the floor and Tora serve in turn, and how near Tora has to come.
pub struct Workload {
    /// In the names of folders and raw figures.
    name: &'static str,
    /// In the table.
    what: &'static str,
    /// More arguments for the generator, the floor and Tora.
    load: &'static [&'static str],
    floor: &'static [&'static str],
    tora: &'static [&'static str],
    /// The part of the floor's records per second that Tora must reach.
    records_min: f64,
}

/// Batches at the generator's defaults, flushed.
const FLUSHED: Workload = Workload {
    name: "produce",
    what: "produce, flushed",
    load: &[],
    floor: &["--flush"],
    tora: &[],
    records_min: 0.4,
};

/// The same without waiting for flushes.
pub const WRITTEN: Workload = Workload {
    name: "written",
    what: "produce, written",
    load: &[],
    floor: &["--no-flush"],
    tora: &["--set", "flush.messages=9223372036854775807"],
    records_min: 0.4,
};

/// One record a request, one request in flight on each of 64 connections, flushed.
pub const ONE_RECORD: Workload = Workload {
    name: "one-record",
    what: "one-record requests from 64 connections, flushed",
    load: &["--batch-records", "1", "--connections", "64", "--in-flight", "1"],
    floor: &["--flush"],
    tora: &[],
    records_min: 0.4,
};

/// The floor and Tora in turn, the same load on both.
pub fn beside_the_floor(setup: &Setup, load: &Workload, report: &mut Report) -> Result<(), String> {
    let (mut floor, mut tora) = (Vec::new(), Vec::new());
    for round in 1..=setup.rounds {
        floor.push(floor_round(setup, &format!("{}-{round}-floor", load.name), load.load, load.floor)?);
        tora.push(tora_round(setup, &format!("{}-{round}-tora", load.name), "produce", load)?);
        let (last_floor, last_tora) = (&floor[floor.len() - 1], &tora[tora.len() - 1]);
        report.progress(&format!(
            "{} {round}/{}: floor {}; tora {}",
            load.name,
            setup.rounds,
            short(last_floor),
            short(last_tora)
        ));
    }
    let of = |f: fn(&Figures) -> f64| middle(&tora, f) / middle(&floor, f);
    let (ratio, cpu_ratio) = (of(|f| f.records_per_second), of(|f| f.cpu_seconds_per_gb));
    report.check(
        &format!("{}: records/s against the floor", load.what),
        &format!("≥ {} ×", load.records_min),
        &format!(
            "{ratio:.2} ×, its CPU {cpu_ratio:.2} × (tora {}; floor {})",
            summary(&tora),
            summary(&floor)
        ),
        ratio >= load.records_min,
    );
    report.detail(
        load.name,
        json!({
            "ratio": ratio,
            "cpu_ratio": cpu_ratio,
            "floor": floor.iter().map(figures).collect::<Vec<_>>(),
            "tora": tora.iter().map(figures).collect::<Vec<_>>(),
        }),
    );
    Ok(())
}

/// Flushed produce, and what the floor does on blocks that have never been written.
pub fn produce(setup: &Setup, report: &mut Report) -> Result<(), String> {
    beside_the_floor(setup, &FLUSHED, report)?;
    // A new segment's blocks have never been written, and each flush then commits metadata. The floor's main figure
    // is free of that; this one says what is left to gain.
    let fresh = floor_round(setup, "produce-fresh-floor", &[], &["--flush", "--fresh", "--file-gib", "32"])?;
    report.note("floor on fresh blocks, flushed", &short(&fresh));
    report.detail("produce_floor_fresh", figures(&fresh));
    Ok(())
}

/// Consumers that follow the producers: as fast, and every record once.
pub fn consume_hot(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let measured = tora_round(setup, "consume-hot-tora", "consume_hot", &FLUSHED)?;
    let produced =
        measured.produced_per_second.ok_or("tora-load reports no produced records beside the consumed")?;
    let share = measured.records_per_second / produced;
    report.check(
        "consume_hot: consumed of what is produced meanwhile",
        &format!("≥ {KEEPS_UP_MIN}, all verified"),
        &format!(
            "{share:.3} ({}{})",
            short(&measured),
            if measured.ok { ", all verified" } else { ", VERIFICATION FAILED" }
        ),
        share >= KEEPS_UP_MIN && measured.ok,
    );
    report.detail("consume_hot", figures(&measured));
    Ok(())
}

fn floor_round(setup: &Setup, name: &str, load: &[&str], extra: &[&str]) -> Result<Figures, String> {
    let folder = setup.folder(name)?;
    let server = setup.start_floor(&folder, extra)?;
    let figures = setup.generator.measure(&server, "produce", load, &folder, &folder)?;
    server.stop()?;
    Ok(figures)
}

fn tora_round(setup: &Setup, name: &str, phase: &str, load: &Workload) -> Result<Figures, String> {
    let folder = setup.folder(name)?;
    let data = super::data_folder(&folder);
    fs::create_dir_all(&data).map_err(|e| format!("cannot make {}: {e}", data.display()))?;
    let server = setup.start_tora(&folder, load.tora)?;
    let figures = setup.generator.measure(&server, phase, load.load, &data, &folder);
    let stopped = server.stop();
    remove_data(&folder)?;
    stopped.and(figures)
}

fn middle(rounds: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    median(rounds.iter().map(of)).expect("there is at least one round")
}

/// The medians of all rounds.
fn summary(rounds: &[Figures]) -> String {
    format!(
        "{:.3} M/s, {:.2} cpu-s/GB, p50 {:.0} µs, p99 {:.0} µs",
        middle(rounds, |f| f.records_per_second) / 1e6,
        middle(rounds, |f| f.cpu_seconds_per_gb),
        middle(rounds, |f| f.p50_us),
        middle(rounds, |f| f.p99_us),
    )
}

fn short(figures: &Figures) -> String {
    summary(std::slice::from_ref(figures))
}

fn figures(figures: &Figures) -> Value {
    json!({
        "records_per_second": figures.records_per_second,
        "produced_per_second": figures.produced_per_second,
        "cpu_seconds_per_gb": figures.cpu_seconds_per_gb,
        "p50_us": figures.p50_us,
        "p99_us": figures.p99_us,
        "ok": figures.ok,
    })
}
