//! Appending single records: gathered into batches, answered one by one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::pending::{block_on, block_on_for};
use super::{Clock, RecordRef};
use crate::batch::{BatchError, Header};
use crate::error::Error;
use crate::limits;
use crate::mailbox::gather::{Gathered, Gatherer};
use crate::mailbox::group::GroupRecord;
use crate::mailbox::is_shard_thread;
use crate::mailbox::room::Place;
use crate::types::{Offset, PartitionId};

/// How an [`Appender`] gathers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppenderOptions {
    /// The largest batch in bytes; at most the topic's `max.message.bytes`, whatever is said here.
    pub batch_bytes: usize,
    /// Bytes of records that may be unanswered, each counted with some more: past it, it is [busy](Error::Busy). So no record
    /// may be larger, which matters where the topic takes batches of more than the default of 4 MiB.
    pub bytes_max: u32,
}

impl Default for AppenderOptions {
    fn default() -> Self {
        Self { batch_bytes: usize::MAX, bytes_max: limits::APPENDER_BYTES }
    }
}

/// Appends single records to one partition. Cloning shares it; it may be used from any thread.
///
/// Records that come while the partition's shard is asleep or waiting are on their way at once. What comes while it is
/// busy, from all threads together, is one batch when it comes to it: the busier it is, the larger the batches, and
/// nobody waits for a timer. Each record has its own answer; the records of a batch are flushed, and answered, together.
///
/// Records of one thread get their offsets in the order in which they were appended.
///
/// Where the topic's `max.message.bytes` is lowered meanwhile, batches that were gathered before may be refused, each record
/// with [`Error::Batch`]; the appender learns of it with the first of them, and goes on with smaller ones. Where it is raised,
/// an appender made then makes use of it.
#[derive(Clone)]
pub struct Appender {
    gatherer: Arc<Gatherer>,
    /// [`AppenderOptions::batch_bytes`].
    batch_bytes: usize,
    clock: Arc<dyn Clock>,
}

impl Appender {
    pub(super) fn new(gatherer: Arc<Gatherer>, batch_bytes: usize, clock: Arc<dyn Clock>) -> Self {
        Self { gatherer, batch_bytes, clock }
    }

    /// Appends a record.
    ///
    /// # Errors
    /// At once [`Error::Busy`] while too many bytes are unanswered, [`Error::RecordTooLarge`] for a record that is larger than
    /// the [`AppenderOptions`] allow, [`Error::Batch`] for one that is larger than the topic does, or [`Error::Stopped`]; then
    /// as [`Handle::append`](super::Handle::append).
    pub fn append(&self, record: RecordRef<'_>) -> Result<PendingRecord, Error> {
        let units = self.units(&record)?;
        if !self.gatherer.room().try_take(units) {
            return Err(Error::Busy);
        }
        self.push(&record, units)
    }

    /// [`Appender::append`] that waits for room. It does not wait for the append itself.
    ///
    /// # Errors
    /// At once [`Error::WouldDeadlock`] on a shard's own thread; then as [`Appender::append`], without
    /// [`Error::Busy`].
    pub fn append_blocking(&self, record: RecordRef<'_>) -> Result<PendingRecord, Error> {
        if is_shard_thread() {
            return Err(Error::WouldDeadlock);
        }
        let units = self.units(&record)?;
        if !self.gatherer.room().try_take(units) {
            let mut place = Place::new(Arc::clone(self.gatherer.room()), units);
            block_on(|waker| place.poll(waker));
        }
        self.push(&record, units)
    }

    /// [`Appender::append_blocking`] that does not wait for room for longer than this.
    ///
    /// # Errors
    /// As [`Appender::append_blocking`], and [`Error::Busy`] where there was no room in that time.
    pub fn append_timeout(&self, record: RecordRef<'_>, timeout: Duration) -> Result<PendingRecord, Error> {
        if is_shard_thread() {
            return Err(Error::WouldDeadlock);
        }
        let units = self.units(&record)?;
        if !self.gatherer.room().try_take(units) {
            let mut place = Place::new(Arc::clone(self.gatherer.room()), units);
            block_on_for(timeout, |waker| place.poll(waker)).ok_or(Error::Busy)?;
        }
        self.push(&record, units)
    }

