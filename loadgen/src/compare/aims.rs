//! What the comparison should show, and what it does show.

use super::figures::{Results, Spread, quotients};
use super::plan::Contender;
use crate::report::figures::{micros, three_digits};

/// Where a figure comes from.
#[derive(Clone, Copy)]
struct Source {
    workload: &'static str,
    contender: Contender,
    /// Empty for what belongs to a whole run.
    phase: &'static str,
    path: &'static str,
}

impl Source {
    fn values(&self, results: &Results) -> Option<Vec<Option<f64>>> {
        Some(results.of(self.workload, self.contender)?.values(self.phase, self.path))
    }
}

/// What is demanded of a figure.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }
}

/// A figure, or one over another within a round.
struct Test {
    of: Source,
    over: Option<Source>,
    bound: Bound,
    show: fn(f64) -> String,
    /// What stands in front of the figure where an aim has several.
    called: &'static str,
}

/// Something that was aimed at.
pub struct Aim {
    pub what: &'static str,
    pub aim: &'static str,
    /// One of them must hold.
    tests: &'static [Test],
    /// Why there is nothing to test, where there is not.
    elsewhere: &'static str,
}

/// What came of an aim.
pub struct Outcome {
    pub what: &'static str,
    pub aim: &'static str,
    pub measured: String,
    /// `None` where it was not measured.
    pub met: Option<bool>,
}

const TORA: Contender = Contender::TORA_FLUSHED;
const TORA_WRITTEN: Contender = Contender::TORA_WRITTEN;
const KAFKA: Contender = Contender::OTHER_WRITTEN;
const KAFKA_FLUSHED: Contender = Contender::OTHER_FLUSHED;

const RATE: &str = "records_per_second";
const CPU_PER_GB: &str = "broker_cpu_seconds_per_gb";
const CPU_PER_MILLION: &str = "broker_cpu_seconds_per_million_records";
const BULK: &str = "produce-100B-500";
const SINGLE: &str = "produce-100B-1-64conn";

const fn from(
    workload: &'static str,
    contender: Contender,
    phase: &'static str,
    path: &'static str,
) -> Source {
    Source { workload, contender, phase, path }
}

const fn produced(workload: &'static str, contender: Contender, path: &'static str) -> Source {
    from(workload, contender, "produce", path)
}

fn times(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.3} ×") } else { format!("{ratio:.2} ×") }
}

fn milliseconds(ms: f64) -> String {
    micros(ms * 1e3)
}

const fn ratio(of: Source, over: Source, bound: Bound) -> Test {
    Test { of, over: Some(over), bound, show: times, called: "" }
}

const fn aim(what: &'static str, aim: &'static str, tests: &'static [Test]) -> Aim {
    Aim { what, aim, tests, elsewhere: "not part of this run" }
}

const fn elsewhere(what: &'static str, aim: &'static str) -> Aim {
    Aim { what, aim, tests: &[], elsewhere: "measured by tora-benches accept, which runs the floor" }
}

