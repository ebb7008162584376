//! What broker, load generator, machine and disk have used, as the kernel counts it: /proc/PID/stat, status and io,
//! /proc/stat, /proc/diskstats.

use crate::cpu::{self, Machine};
use crate::disk::{DiskUse, Volume};

/// What was used since the machine or the process started, or between two such readings.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// The broker's CPU time; `None` where its process is unknown or gone.
    pub broker_cpu_seconds: Option<f64>,
    /// Bytes that the broker itself caused to be written (write_bytes of /proc/PID/io).
    pub broker_written_bytes: Option<u64>,
    /// The load generator's own.
    pub own_cpu_seconds: f64,
    /// All processors' together, whoever used them.
    pub machine_cpu_seconds: Option<f64>,
    /// What the machine's host withheld of that (see [`Machine::stolen_seconds`]).
    pub machine_stolen_cpu_seconds: Option<f64>,
    /// The broker's disk, whoever used it; `None` where it is unknown or memory.
    pub disk: Option<DiskUse>,
}

impl Usage {
    /// Reads all of it now.
    pub fn now(broker_pid: Option<u32>, volume: Option<&Volume>) -> Self {
        let machine = Machine::now();
        Self {
            broker_cpu_seconds: broker_pid.and_then(cpu::seconds_of),
            broker_written_bytes: broker_pid.and_then(cpu::written_bytes_of),
            own_cpu_seconds: cpu::seconds_of(std::process::id()).unwrap_or(0.0),
            machine_cpu_seconds: machine.map(|machine| machine.busy_seconds),
            machine_stolen_cpu_seconds: machine.map(|machine| machine.stolen_seconds),
            disk: volume.and_then(Volume::used),
        }
    }

    /// What was used from `earlier` to here.
    pub fn since(&self, earlier: &Self) -> Self {
        let between = |later: Option<f64>, earlier: Option<f64>| Some(later? - earlier?);
        Self {
            broker_cpu_seconds: between(self.broker_cpu_seconds, earlier.broker_cpu_seconds),
            broker_written_bytes: self
                .broker_written_bytes
                .zip(earlier.broker_written_bytes)
                .map(|(later, earlier)| later.saturating_sub(earlier)),
            own_cpu_seconds: self.own_cpu_seconds - earlier.own_cpu_seconds,
            machine_cpu_seconds: between(self.machine_cpu_seconds, earlier.machine_cpu_seconds),
            machine_stolen_cpu_seconds: between(
                self.machine_stolen_cpu_seconds,
                earlier.machine_stolen_cpu_seconds,
            ),
            disk: self.disk.zip(earlier.disk).map(|(later, earlier)| later.since(&earlier)),
        }
    }
}

#[cfg(test)]
mod tests;
