//! What the floor counted and used, printed when it stops.

use std::fmt;
use std::fs;

/// Counters since the start.
#[derive(Default)]
pub struct Stats {
    /// Turns of the loop.
    pub turns: u64,
    /// Receives completed.
    pub receives: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes moved to the front of a receive buffer.
    pub moved_bytes: u64,
    /// Batches appended.
    pub batches: u64,
    /// Bytes of those batches.
    pub batch_bytes: u64,
    /// Writes submitted.
    pub writes: u64,
    /// Their bytes.
    pub written_bytes: u64,
    /// Flushes submitted.
    pub flushes: u64,
    /// Sends submitted.
    pub sends: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = |sum: u64, count: u64| sum.checked_div(count).unwrap_or(0);
        let cpu_seconds = cpu_seconds().unwrap_or(0.0);
        let per_gb = cpu_seconds * 1e9 / self.batch_bytes as f64;
        write!(
            f,
            "{} batches of {} B, {} turns, {} receives of {} B, {} B moved, {} writes of {} B, {} flushes, {} sends, \
             {cpu_seconds:.2} cpu-s, {per_gb:.3} cpu-s/GB",
            self.batches,
            mean(self.batch_bytes, self.batches),
            self.turns,
            self.receives,
            mean(self.received_bytes, self.receives),
            self.moved_bytes,
            self.writes,
            mean(self.written_bytes, self.writes),
            self.flushes,
            self.sends,
        )
    }
}

/// User and system time of all threads of this process, the kernel's workers for it included (proc_pid_stat(5)).
fn cpu_seconds() -> Option<f64> {
    /// Every Linux that io_uring runs on counts in these.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}
