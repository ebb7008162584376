//! Throughput: Tora beside the floor in interleaved rounds, and consumers that keep up.

use std::fs;

use serde_json::{Value, json};

use super::load::Figures;
use super::report::Report;
use super::{Setup, median, median_ratio, remove_data};

/// Consumers keep up if they read this part of what is acknowledged at the same time.
const KEEPS_UP_MIN: f64 = 0.95;

/// The size of the floor's files whose blocks were never written, in GiB: they must not be written a second time.
pub const FRESH_FILE_GIB: u64 = 32;

/// The generator's partitions at its defaults.
const LOAD_PARTITIONS: u64 = 4;

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
    /// How much of the floor's CPU time for a GB it may take at most, if that has a target.
    cpu_max: Option<f64>,
    /// Whether the distance to the floor is taken apart ([`Beside`]).
    beside: bool,
    /// More arguments for the floor that bounds what is unflushed as Tora does, where acknowledging does not wait for it.
    bounded: Option<&'static [&'static str]>,
}

/// Batches at the generator's defaults, flushed.
pub const FLUSHED: Workload = Workload {
    name: "produce",
    what: "produce, flushed",
    load: &[],
    floor: &["--flush"],
    tora: &[],
    records_min: 0.75,
    cpu_max: Some(1.4),
    beside: true,
    bounded: None,
};

/// The same without waiting for flushes.
pub const WRITTEN: Workload = Workload {
    name: "written",
    what: "produce, written",
    load: &[],
    floor: &["--no-flush"],
    tora: &["--set", "flush.messages=9223372036854775807"],
    records_min: 0.75,
    cpu_max: Some(1.4),
    beside: true,
    bounded: Some(&["--unflushed-mib", "8"]),
};

/// One record a request, one request in flight on each of 64 connections, flushed.
pub const ONE_RECORD: Workload = Workload {
    name: "one-record",
    what: "one-record requests from 64 connections, flushed",
    load: &["--batch-records", "1", "--connections", "64", "--in-flight", "1"],
    floor: &["--flush"],
    tora: &[],
    records_min: 0.6,
    cpu_max: None,
    beside: false,
    bounded: None,
};

/// What is measured in turn beside the floor and Tora at their defaults, to tell where the distance between them lies.
#[derive(Default)]
struct Beside {
    /// The floor on blocks that were never written, as a log that grows always has them: each flush then commits
    /// metadata, too, and the floor's main figure is free of that.
    fresh_floor: Vec<Figures>,
    /// The same with a file for each of the load's partitions, as logs have them: each is written and flushed for itself.
    files_floor: Vec<Figures>,
    /// The same, flushed behind: no more is unflushed than with Tora. Only where acknowledging does not wait for flushes.
    bounded_floor: Vec<Figures>,
    /// Tora with one partition on one core: one file and one thread, as the floor has them.
    alike: Vec<Figures>,
}

impl Beside {
    fn measure(&mut self, setup: &Setup, load: &Workload, round: u32) -> Result<(), String> {
        let fresh_floor = |name: &str, files: u64, more: &[&str]| {
            let (count, gib) = (files.to_string(), (FRESH_FILE_GIB / files).to_string());
            let how = ["--fresh", "--files", &count, "--file-gib", &gib];
            let floor: Vec<_> = load.floor.iter().chain(more).copied().chain(how).collect();
            floor_round(setup, &format!("{}-{round}-{name}", load.name), load.load, &floor)
        };
        self.fresh_floor.push(fresh_floor("floor-fresh", 1, &[])?);
        self.files_floor.push(fresh_floor("floor-files", LOAD_PARTITIONS, &[])?);
        if let Some(bounded) = load.bounded {
            self.bounded_floor.push(fresh_floor("floor-bounded", LOAD_PARTITIONS, bounded)?);
        }
        let tora: Vec<_> = load.tora.iter().copied().chain(["--cores", "1"]).collect();
        let load_alike: Vec<_> = load.load.iter().copied().chain(["--partitions", "1"]).collect();
        let name = format!("{}-{round}-tora-alike", load.name);
        self.alike.push(run_tora(setup, &name, "produce", &load_alike, &tora)?);
        Ok(())
    }

    fn report(&self, load: &Workload, floor: &[Figures], tora: &[Figures], report: &mut Report) {
        let records = |over, under| ratio(over, under, |f: &Figures| f.records_per_second);
        let cpu = |over, under| ratio(over, under, |f: &Figures| f.cpu_seconds_per_gb);
        for (what, rounds) in [
            ("the floor on fresh blocks", &self.fresh_floor),
            ("the floor on fresh blocks, a file for each partition", &self.files_floor),
            ("that floor, no more unflushed than with Tora", &self.bounded_floor),
        ] {
            if rounds.is_empty() {
                continue;
            }
            report.note(
                &format!("{}: against {what}", load.what),
                &format!(
                    "{:.2} × the records/s, {:.2} × the CPU time (floor {})",
                    records(tora, rounds),
                    cpu(tora, rounds),
                    summary(rounds)
                ),
            );
        }
        report.note(
            &format!("{}: one partition on one core, as the floor has", load.what),
            &format!(
                "{:.2} × the records/s and {:.2} × the CPU time of the floor, {:.2} × and {:.2} × of it on fresh blocks \
                 (tora {})",
                records(&self.alike, floor),
                cpu(&self.alike, floor),
                records(&self.alike, &self.fresh_floor),
                cpu(&self.alike, &self.fresh_floor),
                summary(&self.alike)
            ),
        );
        let detail = json!({
            "floor_fresh": raw(&self.fresh_floor),
            "floor_files": raw(&self.files_floor),
            "floor_bounded": raw(&self.bounded_floor),
            "tora_alike": raw(&self.alike),
        });
        report.detail(&format!("{}_beside", load.name), detail);
    }
}

