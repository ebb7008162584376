//! What an embedding service holds: append, read and wait from any thread, with any async runtime or none.
//!
//! Every method only leaves a request in the owning shard's mailbox and returns a [`Pending`], so one thread can have
//! as many requests under way as the engine takes. A `Pending` is waited for with [`Pending::wait`], is a future, and
//! may be dropped: the request takes its course all the same.
//!
//! Requests of one thread to one partition take effect in the order in which they were made. Past the engine's limit
//! a method fails with [`Error::Busy`] and has done nothing; with [`Handle::when_room`] any of them waits for room instead.
//! Once the engine is closed, everything answers [`Error::Stopped`].
//!
//! Each of a handle's appends is a batch of its own. An [`Appender`] gathers single records from any thread into
//! batches.

mod appender;
mod pending;
mod records;
mod room;
mod scan;
mod tail;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use appender::{Appender, AppenderOptions, PendingRecord, RecordRoom};
pub use pending::Pending;
pub use records::RecordRef;
pub use room::WhenRoom;
pub use scan::{for_each_record, try_for_each_record};
pub use tail::{Tail, TailFrom, TailRun, TailRuns};

use crate::catalog::SettingsEdit;
use crate::error::Error;
use crate::io::Slice;
use crate::limits;
use crate::mailbox::bounds::Bounds;
use crate::mailbox::budget::{Budget, Permit};
use crate::mailbox::completion::completion;
use crate::mailbox::gather::Gatherer;
use crate::mailbox::room::Room;
use crate::mailbox::{Lane, Mail, Peers, ReplyTo};
use crate::placement::{CATALOG_SHARD, owner};
use crate::request::{
    Appended, CreatedTopic, Described, FoundOffset, OffsetQuery, Origin, Records, Reply, Request,
};
use crate::types::{Nanos, Offset, PartitionId, ProducerId, ShardId, TopicId};

use room::Turn;

/// The clocks that deadlines and record timestamps are made with: the shards' own.
pub trait Clock: Send + Sync {
    /// Monotonic time, as [`Io::now`](crate::io::Io::now) tells it to the shards.
    fn now(&self) -> Nanos;

    /// Milliseconds since the Unix epoch.
    fn unix_millis(&self) -> i64;
}

/// A way to the engine. Cloning shares it; it does not keep the engine open.
pub struct Handle {
    inner: Arc<Inner>,
    /// Where its one request waits for room; of those handles alone that [`Handle::when_room`] hands out.
    turn: Option<Box<Mutex<Turn>>>,
}

struct Inner {
    peers: Peers<Mail>,
    /// By shard.
    budgets: Box<[Budgets]>,
    clock: Arc<dyn Clock>,
}

/// What may be under way at one shard.
struct Budgets {
    requests: Budget,
    watches: Budget,
    /// Appenders, each for as long as it lives: how many there are keeps no request waiting.
    appenders: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        let budget = |lane: Lane| Budget::new(lane.handle_credits());
        Self {
            requests: budget(Lane::Request),
            watches: budget(Lane::Watch),
            appenders: Budget::new(limits::APPENDERS_MAX),
        }
    }
}

/// Takes the one kind of reply that a request has.
macro_rules! reply {
    ($kind:ident($answer:ident) => $result:expr) => {
        |reply| match reply {
            Reply::$kind($answer) => $result,
            other => unreachable!("a shard answered {other:?} to another kind of request"),
        }
    };
}

use reply;

impl Handle {
    /// The engine's one handle, to be cloned: it counts what is under way, which the mailboxes have room for once.
    pub(crate) fn new(peers: Peers<Mail>, clock: Arc<dyn Clock>) -> Self {
        let budgets = (0..peers.shards()).map(|_| Budgets::default()).collect();
        Self { inner: Arc::new(Inner { peers, budgets, clock }), turn: None }
    }

