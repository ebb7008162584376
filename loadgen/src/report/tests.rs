use std::time::SystemTime;

use super::*;
use crate::cli::Phase;
use crate::histogram::{LatencyLog, Recorder};
use crate::samples::{Sample, SampleLog};
use crate::usage::Usage;

/// A results folder as a run leaves it, removed with the value.
pub struct Results(PathBuf);

impl Results {
    /// Three seconds of each phase, each record of second `n` having taken `n + 1` milliseconds.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tora-load-report-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        crate::summary::tests::report().write(&path).expect("written");
        for phase in Phase::ALL {
            let mut samples =
                SampleLog::create(&path.join(format!("{}.csv", phase.name()))).expect("created");
            let log = path.join(format!("{}.hlog", phase.name()));
            let mut log = LatencyLog::create(&log, "test", SystemTime::UNIX_EPOCH).expect("created");
            for second in 0..3 {
                samples.add(&sample(second)).expect("written");
                let recorder = Recorder::default();
                recorder.record(1000 * (second + 1), 1000);
                let (start, length) = (sample(second).start, sample(second).length);
                log.cut([&recorder].into_iter(), start, length).expect("written");
            }
        }
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn run(&self) -> Run {
        Run::read(&self.0).expect("it is a results folder")
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sample(second: u64) -> Sample {
    use std::time::Duration;
    Sample {
        start: Duration::from_secs(second),
        length: Duration::from_secs(1),
        produced_records: 1_000_000,
        produced_bytes: 100_000_000,
        acknowledged_requests: 2000,
        consumed_records: 900_000,
        consumed_bytes: 90_000_000,
        used: Usage { broker_cpu_seconds: Some(0.5), own_cpu_seconds: 0.9, ..Usage::default() },
        broker_resident_bytes: Some(50_000_000),
    }
}

#[test]
fn the_report_lies_beside_the_data_it_was_made_of() {
    let results = Results::new("one");
    let path = build(&[results.path().to_path_buf()], None).expect("it can be built");
    assert_eq!(path, results.path().join(FILE));
    let html = fs::read_to_string(path).expect("it was just written");
    for expected in
        ["1.00\u{a0}M records a second, each on the disk", "End to end", "tora-load bench", "2\u{a0}cores"]
    {
        let expected = expected.replace("2\u{a0}cores", "2 cores");
        assert!(html.contains(&expected), "{expected} is missing");
    }
    // Three timed phases of four pictures each (no disk was known), and the cold one, which was timed here too.
    assert_eq!(html.matches("<svg ").count(), 16);
}

#[test]
fn runs_side_by_side_have_names_of_their_own() {
    let (one, two) = (Results::new("left"), Results::new("right"));
    let out = one.path().join("both.html");
    let folders = [one.path().to_path_buf(), two.path().to_path_buf()];
    build(&folders, Some(&out)).expect("it can be built");
    let html = fs::read_to_string(out).expect("it was just written");
    assert!(html.contains("2 runs side by side"), "the first line says so");
    assert!(html.contains("tora-load-report-left") && html.contains("tora-load-report-right"));
    assert!(html.contains("s-run0") && html.contains("s-run1"), "each has its colour");
}

#[test]
fn a_folder_without_results_is_named() {
    let why = build(&["/no/such/folder".into()], None).expect_err("there is nothing");
    assert!(why.contains("/no/such/folder is no results folder"), "{why}");
    let many = vec![PathBuf::from("x"); RUNS_MAX + 1];
    assert!(build(&many, None).expect_err("too many").contains("at most 6"));
    assert!(build(&[], None).is_err());
}
