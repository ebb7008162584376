//! The embedded engine: one append at a time against the disk's own time, and 64 in flight beside other journals.

use std::time::Duration;

use clap::ValueEnum;

use super::Setup;
use super::report::Report;
use crate::journals::{self, Candidate};

/// How many times as long as the disk's own write and flush an append may take.
const RATIO_MAX: f64 = 1.3;

/// Measures all journals in interleaved rounds; the table goes into `journals.md`.
pub fn beside_the_disk(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("embedded")?;
    let options = journals::Options {
        folder: folder.clone(),
        rounds: setup.rounds,
        // Six journals with two phases each: a fraction of what a producing run takes.
        duration: (setup.generator.duration / 8).max(Duration::from_millis(200)),
        candidates: Candidate::value_variants().to_vec(),
    };
    let figures = journals::figures(&options).map_err(|failure| failure.to_string())?;
    figures.write(&folder).map_err(|e| format!("cannot write into {}: {e}", folder.display()))?;
    let ratio = figures.over_written.ok_or("neither Tora nor the disk was measured")?;
    let row = |name: &str| figures.rows.iter().find(|row| row.name == name);
    let tora = row(Candidate::Tora.name()).ok_or("Tora was not measured")?;
    let fresh = figures.over_fresh.map_or(String::new(), |ratio| format!("; {ratio:.2} × of fresh blocks"));
    report.check(
        "embedded, one append at a time, flushed: p50 against the disk's own 4 KiB write + flush",
        &format!("≤ {RATIO_MAX} ×"),
        &format!("{ratio:.2} × (tora p50 {:.0} µs, p99 {:.0} µs{fresh})", tora.single.p50, tora.single.p99),
        ratio <= RATIO_MAX,
    );
    for row in &figures.rows {
        if let Some(many) = row.many {
            report.note(
                &format!("embedded, 64 in flight, flushed: {}", row.name),
                &format!("{:.0} appends/s, p50 {:.0} µs, p99 {:.0} µs", many.rate, many.p50, many.p99),
            );
        }
    }
    Ok(())
}
