//! Processes.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How a child process ended; `None` if it has not after `patience`.
pub fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Says that something is not tested here, past the capture of what passing tests print.
pub fn skipped(what: &str, why: &str) {
    let text = format!("\n*** SKIPPED, not tested: {what}: {why}\n");
    let _ = std::io::stderr().write_all(text.as_bytes());
}
