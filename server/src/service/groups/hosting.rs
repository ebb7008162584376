//! Partitions of `__consumer_offsets` on this core: read when it starts, or when they are first used, and then kept.

use tora_engine::error::Error;
use tora_engine::handle::for_each_record;
use tora_engine::io::Io;
use tora_engine::request::{OffsetQuery, Records, Request};
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, Offset, PartitionId, TopicId};

use super::{Errand, Groups, now};
use crate::api::Asked;
use crate::coordinator::{Answer, Ask, Coordinator, Effects, Loader, Name, OFFSETS_TOPIC, Settings, Ticket};
use crate::error_code::ErrorCode;
use crate::limits;
use crate::slab::Slab;

/// One partition.
pub(super) struct Hosted {
    id: PartitionId,
    state: State,
    /// When it is to be looked at.
    deadline: Nanos,
}

enum State {
    /// Its log is being read. Who asks meanwhile is held up to the deadline, and sent away after it.
    Loading { loader: Loader, held: Vec<(Ticket, Name, Ask)>, overdue: bool },
    /// It serves.
    Ready(Box<Coordinator>),
}

const NEVER: Nanos = Nanos::new(u64::MAX);

impl Groups {
    /// The groups of this core.
    pub(super) fn list(&self) -> Answer {
        let mut groups = Vec::new();
        for hosted in self.hosted.values() {
            match &hosted.state {
                State::Ready(coordinator) => groups.extend(coordinator.list()),
                State::Loading { .. } => return Answer::List(Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)),
            }
        }
        Answer::List(Ok(groups))
    }

    fn set_deadline(&mut self, partition: i32, deadline: Nanos) {
        let Some(hosted) = self.hosted.get_mut(&partition) else { return };
        if hosted.deadline != deadline {
            self.deadlines.remove(&(hosted.deadline, partition));
            self.deadlines.insert((deadline, partition));
            hosted.deadline = deadline;
        }
    }
}

impl Groups {
    /// Begins to read the partitions that are this core's.
    pub(in super::super) fn load<I: Io>(&mut self, shard: &mut Shard<I>, asked: &mut Slab<Asked>) {
        let topic = shard.catalog().topic_named(OFFSETS_TOPIC).map(|topic| (topic.id, topic.partitions));
        let Some((topic, partitions)) = topic else { return };
        for partition in 0..partitions {
            let id = PartitionId::new(topic, partition);
            if shard.owner(id) == self.desk.core {
                self.host(shard, asked, id);
            }
        }
    }

    fn host<I: Io>(&mut self, shard: &mut Shard<I>, asked: &mut Slab<Asked>, id: PartitionId) {
        let partition = id.index.value();
        let deadline = shard.io().now().plus_millis(limits::GROUP_LOAD_HOLD_MS);
        let state = State::Loading { loader: Loader::default(), held: Vec::new(), overdue: false };
        self.hosted.insert(partition, Hosted { id, state, deadline });
        self.deadlines.insert((deadline, partition));
        let tag = asked.insert(Asked::Errand(Errand::Start { partition }));
        let request = Request::ListOffset { partition: id, query: OffsetQuery::Earliest };
        shard.request(u64::from(tag), request);
    }

