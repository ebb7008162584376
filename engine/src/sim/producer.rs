//! An idempotent producer as Kafka's clients are: numbered batches, at most five unanswered ones a partition, sent again
//! in order until they are acknowledged, and now and then sent twice.

use std::collections::{BTreeMap, VecDeque};

use super::checker::BatchNumber;
use super::rng::Rng;
use crate::io::Slice;
use crate::types::PartitionId;

/// Batches of one producer and partition that may be unanswered, as the engine remembers no more of them.
const UNANSWERED_MAX: usize = 5;

/// A batch with its sequence number.
#[derive(Clone)]
pub struct Sent {
    /// What it is recognised by.
    pub number: BatchNumber,
    /// Its bytes.
    pub batch: Slice,
    /// Its records.
    pub records: i32,
    /// Requests with it that are under way.
    in_flight: u32,
}

/// How a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Everything before it was acknowledged when it was sent: it can't be out of order.
    pub is_next: bool,
    /// It is sent although it is under way or acknowledged already.
    pub is_copy: bool,
}

/// What the producer does next.
pub enum Next {
    /// It sends this batch, for the first time, again, or once more.
    Send(Sent, Sending),
    /// It makes a new batch, beginning with this sequence number.
    Make(i32),
    /// It waits for answers.
    Wait,
}

/// One partition of a producer.
#[derive(Default)]
struct Lane {
    next_sequence: i32,
    unanswered: VecDeque<Sent>,
    acknowledged: VecDeque<Sent>,
    /// The partition's storage has failed: nothing is sent until the engine has started again.
    stopped: bool,
}

/// A producer's session.
pub struct Producer {
    /// Its id.
    pub id: i64,
    lanes: BTreeMap<PartitionId, Lane>,
}

impl Producer {
    /// A new session.
    #[must_use]
    pub fn new(id: i64) -> Self {
        Self { id, lanes: BTreeMap::new() }
    }

    /// The engine has started again: nothing is under way any more.
    pub fn restarted(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.stopped = false;
            for sent in &mut lane.unanswered {
                sent.in_flight = 0;
            }
        }
    }

    /// What to send to a partition.
    pub fn next(&mut self, partition: PartitionId, rng: &mut Rng) -> Next {
        let lane = self.lanes.entry(partition).or_default();
        if lane.stopped {
            return Next::Wait;
        }
        if let Some(at) = lane.unanswered.iter().position(|sent| sent.in_flight == 0) {
            let sent = &mut lane.unanswered[at];
            sent.in_flight = 1;
            return Next::Send(sent.clone(), Sending { is_next: at == 0, is_copy: false });
        }
        if rng.one_in(4) {
            return lane.copy(rng);
        }
        if lane.unanswered.len() < UNANSWERED_MAX { Next::Make(lane.next_sequence) } else { Next::Wait }
    }

    /// The batch that [`Next::Make`] asked for.
    pub fn made(
        &mut self,
        partition: PartitionId,
        number: BatchNumber,
        batch: Slice,
        records: i32,
    ) -> Sending {
        let lane = self.lanes.entry(partition).or_default();
        let is_next = lane.unanswered.is_empty();
        lane.next_sequence += records;
        lane.unanswered.push_back(Sent { number, batch, records, in_flight: 1 });
        Sending { is_next, is_copy: false }
    }

    /// A batch was acknowledged.
    ///
    /// # Errors
    /// Where one before it isn't in the log, and so it can't be.
    pub fn acknowledged(&mut self, partition: PartitionId, number: BatchNumber) -> Result<(), String> {
        let Some(lane) = self.lanes.get_mut(&partition) else { return Ok(()) };
        let Some(at) = lane.unanswered.iter().position(|sent| sent.number == number) else { return Ok(()) };
        if lane.unanswered.range(..at).any(|earlier| earlier.in_flight == 0) {
            return Err(format!("{partition}: a batch was acknowledged that follows one that isn't there"));
        }
        let sent = lane.unanswered.remove(at).expect("it was found there");
        lane.acknowledged.push_back(sent);
        if lane.acknowledged.len() > UNANSWERED_MAX {
            lane.acknowledged.pop_front();
        }
        Ok(())
    }

    /// A request was refused: its batch is to be sent again, if need be after the next start.
    pub fn refused(&mut self, partition: PartitionId, number: BatchNumber, until_restart: bool) {
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        lane.stopped |= until_restart;
        if let Some(sent) = lane.unanswered.iter_mut().find(|sent| sent.number == number) {
            sent.in_flight = sent.in_flight.saturating_sub(1);
        }
    }

    /// Whether a batch was acknowledged before.
    #[must_use]
    pub fn has_acknowledged(&self, partition: PartitionId, number: BatchNumber) -> bool {
        let waits = |lane: &Lane| lane.unanswered.iter().any(|sent| sent.number == number);
        !self.lanes.get(&partition).is_some_and(waits)
    }
}

impl Lane {
    /// Sends a batch once more that is under way, or one of those acknowledged last that the engine still knows.
    fn copy(&mut self, rng: &mut Rng) -> Next {
        let known = (UNANSWERED_MAX - self.unanswered.len()).min(self.acknowledged.len());
        let oldest = self.acknowledged.len() - known;
        let copies = known + self.unanswered.len();
        if copies == 0 {
            return Next::Make(self.next_sequence);
        }
        let at = rng.index(copies);
        let sending = Sending { is_next: false, is_copy: true };
        if at < known {
            return Next::Send(self.acknowledged[oldest + at].clone(), sending);
        }
        let sent = &mut self.unanswered[at - known];
        sent.in_flight += 1;
        Next::Send(sent.clone(), sending)
    }
}
