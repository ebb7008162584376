//! A full disk: records that find no space are refused, what was taken stays, and where there is space again appends go on.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tora_engine::Handle;
use tora_engine::error::Error;
use tora_engine::handle::{Appender, RecordRef};
use tora_engine::types::{Offset, PartitionId};

use crate::process::{alone, in_a_process, warnings};
use crate::support::{Folder, values};

#[test]
fn a_disk_that_is_full_refuses_records_until_some_are_deleted() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path()).unwrap();
    let image = folder.path().with_extension("image");
    // Nothing is reserved for root, who may be running this. The mount is the process's own and goes with it.
    let mount = "truncate -s 96M \"$1\" && mkfs.ext4 -q -F -b 4096 -m 0 \"$1\" && mount -o loop \"$1\" \"$0\" || exit 9
        shift && exec \"$@\"";
    let tried = Command::new("unshare")
        .args(["--mount", "sh", "-c", mount])
        .args([folder.path(), &image, Path::new("true")])
        .output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if can {
        let starter = ["unshare", "--mount", "sh", "-c", mount].map(OsStr::new);
        let starter: Vec<_> =
            starter.into_iter().chain([folder.path().as_os_str(), image.as_os_str()]).collect();
        let printed = in_a_process("disk_full::on_a_small_disk", folder.path(), &starter);
        let failures = warnings(&printed).into_iter().filter(|line| line.contains("ERROR"));
        assert_eq!(failures.collect::<Vec<_>>(), [""; 0]);
    } else {
        let text =
            format!("\n*** SKIPPED, not tested: a full disk: no file system could be mounted: {tried:?}\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    let _ = std::fs::remove_file(image);
}

/// Numbers appended to a partition, each in a value of 100 kB.
struct Filling<'a> {
    appender: &'a Appender,
    /// Those that were taken, by offset.
    held: Vec<i64>,
    next: i64,
}

impl Filling<'_> {
    fn value(number: i64) -> String {
        format!("{number} {}", "x".repeat(100_000))
    }

    /// Appends so many, all under way together: behind a refused one others may still be taken. Says whether any was.
    fn append(&mut self, count: i64) -> bool {
        let (numbers, before) = (self.next..self.next + count, self.held.len());
        self.next = numbers.end;
        let send = |number| {
            let value = Self::value(number);
            (number, self.appender.append_blocking(RecordRef::of_value(value.as_bytes())).unwrap())
        };
        for (number, pending) in numbers.map(send).collect::<Vec<_>>() {
            match pending.wait() {
                Ok(offset) => {
                    assert_eq!(offset, Offset::new(self.held.len() as i64), "of number {number}");
                    self.held.push(number);
                }
                Err(error) => assert_eq!(error, Error::DiskFull, "number {number}"),
            }
        }
        self.held.len() > before
    }

    /// Appends until nothing is taken, several times in a row, since smaller steps may still fit.
    fn fill(&mut self) {
        for together in [16, 1] {
            let mut refused = 0;
            while refused < 5 {
                refused = if self.append(together) { 0 } else { refused + 1 };
                assert!(self.held.len() < 2_000, "200 MB, and it is not full");
            }
        }
    }

    /// Fails the test unless just what was taken is there.
    fn check(&self, handle: &Handle, from: usize) {
        let found = values(handle, self.appender.partition(), from as i64);
        let held = self.held.iter().enumerate().skip(from);
        assert!(found.into_iter().eq(held.map(|(offset, number)| (offset as i64, Self::value(*number)))));
    }
}

#[test]
#[ignore = "needs a small file system of its own; run by the test above"]
fn on_a_small_disk() {
    let Some(folder) = alone() else { return };
    let engine = folder.open(1);
    let handle = engine.handle();
    let configs = [("segment.bytes", "4194304")];
    let topic = handle.create_topic("full", 1, &configs).unwrap().wait().unwrap().id;
    let appender = handle.appender(PartitionId::new(topic, 0)).unwrap().wait().unwrap();
    let mut filling = Filling { appender: &appender, held: Vec::new(), next: 0 };
    filling.fill();
    let full = filling.held.len();
    assert!(full > 200, "{full} records were taken");
    filling.check(&handle, 0);

    let start = full / 2;
    let deleted = handle.delete_records(appender.partition(), Offset::new(start as i64)).unwrap();
    assert_eq!(deleted.wait(), Ok(Offset::new(start as i64)));
    // The files go a little later than the records, one after the other.
    let since = Instant::now();
    while filling.held.len() <= full + 50 {
        assert!(since.elapsed() < Duration::from_secs(20), "{} after {full}", filling.held.len());
        filling.append(16);
        thread::sleep(Duration::from_millis(5));
    }
    filling.fill();
    filling.check(&handle, start);
    engine.close();
    let engine = folder.open(1);
    filling.check(&engine.handle(), start);
    engine.close();
    println!("it works");
}
