//! The loads that every contender gets, and what each is judged by.

use super::plan::{Contender, Layout};
use crate::report::figures::{bytes, count, micros, one_digit, three_digits, two_digits};

/// How a workload is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `tora-load bench` of the workload's phases.
    Bench,
    /// One at each of a row of rates, until the broker does not hold it.
    Knee,
    /// A log of several GB is written and then read: from memory, and once nothing of it is cached.
    Fetch,
    /// A broker of its own is started on an empty folder.
    Start,
    /// A broker of its own is killed under load and started again.
    Recovery { partitions: i32, bytes: u64 },
    /// One of Kafka's own tools.
    Tool(Tool),
}

/// Kafka's own tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    ProducerPerformance,
    ConsumerPerformance,
    EndToEndLatency,
}

/// What is held against one another.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// The phase in which the figure lies.
    pub phase: &'static str,
    /// Where in it.
    pub path: &'static str,
    pub what: &'static str,
    pub show: fn(f64) -> String,
    pub more_is_better: bool,
}

const fn axis(phase: &'static str, path: &'static str, what: &'static str, show: fn(f64) -> String) -> Axis {
    Axis { phase, path, what, show, more_is_better: false }
}

const fn more(axis: Axis) -> Axis {
    Axis { more_is_better: true, ..axis }
}

/// A load.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Also its folder's name.
    pub name: &'static str,
    pub title: &'static str,
    pub layout: Layout,
    pub kind: Kind,
    /// The phases that are measured.
    pub phases: &'static [&'static str],
    pub arguments: &'static [&'static str],
    /// The first is what it is about.
    pub axes: &'static [Axis],
    pub contenders: &'static [Contender],
    /// At most so many rounds.
    pub rounds: u32,
    /// Of the comparison's duration.
    pub times: f64,
    /// Whether the disk itself is measured beside it.
    pub probed: bool,
    /// Whether it is part of a quick comparison.
    pub quick: bool,
}

impl Workload {
    /// Whether requests come by the clock: then a pause of the disk counts for all that it holds up.
    pub fn is_paced(&self) -> bool {
        self.kind == Kind::Knee
            || self.phases.contains(&"end_to_end")
            || self.arguments.iter().any(|argument| argument.starts_with("--rate"))
    }
}

