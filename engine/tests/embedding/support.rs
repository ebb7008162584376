//! What the tests share.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tora_engine::handle::{RecordRef, for_each_record};
use tora_engine::types::{Offset, PartitionId, TopicId};
use tora_engine::{Config, Engine, Handle};

/// A data folder of a test's own, gone when the test is over.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Beside the build, so that it is on a disk.
        let name = format!("embedding-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A run that was killed leaves its folder, and numbers of processes come again.
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// One that is there, or will be.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What to open it with.
    pub fn config(&self, shards: u16) -> Config {
        let mut config = Config::new(&self.0);
        config.shards = shards;
        config
    }

    /// An engine on it.
    pub fn open(&self, shards: u16) -> Engine {
        Engine::open(self.config(shards)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The smallest executor there is.
pub fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A new topic.
pub fn create(handle: &Handle, name: &str, partitions: i32) -> TopicId {
    handle.create_topic(name, partitions, &[]).unwrap().wait().unwrap().id
}

/// Appends one record and waits for it.
pub fn append(handle: &Handle, partition: PartitionId, value: &[u8]) -> Offset {
    let pending = handle.append_records(partition, [RecordRef::of_value(value)]).unwrap();
    pending.wait().unwrap().base_offset
}

/// Every value of a partition from `from` on, with its offset.
pub fn values(handle: &Handle, partition: PartitionId, from: i64) -> Vec<(i64, String)> {
    let mut next = Offset::new(from);
    let mut values = Vec::new();
    loop {
        let records = handle.read(partition, next, 10_000).unwrap().wait().unwrap();
        if records.slices.is_empty() {
            assert_eq!(records.high_watermark, next);
            return values;
        }
        next = for_each_record(&records, next, |record| {
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            values.push((record.offset.value(), value));
        })
        .unwrap();
    }
}

/// What [`values`] finds where the record at each offset says its offset.
pub fn numbers(range: std::ops::Range<i64>) -> Vec<(i64, String)> {
    range.map(|number| (number, number.to_string())).collect()
}
