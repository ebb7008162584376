//! The coordinators of this core: those whose partitions of `__consumer_offsets` its shard owns.
//!
//! A request to a group comes in on any connection, and so on any core. It is left at the [`Desk`] of its core, which
//! sends it to the core of the group's partition, this one included; the answer comes back the same way. What is left is
//! taken and sent once a turn.
//!
//! Between the cores goes a bounded queue each. Sending never blocks and loses nothing: what a full queue does not take
//! stays at the sender's desk and is tried again a moment later; requests (not answers) are refused once too much waits
//! there.

mod hosting;
#[cfg(test)]
mod simulated;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crossbeam_queue::ArrayQueue;
use tora_engine::batch::BatchBuilder;
use tora_engine::io::ring::RingIo;
use tora_engine::io::{Io, Slice};
use tora_engine::request::{Origin, Reply, Request};
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, Offset, PartitionId, ShardId};

use super::{RequestId, Server};
use crate::api::{Asked, Client, Purpose};
use crate::coordinator::{Answer, Ask, Effects, Name, Now, OFFSETS_TOPIC, Settings, Then, Ticket};
use crate::error_code::ErrorCode;
use crate::limits;
use crate::slab::Slab;
use hosting::Hosted;

/// What goes from core to core.
#[derive(Debug)]
pub enum Mail {
    /// A request to a group.
    Ask {
        /// Whom to answer.
        ticket: Ticket,
        /// The group's partition.
        partition: i32,
        /// The group.
        group: Name,
        /// The request.
        ask: Ask,
    },
    /// Which groups are there?
    List {
        /// Whom to answer.
        ticket: Ticket,
    },
    /// A topic is deleted, and every shard knows it.
    TopicDeleted {
        /// Its name.
        topic: Name,
    },
    /// An answer.
    Answer {
        /// The ticket's.
        tag: u32,
        /// The answer.
        answer: Answer,
    },
}

/// The queues between the cores.
#[must_use]
pub fn queues(cores: usize) -> Vec<ArrayQueue<Mail>> {
    (0..cores).map(|_| ArrayQueue::new(limits::GROUP_MAIL_SLOTS)).collect()
}

/// What waits to be sent, by core; what is for this core waits in its place.
#[derive(Debug)]
pub struct Desk {
    core: ShardId,
    outboxes: Vec<VecDeque<Mail>>,
}

impl Desk {
    fn new(core: ShardId, cores: usize) -> Self {
        Self { core, outboxes: (0..cores).map(|_| VecDeque::new()).collect() }
    }

    /// Leaves a request for a core. It is answered, if only by a refusal.
    pub fn ask(&mut self, core: ShardId, mail: Mail) {
        let full = self.outboxes[usize::from(core.value())].len() >= limits::GROUP_MAIL_WAITING_MAX;
        if full {
            self.refuse(mail, ErrorCode::COORDINATOR_NOT_AVAILABLE);
        } else {
            self.leave(core, mail);
        }
    }

    /// Refuses a request.
    pub fn refuse(&mut self, mail: Mail, error: ErrorCode) {
        match mail {
            Mail::Ask { ticket, ask, .. } => self.answer(ticket, ask.refusal(error)),
            Mail::List { ticket } => self.answer(ticket, Answer::List(Err(error))),
            // Nobody waits; the coordinators' next check finds it.
            Mail::TopicDeleted { .. } => {}
            Mail::Answer { .. } => unreachable!("answers are not refused"),
        }
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.leave(ticket.core, Mail::Answer { tag: ticket.tag, answer });
    }

    fn leave(&mut self, core: ShardId, mail: Mail) {
        self.outboxes[usize::from(core.value())].push_back(mail);
    }

    fn take(&mut self) -> Option<Mail> {
        self.outboxes[usize::from(self.core.value())].pop_front()
    }

    fn has_mail(&self) -> bool {
        !self.outboxes[usize::from(self.core.value())].is_empty()
    }
}

/// What a coordinator asks the engine for.
pub enum Errand {
    /// Where its log starts.
    Start {
        /// Its partition.
        partition: i32,
    },
    /// Its log.
    Read {
        /// Its partition.
        partition: i32,
        /// From where.
        from: Offset,
    },
    /// An append.
    Append {
        /// Its partition.
        partition: i32,
        /// What it was for.
        then: Then,
    },
    /// Giving up the beginning of its log.
    Trim {
        /// Its partition.
        partition: i32,
    },
}

/// See the module.
pub struct Groups {
    pub(super) desk: Desk,
    hosted: BTreeMap<i32, Hosted>,
    /// When each of them is to be looked at.
    deadlines: BTreeSet<(Nanos, i32)>,
    /// When to try again to send what a full queue did not take.
    retry_at: Option<Nanos>,
    effects: Effects,
    settings: Settings,
    stopping: bool,
}