impl PartialEq for Workload {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const PRODUCE: &[&str] = &["produce"];
const SPEED: Axis = more(axis("produce", "records_per_second", "records/s", count));
const CPU: Axis = axis(
    "produce",
    "broker_cpu_seconds_per_million_records",
    "broker CPU-seconds per million records",
    three_digits,
);
const FAST: &[Axis] = &[SPEED, CPU];
const P99: Axis = axis("produce", "latency_us/p99", "latency p99", micros);
const P999: Axis = axis("produce", "latency_us/p99_9", "latency p99.9", micros);
const STEADY: &[Axis] = &[P99, P999, CPU];

const READY: Axis = axis("recovery", "ready_ms", "ready after, ms", count);
const ACKNOWLEDGED: Axis =
    axis("recovery", "first_acknowledgement_ms", "first acknowledged record after, ms", count);
const SINGLE_STEADY: &[Axis] = &[axis("produce", "latency_us/p50", "latency p50", micros), P99, P999, CPU];
const HELD: &[Axis] = &[more(axis("knee", "requests_per_second", "requests/s held", count))];
const ARRIVING: &[Axis] = &[
    axis("end_to_end", "latency_us/p99", "latency p99", micros),
    axis("end_to_end", "latency_us/p99_9", "latency p99.9", micros),
    axis("end_to_end", "broker_cpu_seconds_per_million_records", CPU.what, three_digits),
];
const TOGETHER: &[Axis] = &[
    more(axis("consume_hot", "records_per_second", "records/s consumed", count)),
    axis("consume_hot", "broker_cpu_seconds_per_million_records", CPU.what, three_digits),
];
const FETCHING: &[Axis] = &[
    axis(
        "consume_cached",
        "broker_cpu_seconds_per_gb",
        "from memory: broker CPU-seconds per GB",
        three_digits,
    ),
    more(axis("consume_cached", "megabytes_per_second", "from memory: MB/s", one_digit)),
    more(axis("consume_cold", "megabytes_per_second", "cold: MB/s", one_digit)),
    axis("consume_cold", "broker_cpu_seconds_per_gb", "cold: broker CPU-seconds per GB", three_digits),
];
const MAKING: &[Axis] =
    &[SPEED, CPU, axis("", "topic_ready_after_ms", "the topic made and served, ms", count)];
const STARTING: &[Axis] = &[
    axis("start", "first_acknowledgement_ms", "first acknowledged record after, ms", count),
    axis("start", "resident_bytes", "memory then", bytes),
    axis("start", "broker_cpu_seconds", "broker CPU-seconds until then", two_digits),
];
const RECOVERING: &[Axis] = &[
    READY,
    ACKNOWLEDGED,
    axis("recovery", "broker_cpu_seconds", "broker CPU-seconds until then", two_digits),
    axis("recovery", "resident_bytes", "memory then", bytes),
];
const TOOL_CPU: Axis = axis("tool", "broker_cpu_seconds_per_million_records", CPU.what, three_digits);
const TOOL_PRODUCING: &[Axis] = &[
    more(axis("tool", "records_per_second", "records/s", count)),
    axis("tool", "latency_ms/p99", "latency p99, ms", one_digit),
    TOOL_CPU,
];
const TOOL_CONSUMING: &[Axis] = &[more(axis("tool", "megabytes_per_second", "MB/s", one_digit)), TOOL_CPU];
const TOOL_END_TO_END: &[Axis] = &[
    axis("tool", "latency_ms/mean", "mean latency, ms", two_digits),
    axis("tool", "latency_ms/p99", "latency p99, ms", one_digit),
    TOOL_CPU,
];

impl Workload {
    /// Partitions of its topic, where its arguments name them; 0 where they do not.
    pub fn partitions(&self) -> i32 {
        let named = self.arguments.iter().find_map(|argument| argument.strip_prefix("--partitions="));
        named.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

/// What all workloads have unless they say otherwise.
const BASE: Workload = Workload {
    name: "",
    title: "",
    layout: Layout::Shared,
    kind: Kind::Bench,
    phases: PRODUCE,
    arguments: &[],
    axes: FAST,
    contenders: &Contender::ALL,
    rounds: u32::MAX,
    times: 1.0,
    probed: false,
    quick: false,
};

/// A load as fast as it goes.
const fn fast(name: &'static str, title: &'static str, arguments: &'static [&'static str]) -> Workload {
    Workload { name, title, arguments, ..BASE }
}

/// A load as fast as it goes that is there for completeness: one round.
const fn once(name: &'static str, title: &'static str, arguments: &'static [&'static str]) -> Workload {
    at_most(1, fast(name, title, arguments))
}

/// A load at a steady rate.
const fn steady(name: &'static str, title: &'static str, arguments: &'static [&'static str]) -> Workload {
    Workload { name, title, arguments, axes: STEADY, probed: true, ..BASE }
}

const fn quick(workload: Workload) -> Workload {
    Workload { quick: true, ..workload }
}

const fn split(workload: Workload, name: &'static str, title: &'static str) -> Workload {
    Workload { name, title, layout: Layout::Split, quick: false, contenders: &Contender::ALL, ..workload }
}

const fn at_most(rounds: u32, workload: Workload) -> Workload {
    Workload { rounds, ..workload }
}

/// The load that most is said about.
const BULK: Workload = Workload {
    contenders: &Contender::WITH_FLOOR,
    ..quick(fast(
        "produce-100B-500",
        "Produce as fast as it goes: 100 B records, 500 a batch, 4 connections",
        &["--record-size=100", "--batch-records=500", "--connections=4"],
    ))
};
const SINGLE: Workload = quick(fast(
    "produce-100B-1-64conn",
    "One-record requests: 100 B, 64 connections with one request under way each",
    &["--record-size=100", "--batch-records=1", "--connections=64", "--in-flight=1"],
));
const STEADY_TEN: Workload = quick(steady(
    "latency-10k-10",
    "Produce at a steady 10,000 requests/s of 10 records: 100 B, 4 connections",
    &["--record-size=100", "--batch-records=10", "--connections=4", "--rate=100000"],
));

