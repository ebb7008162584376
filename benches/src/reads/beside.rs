//! What producers feel of a consumer that reads from the disk at full speed: their 99th percentile with it and without,
//! in turn, at a steady rate.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::consumer::{Consumer, Stretch, fill};
use super::disk;
use crate::accept::load::Figures;
use crate::accept::probe::{Probe, Topic};
use crate::accept::process::Server;
use crate::accept::report::Report;
use crate::accept::rounds::ratio;
use crate::accept::{Setup, data_folder, median, median_ratio, remove_data};
use crate::journals::disk_us;

/// How many times as long the 99th percentile may be with the consumer.
const RATIO_MAX: f64 = 1.5;
/// The producers' load: 20 MB/s in 2,000 requests/s.
const LOAD: [&str; 4] = ["--rate", "200000", "--batch-records", "100"];
/// From one of these requests to the next.
const PACE: Duration = Duration::from_micros(500);
/// What Tora reads at a time beside appends, before it leaves the disk alone for as long.
const PIECE_BYTES: usize = 128 << 10;

/// Measures it.
pub fn beside(setup: &Setup, report: &mut Report) -> Result<(), String> {
    let folder = setup.folder("reads-beside")?;
    let server = setup.start_tora(&folder, &[])?;
    let data = data_folder(&folder);
    let topic = fill(setup, &server, setup.generator.duration, &data, &folder)?;
    server.stop()?;
    let segments = disk::segments(&data).map_err(|e| format!("cannot list the segments: {e}"))?;
    // Nothing of it is in memory now.
    let server = setup.start_tora(&folder, &[])?;
    let mut probe = Probe::connect(&server.address)?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let (mut disk_alone, mut disk_beside) = (Vec::new(), Vec::new());
    for round in 1..=setup.rounds {
        let run = |name: &str| {
            setup.generator.measure(&server, "produce", &LOAD, &data, &folder.join(format!("{round}-{name}")))
        };
        setup.calm_down(report);
        alone.push(run("alone")?);
        setup.calm_down(report);
        let reader = read_all(&server, &mut probe, &topic)?;
        beside.push(run("beside")?);
        reader.stop()?;
        setup.calm_down(report);
        disk_alone.push(disk_p99_us(setup, &folder)?);
        let sparing = disk::Sparing::start(segments.clone(), PIECE_BYTES);
        disk_beside.push(disk_p99_us(setup, &folder)?);
        sparing.stop().map_err(|e| format!("cannot read the segments: {e}"))?;
        report.progress(&format!(
            "produce beside a cold reader {round}/{}: alone {}; beside {} at {:.0} MB/s",
            setup.rounds,
            short(&alone[alone.len() - 1]),
            short(&beside[beside.len() - 1]),
            reader_speed(&beside[beside.len() - 1]) / 1e6
        ));
    }
    server.stop()?;
    remove_data(&folder)?;
    let p99 = |of: &[Figures]| median(of.iter().map(|figures| figures.p99_us)).expect("at least one round");
    let ratio = ratio(&beside, &alone, |figures| figures.p99_us);
    // Before the producers' measured time and after it the reader is faster.
    let speeds: Vec<_> = beside.iter().map(reader_speed).collect();
    let speed = median(speeds.iter().copied()).expect("at least one round");
    report.check(
        "produce at a steady rate: p99 beside a cold reader",
        &format!("≤ {RATIO_MAX} ×"),
        &format!(
            "{ratio:.2} × ({:.0} µs beside, {:.0} µs alone; the reader at {:.0} MB/s)",
            p99(&beside),
            p99(&alone),
            speed / 1e6
        ),
        ratio <= RATIO_MAX,
    );
    // What nobody could do without.
    let some = "at least one round";
    let disk_ratio = median_ratio(disk_beside.iter().copied(), disk_alone.iter().copied()).expect(some);
    report.note(
        "… the disk alone: 4 KiB written and flushed at that pace, beside reads of 128 KiB with a pause as long after each",
        &format!(
            "p99 {disk_ratio:.2} × ({:.0} µs beside, {:.0} µs alone)",
            median(disk_beside.iter().copied()).expect(some),
            median(disk_alone.iter().copied()).expect(some)
        ),
    );
    let both = |of: &[Figures]| of.iter().map(|f| json!([f.p50_us, f.p99_us])).collect::<Vec<_>>();
    report.detail(
        "reads_beside",
        json!({
            "ratio": ratio,
            "alone_us": both(&alone),
            "beside_us": both(&beside),
            "reader": speeds,
            "disk_alone_p99_us": disk_alone,
            "disk_beside_p99_us": disk_beside,
        }),
    );
    Ok(())
}

/// The disk's own write and flush at the producers' pace.
fn disk_p99_us(setup: &Setup, folder: &Path) -> Result<f64, String> {
    disk_us(folder, setup.generator.duration, Some(PACE), 0.99)
        .map_err(|e| format!("cannot measure the disk: {e}"))
}

/// What the reader got of the disk, in bytes per second: nobody else reads from it.
fn reader_speed(figures: &Figures) -> f64 {
    figures.disk_read_per_second.unwrap_or(f64::NAN)
}

/// One consumer of all partitions, from their beginnings on, over and over.
fn read_all(server: &Server, probe: &mut Probe, topic: &Topic) -> Result<Consumer, String> {
    let stretch = |(partition, to): (i32, i64)| Stretch { partition, from: 0, to };
    let stretches = probe.ends(topic)?.into_iter().map(stretch).collect();
    Consumer::start(&server.address, topic, stretches)
}

fn short(figures: &Figures) -> String {
    format!("p50 {:.0} µs, p99 {:.0} µs", figures.p50_us, figures.p99_us)
}
