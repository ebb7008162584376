//! CPU time and memory of a process, from /proc/PID/stat, status and io, and of the whole machine, from /proc/stat
//! (proc(5); CPU times are in clock ticks).

use std::fs;

use crate::sys;

/// Seconds of CPU that process `pid` has used, all its threads together; `None` where it is gone or hidden.
pub fn seconds_of(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(ticks(&stat)? as f64 / sys::ticks_per_second() as f64)
}

/// All processors of the machine, whichever of them this process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Seconds that all processes and the kernel together have used since boot.
    pub busy_seconds: f64,
    /// Seconds that it would have used since boot and its host gave to others or withheld ("steal").
    pub stolen_seconds: f64,
    /// How many processors it runs.
    pub processors: usize,
}

impl Machine {
    /// Reads it now; `None` where the kernel does not tell.
    pub fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?, sys::ticks_per_second() as f64)
    }

    fn parse(stat: &str, ticks_per_second: f64) -> Option<Self> {
        Some(Self {
            busy_seconds: busy_ticks(stat)? as f64 / ticks_per_second,
            stolen_seconds: stolen_ticks(stat)? as f64 / ticks_per_second,
            processors: processors(stat)?,
        })
    }
}

/// Bytes of memory that process `pid` holds; `None` where it is gone or hidden.
pub fn resident_bytes_of(pid: u32) -> Option<u64> {
    resident_bytes(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// Bytes that process `pid` has caused to be sent to disks; `None` where it is gone, hidden, or the kernel does not count.
pub fn written_bytes_of(pid: u32) -> Option<u64> {
    written_bytes(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?)
}

/// write_bytes of an io file (proc_pid_io(5)).
fn written_bytes(io: &str) -> Option<u64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// utime + stime of a stat line. The second field, the program's name in parentheses, may hold blanks and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    const UTIME_AFTER_NAME: usize = 11;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(UTIME_AFTER_NAME);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// user + nice + system + irq + softirq of all processors: neither idle, nor waiting, nor taken by the hypervisor.
fn busy_ticks(stat: &str) -> Option<u64> {
    const BUSY: [usize; 5] = [0, 1, 2, 5, 6];
    let fields = all_processors(stat)?;
    BUSY.iter().map(|&index| fields.get(index)).sum()
}

/// steal of all processors.
fn stolen_ticks(stat: &str) -> Option<u64> {
    const STEAL: usize = 7;
    all_processors(stat)?.get(STEAL).copied()
}

/// The lines of single processors, `cpu0` and so on.
fn processors(stat: &str) -> Option<usize> {
    let single = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    Some(stat.lines().filter(single).count()).filter(|&count| count > 0)
}

fn all_processors(stat: &str) -> Option<Vec<u64>> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    Some(line.split_whitespace().map_while(|field| field.parse().ok()).collect())
}

/// VmRSS of a status file, which has it in KiB.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests;
