//! What is measured: workloads, contenders, and the order in which they take turns.

use std::path::Path;
use std::time::Duration;

use super::cell::Cell;
use crate::cli::CompareArgs;

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// On the disk.
    Flushed,
    /// The operating system or the device has it.
    Written,
}

impl Contract {
    /// Its name, as everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flushed => "flushed",
            Self::Written => "written",
        }
    }

    /// The topic's config that asks for it, of Tora and of Kafka alike.
    pub const fn topic_config(self) -> &'static str {
        match self {
            Self::Flushed => "flush.messages=1",
            Self::Written => "flush.messages=9223372036854775807",
        }
    }
}

/// Which of the two brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Tora,
    Other,
}

/// A broker with a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    pub side: Side,
    pub contract: Contract,
}

impl Contender {
    /// All four, in the order of a round.
    pub const ALL: [Self; 4] = [
        Self { side: Side::Tora, contract: Contract::Flushed },
        Self { side: Side::Other, contract: Contract::Written },
        Self { side: Side::Tora, contract: Contract::Written },
        Self { side: Side::Other, contract: Contract::Flushed },
    ];
}

/// Which contenders are held against one another: Tora's, and the other's.
pub struct Pair {
    pub ours: Contender,
    pub theirs: Contender,
}

impl Pair {
    /// Each broker at its own default first, then both at the same contract.
    pub const ALL: [Self; 3] = [
        Self { ours: Contender::ALL[0], theirs: Contender::ALL[1] },
        Self { ours: Contender::ALL[2], theirs: Contender::ALL[1] },
        Self { ours: Contender::ALL[0], theirs: Contender::ALL[3] },
    ];
}

/// What a workload is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Records a second: more is better.
    Throughput,
    /// A latency's percentile: less is better.
    Latency,
}

/// A load that every contender gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Also its folder's name.
    pub name: &'static str,
    pub title: &'static str,
    /// The phase that is measured.
    pub phase: &'static str,
    pub arguments: &'static [&'static str],
    pub measure: Measure,
    /// Whether it is part of a quick comparison.
    quick: bool,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        name: "produce-100B-500",
        title: "Produce as fast as it goes: 100 B records, 500 a batch, 4 connections",
        phase: "produce",
        arguments: &["--record-size=100", "--batch-records=500", "--connections=4"],
        measure: Measure::Throughput,
        quick: true,
    },
    Workload {
        name: "produce-1KiB-500",
        title: "Produce as fast as it goes: 1 KiB records, 500 a batch, 4 connections",
        phase: "produce",
        arguments: &["--record-size=1024", "--batch-records=500", "--connections=4"],
        measure: Measure::Throughput,
        quick: false,
    },
    Workload {
        name: "produce-100B-100",
        title: "Produce as fast as it goes: 100 B records, 100 a batch, 4 connections",
        phase: "produce",
        arguments: &["--record-size=100", "--batch-records=100", "--connections=4"],
        measure: Measure::Throughput,
        quick: false,
    },
    Workload {
        name: "produce-100B-100-64conn",
        title: "Produce as fast as it goes: 100 B records, 100 a batch, 64 connections",
        phase: "produce",
        arguments: &["--record-size=100", "--batch-records=100", "--connections=64", "--in-flight=1"],
        measure: Measure::Throughput,
        quick: false,
    },
    Workload {
        name: "produce-100B-1-64conn",
        title: "One-record requests: 100 B, 64 connections with one request under way each",
        phase: "produce",
        arguments: &["--record-size=100", "--batch-records=1", "--connections=64", "--in-flight=1"],
        measure: Measure::Throughput,
        quick: true,
    },
    Workload {
        name: "latency-100k-10",
        title: "Produce at a steady 100,000 records/s: 100 B records, 10 a batch, 4 connections",
        phase: "produce",
        arguments: &["--record-size=100", "--batch-records=10", "--connections=4", "--rate=100000"],
        measure: Measure::Latency,
        quick: true,
    },
    Workload {
        name: "latency-2k-1",
        title: "Produce at a steady 2,000 one-record requests/s: 100 B, 4 connections",
        phase: "produce",
        arguments: &["--record-size=100", "--batch-records=1", "--connections=4", "--rate=2000"],
        measure: Measure::Latency,
        quick: false,
    },
    Workload {
        name: "end-to-end-100k-10",
        title: "End to end at a steady 100,000 records/s: 100 B records, 10 a batch, 4 connections",
        phase: "end_to_end",
        arguments: &["--record-size=100", "--batch-records=10", "--connections=4", "--rate=100000"],
        measure: Measure::Latency,
        quick: true,
    },
];

/// The whole comparison.
pub struct Plan {
    pub workloads: Vec<Workload>,
    pub rounds: u32,
    pub duration: Duration,
    pub warmup: Duration,
    /// What the other broker is called.
    pub other: String,
}

impl Plan {
    /// Reads it off the arguments.
    ///
    /// # Errors
    /// A sentence, where nothing would be measured.
    pub fn new(args: &CompareArgs) -> Result<Self, String> {
        let wanted = |workload: &&Workload| {
            args.only.iter().any(|text| workload.name.contains(text))
                || (args.only.is_empty() && (workload.quick || !args.quick))
        };
        let workloads: Vec<_> = WORKLOADS.iter().filter(wanted).copied().collect();
        if workloads.is_empty() {
            let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
            return Err(format!(
                "--only {}: no such workload; there are {}",
                args.only.join(", "),
                names.join(", ")
            ));
        }
        let (rounds, seconds, warmup) = if args.quick { (3, 3, 1) } else { (5, 10, 3) };
        let rounds = args.rounds.unwrap_or(rounds);
        if rounds == 0 {
            return Err("--rounds 0 measures nothing: give at least 1".into());
        }
        Ok(Self {
            workloads,
            rounds,
            duration: args.duration.unwrap_or(Duration::from_secs(seconds)),
            warmup: args.warmup.unwrap_or(Duration::from_secs(warmup)),
            other: args.peer.as_ref().map_or_else(|| "kafka".to_owned(), |peer| peer.name.clone()),
        })
    }

    /// Every measurement, in the order in which they are made: round by round, in each round workload by workload, and
    /// in each workload contender by contender, backwards in every second round so that nobody always comes after the
    /// same one.
    pub fn cells(&self, out: &Path) -> Vec<Cell> {
        let mut cells = Vec::new();
        for round in 1..=self.rounds {
            for &workload in &self.workloads {
                let mut turn = Contender::ALL;
                if round % 2 == 0 {
                    turn.reverse();
                }
                cells.extend(turn.map(|contender| Cell::new(self, out, workload, contender, round)));
            }
        }
        cells
    }

    /// What a broker is called.
    pub fn broker_name(&self, side: Side) -> &str {
        match side {
            Side::Tora => "tora",
            Side::Other => &self.other,
        }
    }

    /// What a contender is called.
    pub fn name(&self, contender: Contender) -> String {
        format!("{} {}", self.broker_name(contender.side), contender.contract.name())
    }
}

#[cfg(test)]
mod tests;
