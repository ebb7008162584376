//! What the threads of a verification share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::link::Link;
use crate::admin::Admin;
use crate::meter::Acknowledged;

/// How long a broker may be unreachable: a restart with a long recovery is far shorter.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before the next attempt to connect.
const RETRY: Duration = Duration::from_millis(20);

/// Where the broker is, how far the run is, and what went wrong.
pub struct Shared {
    topic: String,
    /// `None` while it is being restarted.
    address: Mutex<Option<String>>,
    /// No new records are made any more.
    stopped: AtomicBool,
    /// Nothing matters any more.
    abandoned: AtomicBool,
    acknowledged_records: AtomicU64,
    /// Everything that was acknowledged, once the producers are done.
    acknowledged: Mutex<Option<Vec<Acknowledged>>>,
    failure: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A run on `topic` of the broker at `address`.
    pub fn new(address: &str, topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            address: Mutex::new(Some(address.to_owned())),
            stopped: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            acknowledged_records: AtomicU64::new(0),
            acknowledged: Mutex::new(None),
            failure: Mutex::new(None),
        }
    }

    /// The run's topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The broker is about to be gone.
    pub fn nowhere(&self) {
        *locked(&self.address) = None;
    }

    /// The broker serves again, at `address`.
    pub fn moved(&self, address: &str) {
        *locked(&self.address) = Some(address.to_owned());
    }

    /// No new records are to be made; what is under way is to be acknowledged.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether no new records are to be made.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Everybody is to end at once.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether everybody is to end at once.
    pub fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Counts acknowledged records.
    pub fn acknowledged(&self, records: u64) {
        self.acknowledged_records.fetch_add(records, Ordering::Relaxed);
    }

    /// How many records have been acknowledged so far.
    pub fn acknowledged_so_far(&self) -> u64 {
        self.acknowledged_records.load(Ordering::Relaxed)
    }

    /// The producers are done, and this is what they got acknowledged.
    pub fn all_acknowledged(&self, acknowledged: Vec<Acknowledged>) {
        *locked(&self.acknowledged) = Some(acknowledged);
    }

    /// What there is to be read, once it is known.
    pub fn due(&self) -> Option<Vec<Acknowledged>> {
        locked(&self.acknowledged).clone()
    }

    /// Ends the run with an error; the first one is kept.
    pub fn fail(&self, why: &str) {
        locked(&self.failure).get_or_insert_with(|| why.to_owned());
        self.stop();
        self.abandon();
    }

    /// The error that ended the run.
    pub fn failure(&self) -> Option<String> {
        locked(&self.failure).clone()
    }

    /// Connects to the broker that leads `partitions`, trying again until it is there.
    ///
    /// # Errors
    /// A sentence, where it does not come back or leads only some of them.
    pub fn connect(&self, partitions: &[i32]) -> Result<Link, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let address = locked(&self.address).clone();
            let attempt = match address {
                Some(address) => self.try_connect(&address, partitions),
                None => Err("it is being restarted".into()),
            };
            match attempt {
                Ok(link) => return Ok(link),
                Err(_) if self.abandoned() => return Err("the run was abandoned".into()),
                Err(why) if Instant::now() > deadline => {
                    return Err(format!(
                        "the broker did not come back within {} s: {why}",
                        PATIENCE.as_secs()
                    ));
                }
                Err(_) => std::thread::sleep(RETRY),
            }
        }
    }

    fn try_connect(&self, address: &str, partitions: &[i32]) -> Result<Link, String> {
        let leadership = Admin::connect(address)?.leadership(&self.topic)?;
        let leads = |led: &[i32]| partitions.iter().all(|partition| led.contains(partition));
        let (leader, _) = leadership
            .leaders
            .iter()
            .find(|(_, led)| leads(led))
            .ok_or("no broker leads all partitions of this connection any more")?;
        Link::connect(*leader).map_err(|e| format!("cannot connect to {leader}: {e}"))
    }
}
