//! The engine as a guest: several in one process, times of records, and cores that are the host's.

use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tora_engine::handle::{RecordRef, for_each_record};
use tora_engine::request::OffsetQuery;
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine};

use crate::process::{alone, in_a_process, warnings};
use crate::support::{Folder, append, create, numbers, values};

#[test]
fn engines_of_one_process_do_not_know_of_each_other() {
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let engines = [1, 2, 3].map(|shards| folders[usize::from(shards) - 1].open(shards));
    let handles = engines.each_ref().map(Engine::handle);
    let partitions = handles.each_ref().map(|handle| PartitionId::new(create(handle, "clicks", 1), 0));
    let ids = engines.each_ref().map(|engine| engine.cluster_id().to_owned());
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[2] != ids[0]);
    for number in 0..30 {
        let which = usize::try_from(number).unwrap() % 3;
        let value = (number / 3).to_string();
        append(&handles[which], partitions[which], value.as_bytes());
    }
    assert_eq!(handles[0].find_topic("none").unwrap().wait(), Ok(None));
    let [first, second, third] = engines;
    second.close();
    assert_eq!(values(&handles[0], partitions[0], 0), numbers(0..10));
    drop(first);
    assert_eq!(values(&handles[2], partitions[2], 0), numbers(0..10));
    assert_eq!(append(&handles[2], partitions[2], b"10"), Offset::new(10));
    third.close();
}

#[test]
fn a_folder_that_this_process_has_open_says_so() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let topic = create(&engine.handle(), "clicks", 1);
    let refused = Engine::open(folder.config(1)).err().unwrap().to_string();
    assert!(refused.contains("this very process"), "{refused}");
    assert!(refused.contains("Engine::handle"), "{refused}");

    // Two containers that share a folder, whose processes have the same number.
    let lock = folder.path().join(".lock");
    let mark = fs::read_to_string(&lock).unwrap();
    let number = std::process::id().to_string();
    assert_eq!(mark.split_whitespace().next(), Some(&*number));
    fs::write(&lock, format!("{number} 0123456789abcdef\n")).unwrap();
    let refused = Engine::open(folder.config(1)).err().unwrap().to_string();
    assert!(!refused.contains("this very process") && refused.contains(&number), "{refused}");
    assert!(refused.contains("another container"), "{refused}");

    let partition = PartitionId::new(topic, 0);
    assert_eq!(append(&engine.handle(), partition, b"0"), Offset::ZERO, "the one that has it goes on");
    engine.close();
    assert_eq!(values(&folder.open(1).handle(), partition, 0), numbers(0..1));
}

#[test]
fn records_keep_the_callers_time_or_get_the_engines() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let stamped = handle.create_topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).unwrap();
    let topics = [create(&handle, "own", 1), stamped.wait().unwrap().id];
    let millis = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let before = millis();
    let times = topics.map(|topic| {
        let partition = PartitionId::new(topic, 0);
        for timestamp in [Some(1_000), Some(2_000), None] {
            let record = RecordRef { timestamp, ..RecordRef::of_value(b"value") };
            handle.append_records(partition, [record]).unwrap().wait().unwrap();
        }
        let read = handle.read(partition, Offset::ZERO, 10_000).unwrap().wait().unwrap();
        let mut times = Vec::new();
        for_each_record(&read, Offset::ZERO, |record| times.push(record.timestamp)).unwrap();
        times
    });
    let after = millis();
    let now = before..=after;
    assert_eq!(times[0][..2], [1_000, 2_000]);
    assert!(now.contains(&times[0][2]), "{times:?} is not in {now:?}");
    assert!(times[1].iter().all(|time| now.contains(time)), "{times:?} are not in {now:?}");

    let find = |time| {
        let query = OffsetQuery::ForTimestamp(time);
        let found = handle.list_offset(PartitionId::new(topics[0], 0), query).unwrap().wait().unwrap();
        (found.offset.value(), found.timestamp)
    };
    assert_eq!(find(0), (0, 1_000));
    assert_eq!(find(1_001), (1, 2_000));
    assert_eq!(find(2_001).0, 2);
    assert_eq!(find(after + 1_000_000), (-1, -1));
}

/// The cores that each of this process's threads of this name may use, as the kernel writes them.
fn cores_of(name: &str) -> Vec<String> {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let statuses =
        threads.filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).ok());
    let field = |status: &str, name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    statuses
        .filter(|status| field(status, "Name:").starts_with(name))
        .map(|status| field(&status, "Cpus_allowed_list:"))
        .collect()
}

/// The cores that this thread may use, likewise.
fn own_cores() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    own.trim().to_owned()
}

#[test]
fn an_embedded_engine_leaves_the_choice_of_cores_to_its_host() {
    let folder = Folder::new();
    let engine = folder.open(2);
    let own = own_cores();
    let shards = cores_of("tora-shard");
    assert!(shards.len() >= 2, "{shards:?}");
    assert!(shards.iter().all(|cores| *cores == own), "{shards:?} are not {own}");
    engine.close();
}

#[test]
fn tied_shards_have_cores_of_their_own_and_their_helpers_all_others_too() {
    let folder = Folder::new();
    let printed = in_a_process("engines::with_tied_shards", folder.path(), &[OsStr::new("env")]);
    let warnings = warnings(&printed);
    let expected = format!("1 of {} shards are not tied", each_of(&own_cores()).len());
    assert!(warnings.len() == 1 && warnings[0].contains(&expected), "{warnings:?}");
}

/// Each core of a list as the kernel writes it (`0-2,5`).
fn each_of(list: &str) -> Vec<String> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    let spans = list.split(',').map(|span| span.split_once('-').unwrap_or((span, span)));
    spans.flat_map(|(first, last)| number(first)..=number(last)).map(|core| core.to_string()).collect()
}

/// Waits until the cores of the threads with such names are as they should be: one that has just begun or ended has the name
/// and the cores of who started it for a moment.
fn settles(name: &str, as_it_should: impl Fn(&[String]) -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut found = cores_of(name);
        found.sort_unstable();
        if as_it_should(&found) {
            return;
        }
        assert!(Instant::now() < until, "{name}: {found:?}");
        std::thread::yield_now();
    }
}

#[test]
#[ignore = "looks at all engines of its process; run by the test above"]
fn with_tied_shards() {
    let Some(folder) = alone() else { return };
    let own = own_cores();
    let cores = each_of(&own);
    let all = u16::try_from(cores.len()).unwrap();
    let open = |name: &str, shards| {
        Engine::open(Config { pin: true, shards, ..Config::new(folder.path().join(name)) }).unwrap()
    };
    let engines = [open("first", 1), open("second", all)];
    for engine in &engines {
        // A segment's file is made by a helper.
        append(&engine.handle(), PartitionId::new(create(&engine.handle(), "clicks", 1), 0), b"0");
    }
    let mut with_one_untied: Vec<_> = cores.iter().cloned().chain([own.clone()]).collect();
    with_one_untied.sort_unstable();
    settles("tora-shard", |found| found == with_one_untied);
    settles("tora-help", |found| found.len() >= 2 && found.iter().all(|cores| *cores == own));
    engines.into_iter().for_each(Engine::close);

    // What the others had is free again.
    let engine = open("first", all);
    let mut one_each = cores;
    one_each.sort_unstable();
    settles("tora-shard", |found| found == one_each);
    engine.close();
    println!("it works");
}
