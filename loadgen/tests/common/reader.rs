//! A reader of pages: headless Chromium.
//!
//! Chromium comes from the distribution, what drives it from npm (see `tests/reader/install.sh`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What `look.js` says of the page at `report`.
pub fn look(report: &Path) -> Value {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader/install.sh");
    let installed = output(&mut Command::new(install));
    let folder = PathBuf::from(installed.trim());
    let text = output(Command::new("node").current_dir(folder).arg("look.js").arg(report));
    serde_json::from_str(&text).expect("look.js prints JSON")
}

/// Fails unless all that `look` has seen has room on the paper that it is printed on.
pub fn assert_fits_on_paper(seen: &Value) {
    let printed = &seen["printed"];
    let tables = printed["tables"].as_array().expect("a list");
    assert!(!tables.is_empty(), "there are tables to print: {printed:#}");
    for table in tables {
        let pixels = |key: &str| table[key].as_u64().expect("a number of pixels");
        assert!(pixels("room") > 600, "A4 without its margins is wider: {table:#}");
        assert!(pixels("width") <= pixels("room"), "a table is wider than the paper: {table:#}");
    }
    assert_eq!(printed["overflow"], 0, "something is wider than the paper");
}

/// A command's standard output; it must succeed.
pub fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}
