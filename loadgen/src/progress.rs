//! Live progress on standard error: one line that is rewritten on a terminal, a line a second elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use crate::cli::Phase;
use crate::table::quantity;

/// Prints how a phase goes.
#[derive(Debug)]
pub struct Progress {
    enabled: bool,
    terminal: bool,
    /// Time and records of the last line.
    last: Cell<(Duration, u64)>,
}

impl Progress {
    /// Progress lines, unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self { enabled: !quiet, terminal: std::io::stderr().is_terminal(), last: Cell::default() }
    }

    /// A sentence about what happens now.
    pub fn say(&self, what: &str) {
        if self.enabled {
            eprintln!("{what}");
        }
    }

    /// Shows a phase `elapsed` after its beginning, with so many records so far.
    pub fn line(&self, phase: Phase, elapsed: Duration, warmup: Duration, duration: Duration, records: u64) {
        let (before, records_before) = self.last.replace((elapsed, records));
        let seconds = elapsed.saturating_sub(before).as_secs_f64();
        if !self.enabled || seconds <= 0.0 {
            return;
        }
        let rate = records.saturating_sub(records_before) as f64 / seconds;
        let stage = match phase {
            _ if elapsed < warmup => format!("warming up for {warmup:?}"),
            Phase::ConsumeCold => "to the end of the log".into(),
            _ => format!("of {:?}", warmup + duration),
        };
        let line = format!(
            "{:<13}{:>6.1} s  {:>9} records/s  {:>9} records  {stage}",
            phase.name(),
            elapsed.as_secs_f64(),
            quantity(rate),
            quantity(records as f64),
        );
        if self.terminal {
            eprint!("\r{line:<90}");
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    /// Ends a phase's lines.
    pub fn end(&self) {
        self.last.set(Default::default());
        if self.enabled && self.terminal {
            eprintln!();
        }
    }
}
