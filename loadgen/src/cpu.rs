//! CPU time of a process, from /proc/PID/stat (proc(5): utime and stime, in clock ticks).

use std::fs;

use crate::sys;

/// Seconds of CPU that process `pid` has used, all its threads together; `None` where it is gone or hidden.
pub fn seconds_of(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(ticks(&stat)? as f64 / sys::ticks_per_second() as f64)
}

/// utime + stime of a stat line. The second field, the program's name in parentheses, may hold blanks and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    const UTIME_AFTER_NAME: usize = 11;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(UTIME_AFTER_NAME);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests;
