use std::collections::HashSet;
use std::path::Path;

use super::*;

/// The repository's `data/` holds what this module makes, byte for byte.
#[test]
fn the_repository_holds_what_is_generated() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    for (name, made) in [("click.jsonl", click()), ("sensor.csv", sensor()), ("service.log", service_log())] {
        let kept = fs::read_to_string(data.join(name)).expect("data/ is part of the repository");
        assert!(kept == made, "data/{name} differs: run `tora-load dataset data`");
    }
}

#[test]
fn lines_are_varied() {
    for (text, lines) in [(click(), CLICK_LINES), (sensor(), SENSOR_LINES), (service_log(), LOG_LINES)] {
        let different: HashSet<_> = text.lines().collect();
        assert_eq!(text.lines().count() as u64, lines);
        assert!(different.len() as u64 > lines * 99 / 100, "{} of {lines} differ", different.len());
        let lengths: HashSet<_> = text.lines().map(str::len).collect();
        assert!(lengths.len() > 15, "{} lengths", lengths.len());
    }
}

#[test]
fn clicks_are_json() {
    for line in click().lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("each line is a JSON object");
        assert!(event["ts"].is_u64() && event["action"].is_string(), "{line}");
    }
}