/// All of them, in the order in which they are told.
const AIMS: &[Aim] = &[
    aim(
        "Produce, 100 B × 500, flushed against kafka written: records/s",
        "≥ 2 ×",
        &[ratio(produced(BULK, TORA, RATE), produced(BULK, KAFKA, RATE), Bound::AtLeast(2.0))],
    ),
    aim(
        "… written against kafka written: records/s",
        "≥ 2.8 ×",
        &[ratio(produced(BULK, TORA_WRITTEN, RATE), produced(BULK, KAFKA, RATE), Bound::AtLeast(2.8))],
    ),
    aim(
        "… written against kafka written: broker CPU-seconds per GB",
        "≤ 1/6 ×",
        &[ratio(
            produced(BULK, TORA_WRITTEN, CPU_PER_GB),
            produced(BULK, KAFKA, CPU_PER_GB),
            Bound::AtMost(1.0 / 6.0),
        )],
    ),
    aim(
        "… flushed against kafka flushed: records/s",
        "≥ 5 ×",
        &[ratio(produced(BULK, TORA, RATE), produced(BULK, KAFKA_FLUSHED, RATE), Bound::AtLeast(5.0))],
    ),
    elsewhere("… against the floor at equal depth: records/s; CPU-seconds per GB", "≥ 0.75 ×; ≤ 1.3 ×"),
    aim(
        "One-record requests, 64 connections, flushed against kafka flushed: requests/s",
        "≥ 10 ×",
        &[ratio(produced(SINGLE, TORA, RATE), produced(SINGLE, KAFKA_FLUSHED, RATE), Bound::AtLeast(10.0))],
    ),
    aim(
        "… written against kafka written: broker CPU per request",
        "≤ 1/3 ×",
        &[ratio(
            produced(SINGLE, TORA_WRITTEN, CPU_PER_MILLION),
            produced(SINGLE, KAFKA, CPU_PER_MILLION),
            Bound::AtMost(1.0 / 3.0),
        )],
    ),
    aim(
        "10,000 requests/s of 10 records: flushed p99.9 against kafka written, or the disk's own write + flush",
        "≤ max(1/3 ×, 1.5 × the disk)",
        &[
            ratio(
                produced("latency-10k-10", TORA, "latency_us/p99_9"),
                produced("latency-10k-10", KAFKA, "latency_us/p99_9"),
                Bound::AtMost(1.0 / 3.0),
            ),
            Test {
                called: "the disk: ",
                ..ratio(
                    produced("latency-10k-10", TORA, "latency_us/p99_9"),
                    from("latency-10k-10", TORA, "", "disk_probe/write_and_flush_us/p99_9"),
                    Bound::AtMost(1.5),
                )
            },
        ],
    ),
    aim(
        "2,000 one-record requests/s: flushed p50 against the disk's own write + flush",
        "≤ 2 ×",
        &[ratio(
            produced("latency-2k-1", TORA, "latency_us/p50"),
            from("latency-2k-1", TORA, "", "disk_probe/write_and_flush_us/p50"),
            Bound::AtMost(2.0),
        )],
    ),
    aim(
        "End to end at 100,000 records/s: p99 against kafka written",
        "≤ 1/3 ×",
        &[ratio(
            from("end-to-end-100k-10", TORA, "end_to_end", "latency_us/p99"),
            from("end-to-end-100k-10", KAFKA, "end_to_end", "latency_us/p99"),
            Bound::AtMost(1.0 / 3.0),
        )],
    ),
    aim(
        "Fetch from memory: broker CPU-seconds per GB against kafka's sendfile",
        "≤ 0.85 ×",
        &[ratio(
            from("fetch", TORA, "consume_cached", CPU_PER_GB),
            from("fetch", KAFKA, "consume_cached", CPU_PER_GB),
            Bound::AtMost(0.85),
        )],
    ),
    aim(
        "Fetch cold: bytes/s against the disk's own sequential O_DIRECT read",
        "≥ 0.7 ×",
        &[ratio(
            from("fetch", TORA, "consume_cold", "megabytes_per_second"),
            from("fetch", TORA, "", "disk_read_megabytes_per_second"),
            Bound::AtLeast(0.7),
        )],
    ),
    aim(
        "1,000 partitions against 4, batches of 100: records/s kept",
        "≥ 0.7 ×",
        &[ratio(
            produced("partitions-1000", TORA, RATE),
            produced("produce-100B-100", TORA, RATE),
            Bound::AtLeast(0.7),
        )],
    ),
    aim(
        "10,000 partitions: ready after kill -9",
        "< 3 s",
        &[Test {
            of: from("recovery-10000", TORA, "recovery", "ready_ms"),
            over: None,
            bound: Bound::AtMost(3000.0),
            show: milliseconds,
            called: "",
        }],
    ),
    aim(
        "Disk bytes written per byte produced, 100 B × 500, zero-ahead included",
        "≤ 1.1",
        &[Test {
            of: produced(BULK, TORA, "device_written_bytes_per_produced_byte"),
            over: None,
            bound: Bound::AtMost(1.1),
            show: three_digits,
            called: "",
        }],
    ),
    aim(
        "Resident memory under full load against kafka's",
        "≤ 1/5 ×",
        &[ratio(
            produced(BULK, TORA, "broker_resident_bytes"),
            produced(BULK, KAFKA, "broker_resident_bytes"),
            Bound::AtMost(0.2),
        )],
    ),
    aim(
        "Start to the first acknowledged record against kafka's",
        "≤ 1/20 ×",
        &[ratio(
            from("start", TORA, "start", "first_acknowledgement_ms"),
            from("start", KAFKA, "start", "first_acknowledgement_ms"),
            Bound::AtMost(0.05),
        )],
    ),
];

impl Test {
    fn measure(&self, results: &Results) -> Option<Spread> {
        let of = self.of.values(results)?;
        match &self.over {
            Some(over) => quotients(&of, &over.values(results)?),
            None => Spread::of(of.into_iter().flatten().collect()),
        }
    }

    fn shown(&self, spread: Spread) -> String {
        let show = self.show;
        let median = show(spread.median);
        if spread.rounds < 2 {
            return format!("{}{median} (one round)", self.called);
        }
        format!("{}{median} ({} – {})", self.called, show(spread.least), show(spread.most))
    }
}

impl Aim {
    fn outcome(&self, results: &Results) -> Outcome {
        let spreads: Vec<_> =
            self.tests.iter().filter_map(|test| Some((test, test.measure(results)?))).collect();
        let holds = |(test, spread): &(&Test, Spread)| test.bound.holds(spread.median);
        let shown: Vec<_> = spreads.iter().map(|(test, spread)| test.shown(*spread)).collect();
        Outcome {
            what: self.what,
            aim: self.aim,
            measured: if shown.is_empty() { self.elsewhere.to_owned() } else { shown.join("; ") },
            met: (!spreads.is_empty()).then(|| spreads.iter().any(holds)),
        }
    }
}

/// All aims with what came of them.
pub fn outcomes(results: &Results) -> Vec<Outcome> {
    AIMS.iter().map(|aim| aim.outcome(results)).collect()
}

/// What the table says in its last column.
pub fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "not met",
        None => "–",
    }
}

#[cfg(test)]
mod tests;
