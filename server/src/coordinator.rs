//! Consumer groups: who is in them, who reads what, and how far they have come.
//!
//! A [`Coordinator`] keeps the groups of one partition of `__consumer_offsets`. It is a pure state machine: requests,
//! the time and the log's answers go in; answers, records to be appended and the next deadline come out. Whoever drives
//! it (`service::groups`) lives on the shard that owns the partition.
//!
//! What must survive is appended first and counts when that is acknowledged: an offset is answered, and told to others,
//! when its record is there; a generation is stable when its members' shares are. Appends are acknowledged in the order
//! in which they are made, so what is in memory is what the log's acknowledged part says. Reading that log from the start
//! ([`Loader`]) gives the same groups again, members included, who go on without a rebalance.

mod compacting;
mod group;
mod joining;
mod loading;
mod member;
mod message;
mod offset_requests;
mod offsets;
mod rebalancing;
mod record;
mod syncing;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use tora_engine::types::{Nanos, Offset, TopicId};

use crate::error_code::ErrorCode;
use compacting::Compaction;
use group::{Context, Group, State};

pub use loading::Loader;
pub use message::{
    Answer, Ask, Commit, Description, Identity, Join, Joined, Leaver, Listed, Name, Opaque, Sync, Ticket,
};
pub use offset_requests::is_another;
pub use offsets::{Committed, OffsetKey};
pub use record::Record;

/// The topic that groups are stored in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Whether a topic is the broker's own: clients may read it, and neither write nor delete it.
#[must_use]
pub fn is_internal(topic: &str) -> bool {
    topic == OFFSETS_TOPIC
}

/// The partition of `__consumer_offsets` that a group belongs to, of `partitions`: Kafka's choice, by the absolute value of
/// a Java string's hash (over UTF-16); of the least number, which has none, it is 0.
#[must_use]
pub fn partition_of(group: &str, partitions: i32) -> i32 {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % partitions
}

/// What groups are kept by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `group.min.session.timeout.ms`.
    pub session_min_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub session_max_ms: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay_ms: u64,
    /// `group.max.size`.
    pub group_size_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub check_interval_ms: u64,
    /// `offset.metadata.max.bytes`.
    pub metadata_bytes_max: usize,
    /// Bytes of records that are appended together at most; a batch has to fit into `max.message.bytes`.
    pub batch_bytes_max: usize,
    /// Bytes by which a partition grows before its live state is written again, and what lies before it given up.
    pub compact_bytes: u64,
}

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// By the clock that deadlines go by.
    pub nanos: Nanos,
    /// By the calendar: milliseconds since the Unix epoch.
    pub unix_millis: i64,
}

/// What comes of a call.
#[derive(Debug, Default)]
pub struct Effects {
    /// Answers to be delivered.
    pub answers: Vec<(Ticket, Answer)>,
    /// Records to be appended, each lot as one batch, in this order.
    pub appends: Vec<Append>,
    /// The log's beginning may be given up to here.
    pub obsolete_before: Option<Offset>,
}

impl Effects {
    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push((ticket, answer));
    }
}

/// Records to be appended together.
#[derive(Debug)]
pub struct Append {
    /// The records.
    pub records: Vec<Record>,
    /// What [`Coordinator::appended`] is told when they are, or cannot be.
    pub then: Then,
}

/// What an append was for.
#[derive(Debug)]
pub enum Then {
    /// A generation's shares.
    Assigned(Assigned),
    /// A static member's new id.
    StaticReplaced(StaticReplaced),
    /// A group that has no members any more.
    Emptied {
        /// Which.
        group: Name,
    },
    /// Offsets.
    Committed {
        /// The group.
        group: Name,
        /// Whom to tell.
        ticket: Ticket,
        /// What is committed.
        offsets: Vec<(OffsetKey, Committed)>,
    },
    /// Offsets taken away, and perhaps the group with them.
    Removed(Removed),
    /// A part of the live state, written again.
    Compacted,
}

/// See [`Then::Assigned`].
#[derive(Debug)]
pub struct Assigned {
    group: Name,
    generation: i32,
    shares: Vec<(Name, Opaque)>,
}

/// See [`Then::StaticReplaced`].
#[derive(Debug)]
pub struct StaticReplaced {
    group: Name,
    /// Its new id.
    member: Name,
    ticket: Ticket,
    /// The leader's id to tell it, where that is not the present one.
    leader: Option<Name>,
}

/// See [`Then::Removed`].
#[derive(Debug)]
pub struct Removed {
    group: Name,
    keys: Vec<OffsetKey>,
    whole: bool,
    /// Whom to tell what when it is done.
    answer: Option<(Ticket, Answer)>,
}

/// See the module.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    groups: BTreeMap<Name, Group>,
    /// When each group wants to be looked at.
    timers: BTreeSet<(Nanos, Name)>,
    next_check: Nanos,
    compaction: Compaction,
}

impl Coordinator {
    /// One without groups.
    #[must_use]
    pub fn new(settings: Settings, now: Now) -> Self {
        let next_check = now.nanos.plus_millis(settings.check_interval_ms);
        Self {
            settings,
            groups: BTreeMap::new(),
            timers: BTreeSet::new(),
            next_check,
            compaction: Compaction::default(),
        }
    }

