//! Following a partition: everything from some offset on, and what comes after it, for as long as there is more to come.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use futures_core::Stream;

use super::pending::{block_on, block_on_for};
use super::{Handle, Pending, for_each_record, scan, try_for_each_record};
use crate::batch::{BatchError, Record};
use crate::error::Error;
use crate::limits;
use crate::mailbox::budget::{Permit, PermitPlace};
use crate::mailbox::{Lane, is_shard_thread};
use crate::request::{FoundOffset, OffsetQuery, Records, Reply, Request};
use crate::types::{Offset, PartitionId};

/// Where a [`Tail`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailFrom {
    /// With this record, or the next to come.
    Offset(Offset),
    /// With the first record held.
    Earliest,
    /// With the first record to come.
    Latest,
    /// With the first record whose timestamp is at least this, in milliseconds since the Unix epoch; with the next to
    /// come where there is none.
    Timestamp(i64),
}

impl From<Offset> for TailFrom {
    fn from(offset: Offset) -> Self {
        Self::Offset(offset)
    }
}

/// Some records of a [`Tail`], where they lie in the engine's memory: holding one keeps that memory.
#[derive(Clone, Debug)]
pub struct TailRun {
    records: Records,
    from: Offset,
    end: Offset,
}

impl TailRun {
    /// The offset it begins with.
    #[must_use]
    pub fn from(&self) -> Offset {
        self.from
    }

    /// The offset after its last record: where to go on after it was dealt with.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// The whole batches. The first may begin before [`TailRun::from`].
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Calls `visit` with each record, in order, where it lies. Checksums are verified.
    ///
    /// # Errors
    /// As [`for_each_record`].
    pub fn for_each(&self, visit: impl FnMut(Record<'_>)) -> Result<(), BatchError> {
        for_each_record(&self.records, self.from, visit).map(drop)
    }

    /// The same until `visit` fails.
    ///
    /// ```
    /// use tora_engine::error::Error;
    /// use tora_engine::handle::TailRun;
    ///
    /// fn sum(run: &TailRun) -> Result<u64, Box<dyn std::error::Error>> {
    ///     let mut sum = 0;
    ///     run.try_for_each(|record| -> Result<(), Box<dyn std::error::Error>> {
    ///         let number = record.value.and_then(|value| value.try_into().ok());
    ///         let number = number.ok_or_else(|| format!("the record at {} is no number", record.offset))?;
    ///         sum += u64::from_le_bytes(number);
    ///         Ok(())
    ///     })?;
    ///     Ok(sum)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`try_for_each_record`].
    pub fn try_for_each<E: From<BatchError>>(
        &self,
        visit: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        try_for_each_record(&self.records, self.from, visit).map(drop)
    }
}

/// What a tail waits for.
enum Step {
    Find(OffsetQuery),
    Finding(OffsetQuery, Pending<FoundOffset>),
    Read(Offset),
    Reading(Offset, Pending<Records>),
    Wait(Offset),
    Waiting(Offset, Pending<bool>),
    Ended,
}

/// Follows a partition; see [`Handle::tail`].
///
/// It yields [runs](TailRun) of records in order, without gaps, and reads one ahead, so that at most two runs are in
/// memory. At the end it waits for more. It ends (`None`) when the topic is deleted or the engine closed. After an
/// error it ends, too, unless [`Tail::seek`] sends it on: [`Error::OffsetOutOfRange`] names the first offset that is
/// still held, where the one asked for is not.
///
/// Of the tails of one shard's partitions that wait for more, [1,024](Lane::handle_credits) are told as soon as there is some.
/// Where there are more, they take turns of [`limits::TAIL_WATCH_MS`] at most: a tail then finds what has come when its turn
/// does, up to two seconds later for each 1,024 that wait before it. An engine with more shards has more turns at a time.
///
/// It may be dropped at any time; [`TailRun::end`] of the last run is where another can go on.
pub struct Tail {
    handle: Handle,
    partition: PartitionId,
    bytes_max: usize,
    step: Step,
    /// Its place in line where the engine is busy.
    place: Option<(Lane, PermitPlace)>,
    ended: Option<Error>,
}

impl Tail {
    pub(super) fn new(handle: Handle, partition: PartitionId, from: TailFrom) -> Self {
        Self {
            handle,
            partition,
            bytes_max: limits::TAIL_BYTES,
            step: first_step(from),
            place: None,
            ended: None,
        }
    }

