//! A shard: everything one core owns, and the only way a service reaches the engine.
//!
//! Requests come in from the service on this core, from other shards and from embedding threads; each is done here if
//! its partition lives here, and sent to its owner if not. What partitions want done is submitted at once; writing and
//! flushing wait for the end of the turn ([`Shard::end_turn`]), so that everything a turn brought goes out together.

mod catalog;
mod checkpoints;
mod files;
mod gate;
mod housekeeping;
mod journal;
mod keeper;
mod lingering;
mod ops;
mod recovering;
mod removals;
mod requests;
mod slots;
mod timed;
mod watching;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::error::Error;
use crate::io::{Completion, Io, Op, Pool, Token};
use crate::limits;
use crate::log::recovery::{Recovered, RecoveryError};
use crate::log::{LogOp, Wanted};
use crate::mailbox::mail::Lane;
use crate::mailbox::{Credits, Inbox, Mail, Peers, ReplyTo};
use crate::open::{CATALOG_PARTITION, Loaded};
use crate::partition::{Context, Partition, ReadRoom, Searches};
use crate::placement::{self, CATALOG_SHARD};
use crate::request::{Reply, Request};
use crate::types::{LeaderEpoch, Nanos, PartitionId, ShardId};

use checkpoints::{Checkpoints, Extent};
use files::Files;
pub use gate::DiskUse;
use gate::Gate;
use journal::Journal;
use keeper::Keeper;
use lingering::Lingering;
pub use ops::SERVICE_BIT;
use ops::{Ops, Owner};
use removals::Removals;
use slots::Slots;
use timed::Rounds;

/// One core's partitions, its way to the other shards, and its operations.
pub struct Shard<I: Io> {
    pool: Pool,
    id: ShardId,
    config: Arc<Config>,
    data_dir: Arc<Path>,
    epoch: LeaderEpoch,
    durable_writes: bool,
    cluster_id: Arc<str>,
    catalog: Catalog,
    /// On the shard that keeps the catalog.
    keeper: Option<Keeper>,
    slots: Slots,
    /// Slots to be looked at before the turn ends.
    dirty: Vec<usize>,
    ops: Ops,
    gate: Gate<I::Fs>,
    files: Files<I::Fs>,
    journal: Journal,
    peers: Peers<Mail>,
    inbox: Inbox<Mail>,
    credits: Credits,
    /// Requests that wait for a credit, by shard and lane.
    outbox: Vec<[VecDeque<(u64, Request)>; 2]>,
    /// Replies for the service on this core.
    replies: VecDeque<(u64, Reply)>,
    /// When partitions' watchers have to be looked at, with the slots they are at.
    watches: BTreeSet<(Nanos, usize)>,
    /// Watches of threads outside that have begun since all of these were looked at.
    watched: u32,
    /// When partitions are flushed at the latest, with the slots they are at.
    flushes: BTreeSet<(Nanos, usize)>,
    rounds: Rounds,
    checkpoints: Checkpoints,
    removals: Removals,
    lingering: Lingering,
    next_housekeeping: Option<Nanos>,
    /// Numbers the chunks of tail memory.
    chunk_clock: u64,
    /// What that was when room in the pool was last made.
    room_looked_at: u64,
    /// When tails were last asked for old memory.
    tails_looked_at: Nanos,
    /// Reads that may still be made ahead.
    ahead: usize,
    searches: Searches,
    reads: ReadRoom,
    stopping: bool,
    /// It stops, and threads outside have had their last requests taken.
    refuses: bool,
    // Reused from call to call.
    wanted: Wanted<I::Fs>,
    answers: Vec<(ReplyTo, Reply)>,
    /// The last one, since it is dropped last: that waits until the kernel is done with what is under way, for as long as a hung
    /// disk may take, and dropping all the others answers whoever still waits. The memory of what is under way is the
    /// [`Io`]'s own meanwhile; what it was not given yet just goes.
    io: I,
}

