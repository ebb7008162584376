//! Tests that need a process of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use log::{LevelFilter, Log, Metadata, Record};

use crate::support::Folder;

/// Names the data folder where a test has a process to itself, so that running all ignored tests does no harm.
const ALONE: &str = "TORA_TEST_ALONE";

/// Prints what the engine logs.
struct Printed;

impl Log for Printed {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        println!("{}: {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

/// The data folder, in a process of the test's own; `None` in any other.
pub fn alone() -> Option<Folder> {
    let folder = std::env::var_os(ALONE)?;
    log::set_logger(&Printed).expect("it is the process's first");
    log::set_max_level(LevelFilter::Warn);
    Some(Folder::at(PathBuf::from(folder)))
}

/// Runs an ignored test, named with its module, in a process that `starter` starts, and returns what it printed.
pub fn in_a_process(test: &str, folder: &Path, starter: &[&OsStr]) -> String {
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new(starter[0]);
    command.args(&starter[1..]).arg(this);
    command.args(["--exact", "--ignored", "--nocapture", test]).env(ALONE, folder);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("it works"), "the test has run: {printed}");
    printed
}

/// The lines of it that warn.
pub fn warnings(printed: &str) -> Vec<&str> {
    printed.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect()
}
