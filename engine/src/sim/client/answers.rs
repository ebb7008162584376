//! What the clients make of the replies.

use super::{Asked, Bench, What, Why};
use crate::error::Error;
use crate::io::{Io, Slice};
use crate::request::{Appended, FoundOffset, Records, Reply};
use crate::shard::Shard;
use crate::sim::checker::{BatchNumber, Floor, Verdict};
use crate::sim::io::SimIo;
use crate::sim::producer::{Producer, Sending};
use crate::types::{PartitionId, TopicId};

/// Failed tries after which a log isn't read as a whole in this life.
const FAILURES_MAX: u32 = 20;

impl Bench {
    /// Judges a reply.
    pub(super) fn answered(&mut self, shard: &mut Shard<SimIo>, tag: u64, reply: Reply) -> Verdict {
        let Some(Asked { shard: on, what, .. }) = self.in_flight.remove(&tag) else {
            return Err(format!("request {tag} was answered twice"));
        };
        match (what, reply) {
            (What::Append { partition, number }, Reply::Append(result)) => {
                self.appended(partition, number, result)
            }
            (What::Produce { partition, number, producer, sending }, Reply::Append(result)) => {
                self.produced(partition, number, producer, sending, result)
            }
            (What::Read { partition, from, floor, why }, Reply::Read(result)) => match why {
                Why::Whole { failures } => self.read_on(shard, on, partition, from, floor, failures, result),
                Why::Look | Why::News => {
                    if let Ok(records) = &result {
                        self.read_again(shard, on, partition, from, records);
                    }
                    self.has_read(partition, from, floor, why, result)
                }
            },
            (What::ReadStored { partition, from, floor, expected }, Reply::ReadStored(result)) => {
                self.has_read_again(partition, from, floor, &expected, result)
            }
            (What::Watch { partition, end, until }, Reply::Watch(news)) => {
                if !news && !self.stopping && shard.io().now() < until {
                    return Err(format!("{partition}: a watch ended without news before its time"));
                }
                if news && self.checker.is_alive(partition.topic) && !self.stopping {
                    self.read(shard, on, partition, end, Why::News);
                }
                Ok(())
            }
            (What::Latest { partition, floor }, Reply::ListOffset(result)) => match result {
                Ok(found) if found.offset.value() < floor => {
                    Err(format!("{partition}: the end is {}, but {floor} was shown before", found.offset))
                }
                Ok(found) => self.checker.shown(partition, found.offset.value()),
                Err(error) => self.excuse(partition, &error),
            },
            (What::Earliest { partition, floor }, Reply::ListOffset(result)) => match result {
                Ok(found) => self.checker.starts_at(partition, floor, found.offset.value()),
                Err(error) => self.excuse(partition, &error),
            },
            (What::DeleteRecords { partition, before }, Reply::DeleteRecords(result)) => match result {
                Ok(start) => self.checker.records_deleted(partition, before, start.value()),
                Err(error) => self.excuse(partition, &error),
            },
            (What::Newest { partition, floor }, Reply::ListOffset(result)) => match result {
                Ok(found) => self.checker.newest_at(partition, floor, found.offset.value()),
                Err(error) => self.excuse(partition, &error),
            },
            (What::AnyOffset { partition }, Reply::ListOffset(result)) => self.found(partition, result),
            (What::Create { name }, Reply::CreateTopic(result)) => match result {
                Ok(topic) => self.checker.created(&name, topic.id),
                Err(error) => self.not_created(&name, &error),
            },
            (What::Delete { id }, Reply::DeleteTopic(result)) => self.deleted(id, result),
            (What::Alter { id }, Reply::AlterTopic(result)) => {
                result.or_else(|error| self.excuse_topic(id, &error))
            }
            (What::Grow { id, partitions }, Reply::AddPartitions(result)) => {
                self.grown(id, partitions, result)
            }
            (What::ProducerId, Reply::NewProducerId(result)) => match result {
                Ok(id) => {
                    self.producers.push(Producer::new(id.value()));
                    self.checker.producer_id(id.value())
                }
                Err(error) => self.excuse_catalog(&error),
            },
            (_, reply) => Err(format!("request {tag} got the reply to another one: {reply:?}")),
        }
    }

    fn appended(
        &mut self,
        partition: PartitionId,
        number: BatchNumber,
        result: Result<Appended, Error>,
    ) -> Verdict {
        match result {
            Ok(appended) => self.checker.acknowledged(number, appended.base_offset),
            Err(error) => {
                if matches!(error, Error::DiskFull | Error::Busy) {
                    self.checker.refused(number);
                }
                self.excuse(partition, &error)
            }
        }
    }

    fn produced(
        &mut self,
        partition: PartitionId,
        number: BatchNumber,
        producer: usize,
        sending: Sending,
        result: Result<Appended, Error>,
    ) -> Verdict {
        let acknowledged = self.producers[producer].has_acknowledged(partition, number);
        let error = match result {
            Ok(appended) => {
                self.checker.acknowledged(number, appended.base_offset)?;
                return self.producers[producer].acknowledged(partition, number);
            }
            Err(error) => error,
        };
        let until_restart = matches!(error, Error::Storage(_) | Error::Stopped);
        self.producers[producer].refused(partition, number, until_restart);
        match error {
            Error::DuplicateSequence if sending.is_copy => Ok(()),
            Error::OutOfOrderSequence { .. } if !(sending.is_next || sending.is_copy && acknowledged) => {
                Ok(())
            }
            error => self.excuse(partition, &error),
        }
    }

