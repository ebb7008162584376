//! One partition: its log, its producers, and everybody who waits for something here.

mod ahead;
mod deletion;
mod lookup;
mod read_room;
mod reading;
mod searching;
mod waiters;

use std::collections::VecDeque;

use crate::batch::{BatchHeader, TimestampType, set_log_append_time, validate_produce};
use crate::catalog::TopicConfig;
use crate::checkpoint::Entry;
use crate::error::Error;
use crate::io::{Completion, Fs, Pool, Slice};
use crate::log::{Admission, Log, LogOp, LogSettings, Wanted, no_descriptors};
use crate::mailbox::ReplyTo;
use crate::producers::{Producers, Verdict};
use crate::request::{Appended, Described, Origin, Reply};
use crate::sim::plant::{Plant, planted};
use crate::types::{Nanos, Offset, PartitionId, Position};

use deletion::Deletion;
pub use read_room::{Held, ReadRoom};
pub use reading::Reading;
use reading::Reads;
pub use searching::Searches;
use waiters::{Waiter, Waiters, Watcher};

/// What a partition works with during one call; what it wants done and whom it answers comes out of it.
pub struct Context<'a, F> {
    /// The shard's memory.
    pub pool: &'a Pool,
    /// Numbers the shard's chunks of tail memory.
    pub chunk_clock: &'a mut u64,
    /// Milliseconds since the Unix epoch.
    pub unix_millis: i64,
    /// Operations for the shard to submit.
    pub wanted: &'a mut Wanted<F>,
    /// Replies for the shard to deliver.
    pub replies: &'a mut Vec<(ReplyTo, Reply)>,
    /// Reads ahead that the shard may still begin.
    pub ahead: &'a mut usize,
    /// The shard's searches that go on with later turns.
    pub searches: &'a mut Searches,
    /// What the shard's reads from the disk may hold of memory.
    pub reads: &'a mut ReadRoom,
    /// Set where a checkpoint has to be written, for a log's start to move.
    pub start_moves: &'a mut bool,
}

/// A partition's own settings.
#[derive(Clone, Copy, Debug)]
pub struct PartitionSettings {
    /// `max.message.bytes`.
    pub max_message_bytes: usize,
    /// `message.timestamp.type=LogAppendTime`.
    pub log_append_time: bool,
}

impl PartitionSettings {
    /// What a topic's settings mean for its partitions.
    #[must_use]
    pub fn of(topic: &TopicConfig) -> Self {
        Self {
            max_message_bytes: topic.max_message_bytes,
            log_append_time: topic.timestamp_type == TimestampType::LogAppendTime,
        }
    }
}

/// An append that waits for room.
struct Queued {
    from: ReplyTo,
    batch: Slice,
    header: BatchHeader,
}

/// See the module.
pub struct Partition {
    id: PartitionId,
    settings: PartitionSettings,
    log: Log,
    producers: Producers,
    queue: VecDeque<Queued>,
    waiters: Waiters,
    reads: Reads,
    deletions: Vec<Deletion>,
    closed: bool,
}

impl Partition {
    /// A partition on its log.
    #[must_use]
    pub fn new(id: PartitionId, settings: PartitionSettings, log: Log, producers: Producers) -> Self {
        Self {
            id,
            settings,
            log,
            producers,
            queue: VecDeque::new(),
            waiters: Waiters::default(),
            reads: Reads::default(),
            deletions: Vec::new(),
            closed: false,
        }
    }

    // ---- appending

    /// Takes one batch. It is answered when it is acknowledged, or refused.
    pub fn append<F: Fs>(&mut self, from: ReplyTo, batch: Slice, origin: Origin, cx: &mut Context<'_, F>) {
        let header = match origin {
            Origin::Client => validate_produce(&batch, self.settings.max_message_bytes),
            Origin::Coordinator => BatchHeader::parse(&batch),
        };
        match header {
            Err(error) => cx.replies.push((from, Reply::Append(Err(Error::Batch(error))))),
            Ok(header) => {
                self.queue.push_back(Queued { from, batch, header });
                // Whoever waits for room goes first; a completion will go on with the queue.
                if self.queue.len() == 1 {
                    self.take_queued(cx);
                }
            }
        }
    }

