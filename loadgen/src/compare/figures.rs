//! Medians, spreads and ratios over the rounds.

use std::path::Path;

use serde_json::Value;

use super::cell::Cell;
use super::plan::{Contender, Plan};
use super::workloads::{Axis, Workload};
use crate::report::figures::Figures;

/// The rounds of one contender in one workload that are finished.
pub struct Rounds {
    pub contender: Contender,
    /// Summaries by round, the first round first; `None` where it is not finished.
    pub summaries: Vec<Option<Value>>,
    /// What it could not do, or not in time, with the round.
    pub findings: Vec<(usize, String)>,
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

/// What the marks behind figures say.
pub const MARKS: &str = "† the load generator was busy nearly all the time and may have set the pace. ‡ the rate was not \
                         held. § the machine's host withheld more than a hundredth of the processors' time in most \
                         rounds: pauses of the whole machine are in the latencies.";

impl Rounds {
    /// Takes the next round.
    fn add(&mut self, cell: &Cell) {
        let summary = cell.summary();
        let said = |phase: &Value| Some(phase["finding"].as_str()?.to_owned());
        let of_phase = summary.as_ref().and_then(|summary| said(&summary["phases"][cell.workload.phases[0]]));
        self.summaries.push(summary);
        self.findings.extend(of_phase.or_else(|| cell.failure()).map(|what| (self.summaries.len(), what)));
    }

    /// The figure at `path` of a phase by round; of the whole run where the phase is empty.
    pub fn values(&self, phase: &str, path: &str) -> Vec<Option<f64>> {
        let value = |summary: &Option<Value>| Self::part(summary.as_ref()?, phase).number(path);
        self.summaries.iter().map(value).collect()
    }

    fn part<'a>(summary: &'a Value, phase: &str) -> Figures<'a> {
        let whole = Figures(summary);
        if phase.is_empty() { whole } else { Figures(whole.at("phases").get(phase).unwrap_or(&Value::Null)) }
    }

    /// The figure at `path` of a phase.
    pub fn spread(&self, phase: &str, path: &str) -> Option<Spread> {
        Spread::of(self.values(phase, path).into_iter().flatten().collect())
    }

    /// Whether in some round the load generator may have set the pace of `phase`.
    pub fn generator_bound(&self, phase: &str) -> bool {
        self.summaries.iter().flatten().any(|summary| Self::part(summary, phase).is("load_generator_bound"))
    }

    /// Whether in some round the rate was not held.
    pub fn rate_not_held(&self, phase: &str) -> bool {
        self.values(phase, "unsent_records").into_iter().flatten().any(|unsent| unsent > 0.0)
    }

    /// Whether in most rounds the machine's host withheld processor time.
    pub fn held_up(&self, phase: &str) -> bool {
        let held_up = |summary: &Value| Self::part(summary, phase).is("machine_held_up");
        2 * self.summaries.iter().flatten().filter(|summary| held_up(summary)).count() > self.finished()
    }

    /// What stands behind a figure of `phase`, as [`MARKS`] explains.
    pub fn marks(&self, phase: &str) -> String {
        let marks = [
            (self.generator_bound(phase), '†'),
            (self.rate_not_held(phase), '‡'),
            (self.held_up(phase), '§'),
        ];
        marks.into_iter().filter_map(|(is_so, mark)| is_so.then_some(mark)).collect()
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

/// A workload and what came of it.
pub struct Measured {
    pub workload: Workload,
    /// By contender, in the workload's order.
    pub rounds: Vec<Rounds>,
}

impl Measured {
    /// A contender's rounds, where it takes part.
    pub fn of(&self, contender: Contender) -> Option<&Rounds> {
        self.rounds.iter().find(|rounds| rounds.contender == contender)
    }

    /// Those that are told of: the floor only where it was there.
    pub fn shown(&self) -> impl Iterator<Item = &Rounds> {
        let told = |rounds: &&Rounds| !rounds.contender.side.is_floor() || rounds.finished() > 0;
        self.rounds.iter().filter(told)
    }

    /// How many times better `ours` is than `theirs` on an axis.
    pub fn ratio(&self, ours: Contender, theirs: Contender, axis: &Axis) -> Option<Spread> {
        let values = |contender| Some(self.of(contender)?.values(axis.phase, axis.path));
        let (ours, theirs) = (values(ours)?, values(theirs)?);
        if axis.more_is_better { quotients(&ours, &theirs) } else { quotients(&theirs, &ours) }
    }
}

/// Round by round, the first over the second.
pub fn quotients(first: &[Option<f64>], second: &[Option<f64>]) -> Option<Spread> {
    let quotient = |(first, second): (&Option<f64>, &Option<f64>)| {
        let quotient = (*first)? / (*second)?;
        quotient.is_finite().then_some(quotient)
    };
    Spread::of(first.iter().zip(second).filter_map(quotient).collect())
}

/// All workloads of a comparison with their rounds.
pub struct Results(pub Vec<Measured>);

impl Results {
    /// Reads them from the results folder.
    pub fn read(plan: &Plan, out: &Path) -> Self {
        let mut all: Vec<Measured> = Vec::new();
        for &workload in &plan.workloads {
            let empty =
                |&contender: &Contender| Rounds { contender, summaries: Vec::new(), findings: Vec::new() };
            all.push(Measured { workload, rounds: workload.contenders.iter().map(empty).collect() });
        }
        // Cells come round by round.
        for cell in plan.cells(out) {
            let measured = all.iter_mut().find(|measured| measured.workload == cell.workload);
            let rounds = measured.and_then(|m| m.rounds.iter_mut().find(|r| r.contender == cell.contender));
            rounds.expect("every cell is of a workload and contender").add(&cell);
        }
        Self(all)
    }

    /// Everything that could not be measured, or not in time, in sentences.
    pub fn findings(&self, plan: &Plan) -> impl Iterator<Item = String> {
        let of = |measured: &Measured| {
            let (name, rounds) = (measured.workload.name, &measured.rounds);
            let told = |rounds: &Rounds| {
                let who = plan.name(rounds.contender);
                let sentence =
                    |(round, what): &(usize, String)| format!("{name}, {who}, round {round}: {what}");
                rounds.findings.iter().map(sentence).collect::<Vec<_>>()
            };
            rounds.iter().flat_map(told).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of)
    }

    /// The rounds of a contender in the workload called `name`.
    pub fn of(&self, name: &str, contender: Contender) -> Option<&Rounds> {
        self.0.iter().find(|measured| measured.workload.name == name)?.of(contender)
    }
}

#[cfg(test)]
mod tests;