    /// Creates a topic with that many partitions (`None`: the engine's default), and settings by Kafka's names
    /// (`flush.messages`, `max.message.bytes`, …). It can be used as soon as this is answered.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::TopicExists`], [`Error::InvalidTopic`], [`Error::InvalidPartitions`],
    /// [`Error::InvalidConfig`], [`Error::Storage`] or [`Error::Stopped`].
    pub fn create_topic(
        &self,
        name: &str,
        partitions: impl Into<Option<i32>>,
        configs: &[(&str, &str)],
    ) -> Result<Pending<CreatedTopic>, Error> {
        let request = Request::CreateTopic {
            name: name.to_owned(),
            partitions: partitions.into(),
            configs: configs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            validate_only: false,
        };
        self.ask(CATALOG_SHARD, request, reply!(CreateTopic(result) => result))
    }

    /// Looks a topic up by its name; `None` if there is none.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::Stopped`].
    pub fn find_topic(&self, name: &str) -> Result<Pending<Option<CreatedTopic>>, Error> {
        let request = Request::FindTopic { name: name.to_owned() };
        self.ask(CATALOG_SHARD, request, reply!(FindTopic(topic) => Ok(topic)))
    }

    /// Deletes a topic with all of its records.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::Storage`] or [`Error::Stopped`].
    pub fn delete_topic(&self, id: TopicId) -> Result<Pending<()>, Error> {
        self.ask(CATALOG_SHARD, Request::DeleteTopic { id }, reply!(DeleteTopic(result) => result))
    }

    /// Changes a topic's settings, by Kafka's names. They are in effect as soon as this is answered.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::InvalidConfig`], [`Error::Storage`] or
    /// [`Error::Stopped`].
    pub fn alter_topic(&self, id: TopicId, edit: SettingsEdit) -> Result<Pending<()>, Error> {
        let request = Request::AlterTopic { id, edit, validate_only: false };
        self.ask(CATALOG_SHARD, request, reply!(AlterTopic(result) => result))
    }

    /// Gives a topic more partitions: `partitions` in all. They can be used as soon as this is answered.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::InvalidPartitions`], [`Error::Storage`] or
    /// [`Error::Stopped`].
    pub fn add_partitions(&self, id: TopicId, partitions: i32) -> Result<Pending<()>, Error> {
        let request = Request::AddPartitions { id, partitions, validate_only: false };
        self.ask(CATALOG_SHARD, request, reply!(AddPartitions(result) => result))
    }

    /// Appends one record batch in Kafka's format v2, such as
    /// [`BatchBuilder`](crate::batch::BatchBuilder) makes. Answered when it is as durable as the topic's
    /// `flush.messages` says. The bytes are copied; [`Handle::append_slice`] does without.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::Batch`], what an idempotent producer's
    /// batch can fail with, [`Error::Storage`], [`Error::DiskFull`] or [`Error::Stopped`].
    pub fn append(&self, partition: PartitionId, batch: &[u8]) -> Result<Pending<Appended>, Error> {
        // Room first: a batch that is refused need not be copied.
        let permit = self.permit(self.owner(partition), Lane::Request)?;
        Ok(self.append_with(permit, partition, Slice::copy_from(batch)))
    }

    /// [`Handle::append`] of bytes that are already in the engine's memory, without a copy.
    ///
    /// # Errors
    /// As [`Handle::append`].
    pub fn append_slice(&self, partition: PartitionId, batch: Slice) -> Result<Pending<Appended>, Error> {
        let permit = self.permit(self.owner(partition), Lane::Request)?;
        Ok(self.append_with(permit, partition, batch))
    }

    /// An [`Appender`] for a partition, with the default options.
    ///
    /// # Errors
    /// As [`Handle::appender_with`].
    pub fn appender(&self, partition: PartitionId) -> Result<Pending<Appender>, Error> {
        self.appender_with(partition, AppenderOptions::default())
    }

