//! The keeper of the catalog, on shard 0: it makes changes out of wishes, one at a time.
//!
//! A change is appended to the catalog's log; once that is acknowledged it is applied here and sent to every other
//! shard; once all have applied it the wish is answered. So whoever has the answer finds the topic on every shard.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::catalog::{Catalog, Change, Effect, ProducerIdPool, SettingsEdit, TopicConfig};
use crate::error::Error;
use crate::limits;
use crate::mailbox::ReplyTo;
use crate::request::{CreatedTopic, Reply};
use crate::types::{ShardId, TopicId};

/// What somebody wants of the catalog.
pub enum Wish {
    /// A topic.
    Create {
        /// Its id: new and random.
        id: TopicId,
        /// Its name.
        name: String,
        /// Its number of partitions.
        partitions: i32,
        /// Its settings.
        configs: Vec<(String, String)>,
        /// Whether it is only to be checked.
        validate_only: bool,
    },
    /// A topic's end.
    Delete {
        /// Which.
        id: TopicId,
    },
    /// Other settings for a topic.
    Alter {
        /// Which.
        id: TopicId,
        /// What becomes of its settings.
        edit: SettingsEdit,
        /// Whether it is only to be checked.
        validate_only: bool,
    },
    /// More partitions for a topic.
    AddPartitions {
        /// Which.
        id: TopicId,
        /// How many it has afterwards.
        partitions: i32,
        /// Whether it is only to be checked.
        validate_only: bool,
    },
    /// A producer id.
    ProducerId,
    /// Nothing is left of a deleted topic: its tombstone may go. Nobody waits for that.
    Purge {
        /// Which.
        id: TopicId,
    },
}

/// A wish on its way.
struct Current {
    from: Option<ReplyTo>,
    wish: Wish,
    change: Change,
    /// Shards that have not applied it yet; `None` before it is durable.
    waiting: Option<Vec<ShardId>>,
}

/// What the shard has to do next.
pub enum Step {
    /// Nothing.
    Rest,
    /// Append this change to the catalog's log, and report to [`Keeper::appended`].
    Append(Change),
    /// Deliver this.
    Answer(ReplyTo, Reply),
}

/// See the module.
#[derive(Default)]
pub struct Keeper {
    wishes: VecDeque<(Option<ReplyTo>, Wish)>,
    current: Option<Current>,
    ids: ProducerIdPool,
    version: u64,
}

impl Keeper {
    /// Takes a wish; [`Keeper::step`] acts on it.
    pub fn wish(&mut self, from: Option<ReplyTo>, wish: Wish) {
        self.wishes.push_back((from, wish));
    }

    /// Whether a wish will still be answered: those that wait for a shard that has ended will not, nor any behind them.
    pub fn is_busy(&self, has_ended: impl Fn(ShardId) -> bool) -> bool {
        match &self.current {
            None => !self.wishes.is_empty(),
            Some(Current { waiting: None, .. }) => true,
            Some(Current { waiting: Some(waiting), .. }) => !waiting.iter().any(|shard| has_ended(*shard)),
        }
    }

    /// What is to be done next. Called until it says [`Step::Rest`].
    pub fn step(&mut self, catalog: &Catalog) -> Step {
        if self.current.is_some() {
            return Step::Rest;
        }
        let Some((from, wish)) = self.wishes.pop_front() else { return Step::Rest };
        match self.plan(&wish, catalog) {
            Planned::Change(change) => {
                self.current = Some(Current { from, wish, change: change.clone(), waiting: None });
                Step::Append(change)
            }
            Planned::Reply(reply) => match from {
                Some(from) => Step::Answer(from, reply),
                None => self.step(catalog),
            },
        }
    }

