//! An idempotent producer that outlives the broker: what was not acknowledged when a connection broke is sent again, the
//! same bytes with the same sequence numbers.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::link::Link;
use super::shared::Shared;
use crate::cli::{Acks, Compression, Rate};
use crate::client::Response;
use crate::clock::{Clock, Nanos};
use crate::codec::admin::ProducerIdentity;
use crate::codec::versions::Api;
use crate::codec::{CORRELATION_AT, error, produce};
use crate::meter::Acknowledged;
use crate::schedule::Schedule;
use crate::stamp::{SessionId, Stamp};
use crate::template::{FrameSpec, Patch, Strip, StripPool};
use crate::workload::Values;

/// Batches under way to a partition: as many as a broker remembers of a producer (KIP-98), so that each may be repeated.
const IN_FLIGHT: usize = 5;
/// The pause before a batch is tried again that the broker would not take just now.
const SETTLING: Duration = Duration::from_millis(50);
/// The longest pause of a producer that is ahead of its schedule: it must notice the end.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// When a producer may make its batches.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    Max,
    By(Schedule),
}

impl Pace {
    /// The share of producer `index` out of `count`.
    pub fn new(rate: Rate, batch_records: u32, index: usize, count: usize) -> Self {
        match rate {
            Rate::Max => Self::Max,
            Rate::PerSecond(rate) => {
                Self::By(Schedule::new(Nanos::default(), rate, batch_records, index, count))
            }
        }
    }

    /// How long until the next batch may be made.
    fn wait(&self, now: Nanos) -> Duration {
        match self {
            Self::Max => Duration::ZERO,
            Self::By(schedule) => schedule.next_due().since(now),
        }
    }

    fn advance(&mut self) {
        if let Self::By(schedule) = self {
            schedule.advance();
        }
    }
}

/// What a producer sends.
pub struct Sending {
    pub version: i16,
    pub session: SessionId,
    pub identity: ProducerIdentity,
    pub partitions: Vec<i32>,
    pub batch_records: u32,
    pub record_size: usize,
    pub clock: Clock,
    pub pace: Pace,
}

/// What a producer has done.
pub struct Produced {
    pub acknowledged: Vec<Acknowledged>,
    /// Batches sent again.
    pub resent: u64,
}

/// A producer.
pub struct Producer {
    shared: Arc<Shared>,
    sending: Sending,
    strip: Strip,
    lanes: Vec<Lane>,
    correlation: i32,
    resent: u64,
    /// The lane whose turn it is.
    turn: usize,
}

/// One partition of a producer.
struct Lane {
    partition: i32,
    /// The next record's number.
    next: u64,
    acknowledged: u64,
    /// Frames that are not acknowledged, the oldest first.
    pending: VecDeque<Vec<u8>>,
}

/// Why a connection is given up.
enum Broken {
    /// It broke, or the broker would not take a batch just now: worth another connection.
    Connection,
    /// The broker's answer is one that no retry changes.
    Refused(String),
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Connection
    }
}

impl Producer {
    /// A producer that has not sent anything.
    pub fn new(shared: Arc<Shared>, sending: Sending) -> Self {
        let values = Values::Generated { size: sending.record_size };
        let spec = FrameSpec {
            compression: Compression::None,
            version: sending.version,
            topic: shared.topic(),
            acks: Acks::All.code(),
            batch_records: sending.batch_records,
            values: &values,
        };
        let strip = StripPool::new(&spec, 1).take();
        let lane = |&partition: &i32| Lane { partition, next: 0, acknowledged: 0, pending: VecDeque::new() };
        let lanes = sending.partitions.iter().map(lane).collect();
        Self { shared, sending, strip, lanes, correlation: 0, resent: 0, turn: 0 }
    }

    /// Produces until the run is stopped and everything made is acknowledged.
    ///
    /// # Errors
    /// A sentence, where the broker does not come back or refuses a batch for good.
    pub fn run(mut self) -> Result<Produced, String> {
        loop {
            let mut link = self.shared.connect(&self.sending.partitions)?;
            match self.drive(&mut link) {
                Ok(()) => break,
                Err(Broken::Connection) => std::thread::sleep(SETTLING),
                Err(Broken::Refused(why)) => return Err(why),
            }
        }
        let session = self.sending.session;
        let lanes = self.lanes.iter();
        let acknowledged =
            lanes.map(|lane| Acknowledged { session, partition: lane.partition, records: lane.acknowledged });
        Ok(Produced { acknowledged: acknowledged.collect(), resent: self.resent })
    }

