//! Latency histograms: recording on the data threads, percentiles, and HdrHistogram's log files.
//!
//! Values are microseconds, kept to three significant digits up to an hour. The log format is HdrHistogram's own
//! (`HistogramLogWriter`, version 1.3: one compressed histogram an interval).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

const SIGNIFICANT_DIGITS: u8 = 3;
/// Longer latencies count as this long.
const MICROS_MAX: u64 = 3_600_000_000;

/// An empty histogram of the kind used throughout.
pub fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MICROS_MAX, SIGNIFICANT_DIGITS).expect("the bounds are constants that fit")
}

/// A histogram that one thread records into and the reporting thread empties once an interval. The lock is therefore
/// almost never contended, and it is taken once a request, not once a record.
#[derive(Debug)]
pub struct Recorder {
    interval: Mutex<Histogram<u64>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { interval: Mutex::new(empty()) }
    }
}

impl Recorder {
    /// Counts `records` records that took `micros` each.
    pub fn record(&self, micros: u64, records: u64) {
        let mut interval = self.interval.lock().unwrap_or_else(PoisonError::into_inner);
        interval.saturating_record_n(micros, records);
    }

    /// Adds what was recorded since the last call to `total`.
    pub fn drain_into(&self, total: &mut Histogram<u64>) {
        let mut interval = self.interval.lock().unwrap_or_else(PoisonError::into_inner);
        total.add(&*interval).expect("all histograms have the same bounds");
        interval.reset();
    }
}

/// The latencies of one kind over a phase: their sum, and a log of its intervals.
pub struct LatencyLog {
    pub total: Histogram<u64>,
    interval: Histogram<u64>,
    file: BufWriter<File>,
    serializer: V2DeflateSerializer,
}

impl LatencyLog {
    /// Starts the log file at `path`; `what` becomes a comment in it. Intervals count from `base`.
    pub fn create(path: &Path, what: &str, base: SystemTime) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment(&format!("[{what}, in microseconds, by tora-load {}]", env!("CARGO_PKG_VERSION")))
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(base)
            .with_base_time(base)
            .begin_log_with(&mut file, &mut serializer)?;
        writeln!(
            file,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        Ok(Self { total: empty(), interval: empty(), file, serializer })
    }

    /// Takes what `recorders` hold as the interval from `start` (after the base) of length `length`.
    pub fn cut<'a>(
        &mut self,
        recorders: impl Iterator<Item = &'a Recorder>,
        start: Duration,
        length: Duration,
    ) -> io::Result<()> {
        self.interval.reset();
        recorders.for_each(|recorder| recorder.drain_into(&mut self.interval));
        if self.interval.is_empty() {
            return Ok(());
        }
        self.total.add(&self.interval).expect("all histograms have the same bounds");
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.file, &mut self.serializer)?
            .write_histogram(&self.interval, start, length, None)
            .map_err(|e| io::Error::other(e.to_string()))?;
        self.file.flush()
    }
}

/// The percentiles that are reported, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub p99_99: u64,
    pub max: u64,
}

impl Percentiles {
    /// Reads them off; `None` of an empty histogram.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile);
        (!histogram.is_empty()).then(|| Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
            max: histogram.max(),
        })
    }
}

#[cfg(test)]
mod tests;
