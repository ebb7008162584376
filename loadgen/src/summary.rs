//! `summary.json`: everything a run found out, for programs to read.
//!
//! Units are in the names: `_us` microseconds, `_per_second`, megabytes of 10^6 and GB of 10^9 bytes of record values.
//! What is not known is null.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::check::Verdict;
use crate::cli::{Acks, Rate};
use crate::disk::{DiskUse, Volume};
use crate::durability::Durability;
use crate::histogram::Percentiles;
use crate::machine;
use crate::phase::{EndedBy, Flow, Outcome};
use crate::probe::{self, DiskProbe};
use crate::workload::{Values, Workload};

/// What is known of a run when it ends, well or not.
#[derive(Debug)]
pub struct Report {
    /// UTC, as 2026-01-31T23-59-59Z.
    pub started_at: String,
    pub command: Vec<String>,
    pub broker: BrokerReport,
    pub durability: Durability,
    pub volume: Option<Volume>,
    /// The disk's own times; `None` in memory, or where the disk is unknown.
    pub probe: Option<DiskProbe>,
    /// Bytes a second of the disk's own sequential read; only where it was asked for.
    pub read_probe: Option<f64>,
    pub workload: Workload,
    /// Partitions that the topic really has.
    pub partitions: usize,
    /// From asking for the topic until every partition had a leader that served it.
    pub topic_ready_after: Option<Duration>,
    pub topic: String,
    pub phases: Vec<Outcome>,
    /// What ended the run before its end.
    pub error: Option<String>,
}

/// The broker that was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum BrokerReport {
    /// Our own: how it was set, and how long it took to be ready (first start, restart).
    Tora { version: Option<String>, cores: u32, settings: Vec<(String, String)>, ready_after_ms: Vec<f64> },
    /// Somebody else's.
    Foreign { bootstrap: String, pid: Option<u32> },
}

impl Report {
    /// The sum over all phases that checked records. A record that two phases read counts in both.
    pub fn verdict(&self) -> Option<Verdict> {
        let mut verdicts = self.phases.iter().filter_map(|phase| phase.verdict);
        let first = verdicts.next()?;
        Some(verdicts.fold(first, |mut sum, verdict| {
            sum += verdict;
            sum
        }))
    }

    /// Whether the run came to its end and nothing was lost, doubled, reordered or corrupted.
    pub fn is_ok(&self) -> bool {
        self.error.is_none() && self.verdict().is_none_or(|verdict| verdict.is_clean())
    }

    /// Writes `summary.json` into `folder`.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&self.to_json())?;
        fs::write(folder.join("summary.json"), text + "\n")
    }

    fn to_json(&self) -> Value {
        let phases: Map<_, _> =
            self.phases.iter().map(|outcome| (outcome.phase.name().to_owned(), phase(outcome))).collect();
        json!({
            "tora_load": env!("CARGO_PKG_VERSION"),
            "started_at": self.started_at,
            "command": self.command,
            "ok": self.is_ok(),
            "error": self.error,
            "broker": broker(&self.broker),
            "durability": self.durability.to_string(),
            "machine": machine::describe(),
            "disk": self.volume.as_ref().map(disk),
            "disk_probe": self.probe.as_ref().map(probe),
            "disk_read_megabytes_per_second": self.read_probe.map(|speed| speed / 1e6),
            "topic_ready_after_ms": self.topic_ready_after.map(|ready| ready.as_secs_f64() * 1e3),
            "workload": workload(&self.workload, self.partitions),
            "topic": self.topic,
            "phases": phases,
            "verification": self.verdict().map(verification),
        })
    }
}

fn broker(broker: &BrokerReport) -> Value {
    match broker {
        BrokerReport::Tora { version, cores, settings, ready_after_ms } => json!({
            "kind": "tora",
            "version": version,
            "cores": cores,
            "settings": settings.iter().map(|(k, v)| (k.clone(), json!(v))).collect::<Map<_, _>>(),
            "ready_after_ms": ready_after_ms,
        }),
        BrokerReport::Foreign { bootstrap, pid } => {
            json!({ "kind": "foreign", "bootstrap": bootstrap, "pid": pid })
        }
    }
}

fn disk(volume: &Volume) -> Value {
    json!({
        "filesystem": volume.filesystem,
        "mount_point": volume.mount_point,
        "mount_options": volume.mount_options,
        "device": volume.device,
        "block_device": volume.device.as_deref().map(machine::device),
        "write_cache": volume.write_cache,
    })
}

fn probe(probe: &DiskProbe) -> Value {
    json!({
        "block_bytes": probe::BLOCK_BYTES,
        "writes": probe.writes,
        "write_us": percentiles(probe.write_us),
        "flush_us": percentiles(probe.flush_us),
        "write_and_flush_us": percentiles(probe.both_us),
    })
}

