//! What the clients ask.

use super::{Asked, Bench, Phase, What, Why};
use crate::catalog::{SettingChange, SettingChangeKind, SettingsEdit};
use crate::io::Io;
use crate::io::Slice;
use crate::request::{OffsetQuery, Origin, Records, Request};
use crate::shard::Shard;
use crate::sim::checker::{BatchNumber, TopicWish};
use crate::sim::io::SimIo;
use crate::sim::producer::Next;
use crate::sim::workload::Kind;
use crate::types::{Offset, PartitionId};

/// Topics at a time at most, so that each gets its share.
const TOPICS_MAX: usize = 4;
/// Partitions of all topics beyond which none gets more.
const PARTITIONS_MAX: usize = 12;
/// Producers at most.
const PRODUCERS_MAX: usize = 4;
/// Tries in a row that found nothing to ask, after which this life is over: the catalog has failed, say.
const IN_VAIN_MAX: u32 = 1_000;
/// Names are used again and again, so that a new topic may find what an old one left.
const NAMES: u64 = 6;

impl Bench {
    /// Begins to read logs as a whole that nobody has read since the start.
    pub(super) fn read_logs(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        if self.rng.coin()
            && let Some(partition) = self.unread.pop()
        {
            self.read(shard, on, partition, 0, Why::Whole { failures: 0 });
        }
        if self.unread.is_empty() && self.in_flight.is_empty() {
            self.phase = if self.issued < self.target { Phase::Working } else { Phase::Ending };
        }
    }

    /// Makes a few requests.
    pub(super) fn burst(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let requests = 1 + self.rng.below(self.workload.burst_max);
        for _ in 0..requests {
            if self.issued + self.surge >= self.target {
                self.last_burst(shard, on);
                self.phase = Phase::Ending;
                return;
            }
            if self.in_flight.len() >= self.workload.in_flight_max {
                return;
            }
            let before = self.issued;
            self.request_any(shard, on);
            // What is under way may bring the first topic, however long it takes.
            let hopes = self.issued > before || !self.in_flight.is_empty();
            self.in_vain = if hopes { 0 } else { self.in_vain + 1 };
            if self.in_vain > IN_VAIN_MAX {
                self.phase = Phase::Ending;
                return;
            }
        }
    }

    fn last_burst(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        if self.partitions().is_empty() {
            return;
        }
        let partition = self.any_partition();
        while self.issued < self.target {
            if self.rng.odds(3, 4) {
                self.append(shard, on, partition);
            } else {
                let before = self.issued;
                self.produce(shard, on, partition);
                if self.issued == before {
                    self.append(shard, on, partition);
                }
            }
        }
    }

    fn request_any(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let topics = self.checker.alive().count();
        let kind = if topics == 0 { Kind::Create } else { self.workload.kind(&mut self.rng) };
        match kind {
            Kind::Create if topics < TOPICS_MAX => self.create(shard, on),
            Kind::Delete if topics > 1 => self.delete(shard, on),
            Kind::NewProducer if self.producers.len() < PRODUCERS_MAX => {
                self.ask(shard, on, What::ProducerId, Request::NewProducerId);
            }
            _ if topics == 0 => {}
            Kind::Produce if !self.producers.is_empty() => {
                let partition = self.any_partition();
                self.produce(shard, on, partition);
            }
            Kind::Produce | Kind::Append => {
                let partition = self.any_partition();
                self.append(shard, on, partition);
            }
            Kind::Watch => self.watch(shard, on),
            Kind::ListOffset => self.list_offset(shard, on),
            Kind::DeleteRecords => self.delete_records(shard, on),
            Kind::Alter => self.alter(shard, on),
            Kind::Grow if self.partitions().len() < PARTITIONS_MAX => self.grow(shard, on),
            Kind::Read | Kind::Create | Kind::Delete | Kind::Grow | Kind::NewProducer => {
                let partition = self.any_partition();
                let from = self.any_offset(partition);
                self.issued += 1;
                self.read(shard, on, partition, from, Why::Look);
            }
        }
    }

    /// Makes a request that counts as an operation.
    fn ask(&mut self, shard: &mut Shard<SimIo>, on: u16, what: What, request: Request) {
        self.issued += 1;
        self.ask_uncounted(shard, on, what, request);
    }

    fn ask_uncounted(&mut self, shard: &mut Shard<SimIo>, on: u16, what: What, request: Request) {
        let tag = self.next_tag;
        self.next_tag += 1;
        self.in_flight.insert(tag, Asked { shard: on, at: shard.io().now(), what });
        shard.request(tag, request);
    }

