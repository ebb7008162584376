//! What a machine may withhold: the engine does without, with one warning, or says what it needs.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use tora_engine::error::Error;
use tora_engine::handle::RecordRef;
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine};

use crate::process::{alone, in_a_process, warnings};
use crate::support::{Folder, append, create, numbers, values};

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Appends, reads, and finds everything again after it was opened anew.
fn works(folder: &Folder) {
    let engine = folder.open(2);
    let handle = engine.handle();
    let topic = create(&handle, "clicks", 3);
    let large = vec![b'.'; 300_000];
    for index in 0..3 {
        let partition = PartitionId::new(topic, index);
        for number in 0..20_i64 {
            append(&handle, partition, number.to_string().as_bytes());
        }
        for _ in 0..10 {
            let record = RecordRef::of_value(&large);
            handle.append_records(partition, [record]).unwrap().wait().unwrap();
        }
        assert_eq!(values(&handle, partition, 0)[..20], numbers(0..20));
    }
    engine.close();
    let engine = folder.open(1);
    for index in 0..3 {
        let found = values(&engine.handle(), PartitionId::new(topic, index), 0);
        assert_eq!((found.len(), &found[..20]), (30, &numbers(0..20)[..]));
    }
    engine.close();
    println!("it works");
}

#[test]
fn without_lockable_memory_for_its_buffers_it_works_with_one_warning() {
    let folder = Folder::new();
    // Root may lock any amount, so it is taken that right.
    let mut starter = vec!["prlimit", "--memlock=2097152:2097152"];
    if is_root() {
        starter.extend(["setpriv", "--bounding-set=-ipc_lock"]);
    }
    let starter: Vec<_> = starter.into_iter().map(OsStr::new).collect();
    let printed = in_a_process("poor::with_little_lockable_memory", folder.path(), &starter);
    let warnings = warnings(&printed);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["12.0 MiB of buffers", "RLIMIT_MEMLOCK is 2.0 MiB", "ulimit -l", "goes on without"] {
        assert!(warnings[0].contains(part), "{part} is missing in: {warnings:?}");
    }
}

#[test]
#[ignore = "needs a process whose memory lock is limited; run by the test above"]
fn with_little_lockable_memory() {
    let Some(folder) = alone() else { return };
    works(&folder);
}

#[test]
fn little_memory_for_buffers_is_little_memory() {
    let folder = Folder::new();
    in_a_process("poor::with_four_chunks", folder.path(), &[OsStr::new("env")]);
}

#[test]
#[ignore = "measures the memory of its process; run by the test above"]
fn with_four_chunks() {
    const MIB: usize = 1 << 20;
    let Some(folder) = alone() else { return };
    let mut config = folder.config(1);
    config.buffer_bytes = MIB;
    let engine = Engine::open(config).unwrap();
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let large = vec![b'.'; MIB / 2];
    let before = resident_bytes();
    for _ in 0..200 {
        append(&handle, partition, &large);
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 20 * MIB, "{grown} bytes for 100 MiB appended");
    engine.close();
    println!("it works");
}

