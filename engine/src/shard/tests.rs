//! One shard on the simulated machine, where time passes as fast as a test wants it to.

mod altering;
mod deleting;
mod reading;
mod retaining;
mod searching;
mod stopping;
mod timed;
mod watching;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::batch::BatchBuilder;
use crate::catalog::{SettingChange, SettingChangeKind, SettingsEdit};
use crate::checkpoint::Checkpoint;
use crate::handle::{Clock, Handle, Pending};
use crate::io::{CHUNK_SIZE, Fs, OpenMode};
use crate::journal;
use crate::mailbox::mail;
use crate::open::load;
use crate::reactor::{Reactor, Turned};
use crate::service::{NoService, Service};
use crate::sim::{Faults, SimFs, SimIo, SimWorld, Step};
use crate::types::{Offset, ProducerId, TopicId};

/// Steps until something is answered, at most.
const STEPS_MAX: u32 = 1_000_000;

impl Clock for SimWorld {
    fn now(&self) -> Nanos {
        self.now()
    }

    fn unix_millis(&self) -> i64 {
        self.unix_millis()
    }
}

/// A running engine of one shard.
struct Rig {
    world: SimWorld,
    config: Config,
    reactor: Reactor<SimIo, NoService>,
    handle: Handle,
    stop: Arc<AtomicBool>,
    /// A partition that nothing is done with but waiting, where a test lets time pass.
    idle: Option<PartitionId>,
}

impl Rig {
    /// On a machine of its own.
    fn open(config: Config) -> Self {
        let mut rig = Self::open_on(&world(), config);
        rig.idle = Some(rig.create("idle", &[]));
        rig
    }

    /// On a machine that may have run it before.
    fn open_on(world: &SimWorld, config: Config) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (reactor, handle) = start(world, &config, &stop);
        Self { world: world.clone(), config, reactor, handle, stop, idle: None }
    }

    fn shard(&mut self) -> &mut Shard<SimIo> {
        self.reactor.shard()
    }

    /// Kills it and opens it again: nothing is in memory then.
    fn reopen(&mut self) {
        self.world.kill();
        (self.reactor, self.handle) = start(&self.world, &self.config, &self.stop);
    }

    /// Stops it, as an engine is closed.
    fn close(mut self) {
        self.stop.store(true, Ordering::Release);
        self.shard().wake(CATALOG_SHARD);
        while self.step() {}
        self.world.kill();
    }

    /// Lets things happen until there is an answer.
    fn wait<T>(&mut self, pending: Result<Pending<T>, Error>) -> Result<T, Error> {
        let pending = pending?;
        for _ in 0..STEPS_MAX {
            if pending.is_ready() {
                return pending.wait();
            }
            self.step();
        }
        panic!("no answer comes");
    }

    /// Lets the next thing happen; false once the shard has stopped.
    fn step(&mut self) -> bool {
        step_alone(&self.world, &mut self.reactor)
    }

    /// Lets things happen until nothing is in flight.
    fn settle(&mut self) {
        while self.shard().ops.len() > 0 {
            self.step();
        }
    }

    /// Lets time pass.
    fn pass_ms(&mut self, millis: u64) {
        let end = Offset::new(i64::MAX);
        let idle = self.idle.expect("a rig on a machine of its own has one");
        let waiting = self.handle.wait_for(idle, end, Duration::from_millis(millis));
        assert_eq!(self.wait(waiting), Ok(false));
    }

    /// A topic of one partition.
    fn create(&mut self, name: &str, configs: &[(&str, &str)]) -> PartitionId {
        let pending = self.handle.create_topic(name, 1, configs);
        PartitionId::new(self.wait(pending).unwrap().id, 0)
    }

    /// A topic of several.
    fn create_many(&mut self, name: &str, partitions: i32) -> Vec<PartitionId> {
        let pending = self.handle.create_topic(name, partitions, &[]);
        let id = self.wait(pending).unwrap().id;
        (0..partitions).map(|index| PartitionId::new(id, index)).collect()
    }

    /// Deletes a partition's topic.
    fn delete_topic(&mut self, partition: PartitionId) {
        let pending = self.handle.delete_topic(partition.topic);
        self.wait(pending).unwrap();
    }

    /// Appends a record of so many bytes.
    fn append_bytes(&mut self, partition: PartitionId, bytes: usize) -> Offset {
        let mut builder = BatchBuilder::new(2 * limits::COLD_READ_BYTES);
        builder.push(0, None, Some(&vec![7; bytes])).unwrap();
        Offset::new(self.append(partition, builder.finish().unwrap()).unwrap())
    }

    /// Appends batches of one record of 100,000 bytes each.
    fn append_large(&mut self, partition: PartitionId, batches: usize, timestamp: i64) {
        let mut builder = BatchBuilder::new(1 << 20);
        builder.push(timestamp, None, Some(&[7; 100_000])).unwrap();
        let batch = builder.take().unwrap();
        for _ in 0..batches {
            self.append(partition, &batch).unwrap();
        }
    }

    /// First offsets of the segments that have a file.
    fn segments(&self, partition: PartitionId) -> Vec<i64> {
        let folder = self.config.data_dir.join(partition.to_string());
        let files = self.world.fs().list(&folder).unwrap();
        let mut bases: Vec<i64> =
            files.iter().filter_map(|file| file.name.strip_suffix(".log")?.parse().ok()).collect();
        bases.sort_unstable();
        bases
    }

    fn alter(&mut self, partition: PartitionId, name: &str, value: &str) {
        let kind = SettingChangeKind::Set(value.into());
        let edit = SettingsEdit::Each(vec![SettingChange { name: name.into(), kind }]);
        let pending = self.handle.alter_topic(partition.topic, edit);
        self.wait(pending).unwrap();
    }

    /// Appends a batch; answers its first offset.
    fn append(&mut self, partition: PartitionId, batch: &[u8]) -> Result<i64, Error> {
        let pending = self.handle.append(partition, batch);
        self.wait(pending).map(|appended| appended.base_offset.value())
    }
}

