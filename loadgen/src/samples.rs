//! What happened in each interval of a phase, as a table for programs: `PHASE.csv` beside the histogram logs.
//!
//! Together with the logs and `summary.json` this is all that a report is made of. Nothing is quoted, and what is not
//! known is empty.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use crate::disk::DiskUse;
use crate::usage::Usage;

/// The columns, in their order.
const HEADER: &str = "start_seconds,seconds,produced_records,produced_bytes,acknowledged_requests,consumed_records,\
                      consumed_bytes,broker_cpu_seconds,broker_resident_bytes,load_cpu_seconds,machine_cpu_seconds,\
                      disk_read_bytes,disk_written_bytes,disk_reads,disk_writes,disk_flushes,disk_discarded_bytes,\
                      machine_stolen_cpu_seconds";

/// What was done and used in one interval.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// From the beginning of the measured time.
    pub start: Duration,
    pub length: Duration,
    pub produced_records: u64,
    /// Bytes of record values, as everywhere.
    pub produced_bytes: u64,
    pub acknowledged_requests: u64,
    pub consumed_records: u64,
    pub consumed_bytes: u64,
    pub used: Usage,
    /// At the interval's end.
    pub broker_resident_bytes: Option<u64>,
}

/// Writes a phase's samples.
#[derive(Debug)]
pub struct SampleLog {
    file: BufWriter<File>,
}

impl SampleLog {
    /// Starts the file at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "{HEADER}")?;
        file.flush()?;
        Ok(Self { file })
    }

    /// Adds an interval.
    pub fn add(&mut self, sample: &Sample) -> io::Result<()> {
        writeln!(self.file, "{}", row(sample))?;
        self.file.flush()
    }
}

fn row(sample: &Sample) -> String {
    let seconds = |seconds: f64| format!("{seconds:.6}");
    let known = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
    let used = &sample.used;
    let disk = |count: fn(&DiskUse) -> u64| known(used.disk.as_ref().map(count));
    [
        seconds(sample.start.as_secs_f64()),
        seconds(sample.length.as_secs_f64()),
        sample.produced_records.to_string(),
        sample.produced_bytes.to_string(),
        sample.acknowledged_requests.to_string(),
        sample.consumed_records.to_string(),
        sample.consumed_bytes.to_string(),
        used.broker_cpu_seconds.map(seconds).unwrap_or_default(),
        known(sample.broker_resident_bytes),
        seconds(used.own_cpu_seconds),
        used.machine_cpu_seconds.map(seconds).unwrap_or_default(),
        disk(|disk| disk.read_bytes),
        disk(|disk| disk.written_bytes),
        disk(|disk| disk.reads),
        disk(|disk| disk.writes),
        disk(|disk| disk.flushes),
        disk(|disk| disk.discarded_bytes),
        used.machine_stolen_cpu_seconds.map(seconds).unwrap_or_default(),
    ]
    .join(",")
}

/// Reads what [`SampleLog`] has written, column by column name, so that columns may be added later.
///
/// # Errors
/// A sentence that names the line which is not understood.
pub fn parse(text: &str) -> Result<Vec<Sample>, String> {
    let mut lines = text.lines();
    let header: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let parse = |(index, line): (usize, &str)| {
        let fields: Vec<_> = line.split(',').collect();
        let fields = Fields { header: &header, fields: &fields };
        fields.sample().ok_or_else(|| format!("line {} is no sample: {line}", index + 2))
    };
    lines.enumerate().map(parse).collect()
}

struct Fields<'a> {
    header: &'a [&'a str],
    fields: &'a [&'a str],
}

impl Fields<'_> {
    fn field<T: std::str::FromStr>(&self, column: &str) -> Option<T> {
        let index = self.header.iter().position(|&name| name == column)?;
        self.fields.get(index)?.parse().ok()
    }

    fn sample(&self) -> Option<Sample> {
        let seconds = |column| Duration::try_from_secs_f64(self.field(column)?).ok();
        let disk = || {
            Some(DiskUse {
                read_bytes: self.field("disk_read_bytes")?,
                written_bytes: self.field("disk_written_bytes")?,
                reads: self.field("disk_reads")?,
                writes: self.field("disk_writes")?,
                flushes: self.field("disk_flushes")?,
                // Not in the samples of earlier versions.
                discarded_bytes: self.field("disk_discarded_bytes").unwrap_or_default(),
            })
        };
        Some(Sample {
            start: seconds("start_seconds")?,
            length: seconds("seconds").filter(|length| !length.is_zero())?,
            produced_records: self.field("produced_records")?,
            produced_bytes: self.field("produced_bytes")?,
            acknowledged_requests: self.field("acknowledged_requests")?,
            consumed_records: self.field("consumed_records")?,
            consumed_bytes: self.field("consumed_bytes")?,
            used: Usage {
                // Of the whole phase only; see `summary.json`.
                broker_written_bytes: None,
                broker_cpu_seconds: self.field("broker_cpu_seconds"),
                own_cpu_seconds: self.field("load_cpu_seconds")?,
                machine_cpu_seconds: self.field("machine_cpu_seconds"),
                machine_stolen_cpu_seconds: self.field("machine_stolen_cpu_seconds"),
                disk: disk(),
            },
            broker_resident_bytes: self.field("broker_resident_bytes"),
        })
    }
}

#[cfg(test)]
mod tests;
