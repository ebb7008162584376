//! Producers with many requests in flight, which outlive the server.

use std::collections::{BTreeMap, VecDeque};

use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};

use super::PARTITIONS;
use super::ledger::Ledger;
use super::record::{RecordId, values};
use crate::support::Client;
use crate::support::requests::{idempotent_batch, produce_all};

/// Batches of an idempotent producer in flight to a partition: what the protocol allows. Others have as many.
const IN_FLIGHT: usize = 5;

const VERSION: i16 = 9;

/// A batch.
#[derive(Clone, Copy)]
struct Batch {
    first: i32,
    count: i32,
}

/// What a producer sends to one partition.
#[derive(Default)]
struct Lane {
    /// The next record's number, which is its sequence number too.
    next: i32,
    /// Batches made and not acknowledged, the oldest first.
    pending: VecDeque<Batch>,
}

/// A producer.
pub struct Producer {
    number: u32,
    topic: &'static str,
    /// Its id if it is idempotent.
    id: Option<i64>,
    /// By partition.
    lanes: Vec<Lane>,
    /// Requests made, over all lives.
    requests: usize,
}

/// A connection of a producer, with the requests that are not answered.
struct Session<'a> {
    client: Client,
    ledger: &'a Ledger,
    unanswered: VecDeque<(i32, Vec<usize>)>,
}

impl Producer {
    /// A producer; an idempotent one gets its id from the server.
    pub fn new(number: u32, topic: &'static str, client: &mut Client) -> Self {
        let id = super::is_idempotent(number).then(|| new_id(client).expect("the server answers"));
        let lanes = (0..PARTITIONS).map(|_| Lane::default()).collect();
        Self { number, topic, id, lanes, requests: 0 }
    }

    /// Produces until the server is gone. What an idempotent producer did not get acknowledged before, it sends again
    /// first; others send something new.
    pub fn run(&mut self, address: &str, ledger: &Ledger) {
        if self.id.is_none() {
            self.lanes.iter_mut().for_each(|lane| lane.pending.clear());
        }
        if let Some(client) = Client::try_connect(address) {
            let mut session = Session { client, ledger, unanswered: VecDeque::new() };
            let there = self.repeat(&mut session);
            while there.is_some() && self.turn(&mut session).is_some() {}
        }
    }

    /// Sends again what was not acknowledged, and waits until it is. Returns how many records there are by partition.
    pub fn finish(&mut self, address: &str, ledger: &Ledger) -> Vec<i32> {
        let mut session = Session { client: Client::connect(address), ledger, unanswered: VecDeque::new() };
        let done = self.repeat(&mut session).and_then(|()| {
            while !session.unanswered.is_empty() {
                self.take_response(&mut session)?;
            }
            Some(())
        });
        done.expect("the server answers");
        self.lanes.iter().map(|lane| lane.next).collect()
    }

    /// How many batches of an idempotent producer are in a partition that were not acknowledged, by the records that
    /// the partition holds of each producer.
    pub fn unheard(&self, topic: &str, partition: i32, found: &BTreeMap<u32, i32>) -> usize {
        let stored = found.get(&self.number).copied().unwrap_or(0);
        if topic != self.topic || self.id.is_none() {
            return 0;
        }
        let pending = &self.lanes[partition as usize].pending;
        pending.iter().filter(|batch| batch.first < stored).count()
    }

    fn repeat(&mut self, session: &mut Session<'_>) -> Option<()> {
        let most = self.lanes.iter().map(|lane| lane.pending.len()).max().unwrap_or(0);
        for at in 0..most {
            let lanes: Vec<_> =
                (0..self.lanes.len()).filter(|lane| self.lanes[*lane].pending.len() > at).collect();
            let batches = lanes.iter().map(|lane| (*lane, self.lanes[*lane].pending[at]));
            let batches: Vec<_> = batches.collect();
            self.transmit(session, &batches)?;
        }
        Some(())
    }

    fn turn(&mut self, session: &mut Session<'_>) -> Option<()> {
        match self.next_request() {
            Some(lanes) => self.send(session, lanes),
            None => self.take_response(session),
        }
    }

    /// The partitions of the next request: all of them or one, in turn. `None` if there is no room in flight.
    fn next_request(&mut self) -> Option<Vec<usize>> {
        let count = self.lanes.len();
        let lanes: Vec<_> = match self.requests % (count + 1) {
            0 => (0..count).collect(),
            one => vec![one - 1],
        };
        lanes.iter().all(|lane| self.lanes[*lane].pending.len() < IN_FLIGHT).then_some(lanes)
    }

    fn send(&mut self, session: &mut Session<'_>, lanes: Vec<usize>) -> Option<()> {
        let batches: Vec<_> = lanes
            .into_iter()
            .map(|at| {
                let lane = &mut self.lanes[at];
                let batch = Batch { first: lane.next, count: 1 + lane.next % 9 };
                lane.next += batch.count;
                lane.pending.push_back(batch);
                (at, batch)
            })
            .collect();
        self.requests += 1;
        self.transmit(session, &batches)
    }

    fn transmit(&self, session: &mut Session<'_>, batches: &[(usize, Batch)]) -> Option<()> {
        let data = batches.iter().map(|(lane, batch)| {
            let values = values(self.number, batch.first, batch.count);
            let sequence = if self.id.is_some() { batch.first } else { -1 };
            (i32::try_from(*lane).expect("few"), idempotent_batch(&values, self.id.unwrap_or(-1), sequence))
        });
        let request = produce_all(self.topic, data.collect());
        let correlation_id = session.client.send(VERSION, &request)?;
        session.unanswered.push_back((correlation_id, batches.iter().map(|(lane, _)| *lane).collect()));
        Some(())
    }

    fn take_response(&mut self, session: &mut Session<'_>) -> Option<()> {
        let (correlation_id, lanes) = session.unanswered.pop_front().expect("a full window is unanswered");
        let response = session.client.try_response::<ProduceRequest>(VERSION, correlation_id)?;
        let parts = &response.responses[0].partition_responses;
        assert_eq!(parts.len(), lanes.len());
        for (part, lane) in parts.iter().zip(lanes) {
            let batch = self.lanes[lane].pending.pop_front().expect("it is pending until it is answered");
            let id = RecordId { producer: self.number, number: batch.first };
            let what = format!("{id:?} to {}-{}", self.topic, part.index);
            assert_eq!((part.error_code, part.index as usize), (0, lane), "{what}: {:?}", part.error_message);
            session.ledger.acknowledge(self.topic, part.index, part.base_offset, id, batch.count);
        }
        Some(())
    }
}

/// An id from the server; `None` if it is gone.
pub fn new_id(client: &mut Client) -> Option<i64> {
    let response = client.try_call(4, &InitProducerIdRequest::default().with_transactional_id(None))?;
    assert_eq!((response.error_code, response.producer_epoch), (0, 0));
    Some(response.producer_id.0)
}
