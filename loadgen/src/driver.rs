//! A producing connection: one task writes requests, one reads acknowledgements.
//!
//! Closed loop (`--rate max`): a request goes out as soon as one of the connection's places in flight is free. Open
//! loop: each batch goes out when the schedule says so, and where the connection has fallen behind, all that is due
//! goes out together; latency counts from the schedule's time in both cases (in a closed loop that is the time at which
//! the batch is stamped).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::TcpStream;

use crate::cli::Acks;
use crate::client::{Response, Responses};
use crate::clock::Nanos;
use crate::codec::admin::ProducerIdentity;
use crate::codec::versions::Api;
use crate::codec::{error, produce};
use crate::meter::{Acknowledged, Meter, PhaseState};
use crate::schedule::Schedule;
use crate::stamp::{SessionId, Stamp};
use crate::template::{Patch, Strip, StripPool};
use crate::timer::Timer;

/// Room for many acknowledgements in one read; each takes some sixty bytes.
const RECEIVE_BYTES: usize = 64 * 1024;

/// How long after the window's end batches that were due within it are still sent. A connection that is further behind
/// than that has fallen behind for good.
const OVERTIME: Duration = Duration::from_millis(100);

/// How a connection paces itself.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// At most so many requests in flight.
    Closed { in_flight: usize },
    /// By this share of the run's schedule.
    Open(Schedule),
}

/// What a producing connection is to do.
pub struct Producer {
    pub stream: Rc<TcpStream>,
    pub state: Arc<PhaseState>,
    /// Which of the state's meters are this thread's.
    pub thread: usize,
    pub session: SessionId,
    pub partitions: Vec<i32>,
    pub identity: ProducerIdentity,
    pub produce_version: i16,
    pub acks: Acks,
    pub batch_records: u32,
    pub pace: Pace,
    pub strips: Rc<RefCell<StripPool>>,
}

impl Producer {
    /// Produces until the phase's window ends and all is acknowledged.
    pub async fn run(self) -> Result<Vec<Acknowledged>, String> {
        let flight = Rc::new(Flight::default());
        let reader = tokio_uring::spawn(Reader::new(&self, Rc::clone(&flight)).run());
        let lanes: Vec<_> = self.partitions.iter().map(|&partition| Lane { partition, sent: 0 }).collect();
        let records = u64::from(self.batch_records);
        let mut writer = Writer { producer: &self, flight: &flight, lanes, turn: 0, correlation: 0 };
        let written = writer.run().await;
        // The reader returns at the connection's end, which is here where the last answer has come.
        flight.drained().await;
        let _ = self.stream.shutdown(Shutdown::Both);
        let read = reader.await.map_err(|e| format!("a producing task was lost: {e}"))?;
        read.and(written)?;
        let acknowledged = |lane: &Lane| Acknowledged {
            session: self.session,
            partition: lane.partition,
            records: lane.sent * records,
        };
        Ok(writer.lanes.iter().map(acknowledged).collect())
    }

    fn meter(&self) -> &Meter {
        &self.state.meters[self.thread].produce
    }
}

/// One partition of a connection.
#[derive(Debug)]
struct Lane {
    partition: i32,
    /// Batches sent.
    sent: u64,
}

/// A request that waits for its acknowledgement.
#[derive(Debug, Clone, Copy)]
struct Sent {
    correlation: i32,
    partition: i32,
    intended: Nanos,
    value_bytes: u64,
}

/// The requests in flight, in the order in which they will be answered.
#[derive(Default)]
struct Flight {
    queue: RefCell<VecDeque<Sent>>,
    /// Set once no more answers will come.
    over: Cell<bool>,
    /// The writer, where it waits for an answer to come.
    waiting: Cell<Option<Waker>>,
}

impl Flight {
    /// The free places out of `limit`, waiting until there is one; 0 once no more answers will come.
    async fn room(&self, limit: usize) -> usize {
        self.until(|in_flight| in_flight < limit).await;
        if self.over.get() { 0 } else { limit - self.queue.borrow().len() }
    }

    /// Waits until every request is answered or no more answers will come.
    async fn drained(&self) {
        self.until(|in_flight| in_flight == 0).await;
    }

