//! The engine on the simulated machine: both shards with their clients, opened in one thread and driven turn by turn.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::client::{Bench, Client};
use super::io::SimIo;
use super::world::SimWorld;
use crate::config::Config;
use crate::io::{CHUNK_SIZE, Pool};
use crate::mailbox::{Mail, Peers, mail};
use crate::open::load;
use crate::placement::CATALOG_SHARD;
use crate::reactor::{Reactor, Turned};
use crate::shard::Shard;
use crate::types::{ShardId, TopicId};

thread_local! {
    /// Memory that runs of this thread have used before: making it anew for each would cost more than many a run.
    static POOLS: RefCell<Vec<Pool>> = const { RefCell::new(Vec::new()) };
}

/// A running engine.
pub struct Cluster {
    reactors: Vec<Option<Reactor<SimIo, Client>>>,
    peers: Peers<Mail>,
    stop: Arc<AtomicBool>,
    pools: Vec<Pool>,
}

impl Cluster {
    /// Opens the engine on what the disk holds.
    ///
    /// # Errors
    /// What the engine says, in its words; also after the power went.
    pub fn open(world: &SimWorld, config: &Config, bench: &Arc<Mutex<Bench>>) -> Result<Self, String> {
        let new_id = TopicId::from_random(world.word(), world.word());
        let (loaded, mut catalog_log) =
            load(&world.fs(), config, world.unix_millis(), new_id).map_err(|error| error.to_string())?;
        let (peers, inboxes) = mail::open(config.shards);
        let stop = Arc::new(AtomicBool::new(false));
        let config = Arc::new(config.clone());
        let mut cluster = Self { reactors: Vec::new(), peers: peers.clone(), stop, pools: Vec::new() };
        for (number, inbox) in (0..config.shards).zip(inboxes) {
            let id = ShardId::new(number);
            let pool = take_pool(config.buffer_bytes / CHUNK_SIZE);
            cluster.pools.push(pool.clone());
            let catalog_log = if id == CATALOG_SHARD { catalog_log.take() } else { None };
            let io = world.io(number, pool);
            let shard = Shard::open(io, id, Arc::clone(&config), &loaded, peers.clone(), inbox, catalog_log)
                .map_err(|error| error.to_string())?;
            let client = Client::new(Arc::clone(bench), number);
            cluster.reactors.push(Some(Reactor::new(shard, client, Arc::clone(&cluster.stop))));
        }
        Ok(cluster)
    }

    /// The topics, as the shard that keeps the catalog knows them.
    pub fn topics(&mut self) -> Vec<(TopicId, String, i32)> {
        let keeper = self.reactors[usize::from(CATALOG_SHARD.value())].as_mut();
        let catalog = keeper.expect("it was just opened").shard().catalog();
        catalog.topics().map(|topic| (topic.id, topic.name.to_string(), topic.partitions)).collect()
    }

    /// Has a shard take a turn, which may end with it asleep.
    ///
    /// # Errors
    /// As [`Reactor::turn`].
    pub fn turn(&mut self, shard: u16) -> io::Result<()> {
        let reactor = &mut self.reactors[usize::from(shard)];
        match reactor.as_mut().map(Reactor::turn) {
            Some(Ok(Turned::Stopped)) => *reactor = None,
            Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        Ok(())
    }

    /// Begins to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        for shard in 0..self.peers.shards() {
            self.peers.wake(ShardId::new(shard));
        }
    }

    /// Whether every shard has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.reactors.iter().all(Option::is_none)
    }

    /// Lets the engine go, by what `end` does to the machine.
    ///
    /// # Errors
    /// Memory that nobody has given back.
    pub fn end(mut self, end: impl FnOnce()) -> Result<(), String> {
        self.reactors.clear();
        end();
        for pool in self.pools.drain(..) {
            if pool.free() < pool.chunks() {
                return Err(format!(
                    "{} chunks of memory were never given back",
                    pool.chunks() - pool.free()
                ));
            }
            POOLS.with_borrow_mut(|pools| pools.push(pool));
        }
        Ok(())
    }
}

fn take_pool(chunks: usize) -> Pool {
    let pool = POOLS.with_borrow_mut(|pools| {
        let at = pools.iter().position(|pool| pool.chunks() == chunks)?;
        Some(pools.swap_remove(at))
    });
    pool.unwrap_or_else(|| Pool::new(chunks))
}
