//! `summary.json`: everything a run found out, for programs to read.
//!
//! Units are in the names: `_us` microseconds, `_per_second`, megabytes of 10^6 and GB of 10^9 bytes of record values.
//! What is not known is null.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::cli::{Acks, Rate};
use crate::disk::Volume;
use crate::durability::Durability;
use crate::histogram::Percentiles;
use crate::phase::{EndedBy, Flow, Outcome};
use crate::verify::Verdict;
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
    pub workload: Workload,
    /// Partitions that the topic really has.
    pub partitions: usize,
    pub topic: String,
    pub phases: Vec<Outcome>,
    /// What ended the run before its end.
    pub error: Option<String>,
}

/// The broker that was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum BrokerReport {
    /// Our own: how it was set, and how long it took to be ready (first start, restart).
    Tora { cores: u32, settings: Vec<(String, String)>, ready_after_ms: Vec<f64> },
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
            "disk": self.volume.as_ref().map(disk),
            "workload": workload(&self.workload, self.partitions),
            "topic": self.topic,
            "phases": phases,
            "verification": self.verdict().map(verification),
        })
    }
}

fn broker(broker: &BrokerReport) -> Value {
    match broker {
        BrokerReport::Tora { cores, settings, ready_after_ms } => json!({
            "kind": "tora",
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
        "device": volume.device,
        "write_cache": volume.write_cache,
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
        "acks": match workload.acks { Acks::None => "0", Acks::Leader => "1", Acks::All => "all" },
        "idempotent": workload.idempotent,
        "rate": match workload.rate { Rate::Max => json!("max"), Rate::PerSecond(rate) => json!(rate) },
        "duration_seconds": workload.duration.as_secs_f64(),
        "warmup_seconds": workload.warmup.as_secs_f64(),
        "threads": workload.threads,
    })
}

fn phase(outcome: &Outcome) -> Value {
    let gigabytes = outcome.main.value_bytes as f64 / 1e9;
    let per_gb = |seconds: f64| finite(seconds / gigabytes);
    let acknowledgements = outcome.producing.map_or(outcome.main.requests, |flow| flow.requests);
    let produces = outcome.sent_bytes > 0;
    let mut object = flow(&outcome.main, outcome.seconds);
    let more = json!({
        "seconds": outcome.seconds,
        "ended_by": match outcome.ended_by {
            EndedBy::Duration => "duration",
            EndedBy::EndOfLog => "end of log",
            EndedBy::DiskGuard => "disk guard: half of the free space was used",
            EndedBy::Interrupt => "interrupt",
        },
        "broker_cpu_seconds": outcome.broker_cpu_seconds,
        "broker_cpu_seconds_per_gb": outcome.broker_cpu_seconds.map(per_gb),
        "load_generator_cpu_seconds_per_gb": per_gb(outcome.own_cpu_seconds),
        "device_flushes": outcome.device_flushes,
        "device_flushes_per_acknowledgement": outcome
            .device_flushes
            .filter(|_| produces)
            .map(|flushes| finite(flushes as f64 / acknowledgements as f64)),
        "producing": outcome.producing.map(|producing| Value::Object(flow(&producing, outcome.seconds))),
        "lag_records": outcome.lag_records,
        "lateness_us": outcome.lateness_us.map(percentiles),
        "unsent_records": outcome.unsent_records,
        "verification": outcome.verdict.map(verification),
    });
    if let Value::Object(more) = more {
        object.extend(more);
    }
    Value::Object(object)
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

fn verification(verdict: Verdict) -> Value {
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