const PRODUCING: &[Workload] = &[
    BULK,
    at_most(
        2,
        Workload {
            contenders: &[Contender::TORA_FLUSHED, Contender::OTHER_WRITTEN, Contender::TORA_WRITTEN],
            times: 8.0,
            ..fast(
                "produce-sustained",
                "The same for eight times as long: more than the operating system keeps unwritten",
                BULK.arguments,
            )
        },
    ),
    at_most(
        2,
        fast(
            "produce-1KiB-500",
            "Produce as fast as it goes: 1 KiB records, 500 a batch, 4 connections",
            &["--record-size=1024", "--batch-records=500", "--connections=4"],
        ),
    ),
    fast(
        "produce-100B-100",
        "Produce as fast as it goes: 100 B records, 100 a batch, 4 connections",
        &["--record-size=100", "--batch-records=100", "--connections=4"],
    ),
    at_most(
        1,
        fast(
            "produce-1KiB-100-64conn",
            "Produce as fast as it goes: 1 KiB records, 100 a batch, 64 connections",
            &["--record-size=1024", "--batch-records=100", "--connections=64", "--in-flight=1"],
        ),
    ),
    at_most(
        1,
        fast(
            "produce-100B-1",
            "One-record requests: 100 B, 4 connections with eight requests under way each",
            &["--record-size=100", "--batch-records=1", "--connections=4"],
        ),
    ),
    SINGLE,
    at_most(
        2,
        fast(
            "produce-lz4-500",
            "Produce LZ4 batches as fast as it goes: click events as JSON, 500 a batch, 4 connections",
            &["--compression=lz4", "--batch-records=500", "--connections=4"],
        ),
    ),
    once(
        "produce-zstd-500",
        "Produce Zstandard batches as fast as it goes: click events as JSON, 500 a batch, 4 connections",
        &["--compression=zstd", "--batch-records=500", "--connections=4"],
    ),
    once(
        "produce-100B-500-64conn",
        "Produce as fast as it goes: 100 B records, 500 a batch, 64 connections",
        &["--record-size=100", "--batch-records=500", "--connections=64", "--in-flight=1"],
    ),
    once(
        "produce-100B-100-64conn",
        "Produce as fast as it goes: 100 B records, 100 a batch, 64 connections",
        &["--record-size=100", "--batch-records=100", "--connections=64", "--in-flight=1"],
    ),
    once(
        "produce-1KiB-500-64conn",
        "Produce as fast as it goes: 1 KiB records, 500 a batch, 64 connections",
        &["--record-size=1024", "--batch-records=500", "--connections=64", "--in-flight=1"],
    ),
    once(
        "produce-1KiB-100",
        "Produce as fast as it goes: 1 KiB records, 100 a batch, 4 connections",
        &["--record-size=1024", "--batch-records=100", "--connections=4"],
    ),
    once(
        "produce-1KiB-1",
        "One-record requests: 1 KiB, 4 connections with eight requests under way each",
        &["--record-size=1024", "--batch-records=1", "--connections=4"],
    ),
    once(
        "produce-1KiB-1-64conn",
        "One-record requests: 1 KiB, 64 connections with one request under way each",
        &["--record-size=1024", "--batch-records=1", "--connections=64", "--in-flight=1"],
    ),
];

const AT_A_RATE: &[Workload] = &[
    STEADY_TEN,
    quick(Workload {
        axes: SINGLE_STEADY,
        ..steady(
            "latency-2k-1",
            "Produce at a steady 2,000 one-record requests/s: 100 B, 4 connections",
            &["--record-size=100", "--batch-records=1", "--connections=4", "--rate=2000"],
        )
    }),
    Workload {
        name: "knee-10",
        title: "The knee: requests of 10 records at rising rates, until the broker does not hold them",
        kind: Kind::Knee,
        phases: &["knee"],
        arguments: &["--record-size=100", "--batch-records=10", "--connections=4"],
        axes: HELD,
        rounds: 1,
        times: 0.5,
        ..BASE
    },
];

const READING: &[Workload] = &[
    quick(Workload {
        phases: &["end_to_end"],
        axes: ARRIVING,
        ..steady(
            "end-to-end-100k-10",
            "End to end at a steady 100,000 records/s: 100 B records, 10 a batch, 4 connections",
            &["--record-size=100", "--batch-records=10", "--connections=4", "--rate=100000"],
        )
    }),
    at_most(
        2,
        Workload {
            phases: &["consume_hot"],
            axes: TOGETHER,
            ..fast(
                "produce-and-fetch",
                "Produce and fetch together as fast as it goes: 100 B records, 500 a batch, 4 connections each way",
                &["--record-size=100", "--batch-records=500", "--connections=4"],
            )
        },
    ),
    quick(Workload {
        name: "fetch",
        title: "Fetch: what is in memory over and over, and a log of several GB of which nothing is cached",
        kind: Kind::Fetch,
        phases: &["consume_cached", "consume_cold"],
        arguments: &["--record-size=100", "--batch-records=500", "--connections=4"],
        axes: FETCHING,
        contenders: &Contender::DEFAULTS,
        rounds: 2,
        times: 1.5,
        ..BASE
    }),
];