    fn plan(&mut self, wish: &Wish, catalog: &Catalog) -> Planned {
        match wish {
            Wish::Create { id, name, partitions, configs, validate_only } => {
                match catalog.plan_create(*id, name, *partitions, configs) {
                    Err(refused) => Planned::Reply(Reply::CreateTopic(Err(refused.into()))),
                    Ok(_) if *validate_only => {
                        let config = catalog.defaults().with(configs).expect("planning has checked it");
                        let configs = entries(&config);
                        let topic = CreatedTopic { id: TopicId::NONE, partitions: *partitions, configs };
                        Planned::Reply(Reply::CreateTopic(Ok(topic)))
                    }
                    Ok(change) => Planned::Change(change),
                }
            }
            Wish::Delete { id } => catalog
                .plan_delete(*id)
                .map_or(Planned::Reply(Reply::DeleteTopic(Err(Error::UnknownPartition))), Planned::Change),
            Wish::Alter { id, edit, validate_only } => match catalog.plan_alter(*id, edit) {
                Ok(Some(change)) if !validate_only => Planned::Change(change),
                checked => Planned::Reply(Reply::AlterTopic(checked.map(|_| ()).map_err(Error::from))),
            },
            Wish::AddPartitions { id, partitions, validate_only } => {
                match catalog.plan_add_partitions(*id, *partitions) {
                    Ok(change) if !validate_only => Planned::Change(change),
                    checked => Planned::Reply(Reply::AddPartitions(checked.map(|_| ()).map_err(Error::from))),
                }
            }
            Wish::ProducerId => match self.ids.take() {
                Some(id) => Planned::Reply(Reply::NewProducerId(Ok(id))),
                None => catalog
                    .plan_producer_ids(limits::PRODUCER_ID_BLOCK)
                    .map_or(Planned::Reply(Reply::NewProducerId(Err(Error::Busy))), Planned::Change),
            },
            // Nobody waits for a purge, so its reply is dropped.
            Wish::Purge { id } => {
                catalog.plan_purge(*id).map_or(Planned::Reply(Reply::DeleteTopic(Ok(()))), Planned::Change)
            }
        }
    }

    /// The change's append has been answered. Returns the change, to be applied and sent to `others` under the
    /// returned version, or the answer to a wish that failed.
    pub fn appended(
        &mut self,
        result: Result<(), Error>,
        others: Vec<ShardId>,
    ) -> Result<(u64, Change), Step> {
        let current = self.current.as_mut().expect("an append was answered that was not made");
        match result {
            Ok(()) => {
                self.version += 1;
                current.waiting = Some(others);
                Ok((self.version, current.change.clone()))
            }
            Err(error) => {
                let current = self.current.take().expect("it was just there");
                let reply = match current.wish {
                    Wish::Create { .. } => Reply::CreateTopic(Err(error)),
                    Wish::Delete { .. } | Wish::Purge { .. } => Reply::DeleteTopic(Err(error)),
                    Wish::Alter { .. } => Reply::AlterTopic(Err(error)),
                    Wish::AddPartitions { .. } => Reply::AddPartitions(Err(error)),
                    Wish::ProducerId => Reply::NewProducerId(Err(error)),
                };
                Err(current.from.map_or(Step::Rest, |from| Step::Answer(from, reply)))
            }
        }
    }

    /// The change has been applied here, with this effect.
    pub fn applied_here(&mut self, effect: &Effect) -> Step {
        if let Effect::ProducerIdsReserved(block) = effect {
            self.ids.add(block.clone());
        }
        self.finish_if_applied(Some(effect))
    }

    /// Another shard has applied a version.
    pub fn applied_there(&mut self, shard: ShardId, version: u64, catalog: &Catalog) -> Step {
        assert_eq!(version, self.version, "shard {shard} reports a version that is not under way");
        let current = self.current.as_mut().expect("a report came for a change under way");
        let waiting = current.waiting.as_mut().expect("only durable changes are sent");
        waiting.retain(|other| *other != shard);
        let created = match &current.change {
            Change::TopicCreated { id, .. } => catalog.topic(*id).cloned().map(Effect::TopicCreated),
            _ => None,
        };
        self.finish_if_applied(created.as_ref())
    }

    fn finish_if_applied(&mut self, effect: Option<&Effect>) -> Step {
        let waits = self.current.as_ref().and_then(|current| current.waiting.as_ref());
        if waits.is_none_or(|waiting| !waiting.is_empty()) {
            return Step::Rest;
        }
        let Current { from, wish, .. } = self.current.take().expect("it was just there");
        let reply = match (wish, effect) {
            (Wish::Create { .. }, Some(Effect::TopicCreated(topic))) => {
                Reply::CreateTopic(Ok(CreatedTopic {
                    id: topic.id,
                    partitions: topic.partitions,
                    configs: entries(&topic.config),
                }))
            }
            // Deleted again by the time it was known everywhere.
            (Wish::Create { .. }, _) => Reply::CreateTopic(Err(Error::UnknownPartition)),
            (Wish::Delete { .. } | Wish::Purge { .. }, _) => Reply::DeleteTopic(Ok(())),
            (Wish::Alter { .. }, _) => Reply::AlterTopic(Ok(())),
            (Wish::AddPartitions { .. }, _) => Reply::AddPartitions(Ok(())),
            (Wish::ProducerId, _) => Reply::NewProducerId(self.ids.take().ok_or(Error::Busy)),
        };
        from.map_or(Step::Rest, |from| Step::Answer(from, reply))
    }
}

enum Planned {
    Change(Change),
    Reply(Reply),
}

/// A topic's settings as they are told.
pub fn entries(config: &TopicConfig) -> Arc<[(String, String)]> {
    config.entries().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