/// VmRSS of this process.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// Whether this test may mount what it needs. Where it may not, that is said.
fn may_mount(what: &str) -> bool {
    if !is_root() {
        let text = format!("\n*** SKIPPED, not tested: {what}: mounting one takes root\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    is_root()
}

/// [`in_a_process`] after `mount`, whose `$0` is the folder. The mount is the process's own and goes with it.
fn in_a_mount(test: &str, folder: &Folder, mount: &str) -> String {
    std::fs::create_dir_all(folder.path()).unwrap();
    let mount = format!("{mount} && exec \"$@\"");
    let starter = ["unshare", "--mount", "sh", "-c", &mount].map(OsStr::new);
    let starter: Vec<_> = starter.into_iter().chain([folder.path().as_os_str()]).collect();
    in_a_process(test, folder.path(), &starter)
}

#[test]
fn on_a_file_system_without_direct_writes_it_works_with_one_warning() {
    if !may_mount("a file system without O_DIRECT") {
        return;
    }
    let folder = Folder::new();
    // ramfs has neither O_DIRECT nor fallocate.
    let mount = "mount -t ramfs ramfs \"$0\"";
    let printed = in_a_mount("poor::on_ramfs", &folder, mount);
    let warnings = warnings(&printed);
    let about = |text: &str| warnings.iter().filter(|warning| warning.contains(text)).count();
    let in_memory = about("is on ramfs, which is memory");
    let others = (about("no O_DIRECT"), about("fallocate"));
    // It is opened twice.
    assert_eq!((others, in_memory, warnings.len()), ((1, 1), 2, 4), "{warnings:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it all was in the mount");
}

#[test]
fn in_memory_it_works_and_says_that_nothing_lasts() {
    if !may_mount("a file system in memory") {
        return;
    }
    let folder = Folder::new();
    let mount = "mount -t tmpfs -o size=256m tmpfs \"$0\"";
    let printed = in_a_mount("poor::on_ramfs", &folder, mount);
    let warnings = warnings(&printed);
    let about = |text: &str| warnings.iter().filter(|warning| warning.contains(text)).count();
    // Before Linux 6.6 it has no O_DIRECT either.
    let expected = 2 + about("no O_DIRECT");
    assert_eq!((about("is on tmpfs, which is memory"), warnings.len()), (2, expected), "{warnings:?}");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused_with_what_to_do() {
    if !may_mount("a read-only mount") {
        return;
    }
    let folder = Folder::new();
    let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";
    // A new one, one that was used, and one inside of it.
    in_a_mount("poor::mounted_for_reading_only", &folder, mount);
    folder.open(1).close();
    in_a_mount("poor::mounted_for_reading_only", &folder, mount);
}

#[test]
#[ignore = "needs a file system of its own; run by the test above"]
fn mounted_for_reading_only() {
    let Some(folder) = alone() else { return };
    for path in [folder.path().to_owned(), folder.path().join("new/folder")] {
        let refused = Engine::open(Config::new(&path)).err().expect("it cannot be written to").to_string();
        for part in [&*path.to_string_lossy(), "mounted for reading only: mount it for writing"] {
            assert!(refused.contains(part), "{part} is missing in: {refused}");
        }
    }
    println!("it works");
}

#[test]
#[ignore = "needs a file system of its own; run by the test above"]
fn on_ramfs() {
    let Some(folder) = alone() else { return };
    works(&folder);
}

#[test]
fn with_few_descriptors_it_works_without_a_warning() {
    let folder = Folder::new();
    let starter = ["prlimit", "--nofile=80:80"].map(OsStr::new);
    let printed = in_a_process("poor::with_few_descriptors", folder.path(), &starter);
    assert_eq!(warnings(&printed), [""; 0]);
}

#[test]
#[ignore = "needs a process that may open few files; run by the test above"]
fn with_few_descriptors() {
    let Some(folder) = alone() else { return };
    works(&folder);
    let engine = folder.open(2);
    let handle = engine.handle();
    let topic = create(&handle, "many", 100);
    let partitions = || (0..100).map(|index| PartitionId::new(topic, index));
    for number in 0..3_i64 {
        for partition in partitions() {
            assert_eq!(append(&handle, partition, number.to_string().as_bytes()), Offset::new(number));
        }
    }
    assert!(partitions().all(|partition| values(&handle, partition, 0) == numbers(0..3)));
    engine.close();

    let mut config = folder.config(4);
    let refused = Engine::open(config.clone()).err().expect("four shards need more").to_string();
    for part in ["4 shards need 96 files", "may open 80", "ulimit -n", "LimitNOFILE="] {
        assert!(refused.contains(part), "{part} is missing in: {refused}");
    }
    (config.shards, config.open_files_max) = (1, 7);
    assert!(Engine::open(config).is_err(), "fewer than a shard needs");
}

#[test]
fn a_host_that_uses_descriptors_up_is_told_and_nothing_is_lost() {
    let folder = Folder::new();
    let starter = ["prlimit", "--nofile=200:200"].map(OsStr::new);
    let printed = in_a_process("poor::with_a_greedy_host", folder.path(), &starter);
    let warnings = warnings(&printed);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("too many files open") && warnings[0].contains("ulimit -n"), "{warnings:?}");
}

#[test]
#[ignore = "needs a process that may open few files; run by the test above"]
#[expect(clippy::disallowed_types, reason = "the test plays a host that has many files open")]
fn with_a_greedy_host() {
    let Some(folder) = alone() else { return };
    let engine = folder.open(1);
    let handle = engine.handle();
    let topic = create(&handle, "many", 60);
    let partitions: Vec<_> = (0..60).map(|index| PartitionId::new(topic, index)).collect();
    for &partition in &partitions[..20] {
        append(&handle, partition, b"0");
    }
    // All that is left, but for what a helper needs for a moment.
    let mut greedy: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    greedy.truncate(greedy.len() - 2);
    let mut refused = 0;
    for round in 0..3 {
        for &partition in &partitions {
            let record = [RecordRef::of_value(b"more")];
            match handle.append_records(partition, record).unwrap().wait() {
                Ok(_) => {}
                Err(Error::TooManyFiles) => refused += 1,
                Err(error) => panic!("round {round}: {error}"),
            }
        }
    }
    assert!((1..60).contains(&refused), "{refused} of 180 were refused");
    drop(greedy);
    for &partition in &partitions {
        handle.append_records(partition, [RecordRef::of_value(b"last")]).unwrap().wait().unwrap();
    }
    for &partition in &partitions[..20] {
        assert_eq!(values(&handle, partition, 0)[0], (0, "0".to_owned()));
    }
    engine.close();
    println!("it works");
}
