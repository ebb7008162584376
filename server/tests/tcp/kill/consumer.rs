//! A consumer that follows the producers.

use kafka_protocol::messages::FetchRequest;

use super::PARTITIONS;
use super::ledger::Ledger;
use super::record::RecordId;
use crate::support::Client;
use crate::support::requests::fetch;
use crate::support::stored::values;

/// A consumer of all partitions of a topic.
pub struct Consumer {
    topic: &'static str,
    /// Where it reads on, by partition.
    next: Vec<(i32, i64)>,
}

impl Consumer {
    /// One that begins at the beginning.
    pub fn new(topic: &'static str) -> Self {
        Self { topic, next: (0..PARTITIONS).map(|partition| (partition, 0)).collect() }
    }

    /// Consumes until the server is gone. After a restart it goes on where it was.
    pub fn run(&mut self, address: &str, ledger: &Ledger) {
        let Some(mut client) = Client::try_connect(address) else { return };
        while let Some(response) = client.try_call::<FetchRequest>(11, &self.request()) {
            for (part, next) in response.responses[0].partitions.iter().zip(&mut self.next) {
                assert_eq!((part.error_code, part.partition_index), (0, next.0), "at {}", next.1);
                let first = next.1;
                for (offset, value) in values(part).into_iter().filter(|(offset, _)| *offset >= first) {
                    assert_eq!(offset, next.1, "{}-{}: offsets without a gap", self.topic, next.0);
                    ledger.read(self.topic, next.0, offset, RecordId::of(&value));
                    next.1 += 1;
                }
            }
        }
    }

    fn request(&self) -> FetchRequest {
        fetch(self.topic, &self.next).with_max_wait_ms(100)
    }
}
