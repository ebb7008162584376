//! `__consumer_offsets` does not grow without end.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::members::{Member, commit, committed};
use crate::support::requests::{create, list};
use crate::support::{Client, Server};

const SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=1",
    "offsets.topic.segment.bytes=1048576",
    "tora.offsets.compact.bytes=524288",
    "group.initial.rebalance.delay.ms=0",
];

fn start_offset(client: &mut Client) -> i64 {
    let response = client.call(2, &list("__consumer_offsets", 0, -2));
    response.topics[0].partitions[0].offset
}

/// Bytes of all files in the folder and below, but for the journals, which have their own limit.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(_) if entry.file_name().to_string_lossy().starts_with("journal-") => 0,
            Ok(found) => found.len(),
            // Removed while we look.
            Err(_) => 0,
        })
        .sum()
}

#[test]
fn what_is_true_is_written_again_and_the_rest_given_up() {
    let server = Server::start(SETTINGS);
    let mut member = Member::new(&server.address, "members");
    member.session_ms = 60_000;
    member.join_alone(&[0]);
    let client = &mut member.client;
    create(client, "t", 200);
    let everything: Vec<i32> = (0..200).collect();
    // About 20 KB a commit, 20 MB in all.
    for round in 0..1_000_i64 {
        let offsets: Vec<(i32, i64)> = everything.iter().map(|partition| (*partition, round)).collect();
        let response = client.call(9, &commit("tool", "t", &offsets));
        assert_eq!(response.topics[0].partitions[0].error_code, 0);
    }
    // Both go on in the background.
    let patience = Instant::now() + Duration::from_secs(30);
    let left = |client: &mut Client| (start_offset(client), size(&server.folder().join("data")));
    loop {
        let (start, bytes) = left(client);
        if start > 150_000 && bytes < 8 << 20 {
            break;
        }
        assert!(Instant::now() < patience, "the log starts at {start}, {bytes} bytes are left on the disk");
        thread::sleep(Duration::from_millis(20));
    }
    let folder = server.kill();
    let server = Server::start_in(folder, SETTINGS);
    member.client = server.connect();
    assert_eq!(committed(&mut member.client, "tool", "t", &everything), vec![999; 200]);
    assert_eq!(member.heartbeat(), 0, "the group that wrote nothing more is still there");
}
