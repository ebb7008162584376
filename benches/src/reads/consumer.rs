//! Something to consume, and a consumer that does nothing with what it gets: it reads the same stretch of some partitions
//! over and over.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::accept::Setup;
use crate::accept::probe::{Probe, Topic};
use crate::accept::process::Server;

/// The first megabytes of a topic that is to be read come with it.
const READY_PATIENCE: Duration = Duration::from_secs(20);

/// Produces for `time` and leaves the topic, which the load generator would remove when it ends by itself. `data` tells
/// it which disk to watch; what it says goes into `out`.
pub fn fill(
    setup: &Setup,
    server: &Server,
    time: Duration,
    data: &Path,
    out: &Path,
) -> Result<Topic, String> {
    let mut load = setup.generator.produce(server, READY_PATIENCE + 2 * time, data, out)?;
    let filled = wait_for_records(server).inspect(|_| thread::sleep(time));
    load.kill().and_then(|()| load.wait()).map_err(|e| format!("cannot stop tora-load: {e}"))?;
    filled
}

/// Waits until the load generator's topic has its first records.
fn wait_for_records(server: &Server) -> Result<Topic, String> {
    let mut probe = Probe::connect(&server.address)?;
    let begun = Instant::now();
    while begun.elapsed() < READY_PATIENCE {
        if let Some(topic) = probe.topics()?.into_iter().next()
            && probe.records(&topic)? > 0
        {
            return Ok(topic);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err("tora-load has not begun to produce".into())
}

/// From a batch's start, source: Kafka's record batch, format v2.
const LENGTH_AT: usize = 8;
const LAST_OFFSET_DELTA_AT: usize = 23;
const HEADER_BYTES: usize = 61;

/// A stretch of a partition.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub partition: i32,
    pub from: i64,
    pub to: i64,
}

/// A consumer on a thread and a connection of its own.
pub struct Consumer {
    stop: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
    thread: JoinHandle<Result<(), String>>,
}

impl Consumer {
    /// Starts to read all of `stretches` at once, each from its beginning again when its end is reached; with `once`, it
    /// ends there.
    pub fn start(address: &str, topic: &Topic, stretches: Vec<Stretch>) -> Result<Self, String> {
        let (stop, bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut probe = Probe::connect(address)?;
        let (topic, flag, counter) = (topic.clone(), Arc::clone(&stop), Arc::clone(&bytes));
        let thread = thread::spawn(move || {
            let mut at: Vec<_> = stretches.iter().map(|stretch| (stretch.partition, stretch.from)).collect();
            while !flag.load(Ordering::Relaxed) {
                for (partition, records) in probe.fetch(&topic, &at)? {
                    counter.fetch_add(records.len() as u64, Ordering::Relaxed);
                    let stretch = stretches.iter().find(|stretch| stretch.partition == partition);
                    let stretch = stretch.ok_or("a partition came that was not asked for")?;
                    let index = at.iter().position(|at| at.0 == partition).ok_or("a partition came twice")?;
                    at[index].1 = end_of(&records).unwrap_or(at[index].1);
                    if at[index].1 >= stretch.to {
                        at[index].1 = stretch.from;
                    }
                }
            }
            Ok(())
        });
        Ok(Self { stop, bytes, thread })
    }

    /// Bytes of batches read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Has it stop, and waits for that.
    pub fn stop(self) -> Result<(), String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "a consumer was lost")?
    }
}

/// The offset behind the last whole batch; `None` where there is none.
fn end_of(mut records: &[u8]) -> Option<i64> {
    let mut end = None;
    while records.len() >= HEADER_BYTES {
        let number = |at: usize| i32::from_be_bytes(*records[at..].first_chunk().expect("a whole header"));
        let size = usize::try_from(number(LENGTH_AT)).ok()? + LENGTH_AT + 4;
        if records.len() < size {
            break;
        }
        let base = i64::from_be_bytes(*records.first_chunk().expect("a whole header"));
        end = Some(base + i64::from(number(LAST_OFFSET_DELTA_AT)) + 1);
        records = &records[size..];
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base: i64, records: i32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES + 9];
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        let length = i32::try_from(bytes.len() - LENGTH_AT - 4).expect("a small batch");
        bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        bytes[LAST_OFFSET_DELTA_AT..LAST_OFFSET_DELTA_AT + 4].copy_from_slice(&(records - 1).to_be_bytes());
        bytes
    }

    #[test]
    fn reading_goes_on_behind_the_last_whole_batch() {
        let mut records = batch(7, 3);
        assert_eq!(end_of(&records), Some(10));
        records.extend(batch(10, 5));
        assert_eq!(end_of(&records), Some(15));
        assert_eq!(end_of(&records[..records.len() - 1]), Some(10));
        assert_eq!(end_of(&records[..HEADER_BYTES]), None);
    }
}