/// The floor and Tora in turn, the same load on both.
pub fn beside_the_floor(setup: &Setup, load: &Workload, report: &mut Report) -> Result<(), String> {
    let (mut floor, mut tora, mut beside) = (Vec::new(), Vec::new(), Beside::default());
    for round in 1..=setup.rounds {
        floor.push(floor_round(setup, &format!("{}-{round}-floor", load.name), load.load, load.floor)?);
        tora.push(tora_round(setup, &format!("{}-{round}-tora", load.name), "produce", load)?);
        if load.beside {
            beside.measure(setup, load, round)?;
        }
        let (last_floor, last_tora) = (&floor[floor.len() - 1], &tora[tora.len() - 1]);
        report.progress(&format!(
            "{} {round}/{}: floor {}; tora {}",
            load.name,
            setup.rounds,
            short(last_floor),
            short(last_tora)
        ));
    }
    check_ratios(load, &floor, &tora, report);
    if load.beside {
        beside.report(load, &floor, &tora, report);
    }
    Ok(())
}

fn check_ratios(load: &Workload, floor: &[Figures], tora: &[Figures], report: &mut Report) {
    let of = |f: fn(&Figures) -> f64| ratio(tora, floor, f);
    let (records, cpu) = (of(|f| f.records_per_second), of(|f| f.cpu_seconds_per_gb));
    report.check(
        &format!("{}: records/s against the floor", load.what),
        &format!("≥ {} ×", load.records_min),
        &format!("{records:.2} × (tora {}; floor {})", summary(tora), summary(floor)),
        records >= load.records_min,
    );
    let what = format!("{}: CPU time for a GB against the floor", load.what);
    match load.cpu_max {
        Some(max) => report.check(&what, &format!("≤ {max} ×"), &format!("{cpu:.2} ×"), cpu <= max),
        None => report.note(&what, &format!("{cpu:.2} ×")),
    }
    report.detail(
        load.name,
        json!({
            "ratio": records,
            "cpu_ratio": cpu,
            "floor": raw(floor),
            "tora": raw(tora),
        }),
    );
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

/// One phase against the floor, started with `extra` arguments.
pub fn floor_round(setup: &Setup, name: &str, load: &[&str], extra: &[&str]) -> Result<Figures, String> {
    let folder = setup.folder(name)?;
    let server = setup.start_floor(&folder, extra)?;
    let figures = setup.generator.measure(&server, "produce", load, &folder, &folder)?;
    server.stop()?;
    Ok(figures)
}

fn tora_round(setup: &Setup, name: &str, phase: &str, load: &Workload) -> Result<Figures, String> {
    run_tora(setup, name, phase, load.load, load.tora)
}

/// One phase against Tora, started with `extra` arguments on a data folder that is gone afterwards.
pub fn run_tora(
    setup: &Setup,
    name: &str,
    phase: &str,
    load: &[&str],
    extra: &[&str],
) -> Result<Figures, String> {
    let folder = setup.folder(name)?;
    let data = super::data_folder(&folder);
    fs::create_dir_all(&data).map_err(|e| format!("cannot make {}: {e}", data.display()))?;
    let server = setup.start_tora(&folder, extra)?;
    let figures = setup.generator.measure(&server, phase, load, &data, &folder);
    let stopped = server.stop();
    remove_data(&folder)?;
    stopped.and(figures)
}

/// The median of the rounds' ratios of one figure.
pub fn ratio(over: &[Figures], under: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    median_ratio(over.iter().map(&of), under.iter().map(&of)).expect("there is at least one round")
}

fn middle(rounds: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    median(rounds.iter().map(of)).expect("there is at least one round")
}

/// The medians of all rounds.
pub fn summary(rounds: &[Figures]) -> String {
    format!(
        "{:.3} M/s, {:.2} cpu-s/GB, p50 {:.0} µs, p99 {:.0} µs",
        middle(rounds, |f| f.records_per_second) / 1e6,
        middle(rounds, |f| f.cpu_seconds_per_gb),
        middle(rounds, |f| f.p50_us),
        middle(rounds, |f| f.p99_us),
    )
}

/// One round.
pub fn short(figures: &Figures) -> String {
    summary(std::slice::from_ref(figures))
}

/// All rounds, raw.
pub fn raw(rounds: &[Figures]) -> Vec<Value> {
    rounds.iter().map(figures).collect()
}

/// One round, raw.
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
