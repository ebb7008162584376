//! Readers that go through old data on the disk, which is read ahead of them.

use tora_engine::Handle;
use tora_engine::handle::{RecordRef, for_each_record};
use tora_engine::types::{Offset, PartitionId};

use crate::support::{Folder, create};

const RECORDS: i64 = 3_000;
const VALUE_BYTES: usize = 2_000;

/// A value that is unlike every other record's.
fn value(number: i64) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(VALUE_BYTES).collect()
}

/// A reader that goes through a partition and sees that it is all there.
struct Reader {
    partition: PartitionId,
    next: Offset,
}

impl Reader {
    /// Reads on; false at the end.
    fn step(&mut self, handle: &Handle, bytes: usize) -> bool {
        let records = handle.read(self.partition, self.next, bytes).unwrap().wait().unwrap();
        let mut expected = self.next.value();
        self.next = for_each_record(&records, self.next, |record| {
            assert_eq!(record.offset.value(), expected);
            assert!(record.value == Some(&value(expected)[..]), "the value of record {expected}");
            expected += 1;
        })
        .unwrap();
        self.next.value() < RECORDS
    }
}

#[test]
fn readers_that_go_through_old_data_get_all_of_it_however_much_they_ask_for() {
    let folder = Folder::new();
    let mut config = folder.config(1);
    // Several segments, so that a read ahead begins in the next one, and finds its file closed.
    config.segment_bytes = 1 << 20;
    let engine = tora_engine::Engine::open(config.clone()).unwrap();
    let handle = engine.handle();
    let topic = create(&handle, "old", 2);
    let partitions = [0, 1].map(|index| PartitionId::new(topic, index));
    for first in (0..RECORDS).step_by(10) {
        let values: Vec<_> = (first..first + 10).map(value).collect();
        let pending = partitions.map(|partition| {
            handle.append_records(partition, values.iter().map(|value| RecordRef::of_value(value))).unwrap()
        });
        for pending in pending {
            pending.wait().unwrap();
        }
    }
    engine.close();

    // Nothing is in memory now.
    let engine = tora_engine::Engine::open(config).unwrap();
    let handle = engine.handle();
    for partition in partitions {
        // One alone, always the same; two that overtake each other; one that asks for now more, now less.
        let sizes: [&[usize]; 4] = [&[100_000], &[300_000], &[40_000], &[200_000, 200_000, 200_000, 50_000]];
        let mut readers: Vec<_> = sizes
            .iter()
            .map(|sizes| (Reader { partition, next: Offset::ZERO }, sizes.iter().cycle()))
            .collect();
        let mut left = readers.len();
        while left > 0 {
            left = 0;
            for (reader, sizes) in &mut readers {
                let bytes = *sizes.next().expect("they go round");
                left += usize::from(reader.step(&handle, bytes));
            }
        }
    }
    engine.close();
}
