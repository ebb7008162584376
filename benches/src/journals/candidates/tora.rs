//! Tora: one partition of an embedded engine with its defaults.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use tora_engine::handle::{Appender, RecordRef, for_each_record};
use tora_engine::types::{Offset, PartitionId};
use tora_engine::{Config, Engine, Handle};

use super::Journal;
use crate::journals::measure::{Latencies, Records, Until};
use crate::journals::{Failure, IN_FLIGHT};

/// Bytes asked for at a time when reading.
const READ_BYTES: usize = 1 << 20;

pub struct Tora {
    /// Closes when dropped, after the handle.
    _engine: Engine,
    handle: Handle,
    partition: PartitionId,
    appender: Appender,
}

impl Tora {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let engine = Engine::open(Config::new(folder))?;
        let handle = engine.handle();
        let topic = handle.create_topic("journal", 1, &[])?.wait()?;
        let partition = PartitionId::new(topic.id, 0);
        let appender = handle.appender(partition)?.wait()?;
        Ok(Self { _engine: engine, handle, partition, appender })
    }
}

impl Journal for Tora {
    fn append(&mut self, record: &[u8]) -> Result<(), Failure> {
        self.handle.append_records(self.partition, [RecordRef::of_value(record)])?.wait()?;
        Ok(())
    }

    fn append_many(&mut self, records: &mut Records, until: Until) -> Result<Latencies, Failure> {
        let mut latencies = Latencies::start();
        let mut under_way = VecDeque::with_capacity(IN_FLIGHT);
        loop {
            while until.goes_on() && under_way.len() < IN_FLIGHT {
                let record = records.next();
                let sent = Instant::now();
                let append = self.appender.append(RecordRef::of_value(&record))?;
                under_way.push_back((sent, append));
            }
            let Some((sent, append)) = under_way.pop_front() else { return Ok(latencies.stop()) };
            append.wait()?;
            latencies.record(sent.elapsed());
        }
    }

    fn read_all(&mut self, visit: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let mut next = Offset::ZERO;
        loop {
            let read = self.handle.read(self.partition, next, READ_BYTES)?.wait()?;
            if read.slices.is_empty() {
                return Ok(());
            }
            next = for_each_record(&read, next, |record| visit(record.value.unwrap_or_default()))?;
        }
    }
}
