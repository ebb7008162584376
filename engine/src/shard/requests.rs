//! Requests and replies on their way: here, to other shards, to threads outside.

use super::Shard;
use super::keeper::Wish;
use super::ops::SERVICE_BIT;
use crate::error::Error;
use crate::io::Io;
use crate::mailbox::gather::{Batch, Gathering};
use crate::mailbox::mail::Lane;
use crate::mailbox::{Mail, ReplyTo};
use crate::partition::Reading;
use crate::placement::CATALOG_SHARD;
use crate::request::{CreatedTopic, Origin, Reply, Request};
use crate::types::{PartitionId, ShardId, TopicId};

/// The tag of the catalog keeper's own appends: the service's tags have 63 bits.
pub const KEEPER_TAG: u64 = SERVICE_BIT;

impl<I: Io> Shard<I> {
    /// Asks the shard that owns the partition (or the catalog). The reply reaches the service's `on_reply` with `tag`,
    /// whose top bit must be 0, never before this returns. Requests to one partition take effect in the order in which
    /// they are made.
    pub fn request(&mut self, tag: u64, request: Request) {
        assert!(tag & SERVICE_BIT == 0, "a service's tags have 63 bits");
        let to = self.shard_of(&request);
        if to == self.id {
            self.perform(ReplyTo::Shard { shard: self.id, tag }, request);
            return;
        }
        let lane = Lane::of(&request);
        self.outbox[usize::from(to.value())][lane as usize].push_back((tag, request));
        self.send_queued(to, lane);
    }

    /// Sends what waits for a credit, as far as there are credits.
    pub(super) fn send_queued(&mut self, to: ShardId, lane: Lane) {
        while !self.outbox[usize::from(to.value())][lane as usize].is_empty() && self.credits.take(to, lane) {
            let queue = &mut self.outbox[usize::from(to.value())][lane as usize];
            let (tag, request) = queue.pop_front().expect("it is not empty");
            let from = ReplyTo::Shard { shard: self.id, tag };
            self.peers.send(to, Mail::Request { from, request });
        }
    }

    /// Whether another shard has a request of the service's that it will answer.
    pub(super) fn waits_for_others(&self) -> bool {
        (0..self.peers.shards()).map(ShardId::new).any(|shard| {
            let queued = self.outbox[usize::from(shard.value())].iter().any(|lane| !lane.is_empty());
            (queued || self.credits.has_asked(shard)) && !self.peers.has_ended(shard)
        })
    }

    fn shard_of(&self, request: &Request) -> ShardId {
        match request {
            Request::Append { partition, .. }
            | Request::Read { partition, .. }
            | Request::ReadStored { partition, .. }
            | Request::Watch { partition, .. }
            | Request::ListOffset { partition, .. }
            | Request::DeleteRecords { partition, .. }
            | Request::Describe { partition } => self.owner(*partition),
            Request::FindTopic { .. } => self.id,
            Request::CreateTopic { .. }
            | Request::DeleteTopic { .. }
            | Request::AlterTopic { .. }
            | Request::AddPartitions { .. }
            | Request::NewProducerId => CATALOG_SHARD,
        }
    }