const MANY: &[Workload] = &[
    at_most(
        1,
        fast(
            "partitions-10",
            "10 partitions: 100 B records, 100 a batch, 4 connections",
            &["--partitions=10", "--record-size=100", "--batch-records=100", "--connections=4"],
        ),
    ),
    quick(fast(
        "partitions-1000",
        "1,000 partitions: 100 B records, 100 a batch, 4 connections",
        &["--partitions=1000", "--record-size=100", "--batch-records=100", "--connections=4"],
    )),
    at_most(
        1,
        Workload {
            contenders: &Contender::DEFAULTS,
            axes: MAKING,
            ..fast(
                "partitions-10000",
                "10,000 partitions: made, then 100 B records, 100 a batch, 4 connections",
                &["--partitions=10000", "--record-size=100", "--batch-records=100", "--connections=4"],
            )
        },
    ),
    at_most(
        1,
        fast(
            "connections-10",
            "10 connections with one request under way each: 100 B records, 10 a batch",
            &["--record-size=100", "--batch-records=10", "--connections=10", "--in-flight=1"],
        ),
    ),
    at_most(
        2,
        fast(
            "connections-1000",
            "1,000 connections with one request under way each: 100 B records, 10 a batch",
            &["--record-size=100", "--batch-records=10", "--connections=1000", "--in-flight=1"],
        ),
    ),
];

const LIVES: &[Workload] = &[
    quick(Workload {
        name: "start",
        title: "From the start of the process to the first acknowledged record, on an empty folder",
        kind: Kind::Start,
        phases: &["start"],
        axes: STARTING,
        contenders: &Contender::DEFAULTS,
        ..BASE
    }),
    Workload {
        name: "recovery-1GB",
        title: "Killed (SIGKILL) under load with 1 GB written, and started again",
        kind: Kind::Recovery { partitions: 4, bytes: 1_000_000_000 },
        phases: &["recovery"],
        axes: RECOVERING,
        contenders: &Contender::DEFAULTS,
        rounds: 2,
        ..BASE
    },
    Workload {
        name: "recovery-10000",
        title: "Killed (SIGKILL) under load with 10,000 partitions, and started again",
        kind: Kind::Recovery { partitions: 10_000, bytes: 8_000_000 },
        phases: &["recovery"],
        axes: RECOVERING,
        contenders: &Contender::DEFAULTS,
        rounds: 1,
        ..BASE
    },
];

/// Kafka's own tools, as a second opinion.
const SECOND_OPINION: &[Workload] = &[
    Workload {
        name: "kafka-producer-perf-test",
        title: "Kafka's own kafka-producer-perf-test: 100 B records, acks=all, as fast as it goes",
        kind: Kind::Tool(Tool::ProducerPerformance),
        phases: &["tool"],
        axes: TOOL_PRODUCING,
        rounds: 1,
        ..BASE
    },
    Workload {
        name: "kafka-consumer-perf-test",
        title: "Kafka's own kafka-consumer-perf-test, on what its producer has written",
        kind: Kind::Tool(Tool::ConsumerPerformance),
        phases: &["tool"],
        axes: TOOL_CONSUMING,
        contenders: &Contender::DEFAULTS,
        rounds: 1,
        ..BASE
    },
    Workload {
        name: "kafka-e2e-latency",
        title: "Kafka's own kafka-e2e-latency: one record at a time, acks=all",
        kind: Kind::Tool(Tool::EndToEndLatency),
        phases: &["tool"],
        axes: TOOL_END_TO_END,
        rounds: 1,
        ..BASE
    },
];

const BOUND: &[Workload] = &[
    at_most(
        2,
        split(BULK, "split-produce-100B-500", "One core each: 100 B records, 500 a batch, 4 connections"),
    ),
    at_most(
        2,
        split(SINGLE, "split-produce-100B-1-64conn", "One core each: one-record requests, 64 connections"),
    ),
    at_most(
        2,
        split(STEADY_TEN, "split-latency-10k-10", "One core each: a steady 10,000 requests/s of 10 records"),
    ),
];

/// All of them, in the order of a round.
pub fn all() -> Vec<Workload> {
    [PRODUCING, AT_A_RATE, READING, MANY, LIVES, SECOND_OPINION, BOUND].concat()
}
