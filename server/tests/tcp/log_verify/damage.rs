//! What `tora log verify` says of each kind of damage, and whether the next start does what it says.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;

use super::{HEADER, of_log, stopped, verified, verify};
use crate::support::requests::{batch, creation, fetch, list, produce, produced};
use crate::support::stored::only;
use crate::support::{Folder, Server, refused, tora_serve};

/// Bytes of a record's value: a segment of the smallest size takes three.
const VALUE_BYTES: u64 = 300_000;

/// Kafka's code for a partition whose storage failed.
const STORAGE_ERROR: i16 = 56;

/// A stopped server's folder with one log of ten such records, and its segments, oldest first: three of three records each,
/// one of one.
fn of_four_segments() -> (Folder, Vec<PathBuf>) {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut request = creation("log", 1);
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let bytes = CreatableTopicConfig::default().with_name(text("segment.bytes"));
    request.topics[0].configs = vec![bytes.with_value(Some(text("1048576")))];
    assert_eq!(client.call(7, &request).topics[0].error_code, 0);
    for _ in 0..10 {
        let value = "v".repeat(VALUE_BYTES as usize);
        assert_eq!(produced(&client.call(7, &produce("log", 0, batch(&[value])))).error_code, 0);
    }
    drop(client);
    let folder = server.stop();
    let data = fs::read_dir(folder.join("data")).expect("it is there");
    let folders = data.map(|entry| entry.expect("it is").path()).filter(|path| path.is_dir());
    let log = folders.max_by_key(|path| fs::read_dir(path).expect("it is a folder").count());
    let files = fs::read_dir(log.expect("there is a log")).expect("it is a folder");
    let files = files.map(|entry| entry.expect("it is").path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    segments.sort();
    assert_eq!(segments.len(), 4, "{segments:?}");
    (folder, segments)
}

/// What it says of the log that it must find damaged: why, what is lost, and what a start makes of it.
fn said(folder: &Folder) -> (String, String, String) {
    let (lines, code) = verified(folder);
    assert_eq!(code, Some(1), "{lines:?}");
    let log = of_log(&lines);
    assert_eq!(log["sound"], false, "{log}");
    let text = |field: &str| log[field].as_str().expect("a text").to_owned();
    assert!(!text("advice").is_empty());
    (text("why"), text("lost"), text("start"))
}

fn flip(path: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("it is there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("the file is longer");
    file.write_all_at(&[byte[0] ^ 1], at).expect("it is writable");
}

fn forget_checkpoints(folder: &Folder) {
    for core in 0..2 {
        let _ = fs::remove_file(folder.join(&format!("data/checkpoint-{core}")));
    }
}

/// The error code of a read from this offset, and the first offset that the partition has.
fn served(server: &Server, offset: i64) -> (i16, i64) {
    let mut client = server.connect();
    let code = only(&client.call(11, &fetch("log", &[(0, offset)]))).error_code;
    (code, client.call(2, &list("log", 0, -2)).topics[0].partitions[0].offset)
}

#[test]
fn a_damaged_batch_is_overlooked_by_a_start_with_a_checkpoint_and_refused_without() {
    let (folder, segments) = of_four_segments();
    // In the second record of the second segment.
    flip(&segments[1], HEADER + VALUE_BYTES + 5_000);
    let (why, lost, start) = said(&folder);
    assert!(why.contains("the next segment proves"), "{why}");
    assert!(lost.starts_with("the record with offset 4; an intact batch follows"), "{lost}");
    assert_eq!(start, "overlooks");
    let server = Server::start_in(folder, &[]);
    assert_eq!(served(&server, 9), (0, 0));
    let folder = server.stop();
    forget_checkpoints(&folder);
    assert_eq!(said(&folder).2, "refuses-partition");
    let server = Server::start_in(folder, &[]);
    assert_eq!(served(&server, 9).0, STORAGE_ERROR);
}

/// So close to the end, and without a checkpoint, it looks like what a crash leaves; but the start will cut what follows.
#[test]
fn what_may_be_damage_or_a_torn_end_is_told_before_a_start_cuts_it() {
    let (folder, file) = stopped();
    forget_checkpoints(&folder);
    let (lines, _) = verified(&folder);
    assert_eq!(of_log(&lines)["notes"], Value::Array(Vec::new()));
    flip(&file, HEADER + 70);
    let (lines, code) = verified(&folder);
    let note = of_log(&lines)["notes"][0].as_str().unwrap_or_default().to_owned();
    assert!(
        note.contains("torn behind offset 0: ") && note.contains("intact batch with offset 3 follows"),
        "{note}"
    );
    assert!(note.contains("keep a copy of the folder"), "{note}");
    assert_eq!(code, Some(0), "{lines:?}");
}

#[test]
fn where_no_batch_follows_in_the_segment_the_next_one_tells_how_far_the_loss_reaches() {
    let (folder, segments) = of_four_segments();
    flip(&segments[1], HEADER + 2 * VALUE_BYTES + 5_000);
    assert_eq!(said(&folder).1, "the record with offset 5");
    flip(&segments[1], HEADER + VALUE_BYTES + 5_000);
    assert_eq!(said(&folder).1, "the records with offsets 4 to 5");
}

/// Flips a byte, hears what is said of partition `partition`, starts a server, and checks that it does that. Answers the folder
/// as it was before, and what was said.
fn started_as_said(folder: Folder, partition: i32, file: &Path, at: u64) -> (Folder, String) {
    flip(file, at);
    let (why, _, start) = said(&folder);
    let server = Server::start_in(folder, &[]);
    // The last record.
    let mut client = server.connect();
    let end = client.call(2, &list("log", partition, -1)).topics[0].partitions[0].offset;
    let code = only(&client.call(11, &fetch("log", &[(partition, (end - 1).max(0))]))).error_code;
    let expected = if start == "refuses-partition" { STORAGE_ERROR } else { 0 };
    assert_eq!(code, expected, "byte {at} of {}: {start}: {why}", file.display());
    drop(client);
    let folder = server.stop();
    flip(file, at);
    (folder, start)
}

/// Of a small log no index is saved: a start looks at every batch's header, but at no more of it.
#[test]
fn a_start_does_with_a_small_log_what_is_said() {
    let (mut folder, file) = stopped();
    // A segment's header; a batch's base offset, length, epoch, magic byte; its checksum and a value.
    let refused = [20, HEADER + 7, HEADER + 11, HEADER + 12, HEADER + 16];
    let overlooked = [HEADER + 18, HEADER + 70];
    for at in refused.into_iter().chain(overlooked) {
        let start;
        (folder, start) = started_as_said(folder, 1, &file, at);
        let expected = if refused.contains(&at) { "refuses-partition" } else { "overlooks" };
        assert_eq!(start, expected, "byte {at}");
    }
    assert_eq!(verified(&folder).1, Some(0), "nothing else has changed");
}

#[test]
fn a_start_does_with_each_segment_what_is_said() {
    let (mut folder, segments) = of_four_segments();
    let (header, value) = (HEADER + 16, HEADER + 5_000);
    for at in [header, value] {
        let start;
        (folder, start) = started_as_said(folder, 0, &segments[1], at);
        assert_eq!(start, "overlooks", "byte {at}: a start has the index");
        (folder, _) = started_as_said(folder, 0, &segments[3], at);
    }
    for (at, expected) in [(header, "refuses-partition"), (value, "overlooks")] {
        fs::remove_file(segments[1].with_extension("index")).expect("it was saved");
        let start;
        (folder, start) = started_as_said(folder, 0, &segments[1], at);
        assert_eq!(start, expected, "byte {at}");
        // Makes the index anew where it was not.
        folder = Server::start_in(folder, &[]).stop();
    }
    assert_eq!(verified(&folder).1, Some(0), "nothing else has changed");
}

#[test]
fn a_missing_segment_is_told_by_its_neighbours() {
    let (folder, segments) = of_four_segments();
    let away = folder.join("away");
    // The middle one.
    fs::rename(&segments[1], &away).expect("it is there");
    let (why, _, start) = said(&folder);
    assert!(
        why.contains("00000000000000000006.log") && why.contains("segment between the two is missing"),
        "{why}"
    );
    assert_eq!(start, "refuses-partition");
    fs::rename(&away, &segments[1]).expect("it was there");
    // The last one.
    fs::rename(&segments[3], &away).expect("it is there");
    let (why, lost, start) = said(&folder);
    assert!(why.contains("was flushed up to offset 10"), "{why}");
    assert_eq!((&*lost, &*start), ("the records from offset 9 on", "refuses-partition"));
    fs::rename(&away, &segments[3]).expect("it was there");
    // The first one: what is left is a log all the same.
    fs::rename(&segments[0], &away).expect("it is there");
    let (why, lost, start) = said(&folder);
    assert!(why.contains("starts with offset 0"), "{why}");
    assert_eq!((&*lost, &*start), ("the records with offsets 0 to 2", "overlooks"));
    let server = Server::start_in(folder, &[]);
    assert_eq!(served(&server, 3), (0, 3));
}

#[test]
fn a_damaged_index_loses_nothing_and_is_made_anew() {
    let (folder, segments) = of_four_segments();
    flip(&segments[1].with_extension("index"), 40);
    let (why, lost, start) = said(&folder);
    assert!(why.contains("checksum"), "{why}");
    assert!(lost.starts_with("nothing"), "{lost}");
    assert_eq!(start, "repairs");
    let server = Server::start_in(folder, &[]);
    assert_eq!(served(&server, 4), (0, 0));
    assert_eq!(verified(&server.stop()).1, Some(0));
}

#[test]
fn all_damages_of_a_log_are_told_and_then_what_is_left_of_it() {
    let (folder, segments) = of_four_segments();
    flip(&segments[0].with_extension("index"), 40);
    flip(&segments[1], HEADER + VALUE_BYTES + 5_000);
    flip(&segments[2], HEADER + 5_000);
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(1), "{lines:?}");
    let of_log: Vec<&Value> = lines.iter().filter(|line| line["topic"] == "log").collect();
    let files: Vec<_> = of_log.iter().filter_map(|line| line["file"].as_str().map(PathBuf::from)).collect();
    assert_eq!(files, [segments[0].with_extension("index"), segments[1].clone(), segments[2].clone()]);
    let log = of_log[3];
    assert_eq!(
        (&log["sound"], &log["damages"], &log["segments"], &log["records"], &log["end"]),
        (&false.into(), &3.into(), &4.into(), &5.into(), &10.into()),
        "three records of the first segment, one of the second, none of the third, one of the last"
    );
    let text = String::from_utf8(verify(&folder, &["--topic", "log"]).stdout).expect("it is text");
    assert_eq!(text.matches("log-0: DAMAGED: ").count(), 3, "{text}");
    assert!(text.contains("log-0: 3 damages; in order are: 4 segments, 5 batches, 5 records, "), "{text}");
}

#[test]
fn without_a_readable_catalog_the_logs_are_checked_all_the_same() {
    let (folder, file) = stopped();
    let catalog = folder.join("data/746f7261-2d63-6174-616c-6f672d6c6f67-0/00000000000000000000.log");
    flip(&catalog, HEADER + 70);
    let (lines, code) = verified(&folder);
    assert_eq!(code, Some(1));
    assert_eq!((&lines[0]["topic"], &lines[0]["start"]), (&"(catalog)".into(), &"refuses-folder".into()));
    assert!(
        lines[0]["lost"].as_str().is_some_and(|lost| lost.contains("which topics there are")),
        "{lines:?}"
    );
    let sound: Vec<&Value> = lines.iter().filter(|line| line["sound"] == true).collect();
    let id = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).expect("a folder");
    let topic = sound[0]["topic"].as_str().expect("a text");
    assert!(sound.len() == 1 && id.starts_with(topic) && sound[0]["records"] == 60, "{lines:?}");
    let refusal = refused(tora_serve(&folder), &folder);
    assert!(refusal.contains("catalog"), "{refusal}");
    // Nor where it may be a torn end.
    forget_checkpoints(&folder);
    let (lines, _) = verified(&folder);
    let note = |line: &Value| line["notes"][0].as_str().unwrap_or_default().to_owned();
    assert!(note(&lines[0]).contains("torn behind offset 0"), "{lines:?}");
    assert!(note(&lines[1]).contains("knows of no topic with this id"), "{lines:?}");
    assert!(lines[1]["topic"] == topic && lines[1]["records"] == 60, "{lines:?}");
}
