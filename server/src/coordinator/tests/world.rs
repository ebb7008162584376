//! A coordinator with a clock that stands still until it is moved, and a log that acknowledges when it is told to.

use std::collections::{BTreeMap, VecDeque};

use tora_engine::types::{Nanos, Offset, ShardId, TopicId};

use super::super::{
    Answer, Append, Ask, Commit, Committed, Coordinator, Effects, Identity, Join, Joined, Leaver, Loader,
    Name, Now, OffsetKey, Opaque, Record, Settings, Sync, Ticket,
};
use crate::error_code::ErrorCode;

/// The id of every topic here.
pub const TOPIC: TopicId = TopicId::new([7; 16]);

/// Kafka's defaults, but for a check every ten minutes and a log that is hardly ever compacted.
pub fn settings() -> Settings {
    Settings {
        session_min_ms: 6_000,
        session_max_ms: 1_800_000,
        initial_delay_ms: 3_000,
        group_size_max: 1_000,
        retention_ms: 7 * 86_400_000,
        check_interval_ms: 600_000,
        metadata_bytes_max: 4_096,
        batch_bytes_max: 1 << 20,
        compact_bytes: 64 << 20,
    }
}

pub struct World {
    pub coordinator: Coordinator,
    settings: Settings,
    millis: u64,
    next_tag: u32,
    next_offset: i64,
    /// What was appended and not answered.
    pub pending: VecDeque<Append>,
    /// What was acknowledged, as far as it was not given up.
    pub log: Vec<(i64, Record)>,
    /// Answers, by the ticket's tag. Each is there once.
    pub answers: BTreeMap<u32, Answer>,
    /// Tags of questions that were asked.
    pub asked: u32,
    /// Topics that are deleted, and which one has the name now.
    deleted: BTreeMap<Name, Option<TopicId>>,
    /// Whether appends are acknowledged at once.
    pub immediate: bool,
}

impl World {
    pub fn new() -> Self {
        Self::with(settings())
    }

    pub fn with(settings: Settings) -> Self {
        let now = Now { nanos: Nanos::new(0), unix_millis: 0 };
        Self {
            coordinator: Coordinator::new(settings.clone(), now),
            settings,
            millis: 0,
            next_tag: 0,
            next_offset: 0,
            pending: VecDeque::new(),
            log: Vec::new(),
            answers: BTreeMap::new(),
            asked: 0,
            deleted: BTreeMap::new(),
            immediate: true,
        }
    }

    pub fn now(&self) -> Now {
        let unix_millis = i64::try_from(self.millis).expect("not that long");
        Now { nanos: Nanos::new(self.millis * 1_000_000), unix_millis }
    }

    /// Asks; the answer is found under the tag when it comes.
    pub fn ask(&mut self, group: &str, ask: Ask) -> u32 {
        let tag = self.next_tag;
        self.next_tag += 1;
        self.asked += 1;
        let ticket = Ticket { core: ShardId::new(0), tag };
        let mut out = Effects::default();
        self.coordinator.ask(ticket, &Name::from(group), ask, self.now(), &mut out);
        self.take(out);
        tag
    }

    fn take(&mut self, out: Effects) {
        for (ticket, answer) in out.answers {
            let before = self.answers.insert(ticket.tag, answer);
            assert!(before.is_none(), "ticket {} is answered twice", ticket.tag);
        }
        if let Some(offset) = out.obsolete_before {
            self.log.retain(|(at, _)| *at >= offset.value());
        }
        self.pending.extend(out.appends);
        while self.immediate && !self.pending.is_empty() {
            self.acknowledge();
        }
    }

    /// The oldest append is acknowledged.
    pub fn acknowledge(&mut self) {
        let append = self.pending.pop_front().expect("there is one");
        let first = self.next_offset;
        assert!(!append.records.is_empty(), "no batch is empty");
        let bytes: usize = append.records.iter().map(Record::size).sum();
        assert!(bytes <= self.settings.batch_bytes_max, "a batch of {bytes} bytes");
        for record in append.records {
            self.log.push((self.next_offset, record));
            self.next_offset += 1;
        }
        let mut out = Effects::default();
        self.coordinator.appended(append.then, Ok(Offset::new(first)), self.now(), &mut out);
        self.take(out);
    }

