//! A results folder, read back: `summary.json`, samples and histogram logs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;

use super::figures::Figures;
use crate::histogram;
use crate::probe;
use crate::samples::{self, Sample};

/// One run.
pub struct Run {
    /// The results folder's own name.
    pub folder: String,
    /// What it is called beside others; see [`name_apart`].
    pub name: String,
    pub summary: Value,
    /// In the order in which they ran.
    pub phases: Vec<PhaseData>,
    /// The disk's own write + flush.
    pub disk_us: Option<Histogram<u64>>,
}

/// One phase of a run.
pub struct PhaseData {
    pub name: String,
    pub samples: Vec<Sample>,
    /// Of what the phase is about; `None` where nothing was timed.
    pub latency: Option<Latencies>,
    /// How late the load generator sent; only in an open loop.
    pub lateness: Option<Latencies>,
}

/// A histogram log.
pub struct Latencies {
    pub total: Histogram<u64>,
    pub intervals: Vec<Interval>,
}

/// One interval of a log.
pub struct Interval {
    /// From the beginning of the measured time.
    pub start: Duration,
    pub length: Duration,
    pub histogram: Histogram<u64>,
}

impl Run {
    /// Reads the run in `folder`.
    ///
    /// # Errors
    /// A sentence that names the file which is missing or not understood.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("summary.json");
        let text = fs::read_to_string(&path).map_err(|e| {
            format!("{} is no results folder of tora-load: {}: {e}", folder.display(), path.display())
        })?;
        let summary: Value =
            serde_json::from_str(&text).map_err(|e| format!("{} is not understood: {e}", path.display()))?;
        let names = crate::cli::Phase::ALL.map(crate::cli::Phase::name);
        let ran = names.into_iter().filter(|name| summary["phases"][name].is_object());
        let phases = ran.map(|name| PhaseData::read(folder, name)).collect::<Result<_, _>>()?;
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let probed = summary["disk_probe"].is_object();
        let disk_us = if probed { Latencies::read(&folder.join(probe::LOG_FILE))? } else { None };
        Ok(Self {
            folder: name.unwrap_or_else(|| folder.display().to_string()),
            name: String::new(),
            summary,
            phases,
            disk_us: disk_us.map(|latencies| latencies.total),
        })
    }

    /// The broker in a few words.
    pub fn broker(&self) -> String {
        let figures = self.figures();
        match (figures.text("broker/kind"), figures.text("broker/version"), figures.text("broker/bootstrap"))
        {
            (Some("tora"), Some(version), _) => format!("tora {version}"),
            (Some("tora"), None, _) => "tora".into(),
            (_, _, Some(bootstrap)) => format!("broker at {bootstrap}"),
            _ => "unknown broker".into(),
        }
    }

    /// The figures of the whole run.
    pub fn figures(&self) -> Figures<'_> {
        Figures(&self.summary)
    }

    /// The figures of `phase`; all unknown where it did not run.
    pub fn phase_figures(&self, phase: &str) -> Figures<'_> {
        Figures(&self.summary["phases"][phase])
    }

    /// The data of `phase`, if it ran.
    pub fn phase(&self, phase: &str) -> Option<&PhaseData> {
        self.phases.iter().find(|data| data.name == phase)
    }
}

/// Gives every run a name that no other has: its broker and contract, and where these are the same, its folder.
pub fn name_apart(runs: &mut [Run]) {
    let short = |run: &Run| format!("{}, {}", run.broker(), run.figures().text_or_unknown("durability"));
    let names: Vec<_> = runs.iter().map(short).collect();
    for (index, run) in runs.iter_mut().enumerate() {
        let alone = names.iter().filter(|&name| *name == names[index]).count() == 1;
        run.name = if alone { names[index].clone() } else { format!("{} ({})", names[index], run.folder) };
    }
}

impl PhaseData {
    fn read(folder: &Path, name: &str) -> Result<Self, String> {
        let path = folder.join(format!("{name}.csv"));
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let samples = samples::parse(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self {
            name: name.to_owned(),
            samples,
            latency: Latencies::read(&folder.join(format!("{name}.hlog")))?,
            lateness: Latencies::read(&folder.join(format!("{name}-lateness.hlog")))?,
        })
    }
}

impl Latencies {
    /// Reads a histogram log; `None` where there is no such file, or nothing in it.
    fn read(path: &Path) -> Result<Option<Self>, String> {
        let Ok(bytes) = fs::read(path) else { return Ok(None) };
        let broken = |what: String| format!("{} is no histogram log: {what}", path.display());
        let mut deserializer = Deserializer::new();
        let (mut total, mut intervals) = (histogram::empty(), Vec::new());
        for entry in IntervalLogIterator::new(&bytes) {
            let entry = entry.map_err(|e| broken(format!("{e:?}")))?;
            let LogEntry::Interval(interval) = entry else { continue };
            let encoded =
                BASE64_STANDARD.decode(interval.encoded_histogram()).map_err(|e| broken(e.to_string()))?;
            let histogram: Histogram<u64> =
                deserializer.deserialize(&mut &encoded[..]).map_err(|e| broken(e.to_string()))?;
            total.add(&histogram).map_err(|e| broken(e.to_string()))?;
            intervals.push(Interval {
                start: interval.start_timestamp(),
                length: interval.duration(),
                histogram,
            });
        }
        Ok((!total.is_empty()).then_some(Self { total, intervals }))
    }
}

#[cfg(test)]
mod tests;