    /// Sends on one connection for as long as it lasts.
    fn drive(&mut self, link: &mut Link) -> Result<(), Broken> {
        let mut unanswered = VecDeque::new();
        self.repeat(link, &mut unanswered)?;
        loop {
            let over = self.shared.stopped();
            let wait = if over { Duration::ZERO } else { self.fill(link, &mut unanswered)? };
            if self.shared.abandoned() || (over && unanswered.is_empty()) {
                return Ok(());
            }
            if unanswered.is_empty() {
                std::thread::sleep(wait.min(PAUSE_MAX));
                continue;
            }
            let version = self.sending.version;
            let lane: usize = acknowledged(version, &link.receive()?, &mut unanswered, &self.lanes)?;
            let records = u64::from(self.sending.batch_records);
            self.lanes[lane].pending.pop_front();
            self.lanes[lane].acknowledged += records;
            self.shared.acknowledged(records);
        }
    }

    /// Sends again what the last connection left unanswered, in its order.
    fn repeat(&mut self, link: &mut Link, unanswered: &mut VecDeque<(i32, usize)>) -> io::Result<()> {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            for frame in &mut lane.pending {
                self.correlation = self.correlation.wrapping_add(1);
                frame[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&self.correlation.to_be_bytes());
                link.send(frame)?;
                unanswered.push_back((self.correlation, index));
                self.resent += 1;
            }
        }
        Ok(())
    }

    /// Makes and sends new batches while there is room and they are due; gives how long until the next is due.
    fn fill(&mut self, link: &mut Link, unanswered: &mut VecDeque<(i32, usize)>) -> io::Result<Duration> {
        for _ in 0..self.lanes.len() * IN_FLIGHT {
            let wait = self.sending.pace.wait(self.sending.clock.now());
            if !wait.is_zero() {
                return Ok(wait);
            }
            let index = self.turn;
            self.turn = (self.turn + 1) % self.lanes.len();
            if self.lanes[index].pending.len() < IN_FLIGHT {
                let frame = self.make(index);
                self.sending.pace.advance();
                unanswered.push_back((self.correlation, index));
                // Kept first: what is half sent is to be sent again.
                self.lanes[index].pending.push_back(frame);
                link.send(self.lanes[index].pending.back().expect("it was just pushed"))?;
            }
        }
        Ok(Duration::ZERO)
    }

    /// The frame of a lane's next batch.
    fn make(&mut self, index: usize) -> Vec<u8> {
        let lane = &mut self.lanes[index];
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.correlation = self.correlation.wrapping_add(1);
        let stamp =
            Stamp { session: self.sending.session, sequence: lane.next, sent: self.sending.clock.now() };
        self.strip.patch(
            0,
            &Patch {
                correlation: self.correlation,
                partition: lane.partition,
                stamp,
                wall_clock_ms: i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX),
                identity: self.sending.identity,
                base_sequence: (lane.next & u64::from(u32::MAX >> 1)) as i32,
            },
        );
        lane.next += u64::from(self.sending.batch_records);
        self.strip.bytes[..self.strip.end(0)].to_vec()
    }
}

/// Takes the request that `response` answers off the queue; gives the lane whose oldest batch is acknowledged.
fn acknowledged(
    version: i16,
    response: &Response<'_>,
    unanswered: &mut VecDeque<(i32, usize)>,
    lanes: &[Lane],
) -> Result<usize, Broken> {
    let refused = |why: String| Broken::Refused(why);
    let Some((correlation, lane)) = unanswered.pop_front() else {
        return Err(refused("the broker answered a request that was not made".into()));
    };
    if response.correlation != correlation {
        return Err(refused(format!(
            "the broker answered request {} where {correlation} was next",
            response.correlation
        )));
    }
    let body = response.body(Api::Produce.flexible(version)).map_err(refused)?;
    let ack = produce::decode(body, version).map_err(|e| refused(format!("Produce: {e}")))?;
    if ack.partition != lanes[lane].partition {
        return Err(refused(format!(
            "the broker acknowledged partition {} instead of {}",
            ack.partition, lanes[lane].partition
        )));
    }
    match ack.error {
        // The broker has it already: an earlier connection's answer was lost.
        0 | error::DUPLICATE_SEQUENCE_NUMBER => Ok(lane),
        code if error::settling(code) || code == error::REQUEST_TIMED_OUT => Err(Broken::Connection),
        code => Err(refused(format!(
            "the broker refused a batch for partition {}: {}",
            ack.partition,
            error::name(code)
        ))),
    }
}
