//! The table of runtimes, on the screen and in the results folder.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::measure::{Measured, Plan, Turn};
use super::servers::Runtime;
use crate::accept::{machine, median};

/// A client that is busy for this part of the time is what limits the rate, not the server.
const CLIENT_LIMIT: f64 = 0.95;

/// Everything measured.
#[derive(Clone, Debug)]
pub struct Report {
    command: Vec<String>,
    rounds: u32,
    seconds: f64,
    runtimes: Vec<Runtime>,
    works: Vec<Measured>,
}

/// The middle of the rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        Some(Self {
            median: median(numbers.clone())?,
            min: numbers.clone().fold(f64::INFINITY, f64::min),
            max: numbers.fold(f64::NEG_INFINITY, f64::max),
        })
    }

    fn cell(self, scale: f64, decimals: usize) -> String {
        let [median, min, max] =
            [self.median, self.min, self.max].map(|number| format!("{:.decimals$}", number / scale));
        format!("{median} ({min}–{max})")
    }

    fn json(self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }
}

impl Report {
    /// Of whole works.
    #[must_use]
    pub fn new(plan: &Plan, works: Vec<Measured>) -> Self {
        Self {
            command: std::env::args().collect(),
            rounds: plan.rounds,
            seconds: plan.duration.as_secs_f64(),
            runtimes: plan.runtimes.clone(),
            works,
        }
    }

    /// The tables, in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "Medians of {} interleaved rounds of {} s, lowest and highest in parentheses.\n",
            self.rounds, self.seconds
        );
        let mut limited = false;
        for measured in &self.works {
            text += &format!(
                "\n{}\n\n| {} | thousand frames/s | server's CPU-µs a frame | server's cores | client's core | p50 µs | p99 µs |\n\
                 |---|---:|---:|---:|---:|---:|---:|\n",
                measured.work.what(),
                measured.work.name()
            );
            for &runtime in &self.runtimes {
                let row = Row::of(measured, runtime);
                limited |= row.is_client_limited();
                text += &row.line(runtime);
            }
        }
        if limited {
            text += "\n* the client was the bottleneck: the server could answer more; its CPU time a frame tells how much\n";
        }
        text
    }

    /// The medians alone, a row for each work, in Markdown: ARCHITECTURE.md has it from a published run.
    #[must_use]
    pub fn summary(&self) -> String {
        let names: Vec<_> = self.runtimes.iter().map(|runtime| runtime.name()).collect();
        let mut text = format!(
            "| thousand frames/s, server's CPU-µs a frame | {} |\n| --- |{}\n",
            names.join(" | "),
            " --- |".repeat(names.len())
        );
        for measured in &self.works {
            let cells = self.runtimes.iter().map(|&runtime| Row::of(measured, runtime).summary());
            text += &format!("| {} | {} |\n", measured.work.what(), cells.collect::<Vec<_>>().join(" | "));
        }
        text
    }

    /// Writes `runtimes.json` and `runtimes.md`.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&self, out: &Path) -> io::Result<()> {
        let machine = machine();
        let document = json!({
            "command": self.command,
            "machine": machine,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "works": self.works.iter().map(|measured| self.work_json(measured)).collect::<Vec<_>>(),
        });
        fs::write(out.join("runtimes.json"), serde_json::to_string_pretty(&document)? + "\n")?;
        let mut text = format!("# Runtimes\n\n{}\n{}\n", self.summary(), self.table());
        for (name, value) in &machine {
            text += &format!("- {name}: {}\n", value.as_str().unwrap_or_default());
        }
        text += &format!("- command: `{}`\n", self.command.join(" "));
        fs::write(out.join("runtimes.md"), text)
    }

    fn work_json(&self, measured: &Measured) -> Value {
        let load = measured.work.load();
        json!({
            "work": measured.work.name(),
            "what": measured.work.what(),
            "frame_bytes": load.body_bytes,
            "connections": load.connections,
            "frames_in_flight": load.batch * load.batches_in_flight,
            "runtimes": self.runtimes.iter().map(|&runtime| Row::of(measured, runtime).json(runtime)).collect::<Vec<_>>(),
        })
    }
}

/// One runtime's turns at one kind of work.
struct Row<'a> {
    turns: Vec<&'a Turn>,
}

impl<'a> Row<'a> {
    fn of(measured: &'a Measured, runtime: Runtime) -> Self {
        Self { turns: measured.turns.iter().filter(|turn| turn.runtime == runtime).collect() }
    }

    fn spread(&self, of: impl Fn(&Turn) -> Option<f64> + Clone) -> Option<Spread> {
        Spread::of(self.turns.iter().filter_map(|turn| of(turn)))
    }

    fn is_client_limited(&self) -> bool {
        self.spread(|turn| Some(turn.client_cores)).is_some_and(|cores| cores.median >= CLIENT_LIMIT)
    }

    fn line(&self, runtime: Runtime) -> String {
        let cell = |spread: Option<Spread>, scale: f64, decimals| {
            spread.map_or_else(String::new, |spread| spread.cell(scale, decimals))
        };
        let middle = |spread: Option<Spread>, decimals: usize| {
            spread.map_or_else(String::new, |spread| format!("{:.decimals$}", spread.median))
        };
        format!(
            "| {} | {}{} | {} | {} | {} | {} | {} |\n",
            runtime.name(),
            cell(self.spread(|turn| Some(turn.frames_per_second)), 1e3, 1),
            if self.is_client_limited() { " *" } else { "" },
            cell(self.spread(|turn| Some(turn.server_cpu_us)), 1.0, 2),
            middle(self.spread(|turn| Some(turn.server_cores)), 2),
            middle(self.spread(|turn| Some(turn.client_cores)), 2),
            middle(self.spread(|turn| turn.latency_us.map(|[p50, _]| p50)), 0),
            middle(self.spread(|turn| turn.latency_us.map(|[_, p99]| p99)), 0),
        )
    }

    fn summary(&self) -> String {
        let rate = self.spread(|turn| Some(turn.frames_per_second / 1e3));
        let cpu = self.spread(|turn| Some(turn.server_cpu_us));
        rate.zip(cpu).map_or_else(String::new, |(rate, cpu)| format!("{:.1}, {:.2}", rate.median, cpu.median))
    }

    fn json(&self, runtime: Runtime) -> Value {
        let spread = |of: fn(&Turn) -> Option<f64>| self.spread(of).map(Spread::json);
        let rounds = self.turns.iter().map(|turn| {
            json!({
                "frames_per_second": turn.frames_per_second,
                "server_cpu_us_per_frame": turn.server_cpu_us,
                "server_cores": turn.server_cores,
                "client_cores": turn.client_cores,
                "latency_us": turn.latency_us.map(|[p50, p99]| json!({ "p50": p50, "p99": p99 })),
            })
        });
        json!({
            "runtime": runtime.name(),
            "frames_per_second": spread(|turn| Some(turn.frames_per_second)),
            "server_cpu_us_per_frame": spread(|turn| Some(turn.server_cpu_us)),
            "client_limited": self.is_client_limited(),
            "rounds": rounds.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests;
