//! The generator's threads: each runs a tokio-uring runtime of its own, with a task per connection.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;

use tokio_uring::Runtime;

use crate::cli::Rate;
use crate::client::connect;
use crate::codec::admin::ProducerIdentity;
use crate::codec::fetch::Position;
use crate::consumer::{Consumed, Consumer};
use crate::driver::{Pace, Producer};
use crate::meter::PhaseState;
use crate::placement::Placement;
use crate::schedule::Schedule;
use crate::stamp::SessionId;
use crate::template::{FrameSpec, StripPool};
use crate::workload::Workload;

/// Submission entries of a thread's ring; the queue is flushed when it is full, so that this is no limit.
const RING_ENTRIES: u32 = 1024;

/// A producing connection to make.
#[derive(Debug, Clone)]
pub struct ProducerPlan {
    pub placement: Placement,
    pub session: SessionId,
    pub identity: ProducerIdentity,
}

/// A consuming connection to make.
#[derive(Debug, Clone)]
pub struct ConsumerPlan {
    pub address: SocketAddr,
    pub positions: Vec<Position>,
}

/// What the threads of a phase do together.
#[derive(Debug)]
pub struct Plan {
    pub workload: Arc<Workload>,
    pub topic: Arc<str>,
    /// Agreed version of Produce.
    pub produce_version: i16,
    /// Agreed version of Fetch; 0 where nothing is consumed.
    pub fetch_version: i16,
    pub producers: Vec<ProducerPlan>,
    pub consumers: Vec<ConsumerPlan>,
    /// Whether the consumers' arrival times are measured.
    pub timed: bool,
    /// Whether consumers begin again where they began once they have come to the end, until the time is over.
    pub again: bool,
}

/// Starts thread `thread` of a phase. It meets the others at `gate` twice: when all connections stand, and when the
/// window has been opened. Errors go into `state`.
pub fn spawn(
    plan: Arc<Plan>,
    state: Arc<PhaseState>,
    thread: usize,
    gate: Arc<Barrier>,
) -> io::Result<JoinHandle<Vec<Consumed>>> {
    std::thread::Builder::new().name(format!("load-{thread}")).spawn(move || {
        let worker = Worker { plan, state, thread };
        match runtime() {
            Ok(runtime) => runtime.block_on(worker.run(&gate)),
            Err(why) => {
                worker.state.fail(why);
                gate.wait();
                gate.wait();
                Vec::new()
            }
        }
    })
}

fn runtime() -> Result<Runtime, String> {
    let mut ring = tokio_uring::uring_builder();
    // Completions wait until the thread enters the kernel anyway, instead of interrupting it (Linux 5.19).
    ring.setup_coop_taskrun();
    let mut builder = tokio_uring::builder();
    builder.entries(RING_ENTRIES).uring_builder(&ring);
    Runtime::new(&builder).map_err(|e| {
        format!(
            "no io_uring to be had ({e}): allow it in the container's seccomp profile (Docker's default forbids it), \
             set kernel.io_uring_disabled=0, or use Linux 5.19 or later"
        )
    })
}

struct Worker {
    plan: Arc<Plan>,
    state: Arc<PhaseState>,
    thread: usize,
}

type Connecting<T> = Result<Vec<T>, String>;

impl Worker {
    async fn run(&self, gate: &Barrier) -> Vec<Consumed> {
        let producers = self.connect_producers().await;
        let consumers = self.connect_consumers().await;
        let ready = match (producers, consumers) {
            (Ok(producers), Ok(consumers)) => Some((producers, consumers)),
            (Err(why), _) | (_, Err(why)) => {
                self.state.fail(why);
                None
            }
        };
        // Nothing is in flight on this thread's ring yet, so that blocking it here holds nobody up.
        gate.wait();
        gate.wait();
        match ready {
            Some((producers, consumers)) if !self.state.failed() => self.drive(producers, consumers).await,
            _ => Vec::new(),
        }
    }

    /// Runs every connection as a task of its own, to its end.
    async fn drive(&self, producers: Vec<(usize, Producer)>, consumers: Vec<Consumer>) -> Vec<Consumed> {
        let producing: Vec<_> = producers
            .into_iter()
            .map(|(index, producer)| tokio_uring::spawn(self.produce(index, producer)))
            .collect();
        let consuming: Vec<_> = consumers.into_iter().map(|c| tokio_uring::spawn(c.run())).collect();
        for task in producing {
            if let Err(error) = task.await {
                self.state.fail(format!("a producing task was lost: {error}"));
            }
        }
        let mut consumed = Vec::new();
        for task in consuming {
            match task.await {
                Ok(Ok(result)) => consumed.push(result),
                Ok(Err(why)) => self.state.fail(why),
                Err(error) => self.state.fail(format!("a consuming task was lost: {error}")),
            }
        }
        consumed
    }

    /// Runs one producing connection and reports what was acknowledged to the consumers.
    fn produce(&self, index: usize, mut producer: Producer) -> impl Future<Output = ()> + use<> {
        let state = Arc::clone(&self.state);
        let workload = &self.plan.workload;
        if let Rate::PerSecond(rate) = workload.rate {
            let origin = state.window.origin();
            let connections = self.plan.producers.len();
            producer.pace =
                Pace::Open(Schedule::new(origin, rate, workload.batch_records, index, connections));
        }
        async move {
            match producer.run().await {
                Ok(acknowledged) => {
                    state.acknowledged.lock().expect("nothing panics while holding it").extend(acknowledged);
                }
                Err(why) => state.fail(why),
            }
            state.producing.fetch_sub(1, Ordering::Release);
        }
    }

    async fn connect_producers(&self) -> Connecting<(usize, Producer)> {
        let plan = &self.plan;
        let mine = self.share(&plan.producers);
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let workload = &plan.workload;
        let spec = FrameSpec {
            version: plan.produce_version,
            topic: &plan.topic,
            acks: workload.acks.code(),
            batch_records: workload.batch_records,
            values: &workload.values,
            compression: workload.compression,
        };
        let strips = Rc::new(RefCell::new(StripPool::new(&spec, mine.len())));
        let mut producers = Vec::new();
        for (index, producer) in mine {
            let producer = Producer {
                stream: connect(producer.placement.address).await?,
                state: Arc::clone(&self.state),
                thread: self.thread,
                session: producer.session,
                partitions: producer.placement.partitions.clone(),
                identity: producer.identity,
                produce_version: plan.produce_version,
                acks: workload.acks,
                batch_records: workload.batch_records,
                pace: Pace::Closed { in_flight: workload.in_flight },
                strips: Rc::clone(&strips),
            };
            producers.push((index, producer));
        }
        Ok(producers)
    }

    async fn connect_consumers(&self) -> Connecting<Consumer> {
        let plan = &self.plan;
        let mut consumers = Vec::new();
        for (_, consumer) in self.share(&plan.consumers) {
            consumers.push(Consumer {
                stream: connect(consumer.address).await?,
                state: Arc::clone(&self.state),
                thread: self.thread,
                topic: Arc::clone(&plan.topic),
                positions: consumer.positions.clone(),
                fetch_version: plan.fetch_version,
                stamps_in_headers: plan.workload.values.stamps_in_headers(),
                timed: plan.timed,
                again: plan.again,
            });
        }
        Ok(consumers)
    }

    /// This thread's share of the connections, with their places in the whole.
    fn share<'a, T>(&self, all: &'a [T]) -> Vec<(usize, &'a T)> {
        all.iter().enumerate().skip(self.thread).step_by(self.state.meters.len()).collect()
    }
}
