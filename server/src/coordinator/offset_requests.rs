//! Committing, reading, deleting and expiring a group's offsets.

use tora_engine::types::TopicId;

use super::group::{Context, Group, State};
use super::message::{Answer, Commit, Identity, Name, Ticket};
use super::offsets::{Committed, OffsetKey};
use super::record::{self, Record, StoredGroup};
use super::{Append, Removed, Then};
use crate::error_code::ErrorCode;
use crate::wire::{Encoding, Malformed, Reader};

/// The protocol type of consumers, whose subscriptions can be read.
const CONSUMER: &str = "consumer";

impl Group {
    /// An OffsetCommit request. It is answered when it is stored.
    pub fn commit(&mut self, ticket: Ticket, commit: Commit, cx: &mut Context<'_>) {
        if let Err(error) = self.check_commit(&commit.identity) {
            cx.out.answer(ticket, Answer::Plain(error));
            return;
        }
        if self.state != State::Empty {
            self.heard(&commit.identity.member, cx.now);
        }
        let offsets = commit.offsets;
        let records: Vec<Record> =
            offsets.iter().map(|(key, committed)| record::offset(&self.id, key, Some(committed))).collect();
        if records.iter().map(Record::size).sum::<usize>() > cx.settings.batch_bytes_max {
            cx.out.answer(ticket, Answer::Plain(ErrorCode::INVALID_COMMIT_OFFSET_SIZE));
            return;
        }
        for (key, committed) in &offsets {
            self.offsets.begin(key, Some(committed));
        }
        let then = Then::Committed { group: Name::clone(&self.id), ticket, offsets };
        cx.out.appends.push(Append { records, then });
    }

    /// Who has no generation speaks for itself (a tool, or a consumer without a group's assignment), which only an empty
    /// group allows.
    fn check_commit(&self, identity: &Identity) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        if identity.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if identity.generation < 0 && identity.member.is_empty() && identity.instance.is_none() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check(identity)?;
        // Its shares are on their way to it: what it read was of the generation before.
        if self.state == State::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// What is committed for these partitions, or for all that have something.
    pub fn fetch(&self, keys: Option<Vec<OffsetKey>>) -> Vec<(OffsetKey, Option<Committed>)> {
        match keys {
            None => self.offsets.iter().map(|(key, found)| (key.clone(), Some(found.clone()))).collect(),
            Some(keys) => {
                let found = |key: &OffsetKey| self.offsets.find(key).cloned();
                keys.into_iter().map(|key| (key.clone(), found(&key))).collect()
            }
        }
    }

