//! The table of journals, on the screen and in the results folder.

use std::fs;
use std::io;
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::candidates::Candidate;
use super::measure::{DISK_FRESH, DISK_WRITTEN, Latencies, Measured};
use crate::accept::{machine, median};

/// One journal: medians of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The journal's, or the disk's, name.
    pub name: &'static str,
    /// One append at a time.
    pub single: Appends,
    /// 64 in flight; the disk's own figures have none.
    pub many: Option<Appends>,
    /// Records read in order per second, right after they were appended.
    pub reads: Option<f64>,
}

/// Flushed appends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Appends {
    /// Per second.
    pub rate: f64,
    /// Latencies in microseconds.
    pub p50: f64,
    /// Latencies in microseconds.
    pub p99: f64,
}

/// Everything measured.
#[derive(Clone, Debug)]
pub struct Figures {
    /// In the order of the rounds, the disk first.
    pub rows: Vec<Row>,
    /// Tora's p50 one at a time over the disk's p50 on written blocks: the median of the rounds' ratios.
    pub over_written: Option<f64>,
    /// The same over fresh blocks.
    pub over_fresh: Option<f64>,
    rounds: usize,
}

impl Figures {
    /// Of whole rounds.
    pub(super) fn of(rounds: &[Vec<Measured>]) -> Self {
        let names = rounds.first().into_iter().flatten().map(|measured| measured.name);
        let rows = names.map(|name| row(name, rounds)).collect();
        let tora = Candidate::Tora.name();
        let (over_written, over_fresh) = (ratio(rounds, tora, DISK_WRITTEN), ratio(rounds, tora, DISK_FRESH));
        Self { rows, over_written, over_fresh, rounds: rounds.len() }
    }

    /// The table, in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| flushed appends | one at a time, /s | p50 µs | p99 µs | 64 in flight, /s | p50 µs | p99 µs | read in order, /s | in flight |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---|\n",
        );
        for row in &self.rows {
            let many = row.many.map_or(["", "", ""].map(str::to_owned), cells);
            let reads = row.reads.map_or(String::new(), |reads| format!("{reads:.0}"));
            let way = Candidate::value_variants().iter().find(|candidate| candidate.name() == row.name);
            let way = way.map_or("", |candidate| candidate.way());
            let [rate, p50, p99] = cells(row.single);
            text += &format!(
                "| {} | {rate} | {p50} | {p99} | {} | {reads} | {way} |\n",
                row.name,
                many.join(" | ")
            );
        }
        for (ratio, what) in [(self.over_written, "written"), (self.over_fresh, "fresh")] {
            if let Some(ratio) = ratio {
                text += &format!(
                    "\nTora one at a time: p50 {ratio:.2} × the disk's own write + flush of {what} blocks\n"
                );
            }
        }
        text
    }

    /// Writes `journals.json` and `journals.md`.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, out: &Path) -> io::Result<()> {
        let machine = machine();
        let command: Vec<_> = std::env::args().collect();
        let document = json!({
            "command": command,
            "machine": machine,
            "rounds": self.rounds,
            "tora_p50_over_written": self.over_written,
            "tora_p50_over_fresh": self.over_fresh,
            "rows": self.rows.iter().map(row_json).collect::<Vec<_>>(),
        });
        fs::write(out.join("journals.json"), serde_json::to_string_pretty(&document)? + "\n")?;
        let mut text = format!(
            "# Journals\n\nMedians of {} interleaved rounds, records of {} bytes.\n\n{}\n",
            self.rounds,
            super::RECORD_BYTES,
            self.table()
        );
        for (name, value) in &machine {
            text += &format!("- {name}: {}\n", value.as_str().unwrap_or_default());
        }
        text += &format!("- command: `{}`\n", command.join(" "));
        fs::write(out.join("journals.md"), text)
    }
}

fn row(name: &'static str, rounds: &[Vec<Measured>]) -> Row {
    let mine: Vec<_> = rounds.iter().flatten().filter(|measured| measured.name == name).collect();
    let many: Vec<_> = mine.iter().filter_map(|measured| measured.many.as_ref()).collect();
    Row {
        name,
        single: appends(&mine.iter().map(|measured| &measured.single).collect::<Vec<_>>())
            .expect("every round measures it"),
        many: appends(&many),
        reads: median(mine.iter().filter_map(|measured| measured.reads)),
    }
}

fn appends(phases: &[&Latencies]) -> Option<Appends> {
    let middle = |of: &dyn Fn(&Latencies) -> f64| median(phases.iter().map(|phase| of(phase)));
    Some(Appends {
        rate: middle(&Latencies::rate)?,
        p50: middle(&|phase| phase.micros(0.5))?,
        p99: middle(&|phase| phase.micros(0.99))?,
    })
}

/// The median over the rounds of one's p50 over the other's in the same round.
fn ratio(rounds: &[Vec<Measured>], one: &str, other: &str) -> Option<f64> {
    let p50 = |round: &[Measured], name: &str| {
        round.iter().find(|measured| measured.name == name).map(|measured| measured.single.micros(0.5))
    };
    median(rounds.iter().filter_map(|round| Some(p50(round, one)? / p50(round, other)?)))
}

fn cells(appends: Appends) -> [String; 3] {
    [appends.rate, appends.p50, appends.p99].map(|figure| format!("{figure:.0}"))
}

fn row_json(row: &Row) -> Value {
    let appends = |appends: Appends| json!({ "per_second": appends.rate, "p50_us": appends.p50, "p99_us": appends.p99 });
    json!({
        "name": row.name,
        "single": appends(row.single),
        "in_flight_64": row.many.map(appends),
        "reads_per_second": row.reads,
    })
}
