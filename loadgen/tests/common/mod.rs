//! What the tests that run `tora-load` share.

#![allow(dead_code, reason = "no test uses all of it")]

pub mod reader;
pub mod stub;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A folder that is removed with the value.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder beside what cargo builds: unlike /tmp, that is on a disk.
    pub fn new(what: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("tora-load-{what}-{}-{number}", std::process::id()));
        // A run that was killed leaves its folder, and numbers of processes come again.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the folder for what cargo builds is writable");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sees to it that a fresh `tora` lies beside `tora-load`: cargo builds the binaries of this package only for its tests.
pub fn with_server() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_tora-load")).parent().expect("a binary lies in a folder");
        let target = folder.parent().expect("a profile's folder lies in the target folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "tora-server", "--target-dir"]).arg(target);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo runs this test, so that it is there");
        assert!(status.success(), "the server does not build");
    });
}

/// One run of `tora-load bench`.
pub struct Run {
    pub output: Output,
    /// `summary.json`, or null where none was written.
    pub summary: Value,
    out: Folder,
}

impl Run {
    /// Runs `tora-load bench` with `arguments` and a results folder of its own.
    pub fn bench(arguments: &[&str]) -> Self {
        let out = Folder::new("results");
        let output = Command::new(env!("CARGO_BIN_EXE_tora-load"))
            .arg("bench")
            .args(arguments)
            .args(["--quiet", "--out"])
            .arg(out.path())
            .stdin(Stdio::null())
            .output()
            .expect("cargo has built tora-load");
        let text = fs::read_to_string(out.path().join("summary.json")).unwrap_or_else(|_| "null".into());
        let summary = serde_json::from_str(&text).expect("summary.json is JSON");
        Self { output, summary, out }
    }

    /// Runs it against a `tora` of its own.
    pub fn of_server(arguments: &[&str]) -> Self {
        with_server();
        Self::bench(arguments)
    }

    /// The results folder.
    pub fn folder(&self) -> &Path {
        self.out.path()
    }

    /// Fails the test, showing all there is, unless the run went well.
    pub fn assert_success(&self) {
        let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            self.output.status.success(),
            "{}\n{}\n{}",
            self.output.status,
            show(&self.output.stdout),
            show(&self.output.stderr)
        );
        assert_eq!(self.summary["ok"], true, "{:#}", self.summary);
    }

    /// The folders that the run has left in its results folder.
    pub fn left_behind(&self) -> Vec<String> {
        let entries = fs::read_dir(self.out.path()).expect("the results folder is there");
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Asserts that `phase` moved records, that its figures agree with one another, and, where it is timed, that its
    /// percentiles rise and its histogram log is there.
    pub fn assert_phase(&self, phase: &str, timed: bool) {
        let figures = &self.summary["phases"][phase];
        let figure = |name: &str| figures[name].as_f64().unwrap_or_else(|| panic!("{name}: {figures:#}"));
        assert!(figure("records") > 0.0, "{figures:#}");
        let expected = figure("records") / figure("seconds");
        assert!((figure("records_per_second") / expected - 1.0).abs() < 1e-6, "{figures:#}");
        assert_eq!(figures["latency_us"].is_object(), timed, "{figures:#}");
        if timed {
            let names = ["p50", "p90", "p99", "p99_9", "p99_99", "max"];
            let values = names.map(|name| figures["latency_us"][name].as_u64().expect("a number"));
            assert!(values.is_sorted() && values[0] > 0, "{figures:#}");
            let log = fs::read_to_string(self.out.path().join(format!("{phase}.hlog"))).expect("a log");
            assert!(log.lines().filter(|line| !line.starts_with(['#', '"'])).count() > 0, "{log}");
        }
    }

    /// Asserts that records were read back, and none was missing, doubled, out of order or damaged.
    pub fn assert_nothing_lost(&self) {
        let verification = &self.summary["verification"];
        assert!(verification["verified"].as_u64() > Some(0), "{:#}", self.summary);
        for trouble in ["lost", "duplicated", "reordered", "corrupt"] {
            assert_eq!(verification[trouble], 0, "{:#}", self.summary);
        }
    }
}
