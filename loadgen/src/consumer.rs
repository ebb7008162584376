//! A consuming connection: fetches its partitions, checks every record, and counts how long each took to arrive.

use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_uring::buf::BoundedBuf;
use tokio_uring::net::TcpStream;

use crate::check::Verdict;
use crate::client::Responses;
use crate::clock::Nanos;
use crate::codec::error;
use crate::codec::fetch::{self, PartitionData, Position};
use crate::codec::versions::Api;
use crate::codec::wire::DecodeError;
use crate::meter::{Meter, PhaseState};
use crate::reading::Progress;
use crate::timer::Timer;

/// Room for a typical response: one partition's megabyte and its header.
const RECEIVE_BYTES: usize = 2 << 20;
/// Once the producers are done, records that have not come after this long without any coming are lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before a partition is asked again whose leader is being settled.
const SETTLING: Duration = Duration::from_millis(50);

/// What a consuming connection is to do.
pub struct Consumer {
    pub stream: Rc<TcpStream>,
    pub state: Arc<PhaseState>,
    /// Which of the state's meters are this thread's.
    pub thread: usize,
    pub topic: Arc<str>,
    /// Where to begin.
    pub positions: Vec<Position>,
    pub fetch_version: i16,
    pub stamps_in_headers: bool,
    /// Whether arrival times mean anything: only while following the producers.
    pub timed: bool,
    /// Whether to begin again at the end, until the window's end. Batches are checked, completeness is not.
    pub again: bool,
}

/// A connection's result.
#[derive(Debug, Clone, Copy)]
pub struct Consumed {
    pub verdict: Verdict,
    /// When the last record came.
    pub last_arrival: Nanos,
}

impl Consumer {
    /// Consumes until everything acknowledged has arrived, or nothing comes any more.
    pub async fn run(self) -> Result<Consumed, String> {
        let responses = Responses::new(Rc::clone(&self.stream), RECEIVE_BYTES);
        let partitions = self.positions.iter().map(|&position| Progress::new(position)).collect();
        let begin = self.state.clock.now();
        let mut reading = Reading {
            consumer: &self,
            responses,
            partitions,
            correlation: 0,
            last_arrival: begin,
            settling: false,
        };
        let result = reading.run().await;
        let _ = self.stream.shutdown(Shutdown::Both);
        result?;
        Ok(Consumed { verdict: reading.verdict(), last_arrival: reading.last_arrival })
    }

    fn meter(&self) -> &Meter {
        &self.state.meters[self.thread].consume
    }
}

struct Reading<'a> {
    consumer: &'a Consumer,
    responses: Responses,
    partitions: Vec<Progress>,
    correlation: i32,
    last_arrival: Nanos,
    /// Whether a partition of the last response had no settled leader.
    settling: bool,
}

