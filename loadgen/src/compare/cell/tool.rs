//! Kafka's own tools, run against both brokers, and what they print read off.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::{Cell, merged};
use crate::admin::Admin;
use crate::compare::contest::Contest;
use crate::compare::kafka;
use crate::compare::plan::Plan;
use crate::compare::workloads::Tool;
use crate::cpu;
use crate::disk::Volume;
use crate::sys;
use crate::usage::Usage;

/// What Kafka's scripts give the JVM of a tool.
const JVM_OPTIONS: &[&str] = &["-Xmx512M", "-Djava.awt.headless=true"];
const TOPIC: &str = "tora-load-tool";
const RECORD_BYTES: u64 = 100;
/// As many records of the producer's test as take a second of the comparison on a machine that is not slow.
const RECORDS_PER_SECOND: f64 = 400_000.0;
/// One at a time, and a flush may take milliseconds.
const ROUND_TRIPS_PER_SECOND: f64 = 250.0;

impl Cell {
    /// Runs one tool on a topic of its own.
    pub(super) fn tool(&self, contest: &Contest<'_>, plan: &Plan, tool: Tool) -> Result<(), String> {
        let address = &contest.broker(self.contender).address;
        let configs = [self.contender.contract.topic_config()];
        Admin::connect(address)?.create_topic(
            TOPIC,
            if tool == Tool::EndToEndLatency { 1 } else { 4 },
            &configs,
        )?;
        let measured = self.printed(contest, plan, tool, address);
        let deleted = Admin::connect(address).and_then(|mut admin| admin.delete_topic(TOPIC));
        let figures = measured?;
        deleted?;
        self.summarise(&figures)
    }

    fn printed(
        &self,
        contest: &Contest<'_>,
        plan: &Plan,
        tool: Tool,
        address: &str,
    ) -> Result<Value, String> {
        let seconds = plan.duration_of(self.workload).as_secs_f64();
        let records = ((seconds * RECORDS_PER_SECOND) as u64).max(10_000);
        let (count, size) = (records.to_string(), RECORD_BYTES.to_string());
        let producer = || {
            let mut words = vec!["org.apache.kafka.tools.ProducerPerformance", "--topic", TOPIC];
            words.extend(["--num-records", &count, "--record-size", &size, "--throughput", "-1"]);
            words.push("--producer-props");
            words
                .into_iter()
                .map(str::to_owned)
                .chain([format!("bootstrap.servers={address}"), "acks=all".into()])
        };
        let bytes = records * RECORD_BYTES;
        match tool {
            Tool::ProducerPerformance => {
                let (said, cost) = self.metered(contest, producer(), records, Some(bytes))?;
                Ok(merged(producer_performance(&said)?, cost))
            }
            Tool::ConsumerPerformance => {
                self.say(contest, producer())?;
                let words = ["org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", address];
                let more = ["--topic", TOPIC, "--num-records", &count, "--timeout", "60000"];
                let words = words.into_iter().chain(more).map(str::to_owned);
                let (said, cost) = self.metered(contest, words, records, None)?;
                Ok(merged(consumer_performance(&said)?, cost))
            }
            Tool::EndToEndLatency => {
                let trips = ((seconds * ROUND_TRIPS_PER_SECOND) as u64).max(200);
                let count = trips.to_string();
                let words = ["org.apache.kafka.tools.EndToEndLatency", "--bootstrap-server", address];
                let more = [
                    "--topic",
                    TOPIC,
                    "--num-records",
                    &count,
                    "--producer-acks",
                    "all",
                    "--record-size",
                    &size,
                ];
                let words = words.into_iter().chain(more).map(str::to_owned);
                let (said, cost) = self.metered(contest, words, trips, Some(trips * RECORD_BYTES))?;
                Ok(merged(end_to_end(&said)?, cost))
            }
        }
    }