impl Groups {
    pub(super) fn new(core: ShardId, cores: usize, settings: Settings) -> Self {
        Self {
            settings,
            desk: Desk::new(core, cores),
            hosted: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            retry_at: None,
            effects: Effects::default(),
            stopping: false,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Nanos> {
        [self.deadlines.first().map(|deadline| deadline.0), self.retry_at].into_iter().flatten().min()
    }

    /// Whether something was left for this core by itself.
    pub(super) fn has_mail(&self) -> bool {
        self.desk.has_mail()
    }
}

impl Server {
    /// Takes what was left for this core's coordinators and connections, and does what is due.
    pub(super) fn serve_groups(&mut self, shard: &mut Shard<RingIo>) {
        for _ in 0..limits::GROUP_MAIL_PER_TURN {
            let from_others = || self.common.group_mail[usize::from(self.id.value())].pop();
            let Some(mail) = self.groups.desk.take().or_else(from_others) else { break };
            match mail {
                Mail::Ask { ticket, partition, group, ask } => {
                    self.groups.ask_hosted(shard, &mut self.asked, partition, ticket, group, ask);
                }
                Mail::List { ticket } => {
                    let answer = self.groups.list();
                    self.groups.desk.answer(ticket, answer);
                }
                Mail::TopicDeleted { topic } => self.groups.topic_deleted(shard, &mut self.asked, &topic),
                Mail::Answer { tag, answer } => self.take_group_answer(shard, tag, answer),
            }
        }
        self.groups.on_time(shard, &mut self.asked);
    }

    /// Sends what was left for other cores' groups and connections, as far as their queues have room.
    pub(super) fn send_group_mail(&mut self, shard: &mut Shard<RingIo>) {
        self.groups.retry_at = None;
        for core in (0..shard.shards()).map(ShardId::new).filter(|core| *core != self.id) {
            let outbox = &mut self.groups.desk.outboxes[usize::from(core.value())];
            if outbox.is_empty() {
                continue;
            }
            let queue = &self.common.group_mail[usize::from(core.value())];
            while let Some(mail) = outbox.pop_front() {
                if let Err(mail) = queue.push(mail) {
                    outbox.push_front(mail);
                    self.groups.retry_at = Some(shard.io().now().plus_millis(limits::GROUP_MAIL_RETRY_MS));
                    break;
                }
            }
            shard.wake(core);
        }
    }

    fn take_group_answer(&mut self, shard: &mut Shard<RingIo>, tag: u32, answer: Answer) {
        let asked = self.asked.remove(tag).expect("every request to a group is answered once");
        let Asked::Client(Client { connection: key, serial, purpose }) = asked else {
            unreachable!("coordinators ask no groups")
        };
        let Purpose::Part { sequence, part } = purpose else { unreachable!("groups are not watched") };
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.serial == serial)
        else {
            return;
        };
        let Some(mut job) = connection.order.take(sequence) else { return };
        let request = RequestId { connection: key, serial, sequence };
        job.work.on_group_answer(part, answer, &mut self.context(shard, request));
        self.carry_on(shard, request, job);
    }
}

impl Groups {
    /// An errand is done.
    pub(super) fn errand_done<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        errand: Errand,
        reply: Reply,
    ) {
        match (errand, reply) {
            (Errand::Start { partition }, Reply::ListOffset(found)) => {
                self.load_from(shard, asked, partition, found.map(|found| found.offset));
            }
            (Errand::Read { partition, from }, Reply::Read(records)) => {
                self.load_next(shard, asked, partition, from, records);
            }
            (Errand::Append { partition, then }, Reply::Append(outcome)) => {
                let outcome = outcome.map(|appended| appended.base_offset).map_err(|error| {
                    log::error!("a group's change could not be stored: {error}");
                    ErrorCode::COORDINATOR_NOT_AVAILABLE
                });
                let now = now(shard);
                self.with_coordinator(shard, asked, partition, |coordinator, _, out| {
                    coordinator.appended(then, outcome, now, out);
                });
            }
            (Errand::Trim { partition }, Reply::DeleteRecords(outcome)) => {
                if let Err(error) = outcome {
                    log::warn!(
                        "{OFFSETS_TOPIC}-{partition}: what is of no use could not be given up: {error}"
                    );
                }
            }
            (_, other) => unreachable!("no coordinator asks for {other:?}"),
        }
    }

    /// Does what a coordinator's call has brought.
    fn take_effects<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        partition: i32,
        id: PartitionId,
    ) {
        let mut effects = std::mem::take(&mut self.effects);
        for (ticket, answer) in effects.answers.drain(..) {
            self.desk.answer(ticket, answer);
        }
        for append in effects.appends.drain(..) {
            let mut builder = BatchBuilder::new(usize::MAX);
            let time = shard.io().unix_millis();
            for record in &append.records {
                builder
                    .push(time, Some(&record.key), record.value.as_deref())
                    .expect("a coordinator's lots are limited");
            }
            let batch = Slice::copy_from(builder.finish().expect("a coordinator's lots are not empty"));
            let tag = asked.insert(Asked::Errand(Errand::Append { partition, then: append.then }));
            let request = Request::Append { partition: id, batch, origin: Origin::Coordinator };
            shard.request(u64::from(tag), request);
        }
        if let Some(before) = effects.obsolete_before.take() {
            let tag = asked.insert(Asked::Errand(Errand::Trim { partition }));
            shard.request(u64::from(tag), Request::DeleteRecords { partition: id, before });
        }
        self.effects = effects;
    }
}

fn now<I: Io>(shard: &mut Shard<I>) -> Now {
    Now { nanos: shard.io().now(), unix_millis: shard.io().unix_millis() }
}