impl Reading<'_> {
    async fn run(&mut self) -> Result<(), String> {
        let state = &self.consumer.state;
        let mut timer = Timer::new().map_err(|e| format!("no timer to be had: {e}"))?;
        let mut producers_done = None;
        loop {
            if state.failed() {
                return Ok(());
            }
            if self.consumer.again {
                if state.clock.now() >= state.window.end() {
                    return Ok(());
                }
                self.begin_again();
            } else if state.producing.load(Ordering::Acquire) == 0 {
                let done = *producers_done.get_or_insert_with(|| state.clock.now());
                let waited = state.clock.now().since(done.max(self.last_arrival));
                if self.has_all() || waited > PATIENCE {
                    return Ok(());
                }
            }
            self.fetch().await?;
            if self.settling {
                timer.sleep(SETTLING).await.map_err(|e| format!("the timer failed: {e}"))?;
            }
        }
    }

    /// One request and its response.
    async fn fetch(&mut self) -> Result<(), String> {
        let consumer = self.consumer;
        let broken = |e: io::Error| format!("the connection to the broker broke while consuming: {e}");
        let positions: Vec<_> = self.partitions.iter().map(|progress| progress.position).collect();
        self.correlation = self.correlation.wrapping_add(1);
        let request = fetch::encode(consumer.fetch_version, self.correlation, &consumer.topic, &positions);
        let (result, _) = consumer.stream.write_all(request.slice_full()).await;
        result.map_err(broken)?;
        loop {
            if let Some(response) = self.responses.pop().map_err(broken)? {
                if response.correlation != self.correlation {
                    return Err("the broker answered a fetch that was not the last made".into());
                }
                let body = response.body(Api::Fetch.flexible(consumer.fetch_version))?;
                let mut arrival = Arrival {
                    consumer,
                    now: consumer.state.clock.now(),
                    records: 0,
                    value_bytes: 0,
                    settling: false,
                };
                let code = fetch::decode(body, consumer.fetch_version, |data| {
                    arrival.partition(&mut self.partitions, &data)
                });
                match code {
                    Ok(0) => {}
                    Ok(code) => return Err(format!("the broker refused a fetch: {}", error::name(code))),
                    Err(Refused(why)) => return Err(why),
                }
                self.settling = arrival.settling;
                if arrival.records > 0 {
                    self.last_arrival = arrival.now;
                    let window = &consumer.state.window;
                    consumer.meter().count(window, arrival.now, arrival.records, arrival.value_bytes);
                }
                return Ok(());
            }
            if !self.responses.receive().await.map_err(broken)? {
                return Err("the broker closed a consuming connection; its log may say why".into());
            }
        }
    }

    /// Whether all that was acknowledged is here, and all else that the log holds has been read too.
    fn has_all(&self) -> bool {
        let acknowledged = self.consumer.state.acknowledged.lock().expect("nothing panics while holding it");
        self.partitions.iter().all(|progress| {
            let partition = progress.position.partition;
            progress.at_end()
                && acknowledged
                    .iter()
                    .filter(|due| due.partition == partition)
                    .all(|due| progress.check.has_all(due.session, due.records))
        })
    }

    /// Sets partitions that are read to their end back to where they began.
    fn begin_again(&mut self) {
        for (progress, &begin) in self.partitions.iter_mut().zip(&self.consumer.positions) {
            if progress.position.offset > begin.offset && progress.at_end() {
                progress.begin_again(begin);
            }
        }
    }

    fn verdict(&self) -> Verdict {
        if self.consumer.again {
            let corrupt =
                |progress: &Progress| progress.check.verdict(progress.position.partition, &[]).corrupt;
            return Verdict { corrupt: self.partitions.iter().map(corrupt).sum(), ..Verdict::default() };
        }
        let acknowledged = self.consumer.state.acknowledged.lock().expect("nothing panics while holding it");
        let mut sum = Verdict::default();
        for progress in &self.partitions {
            sum += progress.check.verdict(progress.position.partition, &acknowledged);
        }
        sum
    }
}

/// Why a fetch ends the run.
struct Refused(String);

impl From<DecodeError> for Refused {
    fn from(error: DecodeError) -> Self {
        Self(format!("Fetch: {error}"))
    }
}

/// One response's records.
struct Arrival<'a> {
    consumer: &'a Consumer,
    now: Nanos,
    records: u64,
    value_bytes: u64,
    settling: bool,
}

impl Arrival<'_> {
    fn partition(&mut self, partitions: &mut [Progress], data: &PartitionData<'_>) -> Result<(), Refused> {
        let partition = data.partition;
        let Some(progress) = partitions.iter_mut().find(|p| p.position.partition == partition) else {
            return Err(Refused(format!("the broker sent partition {partition}, which was not asked for")));
        };
        // The records of a batch were sent together: their latency is recorded at once.
        let mut together = (Nanos::default(), 0);
        let mut value_bytes = 0;
        let taken = progress.take(data, self.consumer.stamps_in_headers, |stamp, record| {
            value_bytes += record.value.len() as u64;
            if stamp.sent != together.0 {
                self.record_latency(together);
                together = (stamp.sent, 0);
            }
            together.1 += 1;
        });
        self.record_latency(together);
        self.value_bytes += value_bytes;
        match taken.map_err(Refused)? {
            Some(records) => self.records += records,
            None => self.settling = true,
        }
        Ok(())
    }

    fn record_latency(&self, (sent, records): (Nanos, u64)) {
        let consumer = self.consumer;
        if records > 0 && consumer.timed && consumer.state.window.contains(sent) {
            consumer.meter().latency.record(self.now.micros_since(sent), records);
        }
    }
}