    /// An [`Appender`] for a partition: gathers single records from any thread into batches. One is enough for a partition:
    /// cloning shares it. A shard's partitions have [`limits::APPENDERS_MAX`] of them at most.
    ///
    /// # Errors
    /// At once [`Error::Busy`] or [`Error::TooManyAppenders`]; then [`Error::UnknownPartition`], [`Error::Storage`] or [`Error::Stopped`].
    pub fn appender_with(
        &self,
        partition: PartitionId,
        options: AppenderOptions,
    ) -> Result<Pending<Appender>, Error> {
        let shard = self.owner(partition);
        let appenders = &self.inner.budgets[usize::from(shard.value())].appenders;
        let slot = appenders.try_take().ok_or(Error::TooManyAppenders)?;
        let handle = self.clone();
        let read = move |reply| {
            let described = reply!(Describe(result) => result)(reply)?;
            let room = Arc::new(Room::new(options.bytes_max.max(limits::APPENDER_BYTES_MIN)));
            let bounds = Bounds::new(room, options.batch_bytes.min(described.max_message_bytes));
            let gatherer = Gatherer::new(partition, shard, handle.inner.peers.clone(), slot, bounds);
            Ok(Appender::new(Arc::new(gatherer), options.batch_bytes, Arc::clone(&handle.inner.clock)))
        };
        self.ask(shard, Request::Describe { partition }, read)
    }

