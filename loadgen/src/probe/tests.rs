use super::*;

#[test]
fn a_write_and_its_flush_take_as_long_as_both() {
    // The folder that cargo builds in is on a disk, unlike /tmp on many machines.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = std::env::temp_dir().join(format!("tora-load-probe-{}", std::process::id()));
    fs::create_dir_all(&out).expect("the temporary folder is writable");
    let probe = match measure(folder, &out) {
        Ok(probe) => probe,
        Err(error) => {
            println!("SKIPPED: no O_DIRECT below {}: {error}", folder.display());
            return;
        }
    };
    assert!(probe.writes > 0);
    assert!(probe.both_us.p50 >= probe.write_us.p50.max(probe.flush_us.p50), "{probe:?}");
    // Three significant digits are kept of each.
    let together = (probe.write_us.max + probe.flush_us.max) as f64;
    assert!(probe.both_us.max as f64 <= together * 1.01 + 1.0, "{probe:?}");
    assert!(fs::metadata(out.join(LOG_FILE)).is_ok_and(|log| log.len() > 0), "the histogram is there");
    fs::remove_dir_all(out).expect("it is ours");
    let left = fs::read_dir(folder).expect("it is the package's").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tora-load-probe"));
    assert_eq!(left.count(), 0, "the file is gone");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    assert!(measure(Path::new("/proc"), &std::env::temp_dir()).is_err());
}