    /// Changes how large a run is at most, in bytes, unless its first batch alone is larger.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Goes on elsewhere, also after it has ended.
    pub fn seek(&mut self, from: impl Into<TailFrom>) {
        self.step = first_step(from.into());
        self.place = None;
        self.ended = None;
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Why it has ended, if it has: [`Error::UnknownPartition`] after the topic was deleted, [`Error::Stopped`] after
    /// the engine was closed, or the error that it yielded last.
    #[must_use]
    pub fn ended(&self) -> Option<&Error> {
        self.ended.as_ref()
    }

    /// The next run; waits for it. `None` at the end.
    pub fn next_async(&mut self) -> impl Future<Output = Option<Result<TailRun, Error>>> + Send {
        poll_fn(|context| self.poll_run(context.waker()))
    }

    /// The next run; blocks until it is there. `None` at the end.
    ///
    /// # Errors
    /// Yields [`Error::WouldDeadlock`] on a shard's own thread.
    pub fn next_blocking(&mut self) -> Option<Result<TailRun, Error>> {
        if is_shard_thread() {
            return Some(Err(Error::WouldDeadlock));
        }
        block_on(|waker| self.poll_run(waker))
    }

    /// The next run; blocks until it is there, or until the time is up: then it is `Pending`, and nothing is lost: the next
    /// call goes on waiting for the same run.
    ///
    /// # Errors
    /// As [`Tail::next_blocking`].
    pub fn next_timeout(&mut self, timeout: Duration) -> Poll<Option<Result<TailRun, Error>>> {
        if is_shard_thread() {
            return Poll::Ready(Some(Err(Error::WouldDeadlock)));
        }
        block_on_for(timeout, |waker| self.poll_run(waker)).map_or(Poll::Pending, Poll::Ready)
    }

    /// The next run if it is there already.
    pub fn try_next(&mut self) -> Poll<Option<Result<TailRun, Error>>> {
        self.poll_run(Waker::noop())
    }

    fn poll_run(&mut self, waker: &Waker) -> Poll<Option<Result<TailRun, Error>>> {
        loop {
            match &mut self.step {
                Step::Find(_) | Step::Read(_) | Step::Wait(_) => {
                    let lane = self.lane();
                    let permit = ready!(self.poll_permit(lane, waker));
                    self.send(permit);
                }
                Step::Finding(query, pending) => {
                    let query = *query;
                    match ready!(pending.poll_with(waker)) {
                        Ok(found) if found.offset < Offset::ZERO => {
                            // No record is that young: what comes next is.
                            assert!(query != OffsetQuery::Latest, "every log has an end");
                            self.step = Step::Find(OffsetQuery::Latest);
                        }
                        Ok(found) => self.step = Step::Read(found.offset),
                        Err(error) => return Poll::Ready(self.end(error)),
                    }
                }
                Step::Waiting(from, pending) => {
                    let from = *from;
                    match ready!(pending.poll_with(waker)) {
                        Ok(true) => self.step = Step::Read(from),
                        Ok(false) => self.step = Step::Wait(from),
                        Err(error) => return Poll::Ready(self.end(error)),
                    }
                }
                Step::Reading(from, pending) => {
                    let from = *from;
                    match ready!(pending.poll_with(waker)) {
                        Ok(records) if records.slices.is_empty() => self.step = Step::Wait(from),
                        Ok(records) => return Poll::Ready(self.take_run(from, records)),
                        Err(error) => return Poll::Ready(self.end(error)),
                    }
                }
                Step::Ended => return Poll::Ready(None),
            }
        }
    }

    /// A run has come; has what follows read, or waits for it, while the caller is busy with it.
    fn take_run(&mut self, from: Offset, records: Records) -> Option<Result<TailRun, Error>> {
        let Some(end) = scan::end_offset(&records).filter(|end| *end > from) else {
            let why = format!("what was read of {} at offset {from} is no batch", self.partition);
            return self.end(Error::Storage(why));
        };
        self.step = if end < records.high_watermark { Step::Read(end) } else { Step::Wait(end) };
        if let Ok(permit) = self.handle.permit(self.handle.owner(self.partition), self.lane()) {
            self.send(permit);
        }
        Some(Ok(TailRun { records, from, end }))
    }

    fn end(&mut self, error: Error) -> Option<Result<TailRun, Error>> {
        self.step = Step::Ended;
        self.ended = Some(error.clone());
        let is_end = matches!(error, Error::UnknownPartition | Error::Stopped);
        (!is_end).then_some(Err(error))
    }

    fn lane(&self) -> Lane {
        if matches!(self.step, Step::Wait(_)) { Lane::Watch } else { Lane::Request }
    }

    fn poll_permit(&mut self, lane: Lane, waker: &Waker) -> Poll<Permit> {
        if self.place.as_ref().is_none_or(|(known, _)| *known != lane) {
            let shard = self.handle.owner(self.partition);
            self.place = Some((lane, self.handle.budget(shard, lane).place()));
        }
        let (_, place) = self.place.as_mut().expect("it was just made");
        let permit = ready!(place.poll(waker));
        self.place = None;
        Poll::Ready(permit)
    }

    /// Makes the request that the step is about.
    fn send(&mut self, permit: Permit) {
        let (partition, to) = (self.partition, self.handle.owner(self.partition));
        self.step = match self.step {
            Step::Find(query) => {
                let request = Request::ListOffset { partition, query };
                let read = super::reply!(ListOffset(result) => result);
                Step::Finding(query, self.handle.send(permit, to, request, read))
            }
            Step::Read(from) => {
                let request = Request::Read { partition, from, max_bytes: self.bytes_max };
                let read = super::reply!(Read(result) => result);
                Step::Reading(from, self.handle.send(permit, to, request, read))
            }
            Step::Wait(from) => {
                let until = self.handle.inner.clock.now().plus_millis(limits::TAIL_WATCH_MS);
                let request = Request::Watch { partition, end: from, until };
                let read = super::reply!(Watch(news) => Ok(news));
                Step::Waiting(from, self.handle.send(permit, to, request, read))
            }
            _ => unreachable!("nothing is to be sent"),
        };
    }
}

fn first_step(from: TailFrom) -> Step {
    match from {
        TailFrom::Offset(offset) => Step::Read(offset),
        TailFrom::Earliest => Step::Find(OffsetQuery::Earliest),
        TailFrom::Latest => Step::Find(OffsetQuery::Latest),
        TailFrom::Timestamp(timestamp) => Step::Find(OffsetQuery::ForTimestamp(timestamp)),
    }
}

impl Stream for Tail {
    type Item = Result<TailRun, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_run(context.waker())
    }
}

/// The runs of a [`Tail`], blocking for each.
#[derive(Debug)]
pub struct TailRuns(Tail);

impl Iterator for TailRuns {
    type Item = Result<TailRun, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_blocking()
    }
}

impl IntoIterator for Tail {
    type Item = Result<TailRun, Error>;
    type IntoIter = TailRuns;

    fn into_iter(self) -> TailRuns {
        TailRuns(self)
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match &self.step {
            Step::Find(_) | Step::Finding(..) => "looking for its start",
            Step::Read(_) | Step::Reading(..) => "reading",
            Step::Wait(_) | Step::Waiting(..) => "waiting for more",
            Step::Ended => "ended",
        };
        write!(f, "Tail({}, {doing})", self.partition)
    }
}