    /// The oldest append is refused.
    pub fn refuse(&mut self, error: ErrorCode) {
        let append = self.pending.pop_front().expect("there is one");
        let mut out = Effects::default();
        self.coordinator.appended(append.then, Err(error), self.now(), &mut out);
        self.take(out);
    }

    /// Time passes, and what falls due within it is done.
    pub fn pass(&mut self, millis: u64) {
        let end = self.millis + millis;
        loop {
            let due = self.coordinator.next_deadline().value().div_ceil(1_000_000);
            if due > end {
                break;
            }
            self.millis = self.millis.max(due);
            let mut out = Effects::default();
            self.coordinator.on_time(self.now(), |name| topic_named(&self.deleted, name), &mut out);
            self.take(out);
        }
        self.millis = end;
    }

    /// The same, by a clock that has lost a topic.
    pub fn check_without_topic(&mut self, gone: &str) {
        self.millis += self.settings.check_interval_ms;
        let mut out = Effects::default();
        self.coordinator.on_time(self.now(), |name| (name != gone).then_some(TOPIC), &mut out);
        self.take(out);
    }

    /// A topic is deleted, and perhaps there is another one of its name.
    pub fn delete_topic(&mut self, deleted: &str, now_named: Option<TopicId>) {
        self.deleted.insert(Name::from(deleted), now_named);
        let mut out = Effects::default();
        self.coordinator.topic_deleted(deleted, now_named, self.now(), &mut out);
        self.take(out);
    }

    /// The process is killed: of what was not acknowledged, the first `kept` appends are in the log all the same.
    pub fn crash(&mut self, kept: usize) {
        for append in self.pending.drain(..).take(kept) {
            for record in append.records {
                self.log.push((self.next_offset, record));
                self.next_offset += 1;
            }
        }
        let mut loader = Loader::default();
        for (_, record) in &self.log {
            loader.replay(Some(&record.key), record.value.as_deref()).expect("its own records can be read");
        }
        self.coordinator = loader.finish(self.settings.clone(), self.now());
        let mut out = Effects::default();
        self.coordinator.loaded(|name| topic_named(&self.deleted, name), self.now(), &mut out);
        self.take(out);
    }

    pub fn answer(&mut self, tag: u32) -> Answer {
        self.answers.remove(&tag).expect("it was answered")
    }