    pub(super) fn read(
        &mut self,
        shard: &mut Shard<SimIo>,
        on: u16,
        partition: PartitionId,
        from: i64,
        why: Why,
    ) {
        let max_bytes = match self.rng.below(4) {
            0 => 1,
            1 => 1 + self.rng.index(4_000),
            _ => 1 + self.rng.index(100_000),
        };
        let floor = self.checker.floor(partition);
        let request = Request::Read { partition, from: Offset::new(from), max_bytes };
        self.ask_uncounted(shard, on, What::Read { partition, from, floor, why }, request);
    }

    /// Now and then asks for some of what a read has brought once more, as those do who could not keep it.
    pub(super) fn read_again(
        &mut self,
        shard: &mut Shard<SimIo>,
        on: u16,
        partition: PartitionId,
        from: i64,
        records: &Records,
    ) {
        if records.slices.is_empty() || self.phase != Phase::Working || !self.rng.one_in(4) {
            return;
        }
        let bytes: Vec<u8> = records.slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let skipped = if self.rng.coin() { 0 } else { self.rng.index(bytes.len()) };
        let wanted = 1 + self.rng.index(bytes.len() - skipped);
        let (at, expected) = (records.at.plus(skipped as u64), &bytes[skipped..skipped + wanted]);
        let (floor, expected) = (self.checker.floor(partition), Slice::copy_from(expected));
        let what = What::ReadStored { partition, from, floor, expected };
        self.ask_uncounted(shard, on, what, Request::ReadStored { partition, at, bytes: wanted });
    }

    fn create(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let name = format!("topic-{}", self.next_topic % NAMES);
        self.next_topic += 1;
        if self.checker.may_exist(&name) {
            return;
        }
        let partitions = 1 + i32::from(self.rng.coin()) + i32::from(self.rng.coin());
        let mut configs = Vec::new();
        if self.rng.one_in(4) {
            configs.push(("message.timestamp.type".to_owned(), "LogAppendTime".to_owned()));
        }
        let flushed = !self.rng.one_in(5);
        if !flushed {
            configs.push(("flush.messages".to_owned(), "1000".to_owned()));
        }
        let limited = self.rng.one_in(3);
        if limited {
            let (name, value) = match self.rng.below(3) {
                0 => ("retention.ms", self.rng.below(40)),
                1 => ("retention.bytes", self.rng.below(100_000)),
                _ => ("segment.ms", 1 + self.rng.below(10)),
            };
            configs.push((name.to_owned(), value.to_string()));
        }
        if !flushed && self.rng.coin() {
            configs.push(("flush.ms".to_owned(), self.rng.below(5).to_string()));
        }
        self.checker.create(&name, TopicWish { partitions, flushed, limited });
        let request = Request::CreateTopic {
            name: name.clone(),
            partitions: Some(partitions),
            configs,
            validate_only: false,
        };
        self.ask(shard, on, What::Create { name }, request);
    }

    fn delete(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let topics: Vec<_> = self.checker.alive().map(|(id, _, _)| id).collect();
        let id = topics[self.rng.index(topics.len())];
        self.checker.delete(id);
        self.ask(shard, on, What::Delete { id }, Request::DeleteTopic { id });
    }

    /// Changes when segments roll, what is kept of them, or when something is flushed that need not be.
    fn alter(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let id = self.any_partition().topic;
        let (name, value) = match self.rng.below(5) {
            0 => ("retention.ms", Some(self.rng.below(40))),
            1 => ("retention.bytes", Some(self.rng.below(100_000))),
            2 => ("segment.ms", Some(1 + self.rng.below(10))),
            3 => ("flush.ms", Some(self.rng.below(5))),
            _ => (["retention.ms", "retention.bytes", "segment.ms", "flush.ms"][self.rng.index(4)], None),
        };
        self.checker.limit(id);
        let kind = value.map_or(SettingChangeKind::Reset, |value| SettingChangeKind::Set(value.to_string()));
        let edit = SettingsEdit::Each(vec![SettingChange { name: name.to_owned(), kind }]);
        self.ask(shard, on, What::Alter { id }, Request::AlterTopic { id, edit, validate_only: false });
    }

    fn grow(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let id = self.any_partition().topic;
        if let Some(partitions) = self.checker.grow(id) {
            let request = Request::AddPartitions { id, partitions, validate_only: false };
            self.ask(shard, on, What::Grow { id, partitions }, request);
        }
    }

