//! Waiting until the disk has calmed down, as `tora-load calm` does it: once for all who measure latencies.

use std::cell::Cell;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What is known of the disk's usual time.
#[derive(Debug, Default)]
pub struct Calm {
    /// Of a write and its flush at the quietest moment so far, in microseconds.
    quietest_us: Cell<Option<u64>>,
    /// What the device had been told to discard by the last time, since boot.
    discarded_bytes: Cell<Option<u64>>,
}

impl Calm {
    /// Waits until the disk of `folder` takes its usual time again, some seconds at most; gives a sentence if it did not at
    /// once. `program` is the load generator.
    ///
    /// # Errors
    /// The load generator's words.
    pub fn wait(&self, program: &Path, folder: &Path) -> Result<Option<String>, String> {
        let mut command = Command::new(program);
        command.arg("calm").arg(folder);
        if let Some(micros) = self.quietest_us.get() {
            command.arg(format!("--quietest-us={micros}"));
        }
        if let Some(bytes) = self.discarded_bytes.get() {
            command.arg(format!("--discarded-bytes={bytes}"));
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let said: Value =
            serde_json::from_slice(&output.stdout).map_err(|e| format!("{} calm: {e}", program.display()))?;
        self.quietest_us.set(said["quietest_us"].as_u64().or(self.quietest_us.get()));
        self.discarded_bytes.set(said["discarded_bytes"].as_u64().or(self.discarded_bytes.get()));
        Ok(said["words"].as_str().map(str::to_owned))
    }
}
