//! Settings that change from one opening to the next, where each opening but the last ends by `kill -9`, with records in the
//! journals: nothing that was acknowledged is lost, and its order is kept.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tora_engine::handle::{Pending, RecordRef};
use tora_engine::io::HostFs;
use tora_engine::request::Appended;
use tora_engine::types::{PartitionId, TopicId};
use tora_engine::verify::Folder as Verified;
use tora_engine::{Config, Engine, Handle};

use crate::support::{Folder, create, values};

/// Names the data folder, the life and what was acknowledged before it, in the process that is killed.
const LIFE: &str = "TORA_TEST_LIFE";

const PARTITIONS: i32 = 3;

/// Appends of each partition that are not acknowledged yet.
const IN_FLIGHT: usize = 16;

/// Appends that are acknowledged in a life before it is killed.
const ENOUGH: i64 = 600;

/// No life takes longer, should nobody end it.
const APPENDS_MAX: i64 = 200_000;

struct Settings {
    shards: u16,
    segment_bytes: u64,
    journal_bytes: u64,
    max_message_bytes: usize,
    unflushed_bytes: u64,
}

/// Up and down, each on its own and all together.
const LIVES: [Settings; 6] = [
    settings(1, 1 << 20, 64 << 10, 1 << 20, 1 << 20),
    settings(3, 64 << 20, 64 << 20, 4 << 20, 8 << 20),
    settings(3, 1 << 20, 64 << 20, 100_000, 8 << 20),
    settings(2, 4 << 20, 0, 100_000, 256 << 10),
    settings(4, 4 << 20, 1 << 20, 2 << 20, 256 << 10),
    settings(1, 1 << 20, 16 << 20, 1 << 20, 64 << 20),
];

const fn settings(
    shards: u16,
    segment_bytes: u64,
    journal_bytes: u64,
    max_message_bytes: usize,
    unflushed_bytes: u64,
) -> Settings {
    Settings { shards, segment_bytes, journal_bytes, max_message_bytes, unflushed_bytes }
}

impl Settings {
    fn open(&self, folder: PathBuf) -> Engine {
        let mut config = Config::new(folder);
        config.shards = self.shards;
        config.segment_bytes = self.segment_bytes;
        config.journal_bytes = self.journal_bytes;
        config.max_message_bytes = self.max_message_bytes;
        config.unflushed_bytes = self.unflushed_bytes;
        Engine::open(config).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A record that says where it is. Most fit into a journal, some do not, and a few are as large as may be.
    fn value(&self, partition: i32, offset: i64) -> String {
        let bytes = match offset % 256 {
            100 => self.max_message_bytes.min(1_500_000) - 200,
            n if n % 32 == 7 => 60_000,
            n => 50 + 3 * usize::try_from(n).unwrap(),
        };
        format!("{partition} {offset} {}", "x".repeat(bytes))
    }
}

fn topic(handle: &Handle) -> TopicId {
    match handle.find_topic("kept").unwrap().wait().unwrap() {
        Some(topic) => topic.id,
        None => create(handle, "kept", PARTITIONS),
    }
}

/// Reads everything and says where each partition ends.
fn check(handle: &Handle, topic: TopicId, acknowledged: &[i64]) -> Vec<i64> {
    let ends = (0..PARTITIONS).map(|index| {
        let mut next = 0;
        for (offset, value) in values(handle, PartitionId::new(topic, index), 0) {
            let says = (offset, value.trim_end_matches('x'));
            assert_eq!(says, (next, &*format!("{index} {next} ")));
            next += 1;
        }
        let end = acknowledged[usize::try_from(index).unwrap()];
        assert!(next >= end, "partition {index} ends at {next}, and {end} were acknowledged");
        next
    });
    ends.collect()
}

#[test]
fn settings_that_change_over_kills_lose_nothing() {
    let folder = Folder::new();
    let mut acknowledged = vec![0; PARTITIONS as usize];
    let mut in_journals = 0;
    for life in 0..LIVES.len() - 1 {
        let told: Vec<_> = acknowledged.iter().map(i64::to_string).collect();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--ignored", "--nocapture", "resettled::a_life"]);
        command.env(LIFE, format!("{} {life} {}", folder.path().display(), told.join(" ")));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let before: i64 = acknowledged.iter().sum();
        // What it has said is acknowledged, also what is read after its end.
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some(ends) = line.strip_prefix("acknowledged ") else { continue };
            acknowledged = ends.split(' ').map(|end| end.parse().unwrap()).collect();
            if acknowledged.iter().sum::<i64>() == before + ENOUGH {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.iter().sum::<i64>() >= before + ENOUGH, "life {life} ended early");
        let verified = Verified::open(HostFs, folder.path()).unwrap();
        let journals = verified.journals().unwrap_or_else(|damage| panic!("{damage}"));
        in_journals += journals.records;
    }
    assert!(in_journals > 20, "{in_journals} records were in the journals");

    let engine = LIVES[LIVES.len() - 1].open(folder.path().to_owned());
    check(&engine.handle(), topic(&engine.handle()), &acknowledged);
    engine.close();
    let verified = Verified::open(HostFs, folder.path()).unwrap();
    assert_eq!(verified.partitions().len(), 1 + PARTITIONS as usize);
    for &partition in verified.partitions() {
        assert_eq!(verified.verify(partition, &mut |_| {}).damages, []);
    }
}

#[test]
#[ignore = "is killed; run by the test above"]
fn a_life() {
    let Ok(told) = std::env::var(LIFE) else { return };
    let mut told = told.split(' ');
    let folder = PathBuf::from(told.next().unwrap());
    let settings = &LIVES[told.next().unwrap().parse::<usize>().unwrap()];
    let mut acknowledged: Vec<i64> = told.map(|end| end.parse().unwrap()).collect();
    let engine = settings.open(folder);
    let handle = engine.handle();
    let topic = topic(&handle);
    let mut next = check(&handle, topic, &acknowledged);
    let mut waiting: VecDeque<(usize, Pending<Appended>)> = VecDeque::new();
    for _ in 0..APPENDS_MAX {
        for index in 0..PARTITIONS {
            let at = usize::try_from(index).unwrap();
            let value = settings.value(index, next[at]);
            let record = RecordRef::of_value(value.as_bytes());
            waiting.push_back((at, handle.append_records(PartitionId::new(topic, index), [record]).unwrap()));
            next[at] += 1;
        }
        while waiting.len() > IN_FLIGHT * PARTITIONS as usize {
            let (at, pending) = waiting.pop_front().unwrap();
            acknowledged[at] = pending.wait().unwrap().base_offset.value() + 1;
            let ends: Vec<_> = acknowledged.iter().map(i64::to_string).collect();
            println!("acknowledged {}", ends.join(" "));
        }
    }
}