    /// Deletes the group, which must have no members.
    pub fn delete(&mut self, ticket: Ticket, cx: &mut Context<'_>) {
        let refused = match self.state {
            // That it is gone is not stored yet.
            State::Dead => Some(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            State::Empty if self.pending.is_empty() => None,
            _ => Some(ErrorCode::NON_EMPTY_GROUP),
        };
        match refused {
            Some(error) => cx.out.answer(ticket, Answer::Plain(error)),
            None => self.remove_whole(Some((ticket, Answer::Plain(ErrorCode::NONE))), cx),
        }
    }

    /// Takes everything of the group out of the log.
    fn remove_whole(&mut self, answer: Option<(Ticket, Answer)>, cx: &mut Context<'_>) {
        self.set_state(State::Dead, cx.now);
        let keys: Vec<OffsetKey> = self.offsets.appended().map(|(key, _)| key.clone()).collect();
        self.take_away(keys, true, answer, cx);
    }

    /// Deletes offsets; those of topics that a member subscribes to stay.
    pub fn delete_offsets(&mut self, ticket: Ticket, keys: Vec<OffsetKey>, cx: &mut Context<'_>) {
        let consumers = self.protocol_type.as_deref() == Some(CONSUMER);
        let refused = match self.state {
            State::Dead => Some(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            State::Empty => None,
            _ if consumers => None,
            _ => Some(ErrorCode::NON_EMPTY_GROUP),
        };
        if let Some(error) = refused {
            cx.out.answer(ticket, Answer::DeleteOffsets(Err(error)));
            return;
        }
        let subscribed = self.subscribed_topics();
        let outcomes: Vec<(OffsetKey, ErrorCode)> = keys
            .into_iter()
            .map(|key| {
                let error = match &subscribed {
                    Some(topics) if !topics.contains(&key.topic) => ErrorCode::NONE,
                    _ => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                };
                (key, error)
            })
            .collect();
        let gone = outcomes.iter().filter(|(key, error)| {
            error.is_none() && (self.offsets.find(key).is_some() || self.offsets.is_pending(key))
        });
        let gone: Vec<OffsetKey> = gone.map(|(key, _)| key.clone()).collect();
        self.take_away(gone, false, Some((ticket, Answer::DeleteOffsets(Ok(outcomes)))), cx);
    }

    /// The topics that members subscribe to; `None` where a subscription cannot be read.
    fn subscribed_topics(&self) -> Option<Vec<Name>> {
        let mut topics = Vec::new();
        for member in self.members.values() {
            for (_, subscription) in &member.protocols {
                topics.extend(read_subscription(subscription).ok()?);
            }
        }
        Some(topics)
    }

    /// Gives up offsets that nobody has come for in a long time, or whose topic is gone, and the group with its last one.
    pub fn expire(&mut self, topic: impl Fn(&str) -> Option<TopicId>, cx: &mut Context<'_>) {
        if self.state == State::Dead {
            return;
        }
        let consumers = self.protocol_type.as_deref() == Some(CONSUMER);
        let subscribed = self.subscribed_topics();
        let now = cx.now.unix_millis;
        let expired = |key: &OffsetKey, committed: &Committed| {
            let gone = is_gone(committed, topic(&key.topic));
            let in_use = match self.state {
                State::Empty => false,
                _ if !consumers => true,
                _ => subscribed.as_ref().is_none_or(|topics| topics.contains(&key.topic)),
            };
            // A group that had members counts from when the last one left it.
            let emptied = self.protocol_type.as_ref().map_or(i64::MIN, |_| self.state_since);
            let since = if self.state == State::Empty { emptied } else { i64::MIN };
            let since = since.max(committed.committed_at);
            let until = committed.expires_at.unwrap_or(since.saturating_add(cx.settings.retention_ms));
            !self.offsets.is_pending(key) && (gone || (!in_use && until <= now))
        };
        let keys = self.offsets.iter().filter(|(key, committed)| expired(key, committed));
        let keys: Vec<OffsetKey> = keys.map(|(key, _)| key.clone()).collect();
        self.give_up(keys, "expired", cx);
    }

    /// Gives up what was committed for a topic that is deleted, and the group with its last offset. `topic` has its name
    /// now, if one has.
    pub fn topic_deleted(&mut self, deleted: &str, topic: Option<TopicId>, cx: &mut Context<'_>) {
        let gone = self.offsets.of_topic(deleted).filter(|(_, committed)| is_gone(committed, topic));
        self.give_up_gone(gone.map(|(key, _)| key.clone()).collect(), cx);
    }

    /// The same for each topic that is gone; `topic` says which one has a name.
    pub fn give_up_gone_topics(&mut self, topic: impl Fn(&str) -> Option<TopicId>, cx: &mut Context<'_>) {
        let gone = self.offsets.iter().filter(|(key, committed)| is_gone(committed, topic(&key.topic)));
        self.give_up_gone(gone.map(|(key, _)| key.clone()).collect(), cx);
    }

    fn give_up_gone(&mut self, mut keys: Vec<OffsetKey>, cx: &mut Context<'_>) {
        keys.retain(|key| !self.offsets.is_pending(key));
        if self.state != State::Dead && !keys.is_empty() {
            self.give_up(keys, "gone with their topic", cx);
        }
    }

    /// Takes offsets away, and the group with its last one.
    fn give_up(&mut self, keys: Vec<OffsetKey>, why: &str, cx: &mut Context<'_>) {
        let empty = self.state == State::Empty && self.pending.is_empty();
        if empty && keys.len() == self.offsets.appended().count() {
            self.remove_whole(None, cx);
        } else if !keys.is_empty() {
            log::info!("group {}: {} offsets are {why}", self.id, keys.len());
            self.take_away(keys, false, None, cx);
        }
    }

    fn take_away(
        &mut self,
        keys: Vec<OffsetKey>,
        whole: bool,
        answer: Option<(Ticket, Answer)>,
        cx: &mut Context<'_>,
    ) {
        let mut records: Vec<Record> = keys.iter().map(|key| record::offset(&self.id, key, None)).collect();
        if whole {
            records.push(record::group(&self.id, None));
        }
        for key in &keys {
            self.offsets.begin(key, None);
        }
        let removed = Removed { group: Name::clone(&self.id), keys, whole, answer };
        if records.is_empty() {
            if let Some((ticket, answer)) = removed.answer {
                cx.out.answer(ticket, answer);
            }
            return;
        }
        // The last lot says that all are gone; those before it do no harm on their own.
        let mut rest = records;
        loop {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|record| {
                bytes += record.size();
                bytes <= cx.settings.batch_bytes_max
            });
            let count = fits.count().max(1);
            if count >= rest.len() {
                cx.out.appends.push(Append { records: rest, then: Then::Removed(removed) });
                return;
            }
            let later = rest.split_off(count);
            let part = Removed { group: Name::clone(&self.id), keys: Vec::new(), whole: false, answer: None };
            cx.out.appends.push(Append { records: rest, then: Then::Removed(part) });
            rest = later;
        }
    }

    /// Appends what the group is now.
    pub(super) fn store(&mut self, stored: StoredGroup, then: Then, cx: &mut Context<'_>) {
        let record = record::group(&self.id, Some(&stored));
        if record.size() > cx.settings.batch_bytes_max {
            log::error!(
                "group {}: its members' subscriptions and shares are larger than max.message.bytes",
                self.id
            );
            self.refuse_store(then, cx);
            return;
        }
        self.stored = Some(stored);
        cx.out.appends.push(Append { records: vec![record], then });
    }

    fn refuse_store(&mut self, then: Then, cx: &mut Context<'_>) {
        match then {
            Then::Assigned(assigned) => self.assigned(assigned, Err(ErrorCode::UNKNOWN_SERVER_ERROR), cx),
            Then::StaticReplaced(replaced) => {
                self.static_replaced(&replaced, Err(ErrorCode::UNKNOWN_SERVER_ERROR), cx);
            }
            _ => unreachable!("a group without members is small"),
        }
    }
}

/// Whether an offset was committed for a topic that is no more: no topic has its name now, or another one.
fn is_gone(committed: &Committed, topic: Option<TopicId>) -> bool {
    topic.is_none_or(|id| is_another(committed, id))
}

/// Whether an offset was committed for another topic than the one that has its name now.
#[must_use]
pub fn is_another(committed: &Committed, topic: TopicId) -> bool {
    committed.topic_id != TopicId::NONE && committed.topic_id != topic
}

/// The topics of a consumer's subscription (`ConsumerProtocolSubscription`, whose later versions only add to its end).
fn read_subscription(bytes: &[u8]) -> Result<Vec<Name>, Malformed> {
    let mut reader = Reader::new(bytes, Encoding::Classic);
    reader.i16()?;
    (0..reader.array_len()?).map(|_| reader.string().map(Name::from)).collect()
}