    fn has_read(
        &mut self,
        partition: PartitionId,
        from: i64,
        floor: Floor,
        why: Why,
        result: Result<Records, Error>,
    ) -> Verdict {
        match result {
            Ok(records) => {
                let next = self.checker.read(partition, from, floor, &records)?;
                if why == Why::News && next == from {
                    return Err(format!(
                        "{partition}: a watch promised something at {from}, and nothing is there"
                    ));
                }
                Ok(())
            }
            Err(Error::OffsetOutOfRange { start, .. }) => {
                self.checker.out_of_range(partition, from, floor, start.value())
            }
            Err(error) => self.excuse(partition, &error),
        }
    }

    /// Bytes that a read from `from` on has found were asked for once more.
    fn has_read_again(
        &mut self,
        partition: PartitionId,
        from: i64,
        floor: Floor,
        expected: &[u8],
        result: Result<Vec<Slice>, Error>,
    ) -> Verdict {
        match result {
            Ok(slices) => {
                let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                if bytes.is_empty() || !expected.starts_with(&bytes) {
                    return Err(format!(
                        "{partition}: {} bytes that a read from {from} brought are not the same a second time",
                        expected.len()
                    ));
                }
                Ok(())
            }
            Err(Error::OffsetOutOfRange { start, .. }) => {
                self.checker.out_of_range(partition, from, floor, start.value())
            }
            Err(error) => self.excuse(partition, &error),
        }
    }

    /// Goes on reading a log as a whole.
    #[expect(clippy::too_many_arguments, reason = "one read with its answer, judged in one place")]
    fn read_on(
        &mut self,
        shard: &mut Shard<SimIo>,
        on: u16,
        partition: PartitionId,
        from: i64,
        floor: Floor,
        failures: u32,
        result: Result<Records, Error>,
    ) -> Verdict {
        let next = match result {
            Ok(records) => {
                let next = self.checker.read(partition, from, floor, &records)?;
                if next == records.high_watermark.value() {
                    return self.checker.read_whole(partition, next);
                }
                next
            }
            Err(Error::OffsetOutOfRange { start, .. }) => {
                self.checker.out_of_range(partition, from, floor, start.value())?;
                start.value()
            }
            Err(error) => {
                self.excuse(partition, &error)?;
                if failures == FAILURES_MAX {
                    self.checker.not_read_whole(partition);
                    return Ok(());
                }
                from
            }
        };
        let failures = if next == from { failures + 1 } else { 0 };
        self.read(shard, on, partition, next, Why::Whole { failures });
        Ok(())
    }

    fn found(&mut self, partition: PartitionId, result: Result<FoundOffset, Error>) -> Verdict {
        match result {
            Ok(found) if found.offset.value() < -1 => {
                Err(format!("{partition}: a search found offset {}", found.offset))
            }
            Ok(_) => Ok(()),
            Err(error) => self.excuse(partition, &error),
        }
    }

    fn not_created(&mut self, name: &str, error: &Error) -> Verdict {
        match error {
            // Names are only asked for while they are free.
            Error::TopicExists => Err(format!("{name} doesn't exist, but its creation says that it does")),
            Error::Busy | Error::DiskFull => {
                self.checker.not_created(name);
                Ok(())
            }
            error => self.excuse_catalog(error),
        }
    }

    fn deleted(&mut self, id: TopicId, result: Result<(), Error>) -> Verdict {
        match result {
            Ok(()) => {
                self.checker.deleted(id);
                Ok(())
            }
            Err(error) => self.excuse_catalog(&error),
        }
    }

    fn grown(&mut self, id: TopicId, partitions: i32, result: Result<(), Error>) -> Verdict {
        match result {
            Ok(()) => self.checker.grown(id, partitions),
            Err(error) => {
                if matches!(error, Error::Busy | Error::DiskFull) {
                    self.checker.not_grown(id);
                }
                return self.excuse_topic(id, &error);
            }
        }
        Ok(())
    }

    /// Whether a change of a topic may be answered so.
    fn excuse_topic(&mut self, id: TopicId, error: &Error) -> Verdict {
        match error {
            Error::UnknownPartition if !self.checker.is_alive(id) => Ok(()),
            error => self.excuse_catalog(error).map_err(|guilty| format!("topic {id}: {guilty}")),
        }
    }

    /// Whether a partition may answer so.
    fn excuse(&mut self, partition: PartitionId, error: &Error) -> Verdict {
        match error {
            Error::UnknownPartition if !self.checker.is_alive(partition.topic) => Ok(()),
            Error::UnknownPartition => Err(format!("{partition} is unknown, but its topic lives")),
            error => self.excuse_catalog(error).map_err(|guilty| format!("{partition}: {guilty}")),
        }
    }

    /// Whether anything may be answered so.
    fn excuse_catalog(&mut self, error: &Error) -> Verdict {
        match error {
            Error::Busy => Ok(()),
            Error::Storage(_) | Error::DiskFull if self.faulty => {
                self.excused += 1;
                Ok(())
            }
            Error::Stopped if self.stopping => Ok(()),
            error => Err(format!("an answer that has no reason: {error}")),
        }
    }
}