    /// [`Appender::append`] that waits for room, as a future of any runtime. It is ready when the record is on its way,
    /// and its [`PendingRecord`] when it is appended. Dropped before, it has appended nothing.
    pub fn append_async<'a>(&self, record: RecordRef<'a>) -> RecordRoom<'a> {
        RecordRoom { appender: self.clone(), record, wanted: None }
    }

    /// Bytes of records that may still be appended before it is busy.
    #[must_use]
    pub fn bytes_left(&self) -> u32 {
        self.gatherer.room().left()
    }

    /// The partition it appends to.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.gatherer.partition()
    }

    fn push(&self, record: &RecordRef<'_>, units: u32) -> Result<PendingRecord, Error> {
        let &RecordRef { timestamp, key, value, headers } = record;
        let timestamp = timestamp.unwrap_or_else(|| self.clock.unix_millis());
        let gathered = Gathered { timestamp, key, value, headers };
        self.gatherer.push(&gathered, units).map(PendingRecord).map_err(|error| match error {
            Error::Batch(BatchError::TooLarge { size, max }) if max == self.batch_bytes => {
                Error::RecordTooLarge { size, max, option: "batch_bytes" }
            }
            error => error,
        })
    }

    /// What the record takes of the room.
    fn units(&self, record: &RecordRef<'_>) -> Result<u32, Error> {
        let len = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        let of_header = |header: &Header<'_>| header.key.len() + len(header.value);
        let size = limits::APPENDER_RECORD_BYTES
            + len(record.key)
            + len(record.value)
            + record.headers.iter().map(of_header).sum::<usize>();
        let max = self.gatherer.room().total();
        let units = u32::try_from(size).ok().filter(|units| *units <= max);
        // It would wait for ever.
        units.ok_or(Error::RecordTooLarge { size, max: max as usize, option: "bytes_max" })
    }
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Appender({:?})", self.gatherer)
    }
}

/// The answer to one record's append, now or later, with its offset: block for it, await it, or drop it, as a
/// [`Pending`](super::Pending).
#[must_use = "the record takes its course, but nobody learns whether it failed"]
#[derive(Debug)]
pub struct PendingRecord(GroupRecord);

impl PendingRecord {
    /// Whether the answer is there, so that [`PendingRecord::wait`] returns at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.is_ready()
    }

    /// Blocks until the record is as durable as the topic's `flush.messages` says, and returns its offset.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] on a shard's own thread where the answer is not there yet; else as
    /// [`Handle::append`](super::Handle::append).
    pub fn wait(mut self) -> Result<Offset, Error> {
        if is_shard_thread() && !self.is_ready() {
            return Err(Error::WouldDeadlock);
        }
        block_on(|waker| self.0.poll(waker))
    }

    /// Blocks until the answer is there, or until the time is up: then it is `None`, the record takes its course, and it may
    /// be waited for again.
    ///
    /// # Errors
    /// As [`PendingRecord::wait`].
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Offset, Error>> {
        if is_shard_thread() && !self.is_ready() {
            return Some(Err(Error::WouldDeadlock));
        }
        block_on_for(timeout, |waker| self.0.poll(waker))
    }
}

impl Future for PendingRecord {
    type Output = Result<Offset, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context.waker())
    }
}

/// A record that waits for room; see [`Appender::append_async`]. Ready with the record on its way.
#[must_use = "a future does nothing until it is awaited"]
#[derive(Debug)]
pub struct RecordRoom<'a> {
    appender: Appender,
    record: RecordRef<'a>,
    /// Its place in line, and how much it wants, once it was polled.
    wanted: Option<(Place, u32)>,
}

impl Future for RecordRoom<'_> {
    type Output = Result<PendingRecord, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.wanted.is_none() {
            let units = match this.appender.units(&this.record) {
                Ok(units) => units,
                Err(error) => return Poll::Ready(Err(error)),
            };
            this.wanted = Some((Place::new(Arc::clone(this.appender.gatherer.room()), units), units));
        }
        let (place, units) = this.wanted.as_mut().expect("it was just made");
        place.poll(context.waker()).map(|()| this.appender.push(&this.record, *units))
    }
}