impl<I: Io> Shard<I> {
    /// Opens a shard: recovers its partitions, blocking. `loaded` is what the data folder held.
    ///
    /// # Errors
    /// A partition that is damaged, or the system's errors.
    pub fn open(
        io: I,
        id: ShardId,
        config: Arc<Config>,
        loaded: &Loaded,
        peers: Peers<Mail>,
        mut inbox: Inbox<Mail>,
        catalog_log: Option<Recovered>,
    ) -> Result<Self, RecoveryError> {
        inbox.register(io.waker());
        let shards = peers.shards();
        let open_files_max = config.open_files_max;
        let mut shard = Self {
            pool: io.pool().clone(),
            id,
            data_dir: Arc::from(config.data_dir.as_path()),
            epoch: loaded.epoch,
            durable_writes: loaded.durable_writes,
            cluster_id: Arc::clone(&loaded.cluster_id),
            catalog: loaded.catalog.clone(),
            keeper: (id == CATALOG_SHARD).then(Keeper::default),
            slots: Slots::default(),
            dirty: Vec::new(),
            ops: Ops::default(),
            gate: Gate::new(loaded.disk_use.clone()),
            files: Files::new(open_files_max),
            journal: Journal::new(&config),
            peers,
            inbox,
            credits: Credits::new(shards),
            outbox: (0..shards).map(|_| [VecDeque::new(), VecDeque::new()]).collect(),
            replies: VecDeque::new(),
            watches: BTreeSet::new(),
            watched: 0,
            flushes: BTreeSet::new(),
            rounds: Rounds::default(),
            checkpoints: Checkpoints::default(),
            removals: Removals::default(),
            lingering: Lingering::default(),
            next_housekeeping: None,
            chunk_clock: 0,
            room_looked_at: 0,
            tails_looked_at: Nanos::default(),
            ahead: limits::READS_AHEAD_MAX,
            searches: Searches::new(),
            reads: ReadRoom::new(config.cold_read_bytes),
            stopping: false,
            refuses: false,
            wanted: Vec::new(),
            answers: Vec::new(),
            config,
            io,
        };
        if id == CATALOG_SHARD {
            let config = shard.catalog.defaults().clone();
            shard.add_partition(CATALOG_PARTITION, &config, catalog_log);
        }
        shard.recover(loaded);
        // First, since appends wait for it.
        shard.make_journal();
        shard.clear_tombstones(loaded);
        Ok(shard)
    }

    // ---- for the service

    /// Starts an operation for the service; the completion reaches its `on_completion` with the same token, whose top
    /// bit must be 0.
    pub fn submit(&mut self, token: Token, op: Op<I::Fs>) {
        assert!(token.0 & SERVICE_BIT == 0, "a service's tokens have 63 bits");
        self.io.submit(Token(token.0 | SERVICE_BIT), op);
    }

    /// Clock, randomness and memory.
    pub fn io(&mut self) -> &mut I {
        &mut self.io
    }