    /// Appends what waits for room, as far as there is room.
    fn take_queued<F: Fs>(&mut self, cx: &mut Context<'_, F>) {
        while let Some(queued) = self.queue.pop_front() {
            match self.judge(&queued.header) {
                Verdict::Append => {}
                Verdict::Duplicate { base_offset, end_offset, max_timestamp } => {
                    let appended = self.appended(base_offset, max_timestamp);
                    self.join_original(queued.from, end_offset, appended, cx);
                    continue;
                }
                refused => {
                    let error = refusal(refused, &queued.header);
                    cx.replies.push((queued.from, Reply::Append(Err(error))));
                    continue;
                }
            }
            let timestamp =
                if self.settings.log_append_time { cx.unix_millis } else { queued.header.max_timestamp };
            match self.log.admit(queued.batch.len(), timestamp, cx.wanted) {
                Ok(Admission::Now) => self.append_admitted(queued, cx),
                Ok(Admission::Later) => {
                    self.queue.push_front(queued);
                    return;
                }
                Err(error) => {
                    self.queue.push_front(queued);
                    self.refuse_queue(&error, cx);
                }
            }
        }
    }

    fn judge(&self, header: &BatchHeader) -> Verdict {
        self.producers.check(header)
    }

    fn append_admitted<F: Fs>(&mut self, queued: Queued, cx: &mut Context<'_, F>) {
        let Queued { from, batch, mut header } = queued;
        let (base, end) = if self.settings.log_append_time {
            let mut stamped = batch.to_vec();
            set_log_append_time(&mut stamped, cx.unix_millis);
            header = BatchHeader::parse(&stamped).expect("a validated batch with another timestamp is one");
            self.log.append(&stamped, &header, cx.pool, cx.chunk_clock)
        } else {
            self.log.append(&batch, &header, cx.pool, cx.chunk_clock)
        };
        self.producers.record(&header, base, cx.unix_millis);
        let appended = self.appended(base, header.max_timestamp);
        self.waiters.push(Waiter { end, from, appended });
    }

    fn appended(&self, base_offset: Offset, max_timestamp: i64) -> Appended {
        let log_append_time = if self.settings.log_append_time { max_timestamp } else { -1 };
        Appended { base_offset, log_append_time, log_start: self.log.start_offset() }
    }

    /// A batch that came again is acknowledged with its original, never before.
    fn join_original<F: Fs>(
        &mut self,
        from: ReplyTo,
        end_offset: Offset,
        appended: Appended,
        cx: &mut Context<'_, F>,
    ) {
        match self.log.end_of_pending(end_offset) {
            Some(end) if !planted(Plant::RetryAckedBeforeOriginal) => {
                self.waiters.push(Waiter { end, from, appended });
            }
            _ => cx.replies.push((from, Reply::Append(Ok(appended)))),
        }
    }

    fn refuse_queue<F>(&mut self, error: &Error, cx: &mut Context<'_, F>) {
        for queued in self.queue.drain(..) {
            cx.replies.push((queued.from, Reply::Append(Err(error.clone()))));
        }
    }

    // ---- waiting

    /// Answers once records past `end` are visible or the time is up. Returns whether it has to wait for that.
    pub fn watch<F>(&mut self, from: ReplyTo, end: Offset, until: Nanos, cx: &mut Context<'_, F>) -> bool {
        let waits = self.log.visible_upto() <= end && self.log.failure().is_none();
        if waits {
            self.waiters.watch(Watcher { end, until, from });
        } else {
            cx.replies.push((from, Reply::Watch(true)));
        }
        waits
    }

    /// Answers the watchers whose time is up, and forgets those whom nobody waits for. Returns when to look again.
    pub fn look_at_watchers<F>(&mut self, now: Nanos, cx: &mut Context<'_, F>) -> Option<Nanos> {
        self.waiters.expire(now, cx.replies)
    }

    /// Forgets the watchers whom nobody waits for any more.
    pub fn forget_watchers(&mut self) {
        self.waiters.forget_abandoned();
    }

    /// Says how the partition stands.
    pub fn describe<F>(&self, from: ReplyTo, cx: &mut Context<'_, F>) {
        let described = match self.log.failure() {
            Some(why) => Err(Error::Storage(why.to_owned())),
            None => Ok(Described {
                max_message_bytes: self.settings.max_message_bytes,
                log_start: self.log.start_offset(),
                high_watermark: self.log.visible_upto(),
            }),
        };
        cx.replies.push((from, Reply::Describe(described)));
    }

    // ---- what the shard drives

