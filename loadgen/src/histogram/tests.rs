use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::*;

#[test]
fn percentiles_of_a_known_distribution() {
    let mut histogram = empty();
    assert_eq!(Percentiles::of(&histogram), None);
    (1..=1000).for_each(|micros| histogram.saturating_record(micros));
    let expected = Percentiles { p50: 500, p90: 900, p99: 990, p99_9: 999, p99_99: 1000, max: 1000 };
    assert_eq!(Percentiles::of(&histogram), Some(expected));
}

#[test]
fn absurd_latencies_count_as_the_longest() {
    let recorder = Recorder::default();
    recorder.record(u64::MAX, 3);
    let mut total = empty();
    recorder.drain_into(&mut total);
    assert_eq!(total.len(), 3);
    assert!(total.max() >= MICROS_MAX);
    recorder.drain_into(&mut total);
    assert_eq!(total.len(), 3, "what was taken is not taken again");
}

#[test]
fn the_log_is_read_back_by_the_formats_own_reader() {
    let path = std::env::temp_dir().join(format!("tora-load-{}.hlog", std::process::id()));
    let base = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    let mut log = LatencyLog::create(&path, "test", base).expect("the temporary folder is writable");
    let recorder = Recorder::default();
    for second in 0..3u64 {
        recorder.record(100 * (second + 1), 7);
        log.cut([&recorder].into_iter(), Duration::from_secs(second), Duration::from_secs(1))
            .expect("written");
    }
    let bytes = std::fs::read(&path).expect("it was just written");
    std::fs::remove_file(&path).expect("it was just written");

    let (mut counts, mut maxima, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for entry in IntervalLogIterator::new(&bytes) {
        let LogEntry::Interval(interval) = entry.expect("every line is legal") else { continue };
        let bytes = base64(interval.encoded_histogram());
        let histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut &bytes[..]).expect("a histogram");
        counts.push(histogram.len());
        maxima.push(histogram.max());
        starts.push(interval.start_timestamp().as_secs());
    }
    assert_eq!(counts, [7, 7, 7]);
    assert_eq!(maxima, [100, 200, 300]);
    assert_eq!(starts, [0, 1, 2]);
    assert_eq!(log.total.len(), 21);
}

/// Decodes base64 (RFC 4648).
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| ALPHABET.iter().position(|&digit| digit == byte));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for digit in digits {
        bits = bits << 6 | u32::try_from(digit).expect("below 64");
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}