    async fn until(&self, enough: impl Fn(usize) -> bool) {
        poll_fn(|context| {
            if self.over.get() || enough(self.queue.borrow().len()) {
                return Poll::Ready(());
            }
            self.waiting.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn wake(&self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

struct Writer<'a> {
    producer: &'a Producer,
    flight: &'a Flight,
    lanes: Vec<Lane>,
    /// The lane whose turn it is.
    turn: usize,
    correlation: i32,
}

impl Writer<'_> {
    async fn run(&mut self) -> Result<(), String> {
        let result = match self.producer.pace {
            Pace::Closed { in_flight } => self.closed(in_flight).await,
            Pace::Open(schedule) => self.open(schedule).await,
        };
        result.map_err(|e| format!("sending to the broker failed: {e}"))
    }

    async fn closed(&mut self, in_flight: usize) -> io::Result<()> {
        let state = &self.producer.state;
        loop {
            let room = self.flight.room(in_flight).await;
            let now = state.clock.now();
            if room == 0 || now >= state.window.end() {
                return Ok(());
            }
            let mut strip = self.producer.strips.borrow_mut().take();
            let frames = room.min(strip.frames());
            for index in 0..frames {
                self.prepare(&mut strip, index, now);
            }
            self.send(strip, frames, now).await?;
        }
    }

    async fn open(&mut self, mut schedule: Schedule) -> io::Result<()> {
        let state = &self.producer.state;
        let mut timer = Timer::new()?;
        loop {
            let due = schedule.next_due();
            if due >= state.window.end() || self.flight.over.get() {
                return Ok(());
            }
            let now = state.clock.now();
            if now >= state.window.end() + OVERTIME {
                self.give_up(schedule);
                return Ok(());
            }
            if now < due {
                timer.sleep(due.since(now)).await?;
                continue;
            }
            let mut strip = self.producer.strips.borrow_mut().take();
            let mut frames = 0;
            while frames < strip.frames() && schedule.next_due() <= now {
                let intended = schedule.next_due();
                self.prepare(&mut strip, frames, intended);
                if state.window.contains(intended) {
                    let records = u64::from(self.producer.batch_records);
                    self.producer.meter().lateness.record(now.micros_since(intended), records);
                }
                schedule.advance();
                frames += 1;
            }
            self.send(strip, frames, now).await?;
        }
    }

    /// Counts what the schedule asked for and the connection could not send in time, each with the latency that it has
    /// at least.
    fn give_up(&self, mut schedule: Schedule) {
        let state = &self.producer.state;
        let records = u64::from(self.producer.batch_records);
        let end = state.window.end();
        while schedule.next_due() < end {
            state.unsent_records.fetch_add(records, Ordering::Relaxed);
            let latency = end.micros_since(schedule.next_due());
            if state.window.contains(schedule.next_due()) {
                self.producer.meter().latency.record(latency, records);
            }
            schedule.advance();
        }
    }

    /// Makes frame `index` the next batch, meant to be sent at `intended`.
    fn prepare(&mut self, strip: &mut Strip, index: usize, intended: Nanos) {
        let producer = self.producer;
        let lane = &mut self.lanes[self.turn];
        let sequence = lane.sent * u64::from(producer.batch_records);
        let patch = Patch {
            correlation: self.correlation,
            partition: lane.partition,
            stamp: Stamp { session: producer.session, sequence, sent: intended },
            wall_clock_ms: wall_clock_ms(),
            identity: producer.identity,
            base_sequence: base_sequence(producer.identity, sequence),
        };
        strip.patch(index, &patch);
        lane.sent += 1;
        if producer.acks != Acks::None {
            self.flight.queue.borrow_mut().push_back(Sent {
                correlation: self.correlation,
                partition: lane.partition,
                intended,
                value_bytes: strip.value_bytes(index),
            });
        }
        self.correlation = self.correlation.wrapping_add(1);
        self.turn = (self.turn + 1) % self.lanes.len();
    }

    /// Writes the strip's first `frames` frames.
    async fn send(&mut self, mut strip: Strip, frames: usize, now: Nanos) -> io::Result<()> {
        let producer = self.producer;
        let length = strip.end(frames - 1);
        let bytes = std::mem::take(&mut strip.bytes);
        let (result, bytes) = producer.stream.write_all(bytes.slice(..length)).await;
        strip.bytes = bytes.into_inner();
        let value_bytes: Vec<_> = match producer.acks {
            Acks::None => (0..frames).map(|index| strip.value_bytes(index)).collect(),
            Acks::Leader | Acks::All => Vec::new(),
        };
        producer.strips.borrow_mut().put(strip);
        result?;
        producer.state.sent_bytes.fetch_add(length as u64, Ordering::Relaxed);
        for value_bytes in value_bytes {
            producer.count(now, value_bytes);
        }
        Ok(())
    }
}

impl Producer {
    /// Counts a batch that was acknowledged just now.
    fn count(&self, intended: Nanos, value_bytes: u64) {
        count(&self.state, self.meter(), self.batch_records, intended, value_bytes);
    }
}

fn count(state: &PhaseState, meter: &Meter, batch_records: u32, intended: Nanos, value_bytes: u64) {
    let records = u64::from(batch_records);
    let now = state.clock.now();
    meter.count(&state.window, now, records, value_bytes);
    if state.window.contains(intended) {
        meter.latency.record(now.micros_since(intended), records);
    }
}

/// The first sequence number of a batch as an idempotent producer counts: 31 bits, then from 0 again.
fn base_sequence(identity: ProducerIdentity, sequence: u64) -> i32 {
    if identity == ProducerIdentity::NONE { -1 } else { (sequence & u64::from(u32::MAX >> 1)) as i32 }
}

fn wall_clock_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// The half of a connection that reads acknowledgements.
struct Reader {
    responses: Responses,
    state: Arc<PhaseState>,
    thread: usize,
    flight: Rc<Flight>,
    version: i16,
    batch_records: u32,
}

impl Reader {
    fn new(producer: &Producer, flight: Rc<Flight>) -> Self {
        Self {
            responses: Responses::new(Rc::clone(&producer.stream), RECEIVE_BYTES),
            state: Arc::clone(&producer.state),
            thread: producer.thread,
            flight,
            version: producer.produce_version,
            batch_records: producer.batch_records,
        }
    }

    /// Reads until the connection ends.
    async fn run(mut self) -> Result<(), String> {
        let result = self.read().await;
        self.flight.over.set(true);
        self.flight.wake();
        result
    }

    async fn read(&mut self) -> Result<(), String> {
        let broken = |e: io::Error| format!("the connection to the broker broke while producing: {e}");
        loop {
            let more = self.responses.receive().await.map_err(broken)?;
            if !more {
                let waiting = self.flight.queue.borrow().len();
                if waiting == 0 {
                    return Ok(());
                }
                return Err(format!(
                    "the broker closed a connection with {waiting} requests unanswered; its log may say why"
                ));
            }
            while let Some(response) = self.responses.pop().map_err(broken)? {
                acknowledge(&self.flight, self.version, &response, |sent| {
                    let meter = &self.state.meters[self.thread].produce;
                    count(&self.state, meter, self.batch_records, sent.intended, sent.value_bytes);
                })?;
            }
            self.flight.wake();
        }
    }
}

/// Takes the request that `response` answers off the flight.
fn acknowledge(
    flight: &Flight,
    version: i16,
    response: &Response<'_>,
    count: impl FnOnce(Sent),
) -> Result<(), String> {
    let Some(sent) = flight.queue.borrow_mut().pop_front() else {
        return Err("the broker answered a request that was not made".into());
    };
    if response.correlation != sent.correlation {
        return Err(format!(
            "the broker answered request {} where {} was next: answers must come in the order of requests",
            response.correlation, sent.correlation
        ));
    }
    let body = response.body(Api::Produce.flexible(version))?;
    let ack = produce::decode(body, version).map_err(|e| format!("Produce: {e}"))?;
    if ack.error != 0 {
        return Err(refusal(&ack));
    }
    if ack.partition != sent.partition {
        return Err(format!(
            "the broker acknowledged partition {} instead of {}",
            ack.partition, sent.partition
        ));
    }
    count(sent);
    Ok(())
}

fn refusal(ack: &produce::Ack) -> String {
    const MESSAGE_TOO_LARGE: i16 = 10;
    let hint = match ack.error {
        MESSAGE_TOO_LARGE => {
            ": choose a smaller --batch-records or --record-size, or raise the broker's limit"
        }
        _ => "",
    };
    let message = ack.message.as_deref().map(|m| format!(" ({m})")).unwrap_or_default();
    format!(
        "the broker refused a batch for partition {}: {}{message}{hint}",
        ack.partition,
        error::name(ack.error)
    )
}