    /// One of the log's operations has ended.
    pub fn complete<F: Fs>(&mut self, op: LogOp, completion: Completion, cx: &mut Context<'_, F>) {
        let opened = matches!(op, LogOp::Prepare { .. } | LogOp::Open { .. });
        let lacks_descriptors = opened && completion.result.as_ref().is_err_and(no_descriptors);
        match op {
            LogOp::Read { id, piece } => self.read_completed(id, piece, completion, cx),
            _ => {
                let moved = self.log.complete(op, completion, cx.wanted);
                self.release(moved, cx);
            }
        }
        if self.closed {
            return;
        }
        if opened {
            if lacks_descriptors {
                self.refuse_openings(&Error::TooManyFiles, cx);
            }
            self.plan_again(cx);
        }
        if self.log.failure().is_some() {
            self.fail_all(cx);
        }
        self.go_on_deleting(cx);
        self.take_queued(cx);
        if lacks_descriptors {
            self.log.forget_descriptors();
        }
    }

    /// Answers what the moved positions allow.
    fn release<F>(&mut self, visible_moved: bool, cx: &mut Context<'_, F>) {
        // Readers first: who was told of an acknowledgement and asks elsewhere finds that the news is there before it.
        if visible_moved {
            self.waiters.rouse(self.log.visible_upto(), cx.replies);
        }
        self.waiters.acknowledge(self.log.acknowledged(), cx.replies);
    }

    fn fail_all<F>(&mut self, cx: &mut Context<'_, F>) {
        let error = Error::Storage(self.log.failure().unwrap_or("the storage failed").to_owned());
        self.answer_all(&error, cx);
        self.refuse_in_line(&error, cx);
    }

    fn answer_all<F>(&mut self, error: &Error, cx: &mut Context<'_, F>) {
        self.waiters.fail_all(error, cx.replies);
        self.refuse_queue(error, cx);
        self.refuse_deletions(error, cx);
        self.refuse_openings(error, cx);
    }

    /// Has the tail written, where the journal does not take it ([`Log::pump`]).
    pub fn pump<F: Fs>(&mut self, journal_max: Option<u64>, cx: &mut Context<'_, F>) {
        self.log.pump(journal_max, cx.wanted);
        if planted(Plant::WatermarkEarly) {
            let moved = self.log.advance_high_watermark();
            self.release(moved, cx);
        }
    }

    /// The journal has everything before `end`, durably.
    pub fn journaled<F>(&mut self, end: Position, cx: &mut Context<'_, F>) {
        let moved = self.log.journaled(end);
        self.release(moved, cx);
    }

    /// The topic has other settings: they hold for what comes, and for what waits to be acknowledged.
    pub fn reconfigure<F>(&mut self, settings: PartitionSettings, log: LogSettings, cx: &mut Context<'_, F>) {
        self.settings = settings;
        let moved = self.log.reconfigure(log);
        self.release(moved, cx);
    }

    /// The topic is deleted: answers everybody who waits, reads in line aside, and takes nothing more.
    pub fn close<F>(&mut self, cx: &mut Context<'_, F>) {
        self.closed = true;
        self.reads.forget_ahead(cx.ahead);
        self.answer_all(&Error::UnknownPartition, cx);
    }

    /// The engine stops: nobody waits for records any more; appends still get their acknowledgement.
    pub fn stop_watching<F>(&mut self, cx: &mut Context<'_, F>) {
        self.waiters.stop_watching(cx.replies);
    }

    /// Whether something that is to be durable has not been answered yet.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        !self.queue.is_empty() || !self.waiters.is_acknowledged() || !self.deletions.is_empty()
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its log, for the shard's flushes and memory.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// What a checkpoint holds of it: the durable end, the start, and the producers as of the end. `None` before anything
    /// is durable.
    #[must_use]
    pub fn durable_state(&self) -> Option<Entry> {
        let (flushed_position, flushed_offset) = self.log.durable();
        if flushed_position == Position::ZERO {
            return None;
        }
        let mut durable = self.producers.clone();
        durable.truncate_to(flushed_offset);
        let mut producers = Vec::new();
        durable.encode(&mut producers);
        let (log_start, last_epoch) = (self.log.start_wanted(), self.log.durable_epoch());
        Some(Entry { flushed_position, flushed_offset, log_start, last_epoch, producers })
    }

    /// Forgets producers that were silent for so long.
    pub fn expire_producers(&mut self, unix_millis: i64, expiration_ms: i64) {
        self.producers.expire(unix_millis, expiration_ms);
    }
}

fn refusal(verdict: Verdict, header: &BatchHeader) -> Error {
    match verdict {
        Verdict::OutOfOrder { expected } => {
            Error::OutOfOrderSequence { expected, found: header.base_sequence }
        }
        Verdict::Fenced { .. } => Error::InvalidProducerEpoch,
        Verdict::DuplicateSequence { .. } => Error::DuplicateSequence,
        Verdict::Append | Verdict::Duplicate { .. } => unreachable!("these are not refused"),
    }
}