    /// What a tool prints, and what its whole run cost for so many records, of which the produced ones have so many bytes:
    /// by the broker's process and its disk. The JVM's own start counts in the machine's CPU time only.
    fn metered(
        &self,
        contest: &Contest<'_>,
        words: impl Iterator<Item = String>,
        records: u64,
        produced_bytes: Option<u64>,
    ) -> Result<(String, Value), String> {
        let broker = contest.broker(self.contender);
        let volume = broker.folder.as_deref().and_then(|folder| Volume::below(folder).ok());
        let before = Usage::now(broker.pid, volume.as_ref());
        let said = self.say(contest, words)?;
        let used = Usage::now(broker.pid, volume.as_ref()).since(&before);
        let per_byte = |bytes: Option<u64>| Some(bytes? as f64 / produced_bytes? as f64);
        let cost = json!({
            "broker_cpu_seconds": used.broker_cpu_seconds,
            "broker_cpu_seconds_per_gb": used.broker_cpu_seconds.map(|s| s / ((records * RECORD_BYTES) as f64 / 1e9)),
            "broker_cpu_seconds_per_million_records": used.broker_cpu_seconds.map(|s| s / (records as f64 / 1e6)),
            "machine_cpu_seconds": used.machine_cpu_seconds,
            "broker_resident_bytes": broker.pid.and_then(cpu::resident_bytes_of),
            "device_written_bytes_per_produced_byte": per_byte(used.disk.map(|disk| disk.written_bytes)),
            "broker_written_bytes_per_produced_byte": per_byte(used.broker_written_bytes),
            "device_read_bytes": used.disk.map(|disk| disk.read_bytes),
            "device_flushes": used.disk.map(|disk| disk.flushes),
        });
        Ok((said, cost))
    }

    /// What a tool prints, which is kept beside the figures.
    fn say(&self, contest: &Contest<'_>, words: impl Iterator<Item = String>) -> Result<String, String> {
        let libs = contest.libs.as_deref().ok_or("Kafka's tools come with Kafka")?;
        let mut command: Command = kafka::java(libs, JVM_OPTIONS);
        let output = {
            sys::bind_to_parent(&mut command);
            command.args(words).output().map_err(kafka::install_java)?
        };
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let path = self.folder.join("tool.txt");
        fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&path, &said))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        if output.status.success() { Ok(said) } else { Err(format!("Kafka's tool failed: {}", said.trim())) }
    }
}

/// Reads the last line of kafka-producer-perf-test, such as `500000 records sent, 250000.0 records/sec (23.84 MB/sec),
/// 200.50 ms avg latency, 400.00 ms max latency, 190 ms 50th, 350 ms 95th, 390 ms 99th, 399 ms 99.9th.`
fn producer_performance(said: &str) -> Result<Value, String> {
    let line = said.lines().rfind(|line| line.contains("99.9th")).ok_or_else(|| unknown(said))?;
    let before = |unit: &str| -> Option<f64> {
        let (head, _) = line.split_once(unit)?;
        head.rsplit([' ', '(']).find(|word| !word.is_empty())?.parse().ok()
    };
    let records = before(" records/sec").ok_or_else(|| unknown(said))?;
    Ok(json!({
        "records_per_second": records,
        "megabytes_per_second": records * RECORD_BYTES as f64 / 1e6,
        "latency_ms": {
            "mean": before(" ms avg latency"),
            "p50": before(" ms 50th"),
            "p99": before(" ms 99th"),
            "p99_9": before(" ms 99.9th"),
            "max": before(" ms max latency"),
        },
    }))
}

/// Reads the table of kafka-consumer-perf-test: a header, and a line with megabytes (2^20 bytes) a second in the fourth
/// column, records a second in the sixth.
fn consumer_performance(said: &str) -> Result<Value, String> {
    let header = said.lines().position(|line| line.starts_with("start.time")).ok_or_else(|| unknown(said))?;
    let line = said.lines().nth(header + 1).ok_or_else(|| unknown(said))?;
    let column = |index: usize| line.split(',').nth(index)?.trim().parse::<f64>().ok();
    let megabytes = column(3).ok_or_else(|| unknown(said))?;
    Ok(json!({
        "megabytes_per_second": megabytes * f64::from(1 << 20) / 1e6,
        "records_per_second": column(5),
    }))
}

/// Reads `Avg latency: 0.5000 ms` and `Percentiles: 50th = 1, 99th = 2, 99.9th = 3`.
fn end_to_end(said: &str) -> Result<Value, String> {
    let after = |mark: &str| -> Option<f64> {
        let (_, rest) = said.split_once(mark)?;
        rest.trim_start().split([' ', ',', '\n']).next()?.parse().ok()
    };
    let mean = after("Avg latency:").ok_or_else(|| unknown(said))?;
    Ok(json!({
        "latency_ms": {
            "mean": mean, "p50": after(" 50th ="), "p99": after(" 99th ="), "p99_9": after(" 99.9th ="),
        },
    }))
}

fn unknown(said: &str) -> String {
    format!("Kafka's tool printed something else than expected: {}", said.trim())
}

#[cfg(test)]
mod tests;