fn config() -> Config {
    let mut config = Config::new("/data");
    config.open_files_max = 100;
    config.journal_bytes = 1 << 20;
    config.buffer_bytes = 16 * CHUNK_SIZE;
    config
}

fn world() -> SimWorld {
    SimWorld::new(1, Faults::none())
}

fn start(world: &SimWorld, config: &Config, stop: &Arc<AtomicBool>) -> (Reactor<SimIo, NoService>, Handle) {
    let (mut reactors, handle) = start_with(world, config, stop, |io| io);
    (reactors.remove(0), handle)
}

/// All shards that the configuration has, with what is made of their ways to the machine.
fn start_with<I: Io<Fs = SimFs>>(
    world: &SimWorld,
    config: &Config,
    stop: &Arc<AtomicBool>,
    make_io: impl Fn(SimIo) -> I,
) -> (Vec<Reactor<I, NoService>>, Handle) {
    let (shards, handle) = open_shards(world, config, make_io);
    (shards.into_iter().map(|shard| Reactor::new(shard, NoService, Arc::clone(stop))).collect(), handle)
}

/// The same, for whatever runs on them.
fn open_shards<I: Io<Fs = SimFs>>(
    world: &SimWorld,
    config: &Config,
    make_io: impl Fn(SimIo) -> I,
) -> (Vec<Shard<I>>, Handle) {
    let (loaded, mut catalog_log) =
        load(&world.fs(), config, world.unix_millis(), TopicId::from_random(1, 2)).unwrap();
    let (peers, inboxes) = mail::open(config.shards);
    let config = Arc::new(config.clone());
    let open = |(number, inbox)| {
        let io = make_io(world.io(number, Pool::new(config.buffer_bytes / CHUNK_SIZE)));
        let (id, config) = (ShardId::new(number), Arc::clone(&config));
        let catalog_log = if id == CATALOG_SHARD { catalog_log.take() } else { None };
        Shard::open(io, id, config, &loaded, peers.clone(), inbox, catalog_log).unwrap()
    };
    let shards = (0..config.shards).zip(inboxes).map(open).collect();
    (shards, Handle::new(peers, Arc::new(world.clone())))
}

/// Lets the next thing happen to the only shard; false once it has stopped.
fn step_alone<I: Io, S: Service<I>>(world: &SimWorld, reactor: &mut Reactor<I, S>) -> bool {
    match world.step() {
        Step::Turn(_) => turn(reactor),
        Step::Inside => true,
        step => panic!("nothing will ever happen: {step:?}"),
    }
}

/// Has a shard take a turn, which may end with it asleep; false once it has stopped.
fn turn<I: Io, S: Service<I>>(reactor: &mut Reactor<I, S>) -> bool {
    match reactor.turn() {
        Ok(turned) => !matches!(turned, Turned::Stopped),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
        Err(error) => panic!("the turn failed: {error}"),
    }
}

/// The end of a partition's log as the last checkpoint has it, after a stop that has left no journal.
fn checkpointed_end(world: &SimWorld, partition: PartitionId) -> Offset {
    let (fs, data_dir) = (world.fs(), &config().data_dir);
    let journal = fs.open(&journal::path(data_dir, CATALOG_SHARD), OpenMode::Read);
    assert_eq!(journal.unwrap_err().kind(), io::ErrorKind::NotFound, "the stop was clean");
    Checkpoint::read_all(&fs, data_dir).unwrap().get(partition).unwrap().flushed_offset
}

/// A batch of records with these timestamps.
fn batch(timestamps: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1 << 20);
    for timestamp in timestamps {
        builder.push(*timestamp, None, Some(b"x")).unwrap();
    }
    builder.take().unwrap()
}