    fn append(&mut self, shard: &mut Shard<SimIo>, on: u16, partition: PartitionId) {
        let (number, batch, records) = self.batch(shard, None);
        self.send(shard, on, What::Append { partition, number }, partition, number, batch, records);
    }

    fn produce(&mut self, shard: &mut Shard<SimIo>, on: u16, partition: PartitionId) {
        // Where acknowledged batches may be lost, so is the sequence.
        if !self.checker.is_flushed(partition.topic) {
            return self.append(shard, on, partition);
        }
        // A producer keeps to one shard's connection.
        let shards = usize::from(shard.shards());
        let own = self.producers.len().saturating_sub(usize::from(on)).div_ceil(shards);
        if own == 0 {
            return;
        }
        let producer = usize::from(on) + shards * self.rng.index(own);
        let (sent, sending) = match self.producers[producer].next(partition, &mut self.rng) {
            Next::Wait => return,
            Next::Send(sent, sending) => ((sent.number, sent.batch, sent.records), sending),
            Next::Make(sequence) => {
                let id = self.producers[producer].id;
                let (number, batch, records) = self.batch(shard, Some((id, sequence)));
                let sending = self.producers[producer].made(partition, number, batch.clone(), records);
                ((number, batch, records), sending)
            }
        };
        let (number, batch, records) = sent;
        let what = What::Produce { partition, number, producer, sending };
        self.send(shard, on, what, partition, number, batch, records);
    }

    fn batch(&mut self, shard: &mut Shard<SimIo>, producer: Option<(i64, i32)>) -> (BatchNumber, Slice, i32) {
        let number = BatchNumber(self.next_number);
        self.next_number += 1;
        let now_ms = shard.io().unix_millis();
        let (batch, records) = self.workload.batch(number, producer, now_ms, &mut self.rng);
        (number, batch, records)
    }

    #[expect(clippy::too_many_arguments, reason = "one request with its receipt, built in one place")]
    fn send(
        &mut self,
        shard: &mut Shard<SimIo>,
        on: u16,
        what: What,
        partition: PartitionId,
        number: BatchNumber,
        batch: Slice,
        records: i32,
    ) {
        self.checker.submit(number, partition, &batch, records);
        self.ask(shard, on, what, Request::Append { partition, batch, origin: Origin::Client });
    }

    fn watch(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let partition = self.any_partition();
        let end = self.checker.visible_end(partition);
        let until = shard.io().now().plus(1_000 + self.rng.below(20_000_000));
        let request = Request::Watch { partition, end: Offset::new(end), until };
        self.ask(shard, on, What::Watch { partition, end, until }, request);
    }

    fn list_offset(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let partition = self.any_partition();
        let floor = self.checker.visible_end(partition);
        let (what, query) = match self.rng.below(4) {
            0 | 1 => (What::Latest { partition, floor }, OffsetQuery::Latest),
            2 => {
                let floor = self.checker.floor(partition);
                (What::Earliest { partition, floor }, OffsetQuery::Earliest)
            }
            _ if self.rng.coin() => {
                let floor = self.checker.floor(partition);
                (What::Newest { partition, floor }, OffsetQuery::MaxTimestamp)
            }
            _ => {
                let timestamp = shard.io().unix_millis() - i64::from(self.rng.coin()) * 50;
                (What::AnyOffset { partition }, OffsetQuery::ForTimestamp(timestamp))
            }
        };
        self.ask(shard, on, what, Request::ListOffset { partition, query });
    }

    /// Mostly the older half.
    fn delete_records(&mut self, shard: &mut Shard<SimIo>, on: u16) {
        let partition = self.any_partition();
        let end = self.checker.visible_end(partition).unsigned_abs();
        let span = if self.rng.odds(3, 4) { end / 2 } else { end };
        let before = i64::try_from(self.rng.below(span + 1)).expect("at most the end");
        self.checker.delete_records(partition, before);
        let request = Request::DeleteRecords { partition, before: Offset::new(before) };
        self.ask(shard, on, What::DeleteRecords { partition, before }, request);
    }

    fn any_partition(&mut self) -> PartitionId {
        let partitions = self.partitions();
        let hot = self.workload.hot_partitions.min(partitions.len());
        let among = if self.rng.odds(3, 4) { hot } else { partitions.len() };
        partitions[self.rng.index(among)]
    }

    /// Mostly near the end, where the hot readers are.
    fn any_offset(&mut self, partition: PartitionId) -> i64 {
        let end = self.checker.visible_end(partition);
        let span = if self.rng.coin() { end.min(5) } else { end };
        end - i64::try_from(self.rng.below(span.unsigned_abs() + 1)).expect("at most the end")
    }
}