    pub fn joined(&mut self, tag: u32) -> Joined {
        match self.answer(tag) {
            Answer::Join(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    pub fn share(&mut self, tag: u32) -> Result<Vec<u8>, ErrorCode> {
        match self.answer(tag) {
            Answer::Sync(outcome) => outcome.map(|synced| synced.assignment.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    pub fn plain(&mut self, tag: u32) -> ErrorCode {
        match self.answer(tag) {
            Answer::Plain(error) => error,
            other => panic!("{other:?}"),
        }
    }

    /// What is committed for a partition of topic "t".
    pub fn committed(&mut self, group: &str, partition: i32) -> Option<i64> {
        let tag = self.ask(group, Ask::Fetch(Some(vec![key(partition)])));
        match self.answer(tag) {
            Answer::Fetch(Ok(found)) => found[0].1.as_ref().map(|committed| committed.offset),
            other => panic!("{other:?}"),
        }
    }

    pub fn state(&mut self, group: &str) -> &'static str {
        let tag = self.ask(group, Ask::Describe);
        match self.answer(tag) {
            Answer::Describe(Ok(described)) => described.state,
            Answer::Describe(Err(_)) => "none",
            other => panic!("{other:?}"),
        }
    }

    pub fn commit(&mut self, group: &str, who: Identity, partition: i32, offset: i64) -> u32 {
        let committed_at = self.now().unix_millis;
        let committed = committed(offset, committed_at);
        let offsets = vec![(key(partition), committed)];
        let commit = Commit { identity: who, tells_unknown_group: false, offsets };
        self.ask(group, Ask::Commit(Box::new(commit)))
    }

    /// A new dynamic member that knows how to ask for its id.
    pub fn join_dynamic(&mut self, group: &str, id: &str) -> u32 {
        let tag = self.ask(group, Ask::Join(Box::new(join("", id))));
        let told = self.joined(tag);
        assert_eq!((told.error, &*told.member), (ErrorCode::MEMBER_ID_REQUIRED, id));
        self.ask(group, Ask::Join(Box::new(join(id, "unused"))))
    }

    /// A group of one stable member.
    pub fn stable(&mut self, group: &str, id: &str) -> i32 {
        let tag = self.join_dynamic(group, id);
        self.pass(3_000);
        let joined = self.joined(tag);
        assert_eq!(joined.error, ErrorCode::NONE);
        let tag = self.sync(group, id, joined.generation, &[(id, "all")]);
        assert_eq!(self.share(tag), Ok(b"all".to_vec()));
        joined.generation
    }

    pub fn sync(&mut self, group: &str, id: &str, generation: i32, shares: &[(&str, &str)]) -> u32 {
        let assignments = shares.iter().map(|(id, share)| (Name::from(*id), Opaque::from(share.as_bytes())));
        let assignments = assignments.collect();
        let identity = identity(id, generation);
        self.ask(
            group,
            Ask::Sync(Box::new(Sync { identity, protocol_type: None, protocol: None, assignments })),
        )
    }

    pub fn heartbeat(&mut self, group: &str, id: &str, generation: i32) -> ErrorCode {
        let tag = self.ask(group, Ask::Heartbeat(identity(id, generation)));
        self.plain(tag)
    }

    pub fn leave(&mut self, group: &str, id: &str) -> ErrorCode {
        let tag = self.ask(group, Ask::Leave(vec![Leaver { member: Name::from(id), instance: None }]));
        match self.answer(tag) {
            Answer::Leave(ErrorCode::NONE, outcomes) => outcomes[0].1,
            other => panic!("{other:?}"),
        }
    }
}

pub fn key(partition: i32) -> OffsetKey {
    OffsetKey { topic: Name::from("t"), partition }
}

pub fn committed(offset: i64, committed_at: i64) -> Committed {
    let metadata = Name::from("kept");
    Committed { offset, leader_epoch: 3, metadata, committed_at, expires_at: None, topic_id: TOPIC }
}

pub fn identity(id: &str, generation: i32) -> Identity {
    Identity { member: Name::from(id), instance: None, generation }
}

/// Nobody: a tool.
pub fn tool() -> Identity {
    identity("", -1)
}

/// A JoinGroup request of a consumer of topic "t" with two assignors; `fresh` is the id it gets if it has none.
pub fn join(id: &str, fresh: &str) -> Join {
    Join {
        member: Name::from(id),
        instance: None,
        fresh_id: Name::from(fresh),
        requires_known_id: true,
        may_skip_assignment: true,
        client_id: Name::from("client"),
        client_host: Name::from("/127.0.0.1"),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        protocol_type: Name::from("consumer"),
        protocols: vec![
            (Name::from("range"), subscription("t")),
            (Name::from("roundrobin"), subscription("t")),
        ],
    }
}

/// Which topic has a name: [`TOPIC`] has every one that is not deleted.
fn topic_named(deleted: &BTreeMap<Name, Option<TopicId>>, name: &str) -> Option<TopicId> {
    deleted.get(name).map_or(Some(TOPIC), |now_named| *now_named)
}

/// A `ConsumerProtocolSubscription` of version 0.
pub fn subscription(topic: &str) -> Opaque {
    let length = u8::try_from(topic.len()).expect("short");
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, length];
    bytes.extend_from_slice(topic.as_bytes());
    bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    Opaque::from(bytes)
}
