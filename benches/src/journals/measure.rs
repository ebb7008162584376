//! One round: each journal in turn appends, one at a time and many at once, and is read back.

use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::candidates::{Candidate, Journal};
use super::disk::{Blocks, Disk};
use super::{Failure, Options, RECORD_BYTES, in_folder};

/// How long a phase goes on.
#[derive(Clone, Copy, Debug)]
pub struct Until(Instant);

impl Until {
    /// From now on for so long.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// Whether it is not over yet.
    pub fn goes_on(self) -> bool {
        Instant::now() < self.0
    }
}

/// The latencies of one phase's appends, and how long they took together.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    begun: Instant,
    took: Duration,
}

impl Latencies {
    /// None yet.
    pub fn start() -> Self {
        // Up to a minute in nanoseconds, to three digits.
        let histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order");
        Self { histogram, begun: Instant::now(), took: Duration::ZERO }
    }

    /// Adds an append.
    pub fn record(&mut self, latency: Duration) {
        self.histogram.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all have the same bounds");
    }

    /// That was all.
    pub fn stop(mut self) -> Self {
        self.took = self.begun.elapsed();
        self
    }

    /// Appends per second.
    pub fn rate(&self) -> f64 {
        self.histogram.len() as f64 / self.took.as_secs_f64()
    }

    /// In microseconds; `quantile` from 0 to 1.
    pub fn micros(&self, quantile: f64) -> f64 {
        self.histogram.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Makes records that can be told apart, and checks that all of them come back.
#[derive(Debug, Default)]
pub struct Records {
    made: u64,
    sum: u64,
}

impl Records {
    /// The next record.
    pub fn next(&mut self) -> [u8; RECORD_BYTES] {
        let record = record(self.made);
        self.note(self.made);
        record
    }

    /// Notes that record `number` was made elsewhere.
    pub fn note(&mut self, number: u64) {
        self.made += 1;
        self.sum = self.sum.wrapping_add(number);
    }

    /// Records made so far.
    pub fn made(&self) -> u64 {
        self.made
    }
}

/// Record `number`.
pub fn record(number: u64) -> [u8; RECORD_BYTES] {
    let mut record = [b'.'; RECORD_BYTES];
    record[..8].copy_from_slice(&number.to_be_bytes());
    record
}

/// What one journal did in one round.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name in the table.
    pub name: &'static str,
    /// Appends one at a time.
    pub single: Latencies,
    /// Appends in flight together; the disk's own has none.
    pub many: Option<Latencies>,
    /// Records read in order per second.
    pub reads: Option<f64>,
}

/// One round of everything.
pub fn round(options: &Options) -> Result<Vec<Measured>, Failure> {
    let mut all = Vec::new();
    for (name, blocks) in [(DISK_WRITTEN, Blocks::Written), (DISK_FRESH, Blocks::Fresh)] {
        let single = in_folder(&options.folder, "disk", |folder| {
            Disk::create(folder, blocks)?.run(Until::after(options.duration))
        })?;
        all.push(Measured { name, single, many: None, reads: None });
    }
    for &candidate in &options.candidates {
        let measured =
            in_folder(&options.folder, candidate.name(), |folder| one(candidate, folder, options.duration));
        all.push(measured.map_err(|failure| format!("{}: {failure}", candidate.name()))?);
    }
    Ok(all)
}

/// The disk's own figures in the table.
pub const DISK_WRITTEN: &str = "disk, written blocks";
/// See [`Blocks::Fresh`].
pub const DISK_FRESH: &str = "disk, fresh blocks";

fn one(candidate: Candidate, folder: &Path, duration: Duration) -> Result<Measured, Failure> {
    let mut journal = candidate.open(folder)?;
    let mut records = Records::default();
    // Files are made with the first append: once in a journal's life, so not measured.
    journal.append(&records.next())?;
    let single = append_singly(&mut *journal, &mut records, duration)?;
    let many = journal.append_many(&mut records, Until::after(duration))?;
    let reads = read_back(&mut *journal, &records)?;
    Ok(Measured { name: candidate.name(), single, many: Some(many), reads: Some(reads) })
}

fn append_singly(
    journal: &mut dyn Journal,
    records: &mut Records,
    duration: Duration,
) -> Result<Latencies, Failure> {
    let until = Until::after(duration);
    let mut latencies = Latencies::start();
    while until.goes_on() {
        let record = records.next();
        let begun = Instant::now();
        journal.append(&record)?;
        latencies.record(begun.elapsed());
    }
    Ok(latencies.stop())
}

/// Reads everything in order; records per second.
fn read_back(journal: &mut dyn Journal, records: &Records) -> Result<f64, Failure> {
    let begun = Instant::now();
    let mut found = Records::default();
    journal.read_all(&mut |record| {
        found.note(u64::from_be_bytes(record[..8].try_into().expect("eight bytes")));
    })?;
    let took = begun.elapsed();
    if (found.made, found.sum) != (records.made, records.sum) {
        return Err(
            format!("{} records were appended, others or {} came back", records.made, found.made).into()
        );
    }
    Ok(found.made as f64 / took.as_secs_f64())
}
