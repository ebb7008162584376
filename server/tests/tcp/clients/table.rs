//! The rows of docs/clients.md, as the tests come to their ends (`table.sh` puts them together).

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// What [`super::restart::carries_on`] makes a client do; the table's head explains it.
pub const ACROSS_A_KILL: &str = "a group across kill -9";

/// What a client was made to do; whether it did is known at the value's end.
pub struct Row {
    file: PathBuf,
    text: String,
}

/// A row for the running test: the client, its version as it says itself, and what the test makes it do.
///
/// Nothing is written of tests against another broker than Tora.
pub fn row(client: &str, version: &str, what: &str) -> Option<Row> {
    if std::env::var_os("TORA_TEST_BOOTSTRAP").is_some() {
        return None;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients");
    fs::create_dir_all(&folder).expect("the folder for what cargo builds is writable");
    let test = thread::current().name().expect("a test's thread has its name").replace("::", "-");
    let row =
        Row { file: folder.join(test + ".row"), text: format!("| {client} | {} | {what} |", version.trim()) };
    // A test whose process dies leaves this.
    row.tell("did not end");
    Some(row)
}

impl Row {
    fn tell(&self, result: &str) {
        fs::write(&self.file, format!("{} {result} |\n", self.text)).expect("the folder is writable");
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.tell(if thread::panicking() { "**failed**" } else { "passed" });
    }
}
