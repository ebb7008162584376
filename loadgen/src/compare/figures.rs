//! Medians, spreads and ratios over the rounds.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::plan::{Contender, Measure, Pair, Plan, Workload};
use crate::report::figures::{Figures, count, micros, two_digits};

/// The rounds of one contender in one workload that are finished.
pub struct Rounds {
    /// Summaries by round, the first round first; `None` where it is not finished.
    summaries: Vec<Option<Value>>,
    phase: &'static str,
}

/// A median with its spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
    /// How many rounds it is the median of.
    pub rounds: usize,
}

impl Spread {
    /// Of some values; `None` of none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, least, most, rounds: values.len() })
    }
}

impl Rounds {
    /// Reads them from the results folder.
    pub fn read(plan: &Plan, out: &Path, workload: Workload, contender: Contender) -> Self {
        let cells = plan.cells(out).into_iter();
        let mine = cells.filter(|cell| cell.workload == workload && cell.contender == contender);
        Self { summaries: mine.map(|cell| cell.summary()).collect(), phase: workload.phase }
    }

    /// The figure at `path` of the measured phase, by round.
    fn values(&self, path: &str) -> Vec<Option<f64>> {
        let value = |summary: &Option<Value>| self.phase(summary.as_ref()?).number(path);
        self.summaries.iter().map(value).collect()
    }

    fn phase<'a>(&self, summary: &'a Value) -> Figures<'a> {
        Figures(Figures(summary).at("phases").get(self.phase).unwrap_or(&Value::Null))
    }

    /// The figure at `path` of the measured phase.
    pub fn spread(&self, path: &str) -> Option<Spread> {
        Spread::of(self.values(path).into_iter().flatten().collect())
    }

    /// The figure at `path` of the whole run.
    pub fn spread_of_run(&self, path: &str) -> Option<Spread> {
        Spread::of(
            self.summaries.iter().flatten().filter_map(|summary| Figures(summary).number(path)).collect(),
        )
    }

    /// Whether in some round the load generator may have set the pace.
    pub fn generator_bound(&self) -> bool {
        self.summaries.iter().flatten().any(|summary| self.phase(summary).is("load_generator_bound"))
    }

    /// Whether in some round the rate was not held.
    pub fn rate_not_held(&self) -> bool {
        self.values("unsent_records").into_iter().flatten().any(|unsent| unsent > 0.0)
    }

    /// What an acknowledgement meant, as the measurements themselves say.
    pub fn durability(&self) -> Option<&str> {
        self.summaries.iter().flatten().find_map(|summary| Figures(summary).text("durability"))
    }

    /// How many rounds are finished.
    pub fn finished(&self) -> usize {
        self.summaries.iter().flatten().count()
    }
}

/// How many times better the first is than the second, round by round: more of what is better when it is more, less of
/// what is better when it is less.
pub fn ratio(ours: &Rounds, theirs: &Rounds, path: &str, more_is_better: bool) -> Option<Spread> {
    let pairs = ours.values(path).into_iter().zip(theirs.values(path));
    let ratio = |(ours, theirs): (Option<f64>, Option<f64>)| {
        let (ours, theirs) = (ours?, theirs?);
        let ratio = if more_is_better { ours / theirs } else { theirs / ours };
        ratio.is_finite().then_some(ratio)
    };
    Spread::of(pairs.filter_map(ratio).collect())
}

/// What is held against one another.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// Where the figure lies in a phase.
    pub path: &'static str,
    pub what: &'static str,
    pub show: fn(f64) -> String,
    pub more_is_better: bool,
}

impl Axis {
    /// What a workload is judged by: its own measure first, then what it costs.
    pub fn of(workload: Workload) -> [Self; 2] {
        let measure = workload.measure;
        [
            Self {
                path: measure.path(),
                what: measure.what(),
                show: measure.show(),
                more_is_better: measure == Measure::Throughput,
            },
            Self {
                path: "broker_cpu_seconds_per_million_records",
                what: "broker CPU-seconds per million records",
                show: two_digits,
                more_is_better: false,
            },
        ]
    }
}

impl Measure {
    /// Where the figure lies that a workload is judged by.
    const fn path(self) -> &'static str {
        match self {
            Self::Throughput => "records_per_second",
            Self::Latency => "latency_us/p99",
        }
    }

    /// How it is written.
    fn show(self) -> fn(f64) -> String {
        match self {
            Self::Throughput => count,
            Self::Latency => micros,
        }
    }

    /// What it is.
    const fn what(self) -> &'static str {
        match self {
            Self::Throughput => "records/s",
            Self::Latency => "latency p99",
        }
    }
}

/// The comparison as text: a line a workload and pair.
pub fn table(plan: &Plan, out: &Path) -> String {
    let mut text = String::from("How many times better tora is: median of rounds (least to most)\n");
    for &workload in &plan.workloads {
        let _ = writeln!(text, "\n{}", workload.title);
        for axis in Axis::of(workload) {
            let _ = writeln!(text, "  {}", axis.what);
            for pair in Pair::ALL {
                let _ = writeln!(text, "{}", line(plan, out, workload, &axis, &pair));
            }
        }
    }
    text
}

fn line(plan: &Plan, out: &Path, workload: Workload, axis: &Axis, pair: &Pair) -> String {
    let read = |contender| Rounds::read(plan, out, workload, contender);
    let (ours, theirs) = (read(pair.ours), read(pair.theirs));
    let show = |rounds: &Rounds| {
        rounds.spread(axis.path).map_or_else(|| "–".into(), |spread| (axis.show)(spread.median))
    };
    let against = format!("{} against {}", plan.name(pair.ours), plan.name(pair.theirs));
    let better = ratio(&ours, &theirs, axis.path, axis.more_is_better)
        .map_or_else(|| "–".into(), |r| format!("{:.2} × ({:.2} to {:.2})", r.median, r.least, r.most));
    format!("    {against:<38} {:>12} {:>12}  {better}", show(&ours), show(&theirs))
}

#[cfg(test)]
mod tests;
