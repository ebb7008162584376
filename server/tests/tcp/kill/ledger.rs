//! What is known of the logs: what was acknowledged or read, and at which offset.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::record::RecordId;
use crate::support::Client;
use crate::support::requests::fetch;
use crate::support::stored::{end_offset, only, values};

/// A partition's records by offset, where they are known.
type Known = Vec<Option<RecordId>>;

/// What all the clients know together.
#[derive(Default)]
pub struct Ledger {
    partitions: Mutex<BTreeMap<(String, i32), Known>>,
    acknowledged: AtomicU64,
}

impl Ledger {
    /// Records from `id` on were acknowledged at `offset` and after.
    pub fn acknowledge(&self, topic: &str, partition: i32, offset: i64, id: RecordId, count: i32) {
        let ids = (0..count).map(|at| RecordId { number: id.number + at, ..id });
        self.learn(topic, partition, offset, ids);
        self.acknowledged.fetch_add(u64::try_from(count).expect("at least one"), Ordering::Relaxed);
    }

    /// A consumer was given the record.
    pub fn read(&self, topic: &str, partition: i32, offset: i64, id: RecordId) {
        self.learn(topic, partition, offset, [id].into_iter());
    }

    fn learn(&self, topic: &str, partition: i32, offset: i64, ids: impl Iterator<Item = RecordId>) {
        let mut partitions = self.partitions.lock().expect("no client has failed");
        let known = partitions.entry((topic.to_owned(), partition)).or_default();
        for (id, at) in ids.zip(usize::try_from(offset).expect("an offset")..) {
            if known.len() <= at {
                known.resize(at + 1, None);
            }
            let before = known[at].replace(id);
            assert!(
                before.is_none_or(|before| before == id),
                "{topic}-{partition} has {before:?} and {id:?} at {at}"
            );
        }
    }

    /// How many records were acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Fails the test unless a partition holds, without a gap from offset 0 to its end, all that is known of it, and
    /// nothing twice. Returns how many records of each producer it holds.
    pub fn check(&self, client: &mut Client, topic: &str, partition: i32) -> BTreeMap<u32, i32> {
        let log = records(client, topic, partition);
        let partitions = self.partitions.lock().expect("no client has failed");
        let known = partitions.get(&(topic.to_owned(), partition)).map_or(&[][..], Vec::as_slice);
        assert!(
            log.len() >= known.len(),
            "{topic}-{partition} ends at {}, not at {}",
            log.len(),
            known.len()
        );
        for (at, id) in known.iter().enumerate().filter_map(|(at, id)| id.map(|id| (at, id))) {
            assert_eq!(log[at], id, "{topic}-{partition} at {at}");
        }
        let mut next = BTreeMap::new();
        for (at, id) in log.iter().enumerate() {
            let next = next.entry(id.producer).or_insert(0);
            let in_order =
                if super::is_idempotent(id.producer) { id.number == *next } else { id.number >= *next };
            assert!(in_order, "{topic}-{partition} has {id:?} at {at} where {next} comes next");
            *next = id.number + 1;
        }
        next
    }
}

/// All records of a partition.
fn records(client: &mut Client, topic: &str, partition: i32) -> Vec<RecordId> {
    let end = end_offset(client, topic, partition);
    let mut records = Vec::new();
    loop {
        let next = i64::try_from(records.len()).expect("few");
        if next >= end {
            return records;
        }
        let response = client.call(11, &fetch(topic, &[(partition, next)]));
        let part = only(&response);
        assert_eq!((part.error_code, part.high_watermark), (0, end), "{topic}-{partition} at {next}");
        let values = values(part);
        assert!(!values.is_empty(), "{topic}-{partition} gives nothing at {next}, before its end {end}");
        // The first batch may begin before the offset asked for; here none does.
        for ((offset, value), expected) in values.iter().zip(next..) {
            assert_eq!(*offset, expected, "{topic}-{partition}: offsets without a gap");
            records.push(RecordId::of(value));
        }
    }
}