    /// Does what is asked of this shard.
    pub(super) fn perform(&mut self, from: ReplyTo, request: Request) {
        match request {
            Request::Append { partition, batch, origin } => match self.slot_in_use(partition) {
                Ok(slot) => {
                    self.note_appended(slot, batch.len() as u64);
                    self.with(slot, |partition, cx| partition.append(from, batch, origin, cx));
                }
                Err(error) => self.answer(from, Reply::Append(Err(error))),
            },
            Request::Read { partition, from: offset, max_bytes } => match self.slot_in_use(partition) {
                Ok(slot) => {
                    self.with_quietly(slot, |partition, cx| partition.read(from, offset, max_bytes, cx))
                }
                Err(error) => self.answer(from, Reply::Read(Err(error))),
            },
            Request::ReadStored { partition, at, bytes } => match self.slot_in_use(partition) {
                Ok(slot) => {
                    self.with_quietly(slot, |partition, cx| partition.read_stored(from, at, bytes, cx));
                }
                Err(error) => self.answer(from, Reply::ReadStored(Err(error))),
            },
            Request::Watch { partition, end, until } => match self.slot_in_use(partition) {
                // Of threads outside a stop takes only what came before it, and ends their watches right afterwards.
                Ok(slot) if !self.stopping || from.may_be_abandoned() => self.watch(slot, from, end, until),
                _ => self.answer(from, Reply::Watch(true)),
            },
            Request::ListOffset { partition, query } => match self.slot_in_use(partition) {
                Ok(slot) => self.with_quietly(slot, |partition, cx| partition.list_offset(from, query, cx)),
                Err(error) => self.answer(from, Reply::ListOffset(Err(error))),
            },
            Request::DeleteRecords { partition, before } => match self.slot_in_use(partition) {
                Ok(slot) => self.with(slot, |partition, cx| partition.delete_records(from, before, cx)),
                Err(error) => self.answer(from, Reply::DeleteRecords(Err(error))),
            },
            Request::Describe { partition } => match self.slot_in_use(partition) {
                Ok(slot) => self.with_quietly(slot, |partition, cx| partition.describe(from, cx)),
                Err(error) => self.answer(from, Reply::Describe(Err(error))),
            },
            Request::FindTopic { name } => {
                let found = self.catalog.topic_named(&name).map(|topic| CreatedTopic {
                    id: topic.id,
                    partitions: topic.partitions,
                    configs: super::keeper::entries(&topic.config),
                });
                self.answer(from, Reply::FindTopic(found));
            }
            Request::CreateTopic { name, partitions, configs, validate_only } => {
                let id = TopicId::from_random(self.io.random(), self.io.random());
                let partitions = partitions.unwrap_or(self.config.num_partitions);
                self.wish(Some(from), Wish::Create { id, name, partitions, configs, validate_only });
            }
            Request::DeleteTopic { id } => self.wish(Some(from), Wish::Delete { id }),
            Request::AlterTopic { id, edit, validate_only } => {
                self.wish(Some(from), Wish::Alter { id, edit, validate_only });
            }
            Request::AddPartitions { id, partitions, validate_only } => {
                self.wish(Some(from), Wish::AddPartitions { id, partitions, validate_only });
            }
            Request::NewProducerId => self.wish(Some(from), Wish::ProducerId),
        }
    }

    /// Has the search that has waited the longest go on.
    pub(super) fn search_on(&mut self) {
        let Some((id, search)) = self.searches.pop_front() else { return };
        match self.slots.find(id) {
            Some(slot) => self.with_quietly(slot, |partition, cx| partition.search_on(search, cx)),
            None => self.refuse([search.reading], &Error::UnknownPartition),
        }
    }

    /// Refuses the searches that would go on with later turns, and the reads in line: a stop does not wait for them.
    pub(super) fn refuse_waiting(&mut self) {
        let searches = std::mem::take(&mut self.searches).into_iter().map(|(_, search)| search.reading);
        let in_line = self.reads.leave(|_| true);
        self.refuse(searches.chain(in_line), &Error::Stopped);
    }

    pub(super) fn refuse(&mut self, readings: impl IntoIterator<Item = Reading>, error: &Error) {
        for reading in readings {
            let (to, reply) = reading.refused(error.clone());
            self.answer(to, reply);
        }
    }

    /// Appends what was gathered. A stop takes that once of each appender: what was appended before it may still have been on
    /// its way.
    pub(super) fn append_gathered(&mut self, gathering: Gathering) {
        if self.stopping {
            self.append_batches(gathering.take_last());
        } else {
            self.append_batches(gathering.take());
        }
    }

    fn append_batches(&mut self, batches: impl Iterator<Item = Batch>) {
        for Batch { partition, batch, from } in batches {
            self.perform(from, Request::Append { partition, batch, origin: Origin::Client });
        }
    }

    fn slot_in_use(&mut self, id: PartitionId) -> Result<usize, Error> {
        // Only topics' partitions can be asked for; the catalog's own is the keeper's.
        if self.catalog.topic(id.topic).is_none() {
            return Err(Error::UnknownPartition);
        }
        let slot = self.slot_of(id)?;
        self.slots.at(slot).last_used = self.io.now();
        Ok(slot)
    }

    /// Delivers a reply.
    pub(super) fn answer(&mut self, to: ReplyTo, reply: Reply) {
        match to {
            ReplyTo::Shard { shard, tag: KEEPER_TAG } if shard == self.id => {
                let Reply::Append(result) = reply else { unreachable!("the keeper only appends") };
                self.catalog_appended(result.map(|_| ()));
            }
            ReplyTo::Shard { shard, tag } if shard == self.id => self.replies.push_back((tag, reply)),
            ReplyTo::Shard { shard, tag } => {
                self.peers.send(shard, Mail::Reply { from: self.id, tag, reply })
            }
            ReplyTo::Handle(completer) => {
                self.lingering.note_answered(1);
                completer.complete(reply);
            }
            ReplyTo::Group(completer) => {
                self.lingering.note_answered(completer.records());
                completer.complete(reply);
            }
        }
    }
}