    /// Appends records as one uncompressed batch; they become visible together. Who appends many batches saves memory
    /// traffic with a [`BatchBuilder`](crate::batch::BatchBuilder) of their own and [`Handle::append`].
    ///
    /// # Errors
    /// At once [`Error::Batch`] where there are no records, or too many for any batch; else as [`Handle::append`].
    /// Where it is [`Error::Busy`], none of them was looked at.
    pub fn append_records<'a>(
        &self,
        partition: PartitionId,
        records: impl IntoIterator<Item = RecordRef<'a>>,
    ) -> Result<Pending<Appended>, Error> {
        // Room first: what is refused need not be encoded.
        let permit = self.permit(self.owner(partition), Lane::Request)?;
        let batch = records::build(records, self.inner.clock.unix_millis()).map_err(Error::Batch)?;
        Ok(self.append_with(permit, partition, batch))
    }

    /// Reads whole batches, from the one that holds `from` on: at most `max_bytes`, but at least one batch. At the
    /// visible end the answer is empty; [`for_each_record`] goes through what it holds.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::OffsetOutOfRange`], [`Error::Storage`] or
    /// [`Error::Stopped`].
    pub fn read(
        &self,
        partition: PartitionId,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Pending<Records>, Error> {
        let request = Request::Read { partition, from, max_bytes };
        self.ask(self.owner(partition), request, reply!(Read(result) => result))
    }

    /// Answers true once the partition's visible end is past `end` (or the partition is gone), false when `timeout`
    /// has passed first. Of these a shard takes [1,024](Lane::handle_credits) at a time, with the tails that wait; one whose
    /// [`Pending`] is dropped counts until the shard looks, [a second](limits::WATCH_LOOK_MS) later or sooner.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::Stopped`] where the engine is closed before either.
    pub fn wait_for(
        &self,
        partition: PartitionId,
        end: Offset,
        timeout: Duration,
    ) -> Result<Pending<bool>, Error> {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let until = self.inner.clock.now().plus(nanos);
        let request = Request::Watch { partition, end, until };
        self.ask(self.owner(partition), request, reply!(Watch(news) => Ok(news)))
    }

    /// Follows a partition from some offset (or [time](TailFrom::Timestamp)) on: a [`Tail`] yields what is there and
    /// waits for more. Nothing is read before it is asked for the first time.
    #[must_use]
    pub fn tail(&self, partition: PartitionId, from: impl Into<TailFrom>) -> Tail {
        Tail::new(self.clone(), partition, from.into())
    }

    /// Finds an offset: the first, the end, or by timestamp.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::Storage`] or [`Error::Stopped`].
    pub fn list_offset(
        &self,
        partition: PartitionId,
        query: OffsetQuery,
    ) -> Result<Pending<FoundOffset>, Error> {
        let request = Request::ListOffset { partition, query };
        self.ask(self.owner(partition), request, reply!(ListOffset(result) => result))
    }

    /// Deletes the records before an offset, at most the visible end: they are not read any more, and whole segments of
    /// them are removed. Answered with the partition's first offset when that survives a power cut.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::OffsetOutOfRange`], [`Error::DiskFull`],
    /// [`Error::Storage`] or [`Error::Stopped`].
    pub fn delete_records(&self, partition: PartitionId, before: Offset) -> Result<Pending<Offset>, Error> {
        let request = Request::DeleteRecords { partition, before };
        self.ask(self.owner(partition), request, reply!(DeleteRecords(result) => result))
    }

    /// How a partition stands: its first and last offsets, and the largest batch it takes.
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::UnknownPartition`], [`Error::Storage`] or [`Error::Stopped`].
    pub fn describe(&self, partition: PartitionId) -> Result<Pending<Described>, Error> {
        let request = Request::Describe { partition };
        self.ask(self.owner(partition), request, reply!(Describe(result) => result))
    }

    /// A producer id that was never handed out before, for batches that may be sent again without being doubled
    /// ([`BatchBuilder::set_producer`](crate::batch::BatchBuilder::set_producer)).
    ///
    /// # Errors
    /// At once [`Error::Busy`]; then [`Error::Storage`] or [`Error::Stopped`].
    pub fn new_producer_id(&self) -> Result<Pending<ProducerId>, Error> {
        self.ask(CATALOG_SHARD, Request::NewProducerId, reply!(NewProducerId(result) => result))
    }

    /// Makes a request once there is room for it, instead of failing with [`Error::Busy`]: any of this handle's, awaited on
    /// any runtime or [waited for](WhenRoom::wait). Ready when the request was made, with its [`Pending`]; dropped before,
    /// it has asked for nothing.
    ///
    /// ```
    /// use tora_engine::Handle;
    /// use tora_engine::error::Error;
    /// use tora_engine::handle::RecordRef;
    /// use tora_engine::types::{Offset, PartitionId};
    ///
    /// async fn keep(handle: &Handle, partition: PartitionId, pair: [&[u8]; 2]) -> Result<Offset, Error> {
    ///     let records = pair.map(RecordRef::of_value);
    ///     let pending = handle.when_room(|handle| handle.append_records(partition, records)).await?;
    ///     Ok(pending.await?.base_offset)
    /// }
    /// ```
    ///
    /// `request` makes one request through the handle that it is given, which knows of the room; it is called again where
    /// there was none, so what it takes it gives away by reference or as a copy. Whoever waits stands in line, but a request
    /// that comes by while there is room is made at once.
    pub fn when_room<T, F>(&self, request: F) -> WhenRoom<F>
    where
        F: FnMut(&Self) -> Result<Pending<T>, Error>,
    {
        WhenRoom::new(self, request)
    }

    /// How many shards the engine has.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.inner.peers.shards()
    }

    fn append_with(&self, permit: Permit, partition: PartitionId, batch: Slice) -> Pending<Appended> {
        let request = Request::Append { partition, batch, origin: Origin::Client };
        self.send(permit, self.owner(partition), request, reply!(Append(result) => result))
    }

    fn ask<T>(
        &self,
        to: ShardId,
        request: Request,
        read: impl FnOnce(Reply) -> Result<T, Error> + Send + 'static,
    ) -> Result<Pending<T>, Error> {
        let permit = self.permit(to, Lane::of(&request))?;
        Ok(self.send(permit, to, request, read))
    }

    fn send<T>(
        &self,
        permit: Permit,
        to: ShardId,
        request: Request,
        read: impl FnOnce(Reply) -> Result<T, Error> + Send + 'static,
    ) -> Pending<T> {
        let (completer, completion) = completion(permit);
        self.inner.peers.send(to, Mail::Request { from: ReplyTo::Handle(completer), request });
        Pending::new(completion, read)
    }

    fn permit(&self, shard: ShardId, lane: Lane) -> Result<Permit, Error> {
        let budget = self.budget(shard, lane);
        match &self.turn {
            None => budget.try_take().ok_or(Error::Busy),
            Some(turn) => turn.lock().unwrap_or_else(PoisonError::into_inner).take((shard, lane), budget),
        }
    }

    fn budget(&self, shard: ShardId, lane: Lane) -> &Budget {
        let budgets = &self.inner.budgets[usize::from(shard.value())];
        match lane {
            Lane::Request => &budgets.requests,
            Lane::Watch => &budgets.watches,
        }
    }

    fn owner(&self, partition: PartitionId) -> ShardId {
        owner(partition, self.shards())
    }
}

impl Clone for Handle {
    /// Another for the same engine. A turn is that of one request, and no clone's.
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), turn: None }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({} shards)", self.shards())
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
