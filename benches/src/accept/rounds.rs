//! Throughput: Tora beside the floor in interleaved rounds, and consumers that keep up.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::load::Figures;
use super::report::Report;
use super::{Setup, median, remove_data};

/// The part of the floor's records per second that Tora must reach.
const RATIO_MIN: f64 = 0.4;
/// Consumers keep up if they read this part of what is acknowledged at the same time.
const KEEPS_UP_MIN: f64 = 0.95;

/// Flushed produce: the floor and Tora in turn, the same load on both.
pub fn produce(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let (mut floor, mut tora) = (Vec::new(), Vec::new());
    for round in 1..=setup.rounds {
        floor.push(floor_round(setup, &format!("produce-{round}-floor"), &[])?);
        tora.push(tora_round(setup, &format!("produce-{round}-tora"), "produce")?);
        let (last_floor, last_tora) = (&floor[floor.len() - 1], &tora[tora.len() - 1]);
        report.progress(&format!(
            "produce {round}/{}: floor {}; tora {}",
            setup.rounds,
            short(last_floor),
            short(last_tora)
        ));
    }
    // A new segment's blocks have never been written, and each flush then commits metadata. The floor's main figure
    // is free of that; this one says what is left to gain.
    let fresh = floor_round(setup, "produce-fresh-floor", &["--fresh", "--file-gib", "32"])?;
    report.progress(&format!("floor on fresh blocks: {}", short(&fresh)));

    let ratio = middle(&tora, |f| f.records_per_second) / middle(&floor, |f| f.records_per_second);
    report.check(
        "produce, flushed: records/s against the floor",
        &format!("≥ {RATIO_MIN} ×"),
        &format!("{ratio:.2} × (tora {}; floor {})", summary(&tora), summary(&floor)),
        ratio >= RATIO_MIN,
    );
    report.note("floor on fresh blocks, flushed", &short(&fresh));
    report.detail(
        "produce",
        json!({
            "ratio": ratio,
            "floor": floor.iter().map(figures).collect::<Vec<_>>(),
            "tora": tora.iter().map(figures).collect::<Vec<_>>(),
            "floor_fresh": figures(&fresh),
        }),
    );
    Ok(())
}

/// Consumers that follow the producers: as fast, and every record once.
pub fn consume_hot(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let measured = tora_round(setup, "consume-hot-tora", "consume_hot")?;
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

fn floor_round(setup: &Setup, name: &str, extra: &[&str]) -> Result<Figures, String> {
    let folder = setup.folder(name)?;
    let server = setup.start_floor(&folder, extra)?;
    let figures = setup.generator.measure(&server, "produce", &folder, &folder)?;
    server.stop()?;
    Ok(figures)
}

fn tora_round(setup: &Setup, name: &str, phase: &str) -> Result<Figures, String> {
    let folder = setup.folder(name)?;
    let data = super::data_folder(&folder);
    fs::create_dir_all(&data).map_err(|e| format!("cannot make {}: {e}", data.display()))?;
    let server = setup.start_tora(&folder)?;
    let figures = measure_and_stop(setup, server, phase, &folder, &data);
    remove_data(&folder)?;
    figures
}

fn measure_and_stop(
    setup: &Setup,
    server: super::Server,
    phase: &str,
    folder: &Path,
    data: &Path,
) -> Result<Figures, String> {
    let figures = setup.generator.measure(&server, phase, data, folder)?;
    server.stop()?;
    Ok(figures)
}

fn middle(rounds: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    median(rounds.iter().map(of)).expect("there is at least one round")
}

/// The medians of all rounds.
fn summary(rounds: &[Figures]) -> String {
    format!(
        "{:.2} M/s, {:.2} cpu-s/GB, p50 {:.0} µs, p99 {:.0} µs",
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