    /// Takes a request to a group. Its ticket is answered once, now or later.
    pub fn ask(&mut self, ticket: Ticket, name: &Name, ask: Ask, now: Now, out: &mut Effects) {
        if let Some(error) = self.refusal(name, &ask) {
            out.answer(ticket, ask.refusal(error));
            return;
        }
        if !self.groups.contains_key(name) {
            if let Some(answer) = without_group(&ask) {
                out.answer(ticket, answer);
                return;
            }
            self.groups.insert(Name::clone(name), Group::new(Name::clone(name), now));
        }
        self.with(name, now, out, |group, cx| match ask {
            Ask::Join(join) => group.join(ticket, &join, cx),
            Ask::Sync(sync) => group.sync(ticket, &sync, cx),
            Ask::Heartbeat(identity) => {
                let error = group.heartbeat(&identity, cx);
                cx.out.answer(ticket, Answer::Plain(error));
            }
            Ask::Leave(leavers) => {
                let answer = group.leave(leavers, cx);
                cx.out.answer(ticket, answer);
            }
            Ask::Commit(commit) => group.commit(ticket, *commit, cx),
            Ask::Fetch(keys) => {
                let found = group.fetch(keys);
                cx.out.answer(ticket, Answer::Fetch(Ok(found)));
            }
            Ask::Describe => {
                let described = group.describe();
                cx.out.answer(ticket, Answer::Describe(Ok(described)));
            }
            Ask::Delete => group.delete(ticket, cx),
            Ask::DeleteOffsets(keys) => group.delete_offsets(ticket, keys, cx),
        });
        self.compact_if_due(out);
    }

