//! What the comparison should show, and what it does show.

use super::figures::{Results, Spread, quotients};
use super::floor;
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
    /// It only stands beside what is judged.
    Told,
}

impl Bound {
    /// Whether it holds; `None` where nothing is demanded.
    fn holds(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(bound) => Some(value >= bound),
            Self::AtMost(bound) => Some(value <= bound),
            Self::Told => None,
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
    /// What notes call it.
    key: &'static str,
    pub what: &'static str,
    pub aim: &'static str,
    /// One of those that demand something must hold.
    tests: &'static [Test],
    /// Why there is nothing to test, where there is not.
    elsewhere: &'static str,
}

/// What came of an aim.
pub struct Outcome {
    pub key: &'static str,
    pub what: &'static str,
    pub aim: &'static str,
    /// What was measured, the first the most telling; nothing where it was not measured.
    pub figures: Vec<Shown>,
    /// What stands in its place then.
    pub elsewhere: &'static str,
    /// `None` where it was not measured.
    pub met: Option<bool>,
}

/// A figure, for people.
pub struct Shown {
    /// What stands in front of it.
    pub called: &'static str,
    pub median: String,
    /// From the least to the most, or that there was one round.
    pub spread: String,
}

impl Outcome {
    /// All that was measured in one line.
    pub fn measured(&self) -> String {
        let figure = |shown: &Shown| format!("{}{} ({})", shown.called, shown.median, shown.spread);
        let figures: Vec<_> = self.figures.iter().map(figure).collect();
        if figures.is_empty() { self.elsewhere.to_owned() } else { figures.join("; ") }
    }
}

const TORA: Contender = Contender::TORA_FLUSHED;
const TORA_WRITTEN: Contender = Contender::TORA_WRITTEN;
const KAFKA: Contender = Contender::OTHER_WRITTEN;
const KAFKA_FLUSHED: Contender = Contender::OTHER_FLUSHED;
const FLOOR: Contender = Contender::FLOOR_FLUSHED;
const FLOOR_WRITTEN: Contender = Contender::FLOOR_WRITTEN;
const FRESH_FLOOR: Contender = Contender::FRESH_FLOOR;

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

const fn told(called: &'static str, of: Source, over: Source) -> Test {
    Test { called, ..ratio(of, over, Bound::Told) }
}

const fn aim(key: &'static str, what: &'static str, aim: &'static str, tests: &'static [Test]) -> Aim {
    Aim { key, what, aim, tests, elsewhere: "not part of this run" }
}

/// Tora against the floor in what `path` leads to, flushed; on blocks that were never written, and written, beside it.
const fn floor(key: &'static str, what: &'static str, aim: &'static str, tests: &'static [Test]) -> Aim {
    Aim { elsewhere: floor::MISSING, ..self::aim(key, what, aim, tests) }
}

/// All of them, in the order in which they are told.
const AIMS: &[Aim] = &[
    aim(
        "bulk-flushed",
        "Produce, 100 B × 500, flushed against kafka written: records/s",
        "≥ 2 ×",
        &[ratio(produced(BULK, TORA, RATE), produced(BULK, KAFKA, RATE), Bound::AtLeast(2.0))],
    ),
    aim(
        "bulk-written",
        "… written against kafka written: records/s",
        "≥ 2.8 ×",
        &[ratio(produced(BULK, TORA_WRITTEN, RATE), produced(BULK, KAFKA, RATE), Bound::AtLeast(2.8))],
    ),
    aim(
        "bulk-written-cpu",
        "… written against kafka written: broker CPU-seconds per GB",
        "≤ 1/6 ×",
        &[ratio(
            produced(BULK, TORA_WRITTEN, CPU_PER_GB),
            produced(BULK, KAFKA, CPU_PER_GB),
            Bound::AtMost(1.0 / 6.0),
        )],
    ),
    aim(
        "bulk-both-flushed",
        "… flushed against kafka flushed: records/s",
        "≥ 5 ×",
        &[ratio(produced(BULK, TORA, RATE), produced(BULK, KAFKA_FLUSHED, RATE), Bound::AtLeast(5.0))],
    ),
    floor(
        "floor-rate",
        "… flushed against the floor at equal depth: records/s",
        "≥ 0.75 ×",
        &[
            ratio(produced(BULK, TORA, RATE), produced(BULK, FLOOR, RATE), Bound::AtLeast(0.75)),
            told("fresh blocks: ", produced(BULK, TORA, RATE), produced(BULK, FRESH_FLOOR, RATE)),
            told("written: ", produced(BULK, TORA_WRITTEN, RATE), produced(BULK, FLOOR_WRITTEN, RATE)),
        ],
    ),
    floor(
        "floor-cpu",
        "… flushed against the floor at equal depth: CPU-seconds per GB",
        "≤ 1.3 ×",
        &[
            ratio(produced(BULK, TORA, CPU_PER_GB), produced(BULK, FLOOR, CPU_PER_GB), Bound::AtMost(1.3)),
            told("fresh blocks: ", produced(BULK, TORA, CPU_PER_GB), produced(BULK, FRESH_FLOOR, CPU_PER_GB)),
            told(
                "written: ",
                produced(BULK, TORA_WRITTEN, CPU_PER_GB),
                produced(BULK, FLOOR_WRITTEN, CPU_PER_GB),
            ),
        ],
    ),
    aim(
        "single-flushed",
        "One-record requests, 64 connections, flushed against kafka flushed: requests/s",
        "≥ 10 ×",
        &[ratio(produced(SINGLE, TORA, RATE), produced(SINGLE, KAFKA_FLUSHED, RATE), Bound::AtLeast(10.0))],
    ),
    aim(
        "single-written-cpu",
        "… written against kafka written: broker CPU per request",
        "≤ 1/3 ×",
        &[ratio(
            produced(SINGLE, TORA_WRITTEN, CPU_PER_MILLION),
            produced(SINGLE, KAFKA, CPU_PER_MILLION),
            Bound::AtMost(1.0 / 3.0),
        )],
    ),
    aim(
        "steady-10k-tail",
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
        "steady-2k-median",
        "2,000 one-record requests/s: flushed p50 against the disk's own write + flush",
        "≤ 2 ×",
        &[ratio(
            produced("latency-2k-1", TORA, "latency_us/p50"),
            from("latency-2k-1", TORA, "", "disk_probe/write_and_flush_us/p50"),
            Bound::AtMost(2.0),
        )],
    ),
    aim(
        "end-to-end",
        "End to end at 100,000 records/s: p99 against kafka written",
        "≤ 1/3 ×",
        &[ratio(
            from("end-to-end-100k-10", TORA, "end_to_end", "latency_us/p99"),
            from("end-to-end-100k-10", KAFKA, "end_to_end", "latency_us/p99"),
            Bound::AtMost(1.0 / 3.0),
        )],
    ),
    aim(
        "fetch-hot-cpu",
        "Fetch from memory: broker CPU-seconds per GB against kafka's sendfile",
        "≤ 0.85 ×",
        &[ratio(
            from("fetch", TORA, "consume_cached", CPU_PER_GB),
            from("fetch", KAFKA, "consume_cached", CPU_PER_GB),
            Bound::AtMost(0.85),
        )],
    ),
    aim(
        "fetch-cold",
        "Fetch cold: bytes/s against the disk's own sequential O_DIRECT read",
        "≥ 0.7 ×",
        &[ratio(
            from("fetch", TORA, "consume_cold", "megabytes_per_second"),
            from("fetch", TORA, "", "disk_read_megabytes_per_second"),
            Bound::AtLeast(0.7),
        )],
    ),
    aim(
        "partitions-1000",
        "1,000 partitions against 4, batches of 100: records/s kept",
        "≥ 0.7 ×",
        &[ratio(
            produced("partitions-1000", TORA, RATE),
            produced("produce-100B-100", TORA, RATE),
            Bound::AtLeast(0.7),
        )],
    ),
    aim(
        "recovery-10000",
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
        "disk-bytes",
        "Disk bytes written per byte produced, 100 B × 500, journal and checkpoints included",
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
        "memory",
        "Resident memory under full load against kafka's",
        "≤ 1/5 ×",
        &[ratio(
            produced(BULK, TORA, "broker_resident_bytes"),
            produced(BULK, KAFKA, "broker_resident_bytes"),
            Bound::AtMost(0.2),
        )],
    ),
    aim(
        "start",
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

    fn shown(&self, spread: Spread) -> Shown {
        let show = |value| (self.show)(value);
        let bare = |value| show(value).trim_end_matches(" ×").to_owned();
        let spread_words = if spread.rounds < 2 {
            "one round".to_owned()
        } else {
            format!("{} – {}", bare(spread.least), bare(spread.most))
        };
        Shown { called: self.called, median: show(spread.median), spread: spread_words }
    }
}

impl Aim {
    fn outcome(&self, results: &Results) -> Outcome {
        let spreads: Vec<_> =
            self.tests.iter().filter_map(|test| Some((test, test.measure(results)?))).collect();
        let held: Vec<_> =
            spreads.iter().filter_map(|(test, spread)| test.bound.holds(spread.median)).collect();
        Outcome {
            key: self.key,
            what: self.what,
            aim: self.aim,
            figures: spreads.iter().map(|(test, spread)| test.shown(*spread)).collect(),
            elsewhere: self.elsewhere,
            met: (!held.is_empty()).then(|| held.contains(&true)),
        }
    }
}

/// All aims with what came of them.
pub fn outcomes(results: &Results) -> Vec<Outcome> {
    AIMS.iter().map(|aim| aim.outcome(results)).collect()
}

/// What notes may call them.
pub fn keys() -> impl Iterator<Item = &'static str> {
    AIMS.iter().map(|aim| aim.key)
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
