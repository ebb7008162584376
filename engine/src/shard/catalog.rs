//! The catalog on a shard: its changes, kept on shard 0 and applied everywhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Shard;
use super::keeper::{Step, Wish};
use super::requests::KEEPER_TAG;
use crate::batch::BatchBuilder;
use crate::catalog::{Change, Effect, Topic};
use crate::error::Error;
use crate::io::{Io, Slice};
use crate::mailbox::{Mail, ReplyTo};
use crate::open::{CATALOG_PARTITION, Loaded};
use crate::partition::PartitionSettings;
use crate::request::Origin;
use crate::types::ShardId;

impl<I: Io> Shard<I> {
    /// Takes a wish and acts on it.
    pub(super) fn wish(&mut self, from: Option<ReplyTo>, wish: Wish) {
        self.keeper_mut().wish(from, wish);
        self.step_keeper();
    }

    fn keeper_mut(&mut self) -> &mut super::keeper::Keeper {
        self.keeper.as_mut().expect("wishes are sent to the keeper's shard")
    }

    fn step_keeper(&mut self) {
        loop {
            let keeper = self.keeper.as_mut().expect("only the keeper's shard steps it");
            match keeper.step(&self.catalog) {
                Step::Rest => return,
                Step::Answer(to, reply) => self.answer(to, reply),
                Step::Append(change) => self.append_change(&change),
            }
        }
    }

    fn append_change(&mut self, change: &Change) {
        let mut value = Vec::new();
        change.encode(&mut value);
        let mut builder = BatchBuilder::new(usize::MAX);
        builder
            .push(self.io.unix_millis(), None, Some(&value))
            .expect("a change is far smaller than a batch may be");
        let batch = Slice::copy_from(builder.finish().expect("one record was pushed"));
        let from = ReplyTo::Shard { shard: self.id, tag: KEEPER_TAG };
        let slot = self.slots.find(CATALOG_PARTITION).expect("the keeper's shard has the catalog's log");
        self.slots.at(slot).last_used = self.io.now();
        self.note_appended(slot, batch.len() as u64);
        self.with(slot, |partition, cx| partition.append(from, batch, Origin::Coordinator, cx));
    }

    /// A change of the keeper's has become durable, or failed.
    pub(super) fn catalog_appended(&mut self, result: Result<(), Error>) {
        let others: Vec<ShardId> =
            (0..self.peers.shards()).map(ShardId::new).filter(|shard| *shard != self.id).collect();
        match self.keeper_mut().appended(result, others.clone()) {
            Ok((version, change)) => {
                let mut bytes = Vec::new();
                change.encode(&mut bytes);
                let changes: Arc<[u8]> = bytes.into();
                for shard in others {
                    self.peers.send(shard, Mail::Catalog { version, changes: Arc::clone(&changes) });
                }
                let effect = self.apply(&change);
                let step = self.keeper_mut().applied_here(&effect);
                self.take_step(step);
            }
            Err(step) => self.take_step(step),
        }
    }

    /// Another shard has applied a version.
    pub(super) fn applied_there(&mut self, shard: ShardId, version: u64) {
        let keeper = self.keeper.as_mut().expect("reports are sent to the keeper's shard");
        let step = keeper.applied_there(shard, version, &self.catalog);
        self.take_step(step);
    }

    fn take_step(&mut self, step: Step) {
        if let Step::Answer(to, reply) = step {
            self.answer(to, reply);
        }
        self.step_keeper();
    }

    /// The keeper has sent a change.
    pub(super) fn apply_from_keeper(&mut self, version: u64, changes: &[u8]) {
        let change = Change::decode(changes).expect("the keeper's change is well-formed");
        self.apply(&change);
        self.peers.send(crate::placement::CATALOG_SHARD, Mail::CatalogApplied { shard: self.id, version });
    }

    fn apply(&mut self, change: &Change) -> Effect {
        let effect = self.catalog.apply(change).expect("what the keeper planned holds until it is applied");
        match &effect {
            Effect::TopicDeleted(topic) => {
                let slots = self.slots_of(topic);
                // At once, since there may be thousands of all. Who watches is told when its partition is closed.
                let gone: BTreeSet<usize> = slots.iter().copied().collect();
                self.watches.retain(|watch| !gone.contains(&watch.1));
                let in_line = self.reads.leave(|id| id.topic == topic.id);
                self.refuse(in_line, &Error::UnknownPartition);
                for slot in slots {
                    let entry = self.slots.at(slot);
                    entry.deleted = true;
                    let id = entry.id;
                    self.slots.forget(id);
                    self.with_quietly(slot, |partition, cx| partition.close(cx));
                    self.bury(slot);
                }
            }
            Effect::TopicReconfigured(topic) => {
                for slot in self.slots_of(topic) {
                    let id = self.slots.at(slot).id;
                    let (settings, log) =
                        (PartitionSettings::of(&topic.config), self.log_settings(id, &topic.config));
                    self.with(slot, |partition, cx| partition.reconfigure(settings, log, cx));
                }
            }
            // A partition's place is made when it is first used.
            Effect::TopicCreated(_)
            | Effect::PartitionsAdded(_)
            | Effect::TopicPurged(_)
            | Effect::ProducerIdsReserved(_) => {}
        }
        effect
    }

    /// Where the partitions of a live topic are that this shard has.
    fn slots_of(&self, topic: &Topic) -> Vec<usize> {
        let slots = self.slots.iter().filter(|(_, entry)| entry.id.topic == topic.id && !entry.deleted);
        slots.map(|(slot, _)| slot).collect()
    }

    /// Removes the files of topics that were deleted before a crash; forgets those of which nothing is left.
    pub(super) fn clear_tombstones(&mut self, loaded: &Loaded) {
        let mut gone = Vec::new();
        let tombstones: Vec<_> = self.catalog.tombstones().map(|topic| topic.id).collect();
        for topic in tombstones {
            let folders: Vec<_> = loaded.folders.iter().copied().filter(|id| id.topic == topic).collect();
            if folders.is_empty() {
                gone.push(topic);
            }
            for id in folders {
                if self.owner(id) == self.id {
                    self.remove_files(id);
                }
            }
        }
        if self.keeper.is_some() {
            for id in gone {
                self.keeper_mut().wish(None, Wish::Purge { id });
            }
            self.step_keeper();
        }
    }
}