    fn refusal(&self, name: &Name, ask: &Ask) -> Option<ErrorCode> {
        let joins = matches!(ask, Ask::Join(_) | Ask::Sync(_) | Ask::Heartbeat(_) | Ask::Leave(_));
        // A group without a name may keep offsets, as it could in Kafka's early days, but have no members.
        if joins && name.is_empty() {
            return Some(ErrorCode::INVALID_GROUP_ID);
        }
        let Ask::Join(join) = ask else { return None };
        let sessions = self.settings.session_min_ms..=self.settings.session_max_ms;
        if !sessions.contains(&join.session_timeout_ms) {
            return Some(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        let known = join.member.is_empty() || self.groups.contains_key(name);
        (!known).then_some(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// The groups there are.
    #[must_use]
    pub fn list(&self) -> Vec<Listed> {
        let groups = self.groups.iter().filter(|(_, group)| group.state() != State::Dead);
        groups
            .map(|(name, group)| Listed {
                group: Name::clone(name),
                protocol_type: group.protocol_type(),
                state: group.state().name(),
            })
            .collect()
    }

    /// An append has been acknowledged with its first offset, or refused. They come in the order in which they were
    /// made.
    pub fn appended(&mut self, then: Then, outcome: Result<Offset, ErrorCode>, now: Now, out: &mut Effects) {
        let done = outcome.map(|first| self.compaction.acknowledged(first));
        match then {
            Then::Compacted => self.compacted(outcome, out),
            Then::Assigned(assigned) => {
                let name = Name::clone(&assigned.group);
                self.with(&name, now, out, |group, cx| group.assigned(assigned, done, cx));
            }
            Then::StaticReplaced(replaced) => {
                let name = Name::clone(&replaced.group);
                self.with(&name, now, out, |group, cx| group.static_replaced(&replaced, done, cx));
            }
            Then::Emptied { group } => {
                if let Err(error) = done {
                    log::warn!(
                        "group {group}: that it is empty could not be stored (error {})",
                        error.value()
                    );
                }
            }
            Then::Committed { group, ticket, offsets } => {
                self.with(&group, now, out, |group, cx| {
                    for (key, committed) in offsets {
                        group.offsets.end(key, Some(committed), done.is_ok());
                    }
                    cx.out.answer(ticket, Answer::Plain(done.err().unwrap_or(ErrorCode::NONE)));
                });
            }
            Then::Removed(removed) => self.removed(removed, done, now, out),
        }
    }

    fn removed(&mut self, removed: Removed, done: Result<(), ErrorCode>, now: Now, out: &mut Effects) {
        let Removed { group: name, keys, whole, answer } = removed;
        self.with(&name, now, out, |group, cx| {
            for key in keys {
                group.offsets.end(key, None, done.is_ok());
            }
            if whole && done.is_err() {
                group.set_state(State::Empty, cx.now);
            }
            if let Some((ticket, answer)) = answer {
                let answer = match (done, answer) {
                    (Ok(()), answer) => answer,
                    (Err(error), Answer::DeleteOffsets(_)) => Answer::DeleteOffsets(Err(error)),
                    (Err(error), _) => Answer::Plain(error),
                };
                cx.out.answer(ticket, answer);
            }
        });
        if whole && done.is_ok() {
            self.forget(&name);
        }
    }

    /// Does what is due. `topic` says which topic has a name: offsets of others are given up.
    pub fn on_time(&mut self, now: Now, topic: impl Fn(&str) -> Option<TopicId>, out: &mut Effects) {
        while let Some((at, name)) = self.timers.first().cloned()
            && at <= now.nanos
        {
            self.timers.pop_first();
            if let Some(group) = self.groups.get_mut(&name) {
                group.wake_at = None;
            }
            self.with(&name, now, out, |group, cx| group.on_time(cx));
        }
        if self.next_check <= now.nanos {
            self.next_check = now.nanos.plus_millis(self.settings.check_interval_ms);
            self.expire(now, topic, out);
        }
        self.compact_if_due(out);
    }

    /// The log has just been read ([`Loader::finish`]): what was committed for topics that are gone by now is given up. The
    /// process may have ended between a topic's deletion and that of its offsets. `topic` says which topic has a name.
    pub fn loaded(&mut self, topic: impl Fn(&str) -> Option<TopicId>, now: Now, out: &mut Effects) {
        let names: Vec<Name> = self.groups.keys().cloned().collect();
        for name in names {
            self.with(&name, now, out, |group, cx| group.give_up_gone_topics(&topic, cx));
        }
    }

    fn expire(&mut self, now: Now, topic: impl Fn(&str) -> Option<TopicId>, out: &mut Effects) {
        let names: Vec<Name> = self.groups.keys().cloned().collect();
        for name in names {
            self.with(&name, now, out, |group, cx| group.expire(&topic, cx));
        }
    }

    /// A topic is deleted: what was committed for it is given up. `topic` has its name now, if one has.
    pub fn topic_deleted(&mut self, deleted: &str, topic: Option<TopicId>, now: Now, out: &mut Effects) {
        let first = OffsetKey { topic: deleted.into(), partition: i32::MIN };
        let concerned = self.groups.iter().filter(|(_, group)| group.offsets.has_of_topic(&first));
        let names: Vec<Name> = concerned.map(|(name, _)| Name::clone(name)).collect();
        for name in names {
            self.with(&name, now, out, |group, cx| group.topic_deleted(deleted, topic, cx));
        }
        self.compact_if_due(out);
    }

    /// When [`Coordinator::on_time`] is due.
    #[must_use]
    pub fn next_deadline(&self) -> Nanos {
        self.timers.first().map_or(self.next_check, |timer| timer.0.min(self.next_check))
    }

    /// Nothing more is done here: everybody who waits is sent to look for another coordinator.
    pub fn stop(&mut self, out: &mut Effects) {
        for group in self.groups.values_mut() {
            for (id, member) in &mut group.members {
                Group::release(member, id, ErrorCode::NOT_COORDINATOR, out);
            }
        }
    }

    /// Calls a group, and sees to its timer and its end.
    fn with(
        &mut self,
        name: &Name,
        now: Now,
        out: &mut Effects,
        call: impl FnOnce(&mut Group, &mut Context<'_>),
    ) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let before = group.wake_at;
        let appends = out.appends.len();
        call(group, &mut Context { now, settings: &self.settings, out });
        if group.wake_at != before {
            if let Some(before) = before {
                self.timers.remove(&(before, Name::clone(name)));
            }
            if let Some(at) = group.wake_at {
                self.timers.insert((at, Name::clone(name)));
            }
        }
        self.compaction.note(&out.appends[appends..]);
        if group.is_vacant() {
            self.forget(name);
        }
    }

    fn forget(&mut self, name: &Name) {
        if let Some(group) = self.groups.remove(name)
            && let Some(at) = group.wake_at
        {
            self.timers.remove(&(at, Name::clone(name)));
        }
    }
}

/// What is answered where there is no such group; `None` where asking makes one.
fn without_group(ask: &Ask) -> Option<Answer> {
    let error = match ask {
        Ask::Join(_) => return None,
        Ask::Commit(commit) if commit.identity.generation < 0 => return None,
        Ask::Commit(commit) if commit.tells_unknown_group => ErrorCode::GROUP_ID_NOT_FOUND,
        Ask::Commit(_) => ErrorCode::ILLEGAL_GENERATION,
        Ask::Sync(_) | Ask::Heartbeat(_) => ErrorCode::UNKNOWN_MEMBER_ID,
        Ask::Leave(leavers) => {
            let unknown = leavers.iter().map(|leaver| (leaver.clone(), ErrorCode::UNKNOWN_MEMBER_ID));
            return Some(Answer::Leave(ErrorCode::NONE, unknown.collect()));
        }
        Ask::Fetch(keys) => {
            let nothing = keys.iter().flatten().map(|key| (key.clone(), None));
            return Some(Answer::Fetch(Ok(nothing.collect())));
        }
        Ask::Describe | Ask::Delete | Ask::DeleteOffsets(_) => ErrorCode::GROUP_ID_NOT_FOUND,
    };
    Some(ask.refusal(error))
}

impl Coordinator {
    /// The groups after `after`, for a walk that is interrupted.
    fn groups_after(&self, after: Option<&Name>) -> impl Iterator<Item = (&Name, &Group)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range::<Name, _>((from, Bound::Unbounded))
    }
}

#[cfg(test)]
mod tests;