    pub(super) fn load_from<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        partition: i32,
        from: Result<Offset, Error>,
    ) {
        match from {
            Ok(from) => self.read_on(shard, asked, partition, from),
            Err(error) => self.give_up_loading(partition, &error.to_string()),
        }
    }

    fn read_on<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        partition: i32,
        from: Offset,
    ) {
        let id = self.hosted[&partition].id;
        let tag = asked.insert(Asked::Errand(Errand::Read { partition, from }));
        let request = Request::Read { partition: id, from, max_bytes: limits::GROUP_LOAD_READ_BYTES };
        shard.request(u64::from(tag), request);
    }

    pub(super) fn load_next<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        partition: i32,
        from: Offset,
        records: Result<Records, Error>,
    ) {
        let Some(hosted) = self.hosted.get_mut(&partition) else { return };
        let State::Loading { loader, .. } = &mut hosted.state else {
            unreachable!("a coordinator that serves reads nothing");
        };
        let read = records.map_err(|error| error.to_string()).and_then(|records| {
            let next = for_each_record(&records, from, |record| {
                if let Err(why) = loader.replay(record.key, record.value) {
                    log::error!("{OFFSETS_TOPIC}-{partition} at {}: skipped: {why}", record.offset);
                }
            });
            next.map(|next| (next, records.high_watermark)).map_err(|error| error.to_string())
        });
        match read {
            Ok((next, end)) if next < end && next > from => self.read_on(shard, asked, partition, next),
            Ok((next, end)) if next < end => {
                self.give_up_loading(
                    partition,
                    &format!("nothing can be read at {next}, before the end {end}"),
                );
            }
            Ok(_) => self.begin_serving(shard, asked, partition),
            Err(why) => self.give_up_loading(partition, &why),
        }
    }

    /// Everybody is sent away, and the next who asks has it tried again.
    fn give_up_loading(&mut self, partition: i32, why: &str) {
        log::error!("{OFFSETS_TOPIC}-{partition} cannot be read, its groups are not available: {why}");
        let Some(hosted) = self.hosted.remove(&partition) else { return };
        self.deadlines.remove(&(hosted.deadline, partition));
        if let State::Loading { held, .. } = hosted.state {
            self.send_away(held, ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
    }

    fn send_away(&mut self, held: Vec<(Ticket, Name, Ask)>, error: ErrorCode) {
        for (ticket, _, ask) in held {
            self.desk.answer(ticket, ask.refusal(load_error(&ask, error)));
        }
    }

    fn begin_serving<I: Io>(&mut self, shard: &mut Shard<I>, asked: &mut Slab<Asked>, partition: i32) {
        let now = now(shard);
        let settings = self.coordinator_settings(shard);
        let hosted = self.hosted.get_mut(&partition).expect("it was being loaded");
        let State::Loading { loader, held, .. } = &mut hosted.state else {
            unreachable!("it was being loaded")
        };
        let (loader, held) = (std::mem::take(loader), std::mem::take(held));
        hosted.state = State::Ready(Box::new(loader.finish(settings, now)));
        self.with_coordinator(shard, asked, partition, |coordinator, shard, out| {
            coordinator.loaded(|name| topic_named(shard, name), now, out);
        });
        for (ticket, group, ask) in held {
            self.ask_hosted(shard, asked, partition, ticket, group, ask);
        }
    }

    fn coordinator_settings<I: Io>(&self, shard: &Shard<I>) -> Settings {
        let topic = shard.catalog().topic_named(OFFSETS_TOPIC);
        let largest = topic.map_or(usize::MAX, |topic| topic.config.max_message_bytes);
        let mut settings = self.settings.clone();
        // A batch has a header, and each record's frame is counted with it.
        settings.batch_bytes_max =
            settings.batch_bytes_max.min(largest.saturating_sub(limits::BATCH_FRAME_BYTES));
        settings
    }

    /// Takes a request to a group of this core.
    pub(super) fn ask_hosted<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        partition: i32,
        ticket: Ticket,
        group: Name,
        ask: Ask,
    ) {
        if self.stopping {
            self.desk.answer(ticket, ask.refusal(ErrorCode::NOT_COORDINATOR));
            return;
        }
        if !self.hosted.contains_key(&partition) {
            let Some(topic) = topic_named(shard, OFFSETS_TOPIC) else {
                self.desk.answer(ticket, ask.refusal(ErrorCode::NOT_COORDINATOR));
                return;
            };
            self.host(shard, asked, PartitionId::new(topic, partition));
        }
        let hosted = self.hosted.get_mut(&partition).expect("it is hosted by now");
        match &mut hosted.state {
            State::Loading { held, overdue: false, .. } if held.len() < limits::GROUP_LOAD_HELD_MAX => {
                held.push((ticket, group, ask));
            }
            State::Loading { .. } => {
                let error = load_error(&ask, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
                self.desk.answer(ticket, ask.refusal(error));
            }
            State::Ready(_) => {
                let now = now(shard);
                self.with_coordinator(shard, asked, partition, |coordinator, _, out| {
                    coordinator.ask(ticket, &group, ask, now, out);
                });
            }
        }
    }

    /// Calls a coordinator that serves; does what comes of it.
    pub(super) fn with_coordinator<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        partition: i32,
        call: impl FnOnce(&mut Coordinator, &Shard<I>, &mut Effects),
    ) {
        let Some(hosted) = self.hosted.get_mut(&partition) else { return };
        let State::Ready(coordinator) = &mut hosted.state else { return };
        call(coordinator, shard, &mut self.effects);
        let (deadline, id) = (coordinator.next_deadline(), hosted.id);
        self.set_deadline(partition, deadline);
        self.take_effects(shard, asked, partition, id);
    }

    pub(super) fn on_time<I: Io>(&mut self, shard: &mut Shard<I>, asked: &mut Slab<Asked>) {
        while let Some(&(at, partition)) = self.deadlines.first()
            && at != NEVER
            && at <= shard.io().now()
        {
            let hosted = self.hosted.get_mut(&partition).expect("deadlines are of what is hosted");
            match &mut hosted.state {
                State::Loading { held, overdue, .. } => {
                    *overdue = true;
                    let held = std::mem::take(held);
                    self.set_deadline(partition, NEVER);
                    self.send_away(held, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
                }
                State::Ready(_) => {
                    let now = now(shard);
                    self.with_coordinator(shard, asked, partition, |coordinator, shard, out| {
                        coordinator.on_time(now, |name| topic_named(shard, name), out);
                    });
                }
            }
        }
    }

    /// What was committed for a topic goes with it. Those that are still reading find it when they have read.
    pub(super) fn topic_deleted<I: Io>(
        &mut self,
        shard: &mut Shard<I>,
        asked: &mut Slab<Asked>,
        deleted: &str,
    ) {
        let now = now(shard);
        let partitions: Vec<i32> = self.hosted.keys().copied().collect();
        for partition in partitions {
            self.with_coordinator(shard, asked, partition, |coordinator, shard, out| {
                // There may be another one of that name by now.
                coordinator.topic_deleted(deleted, topic_named(shard, deleted), now, out);
            });
        }
    }

    /// The server stops: everybody who waits for a group is sent to look for another coordinator.
    pub(in super::super) fn stop<I: Io>(&mut self, shard: &mut Shard<I>, asked: &mut Slab<Asked>) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        let partitions: Vec<i32> = self.hosted.keys().copied().collect();
        for partition in partitions {
            let hosted = self.hosted.get_mut(&partition).expect("it was just listed");
            if let State::Loading { held, .. } = &mut hosted.state {
                let held = std::mem::take(held);
                self.send_away(held, ErrorCode::NOT_COORDINATOR);
            }
            self.with_coordinator(shard, asked, partition, |coordinator, _, out| coordinator.stop(out));
        }
    }
}

/// The topic that has a name now.
fn topic_named<I: Io>(shard: &Shard<I>, name: &str) -> Option<TopicId> {
    shard.catalog().topic_named(name).map(|topic| topic.id)
}

/// Heartbeats and SyncGroup requests have no error for a coordinator that is loading which older clients know: a
/// heartbeat is told that all is well, and a member that waits for its share to join again (as Kafka does).
fn load_error(ask: &Ask, error: ErrorCode) -> ErrorCode {
    match ask {
        Ask::Heartbeat(_) if error == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => ErrorCode::NONE,
        Ask::Sync(_) if error == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => ErrorCode::REBALANCE_IN_PROGRESS,
        _ => error,
    }
}
