//! An engine on this machine: a data folder, a thread and a ring for each shard, and the way in for embedding services.

mod failure;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::{Config, ConfigFault};
use crate::handle::{Appender, Clock, Handle, Pending, PendingRecord, Tail};
use crate::io::ring::{RingError, RingIo, RingOptions};
use crate::io::thread::Core;
use crate::io::{Fs, HostFs};
use crate::limits;
use crate::log::recovery::RecoveryError;
use crate::mailbox::{Inbox, Mail, Peers, mail, mark_shard_thread};
use crate::open::{LoadError, Loaded, load};
use crate::placement::CATALOG_SHARD;
use crate::reactor::Reactor;
use crate::request::Appended;
use crate::service::{NoService, Service};
use crate::shard::Shard;
use crate::types::{Nanos, ShardId, TopicId};
use failure::{Ended, Failure, wake_all};

/// Why an engine cannot be opened. `Display` says what to do about it.
#[derive(Debug)]
pub enum OpenError {
    /// A setting is outside its range.
    Config(ConfigFault),
    /// The process may open too few files.
    Descriptors(String),
    /// The data folder.
    Load(LoadError),
    /// A partition.
    Recovery(RecoveryError),
    /// The kernel's interface.
    Ring(RingError),
    /// A thread could not be started, or ended before it served.
    Thread(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(fault) => fault.fmt(f),
            Self::Descriptors(why) | Self::Thread(why) => f.write_str(why),
            Self::Load(error) => error.fmt(f),
            Self::Recovery(error) => error.fmt(f),
            Self::Ring(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

/// A running engine. It may be shared between threads.
///
/// [Opening](Engine::open), [closing](Engine::close) and dropping it block the calling thread, which asynchronous code leaves to
/// one that may be blocked (tokio's `spawn_blocking`, smol's `unblock`). Dropping it does what closing does.
pub struct Engine {
    threads: Vec<JoinHandle<()>>,
    peers: Peers<Mail>,
    stop: Arc<AtomicBool>,
    handle: Handle,
    cluster_id: Arc<str>,
    fs: HostFs,
    /// Until it is closed.
    lock: Option<crate::io::File>,
    failure: Arc<Failure>,
}

/// What a service shares between its threads, and what it hands from one to another.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    const fn is_sent<T: Send>() {}
    is_shared::<Engine>();
    is_shared::<Handle>();
    is_shared::<Appender>();
    is_sent::<Pending<Appended>>();
    is_sent::<PendingRecord>();
    is_sent::<Tail>();
};

impl Engine {
    /// Opens a data folder for an embedding service. Returns when every shard has recovered its partitions and serves,
    /// which blocks the calling thread: for some milliseconds as a rule, for as long as recovery takes after a crash.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(config: Config) -> Result<Self, OpenError> {
        Self::open_with(config, |_| NoService)
    }

    /// The same with a service on each shard.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_with<S: Service<RingIo> + 'static>(
        config: Config,
        mut make_service: impl FnMut(ShardId) -> S,
    ) -> Result<Self, OpenError> {
        let mut config = config;
        config.check().map_err(OpenError::Config)?;
        config.open_files_max = open_files_max(&config)?;
        let fs = HostFs;
        let new_id = random_id().map_err(|error| OpenError::Load(error.into()))?;
        let (loaded, mut catalog_log) =
            load(&fs, &config, HostClock.unix_millis(), new_id).map_err(OpenError::Load)?;
        let (cluster_id, lock) = (Arc::clone(&loaded.cluster_id), Some(loaded.lock));
        let (loaded, config) = (Arc::new(loaded), Arc::new(config));
        let (peers, inboxes) = mail::open(config.shards);
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, opened) = channel();
        let failure = Arc::new(Failure::default());
        let handle = Handle::new(peers.clone(), Arc::new(HostClock));
        let mut engine =
            Self { threads: Vec::new(), peers: peers.clone(), stop, handle, cluster_id, fs, lock, failure };
        let mut cores = if config.pin { Core::take(config.shards) } else { Vec::new() };
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let id = ShardId::new(u16::try_from(index).expect("made for a u16 of shards"));
            let start = Start {
                id,
                core: cores.get_mut(index).and_then(Option::take),
                config: Arc::clone(&config),
                loaded: Arc::clone(&loaded),
                peers: peers.clone(),
                inbox,
                catalog_log: if id == CATALOG_SHARD { catalog_log.take() } else { None },
                service: make_service(id),
                stop: Arc::clone(&engine.stop),
                ready: ready.clone(),
                ended: Ended::new(Arc::clone(&engine.failure), Arc::clone(&engine.stop), peers.clone()),
            };
            let thread = spawn(start).map_err(|error| {
                OpenError::Thread(format!("a thread for shard {id} cannot be started: {error}"))
            })?;
            engine.threads.push(thread);
        }
        drop(ready);
        for _ in 0..config.shards {
            match opened.recv() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(OpenError::Thread("a shard ended before it served".into())),
            }
        }
        Ok(engine)
    }

    /// What services append and read with, from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Wakes shards.
    #[must_use]
    pub fn peers(&self) -> Peers<Mail> {
        self.peers.clone()
    }

    /// The data folder's cluster id.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Waits until a shard has failed or the time is up; says whether one has. Any number of threads may wait, and once one
    /// has failed each of them is told, whenever it asks.
    ///
    /// A shard fails where the kernel's interface does, and by a panic on its thread, of a [`Service`] for one. That is logged,
    /// the other shards stop, and everything answers [`Error::Stopped`](crate::Error::Stopped). What was acknowledged is on
    /// the disk: dropping the engine and opening the folder again goes on from there. (A partition whose storage fails is no
    /// such failure: it alone answers [`Error::Storage`](crate::Error::Storage).)
    #[must_use]
    pub fn wait_for_failure(&self, time: Duration) -> bool {
        self.failure.wait(time)
    }

    /// Stops: what was sent before is done, appends are acknowledged, what waits is answered, and the folder is free
    /// afterwards. Later requests answer [`Error::Stopped`](crate::Error::Stopped).
    ///
    /// It blocks until the shards have ended, which they do together: none is gone while another still asks it. Each takes what
    /// its disk needs for what is under way, its logs and its checkpoint, and gives up after four seconds: what was not
    /// acknowledged by then is answered `Stopped`, and the next opening copies from the journal what the logs do not have. For
    /// a disk that answers nothing at all it blocks longer, as long as the kernel keeps the writes that are under way: their
    /// memory cannot be given back before. Everybody is answered by then, and ending the process is what is left; what was
    /// acknowledged is safe.
    pub fn close(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        wake_all(&self.peers);
        for thread in self.threads.drain(..) {
            // Where it panicked, that has been reported there.
            let _ = thread.join();
        }
        if let Some(lock) = self.lock.take() {
            self.fs.unlock_folder(lock);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// This machine's clocks.
struct HostClock;

impl Clock for HostClock {
    fn now(&self) -> Nanos {
        crate::io::ring::now()
    }

    fn unix_millis(&self) -> i64 {
        crate::io::ring::unix_millis()
    }
}

fn random_id() -> std::io::Result<TopicId> {
    let mut random = crate::io::ring::Random::from_system()?;
    Ok(TopicId::from_random(random.next(), random.next()))
}

/// Segment files that each shard may have open.
fn open_files_max(config: &Config) -> Result<usize, OpenError> {
    let shards = usize::from(config.shards);
    let may = crate::io::descriptors_max();
    let needed = limits::OPEN_FILES_MIN * shards + limits::OTHER_FILES * shards;
    if may < needed {
        return Err(OpenError::Descriptors(format!(
            "{shards} shards need {needed} files open at once, and twice that to work well; this process may open {may}. \
             Raise that with `ulimit -n`, or LimitNOFILE= in the systemd unit, or have fewer shards"
        )));
    }
    if config.open_files_max > 0 {
        return Ok(config.open_files_max);
    }
    // The other half is the host's: its connections, its own files, other engines.
    Ok((may / 2 / shards).min(limits::OPEN_FILES_MAX))
}

/// What a shard's thread begins with.
struct Start<S> {
    id: ShardId,
    /// The core that is its own, for as long as it runs.
    core: Option<Core>,
    config: Arc<Config>,
    loaded: Arc<Loaded>,
    peers: Peers<Mail>,
    inbox: Inbox<Mail>,
    catalog_log: Option<crate::log::recovery::Recovered>,
    service: S,
    stop: Arc<AtomicBool>,
    ready: Sender<Result<(), OpenError>>,
    ended: Ended,
}

fn spawn<S: Service<RingIo> + 'static>(start: Start<S>) -> std::io::Result<JoinHandle<()>> {
    crate::io::thread::spawn(format!("tora-shard-{}", start.id), move || run(start))
}

/// A shard's thread. The ring is made here, since it belongs to one thread for good.
fn run<S: Service<RingIo>>(start: Start<S>) {
    let Start { id, core, config, loaded, peers, inbox, catalog_log, service, stop, ready, ended } = start;
    mark_shard_thread();
    // Before the ring is made, so that its memory is taken close to the core.
    if let Some(core) = &core {
        core.tie();
    }
    let options = RingOptions { shard: id, buffer_bytes: config.buffer_bytes };
    let io = match RingIo::new(&options) {
        Ok(io) => io,
        Err(error) => return drop(ready.send(Err(OpenError::Ring(error)))),
    };
    let shard = match Shard::open(io, id, config, &loaded, peers, inbox, catalog_log) {
        Ok(shard) => shard,
        Err(error) => return drop(ready.send(Err(OpenError::Recovery(error)))),
    };
    let mut reactor = Reactor::new(shard, service, stop);
    if ready.send(Ok(())).is_err() {
        return;
    }
    drop(ready);
    // Caught here, so that what the shard has is given up in order, and not while the thread unwinds.
    match catch_unwind(AssertUnwindSafe(|| reactor.run())) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::error!("shard {id} has failed, the engine stops: {error}"),
        Err(_) => log::error!("shard {id} has panicked, the engine stops"),
    }
    // First, since the rest waits for the kernel, which may take its time.
    drop(ended);
    let files = reactor.shard().take_files();
    // The kernel is done with them once the ring is gone.
    drop(reactor);
    for file in files {
        HostFs.close(file);
    }
}