fn workload(workload: &Workload, partitions: usize) -> Value {
    let values = match &workload.values {
        Values::Generated { size } => json!({ "kind": "generated", "record_size": size }),
        Values::Payload(lines) => json!({
            "kind": "payload",
            "lines": lines.len(),
            "mean_record_size": lines.iter().map(Vec::len).sum::<usize>() as f64 / lines.len() as f64,
        }),
    };
    json!({
        "values": values,
        "batch_records": workload.batch_records,
        "connections": workload.connections,
        "in_flight": workload.in_flight,
        "partitions": partitions,
        "compression": workload.compression.name(),
        "acks": match workload.acks { Acks::None => "0", Acks::Leader => "1", Acks::All => "all" },
        "idempotent": workload.idempotent,
        "rate": rate(workload.rate),
        "duration_seconds": workload.duration.as_secs_f64(),
        "warmup_seconds": workload.warmup.as_secs_f64(),
        "threads": workload.threads,
    })
}

fn rate(rate: Rate) -> Value {
    match rate {
        Rate::Max => json!("max"),
        Rate::PerSecond(rate) => json!(rate),
    }
}

fn phase(outcome: &Outcome) -> Value {
    let mut object = flow(&outcome.main, outcome.seconds);
    let more = json!({
        "seconds": outcome.seconds,
        "rate": outcome.phase.produces().then(|| rate(outcome.rate)),
        "ended_by": match outcome.ended_by {
            EndedBy::Duration => "duration",
            EndedBy::Bytes => "bytes",
            EndedBy::EndOfLog => "end of log",
            EndedBy::DiskGuard => "disk guard: half of the free space was used",
            EndedBy::Interrupt => "interrupt",
        },
        "broker_resident_bytes": outcome.broker_resident_bytes,
        "load_generator_busy_share": finite(outcome.own_busy_share()),
        "load_generator_bound": outcome.generator_bound(),
        "producing": outcome.producing.map(|producing| Value::Object(flow(&producing, outcome.seconds))),
        "lag_records": outcome.lag_records,
        "lateness_us": outcome.lateness_us.map(percentiles),
        "unsent_records": outcome.unsent_records,
        "verification": outcome.verdict.map(verification),
    });
    for more in [more, used(outcome)] {
        if let Value::Object(more) = more {
            object.extend(more);
        }
    }
    Value::Object(object)
}

/// What a phase used, in all and for what it moved.
fn used(outcome: &Outcome) -> Value {
    let used = &outcome.used;
    let per_gb = |seconds: f64| finite(seconds / (outcome.main.value_bytes as f64 / 1e9));
    let per_million = |seconds: f64| finite(seconds / (outcome.main.records as f64 / 1e6));
    let produced = outcome.phase.produces().then(|| outcome.producing.unwrap_or(outcome.main));
    let disk_per = |count: fn(&DiskUse) -> u64, of: fn(&Flow) -> u64| {
        let (disk, produced) = (used.disk.as_ref()?, produced.as_ref()?);
        Some(finite(count(disk) as f64 / of(produced) as f64))
    };
    json!({
        "broker_cpu_seconds": used.broker_cpu_seconds,
        "broker_cpu_seconds_per_gb": used.broker_cpu_seconds.map(per_gb),
        "broker_cpu_seconds_per_million_records": used.broker_cpu_seconds.map(per_million),
        "load_generator_cpu_seconds": used.own_cpu_seconds,
        "load_generator_cpu_seconds_per_gb": per_gb(used.own_cpu_seconds),
        "machine_cpu_seconds": used.machine_cpu_seconds,
        "machine_stolen_cpu_seconds": used.machine_stolen_cpu_seconds,
        "machine_stolen_share": outcome.stolen_share().map(finite),
        "machine_held_up": outcome.was_held_up(),
        "device_read_bytes": used.disk.map(|disk| disk.read_bytes),
        "device_written_bytes": used.disk.map(|disk| disk.written_bytes),
        "device_written_bytes_per_produced_byte": disk_per(|disk| disk.written_bytes, |flow| flow.value_bytes),
        "broker_written_bytes": used.broker_written_bytes,
        "broker_written_bytes_per_produced_byte": used.broker_written_bytes.zip(produced).map(|(bytes, flow)| {
            finite(bytes as f64 / flow.value_bytes as f64)
        }),
        "device_flushes": used.disk.map(|disk| disk.flushes),
        "device_flushes_per_acknowledgement": disk_per(|disk| disk.flushes, |flow| flow.requests),
    })
}

fn flow(flow: &Flow, seconds: f64) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("records".into(), json!(flow.records));
    object.insert("requests".into(), json!(flow.requests));
    object.insert("records_per_second".into(), finite(flow.records as f64 / seconds));
    object.insert("megabytes_per_second".into(), finite(flow.value_bytes as f64 / 1e6 / seconds));
    object.insert("latency_us".into(), json!(flow.latency_us.map(percentiles)));
    object
}

fn percentiles(p: Percentiles) -> Value {
    json!({
        "p50": p.p50, "p90": p.p90, "p99": p.p99, "p99_9": p.p99_9, "p99_99": p.p99_99, "max": p.max,
    })
}

/// A verdict's counts.
pub fn verification(verdict: Verdict) -> Value {
    json!({
        "verified": verdict.verified,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "reordered": verdict.reordered,
        "corrupt": verdict.corrupt,
    })
}

/// A number, or null where a division had nothing to divide by.
fn finite(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { Value::Null }
}

#[cfg(test)]
pub mod tests;
