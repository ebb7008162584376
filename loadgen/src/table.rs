//! The table at the end of a run.

use std::fmt::Write;

use crate::cli::{Phase, Rate};
use crate::disk::Volume;
use crate::durability::Durability;
use crate::histogram::Percentiles;
use crate::phase::{EndedBy, Flow, Outcome};
use crate::summary::{BrokerReport, Report};
use crate::workload::Values;

/// The whole table as text.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", about_broker(report));
    let _ = writeln!(text, "{}", about_load(report));
    text.push('\n');
    let _ = writeln!(
        text,
        "{:<18}{:>10}{:>9} {:>9}{:>9}{:>9}{:>9}{:>9}{:>9} {:>9} {:>9}",
        "", "records/s", "MB/s", "p50 µs", "p90", "p99", "p99.9", "p99.99", "max", "cpu-s/GB", "flush/ack"
    );
    for outcome in &report.phases {
        phase_rows(&mut text, outcome);
    }
    text.push('\n');
    for note in notes(report) {
        let _ = writeln!(text, "{note}");
    }
    text
}

fn about_broker(report: &Report) -> String {
    let broker = match &report.broker {
        BrokerReport::Tora { cores, .. } => format!("tora on {cores} cores"),
        BrokerReport::Foreign { bootstrap, .. } => format!("broker at {bootstrap}"),
    };
    let disk = report.volume.as_ref().map_or("disk unknown (--data-dir names it)".into(), about_disk);
    format!("{broker} · acknowledged means: {} · {disk}", report.durability)
}

fn about_disk(volume: &Volume) -> String {
    let device = volume.device.as_deref().unwrap_or("no device");
    let cache = volume.write_cache.as_deref().unwrap_or("unknown");
    format!("{} on {device} (write cache: {cache})", volume.filesystem)
}

fn about_load(report: &Report) -> String {
    let load = &report.workload;
    let values = match &load.values {
        Values::Generated { size } => format!("{size} B values"),
        Values::Payload(lines) => format!("{} lines as values", lines.len()),
    };
    let pace = match load.rate {
        Rate::Max => format!("as fast as it goes, {} requests in flight each", load.in_flight),
        Rate::PerSecond(rate) => format!("open loop at {} records/s", quantity(rate as f64)),
    };
    format!(
        "{values}, {} a batch · {} connections on {} threads, {pace} · {} partitions{}",
        load.batch_records,
        load.connections,
        load.threads,
        report.partitions,
        if load.idempotent { " · idempotent" } else { "" }
    )
}

fn phase_rows(text: &mut String, outcome: &Outcome) {
    let gigabytes = outcome.main.value_bytes as f64 / 1e9;
    let cpu = outcome.used.broker_cpu_seconds.map(|seconds| seconds / gigabytes);
    let acknowledgements = outcome.producing.unwrap_or(outcome.main).requests as f64;
    let disk = outcome.used.disk.filter(|_| outcome.phase.produces());
    let flushes = disk.map(|disk| disk.flushes as f64 / acknowledgements);
    row(text, outcome.phase.name(), &outcome.main, outcome.seconds, cpu, flushes);
    if let Some(producing) = &outcome.producing {
        row(text, "  its producers", producing, outcome.seconds, None, None);
    }
}

fn row(text: &mut String, name: &str, flow: &Flow, seconds: f64, cpu: Option<f64>, flushes: Option<f64>) {
    let per_second = |count: f64, show: fn(f64) -> String| match count / seconds {
        rate if rate.is_finite() => show(rate),
        _ => "–".into(),
    };
    let records = per_second(flow.records as f64, quantity);
    let megabytes = per_second(flow.value_bytes as f64 / 1e6, |rate| format!("{rate:.1}"));
    let _ = write!(text, "{name:<18}{records:>10}{megabytes:>9} ");
    let columns = |p: Percentiles| [p.p50, p.p90, p.p99, p.p99_9, p.p99_99, p.max].map(|us| us.to_string());
    for column in flow.latency_us.map_or([const { String::new() }; 6].map(|_| "–".to_owned()), columns) {
        let _ = write!(text, "{column:>9}");
    }
    let figure = |value: Option<f64>| match value {
        Some(value) if value.is_finite() => format!("{value:.2}"),
        _ => "–".into(),
    };
    let _ = writeln!(text, " {:>9} {:>9}", figure(cpu), figure(flushes));
}

fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if let Durability::InMemory { filesystem } = &report.durability {
        notes.push(format!(
            "NOT DURABLE: the data is on {filesystem}, in memory. Whatever the broker flushes there is gone with the \
             power; give --data-dir on a disk."
        ));
    }
    if let Some(probe) = &report.probe {
        notes.push(format!(
            "the disk itself: a 4 KiB O_DIRECT write and its flush take {} µs (p50), {} (p99): {} + {} µs",
            probe.both_us.p50, probe.both_us.p99, probe.write_us.p50, probe.flush_us.p50
        ));
    }
    for outcome in &report.phases {
        notes.extend(phase_notes(report, outcome));
    }
    notes.push(match report.verdict() {
        Some(v) => format!(
            "verified {} records: {} lost, {} duplicated, {} out of order, {} corrupt",
            v.verified, v.lost, v.duplicated, v.reordered, v.corrupt
        ),
        None => "nothing was read back, and so nothing verified".into(),
    });
    notes
}

fn phase_notes(report: &Report, outcome: &Outcome) -> Vec<String> {
    let name = outcome.phase.name();
    let mut notes = Vec::new();
    match outcome.ended_by {
        EndedBy::DiskGuard => {
            notes.push(format!("{name}: stopped after {:.1} s, at half of the free space", outcome.seconds));
        }
        EndedBy::Interrupt => notes.push(format!("{name}: interrupted after {:.1} s", outcome.seconds)),
        EndedBy::Duration | EndedBy::Bytes | EndedBy::EndOfLog => {}
    }
    if let (Phase::EndToEnd, Rate::PerSecond(rate)) = (outcome.phase, outcome.rate) {
        notes.push(format!("{name}: at a steady {} records/s", quantity(rate as f64)));
    }
    if let Some(share) = outcome.stolen_share().filter(|_| outcome.was_held_up()) {
        notes.push(format!(
            "{name}: the machine's host withheld {:.0} % of its processors' time; such pauses are in the latencies",
            share * 100.0
        ));
    }
    if outcome.generator_bound() {
        notes.push(format!(
            "{name}: the load generator was busy {:.0} % of the time: it may have set the pace, not the broker; give \
             it more --threads",
            outcome.own_busy_share() * 100.0
        ));
    }
    if let Some(late) = outcome.lateness_us {
        notes.push(format!(
            "{name}: batches were sent {} µs late (p50), {} (p99), {} at most",
            late.p50, late.p99, late.max
        ));
    }
    if outcome.unsent_records > 0 {
        notes.push(format!(
            "{name}: the broker could not hold the rate: {} records were due and never sent",
            quantity(outcome.unsent_records as f64)
        ));
    }
    if let Some(lag) = outcome.lag_records {
        notes.push(format!("{name}: consumers were {} records behind at the end", quantity(lag as f64)));
    }
    if outcome.phase == Phase::ConsumeCold && matches!(report.broker, BrokerReport::Foreign { .. }) {
        notes.push(format!("{name}: without a restart of the broker, so that much may come from its caches"));
    }
    notes
}

/// A count in three figures or more: 950, 12.3 k, 4.56 M.
pub fn quantity(count: f64) -> String {
    match count {
        c if c < 1e3 => format!("{c:.0}"),
        c if c < 1e6 => format!("{:.1} k", c / 1e3),
        c if c < 1e9 => format!("{:.2} M", c / 1e6),
        c => format!("{:.2} G", c / 1e9),
    }
}

#[cfg(test)]
mod tests;