    /// This shard's number.
    #[must_use]
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.peers.shards()
    }

    /// Wakes a shard for something that its service left for the other's ([`Service::has_mail`]).
    ///
    /// [`Service::has_mail`]: crate::service::Service::has_mail
    pub fn wake(&self, shard: ShardId) {
        self.peers.wake(shard);
    }

    /// The topics as this shard knows them.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The settings the engine was opened with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The epoch stamped into batches from this opening on.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The data folder's cluster id.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Which shard owns a partition.
    #[must_use]
    pub fn owner(&self, id: PartitionId) -> ShardId {
        if id == CATALOG_PARTITION { CATALOG_SHARD } else { placement::owner(id, self.peers.shards()) }
    }

    // ---- for the reactor

    /// Takes what other shards and threads have sent.
    pub fn take_mail(&mut self) {
        self.linger();
        self.take_mail_of(limits::MAIL_PER_TURN);
    }

    fn take_mail_of(&mut self, messages: usize) {
        for _ in 0..messages {
            let Some(mail) = self.inbox.pop() else { return };
            self.take(mail);
        }
    }

    fn take(&mut self, mail: Mail) {
        match mail {
            // Whoever asks again after each answer would keep it from ever stopping.
            Mail::Request { from: from @ ReplyTo::Handle(_), .. } if self.refuses => drop(from),
            Mail::Request { from, request } => self.perform(from, request),
            Mail::Gathered(gathering) => self.append_gathered(gathering),
            Mail::Reply { from, tag, reply } => {
                let lane = Lane::of_reply(&reply);
                self.credits.put_back(from, lane);
                self.send_queued(from, lane);
                self.replies.push_back((tag, reply));
            }
            Mail::Catalog { version, changes } => self.apply_from_keeper(version, &changes),
            Mail::CatalogApplied { shard, version } => self.applied_there(shard, version),
        }
    }

    /// The next reply for the service.
    pub fn next_reply(&mut self) -> Option<(u64, Reply)> {
        self.replies.pop_front()
    }

    /// One of the shard's operations has ended.
    pub fn complete(&mut self, completion: Completion) {
        match self.ops.remove(completion.token) {
            Owner::Log { slot, op } => {
                let failed = completion.result.is_err();
                self.slots.at(slot).in_flight -= 1;
                match op {
                    LogOp::Read { .. } => self.gate.ended(self.io.now()),
                    LogOp::Prepare { .. } | LogOp::Open { .. } => {
                        self.file_opened(slot, completion.result.as_ref().err());
                    }
                    LogOp::Close => self.file_closed(),
                    LogOp::Remove => self.segment_removed(failed),
                    _ => {}
                }
                self.with(slot, |partition, cx| partition.complete(op, completion, cx));
                if failed && matches!(op, LogOp::Prepare { .. }) {
                    self.not_prepared(slot);
                }
                self.bury(slot);
            }
            Owner::Checkpoint => self.checkpoint_written(completion.result),
            Owner::Journal(op) => self.journal_completed(op, completion.result),
            Owner::Removal(removal) => self.removed(removal, completion.result),
        }
    }

    /// Has everything that this turn brought written and flushed.
    pub fn end_turn(&mut self) {
        self.take_away_closed();
        self.settle();
        for slot in std::mem::take(&mut self.dirty) {
            let entry = self.slots.at(slot);
            entry.dirty = false;
            self.pump(slot, self.journal.entry_max());
            self.note_unflushed(slot);
            self.offer_to_journal(slot);
        }
        self.write_journal();
        self.search_on();
        self.begin_reads();
        self.gate.open(&mut self.io);
        self.make_room();
        let now = self.io.now();
        self.expire_watches(now);
        self.flush_in_time(now);
        self.retain(now);
        self.remove_again(now);
        self.move_starts();
        if self.files.is_waiting() {
            self.make_places();
        }
        if self.next_housekeeping.is_some_and(|at| at <= now) {
            self.keep_house(now);
        }
    }

    /// Begins the reads from the disk whose turn has come.
    fn begin_reads(&mut self) {
        if self.reads.wants_ahead() && self.ahead < limits::READS_AHEAD_MAX {
            for entry in self.slots.iter_mut() {
                entry.partition.give_up_ahead(&mut self.ahead);
            }
        }
        while let Some((id, turn)) = self.reads.next_turn() {
            let slot = self.slots.find(id).expect("a topic that goes takes its reads out of the line");
            self.with_quietly(slot, |partition, cx| partition.take_turn(turn, cx));
        }
    }

    /// Has a partition written and flushed as far as the journal does not take it ([`Partition::pump`]).
    fn pump(&mut self, slot: usize, journal_max: Option<u64>) {
        self.with_quietly(slot, |partition, cx| {
            partition.pump(journal_max, cx);
            if partition.log().flush_due() {
                partition.log_mut().flush(cx.wanted);
            }
        });
    }

    /// When the next turn is needed at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Nanos> {
        let watch = self.watches.first().map(|watch| watch.0);
        let flush = self.flushes.first().map(|flush| flush.0);
        let deadlines = [
            watch,
            flush,
            self.gate.retry_at(),
            self.next_housekeeping,
            self.rounds.at,
            self.removals.again_at(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether there is something to do before sleeping.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.replies.is_empty()
            || !self.dirty.is_empty()
            || !self.searches.is_empty()
            || self.journal.may_settle()
            || self.reads.may_go_on()
            || self.lingering.is_due()
    }

    /// Whether the shard may sleep; after true, senders wake it until [`Shard::awake`].
    pub fn try_sleep(&mut self, has_mail: impl FnOnce() -> bool) -> bool {
        self.inbox.try_sleep(has_mail)
    }

    /// The shard is awake.
    pub fn awake(&mut self) {
        self.inbox.awake();
    }

    /// Hands over and collects operations.
    ///
    /// # Errors
    /// As [`Io::turn`].
    pub fn turn_io(&mut self, wait: crate::io::Wait, completions: &mut Vec<Completion>) -> io::Result<()> {
        self.io.turn(wait, completions)
    }

    /// Begins to stop, or goes on with that: nobody waits for news any more, appends go on until they are acknowledged, and what
    /// was sent before is done. What threads outside send from now on is refused.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            self.begin_stop();
        }
        // Before it is looked at what is waited for.
        self.inbox.watch_others();
        self.take_away_closed();
        self.refuse_waiting();
    }

    fn begin_stop(&mut self) {
        // Only what lies here now: what threads outside send after this is refused.
        self.take_mail_of(self.inbox.len());
        self.refuses = true;
        let slots: Vec<usize> = self.slots.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.with(slot, |partition, cx| partition.stop_watching(cx));
        }
        self.watches.clear();
        self.next_housekeeping = None;
        self.rounds.at = None;
        self.removals.leave_failed();
        self.leave_journal();
        self.checkpoints.note(1);
    }

    /// Whether nothing is under way any more, here or on the way to another shard; writes the last checkpoint once that is all
    /// that is missing.
    pub fn has_stopped(&mut self) -> bool {
        let is_busy = |partition: &Partition| partition.is_changing() || partition.log().is_unsettled();
        let busy = self.slots.iter().any(|(_, entry)| is_busy(&entry.partition));
        let waiting = !self.searches.is_empty() || self.reads.is_waited_for() || !self.replies.is_empty();
        let keeps = |keeper: &Keeper| keeper.is_busy(|shard| self.peers.has_ended(shard));
        if busy || waiting || self.keeper.as_ref().is_some_and(keeps) || self.ops.len() > 0 {
            return false;
        }
        self.remove_journal();
        if self.checkpoints.is_due() {
            self.write_checkpoint(Extent::Whole);
        }
        self.ops.len() == 0 && !self.waits_for_others()
    }

    /// Says whether it is ready to end, and answers whether all shards are, so that it may.
    pub fn leave_together(&mut self, ready: bool) -> bool {
        self.inbox.leave_together(ready)
    }

    // ---- partitions

    /// Calls a partition, then submits what it wants and delivers what it answers.
    fn with<R>(&mut self, slot: usize, call: impl FnOnce(&mut Partition, &mut Context<'_, I::Fs>) -> R) -> R {
        self.look_again(slot);
        self.with_quietly(slot, call)
    }

    /// Has a partition looked at before the turn ends.
    fn look_again(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.slots.at(slot).dirty, true) {
            self.dirty.push(slot);
        }
    }

    /// The same without having the partition looked at again before the turn ends.
    fn with_quietly<R>(
        &mut self,
        slot: usize,
        call: impl FnOnce(&mut Partition, &mut Context<'_, I::Fs>) -> R,
    ) -> R {
        let mut wanted = std::mem::take(&mut self.wanted);
        let mut answers = std::mem::take(&mut self.answers);
        let entry = self.slots.at(slot);
        let mut cx = Context {
            pool: &self.pool,
            chunk_clock: &mut self.chunk_clock,
            unix_millis: self.io.unix_millis(),
            ahead: &mut self.ahead,
            searches: &mut self.searches,
            reads: &mut self.reads,
            wanted: &mut wanted,
            replies: &mut answers,
            start_moves: &mut self.checkpoints.start_moves,
        };
        let result = call(&mut entry.partition, &mut cx);
        entry.in_flight += wanted.len();
        for (op, operation) in wanted.drain(..) {
            let token = self.ops.insert(Owner::Log { slot, op });
            match op {
                LogOp::Read { .. } => self.gate.push(token, operation),
                LogOp::Prepare { .. } | LogOp::Open { .. } => self.open_file(slot, token, operation),
                LogOp::Close => {
                    self.file_closing();
                    self.io.submit(token, operation);
                }
                LogOp::Write { .. } => {
                    self.gate.note_write(self.io.now());
                    self.io.submit(token, operation);
                }
                _ => self.io.submit(token, operation),
            }
        }
        self.wanted = wanted;
        for (to, reply) in answers.drain(..) {
            self.answer(to, reply);
        }
        self.answers = answers;
        self.look_after_ahead();
        result
    }

    /// The slot of a live topic's partition, made if it has never been used.
    fn slot_of(&mut self, id: PartitionId) -> Result<usize, Error> {
        if let Some(slot) = self.slots.find(id) {
            return Ok(slot);
        }
        let topic = self.catalog.topic(id.topic).cloned().ok_or(Error::UnknownPartition)?;
        if !(0..topic.partitions).contains(&id.index.value()) {
            return Err(Error::UnknownPartition);
        }
        Ok(self.add_partition(id, &topic.config, None))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
