//! Every journal gives back what was appended to it, so that the comparison compares like with like.

use std::time::Duration;

use clap::ValueEnum;

use super::*;

/// A folder of a test's own, gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tora-journals-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_journal_gives_back_every_record_once() {
    let folder = Folder::new("contents");
    for &candidate in Candidate::value_variants() {
        let path = folder.0.join(candidate.name());
        fs::create_dir(&path).unwrap();
        let mut journal = candidate.open(&path).unwrap();
        let mut records = measure::Records::default();
        for _ in 0..3 {
            journal.append(&records.next()).unwrap();
        }
        // A busy machine may let the time pass before anything is appended.
        let mut appends = || {
            let until = Until::after(Duration::from_millis(20));
            journal.append_many(&mut records, until).unwrap().rate() > 0.0
        };
        assert!((0..200).any(|_| appends()), "{candidate:?} appends nothing");
        let mut numbers = Vec::new();
        journal
            .read_all(&mut |record| {
                let number = u64::from_be_bytes(record[..8].try_into().unwrap());
                assert_eq!(record, measure::record(number), "{candidate:?}");
                numbers.push(number);
            })
            .unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..records.made()).collect::<Vec<_>>(), "{candidate:?}");
    }
}

#[test]
fn the_figures_are_medians_and_the_ratio_is_a_rounds_own() {
    let round = |disk: u64, tora: u64| {
        [(measure::DISK_WRITTEN, disk), (Candidate::Tora.name(), tora)]
            .map(|(name, micros)| {
                let mut single = Latencies::start();
                single.record(Duration::from_micros(micros));
                measure::Measured { name, single: single.stop(), many: None, reads: None }
            })
            .to_vec()
    };
    // The disk's speed changes from round to round; each ratio is taken within one.
    let figures = Figures::of(&[round(100, 120), round(400, 520), round(100, 150)]);
    let near = |figure: f64, expected: f64| (figure / expected - 1.0).abs() < 0.01;
    assert!(near(figures.over_written.unwrap(), 1.3), "{figures:?}");
    assert!(near(figures.rows[1].single.p50, 150.0), "{figures:?}");
    assert_eq!(figures.over_fresh, None);
    assert!(figures.table().contains("1.30 × the disk's own write + flush of written blocks"));
}
