//! A shard that fails: its host is told, and nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tora_engine::Engine;
use tora_engine::io::{Completion, Io};
use tora_engine::request::Reply;
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, ShardId};

use crate::support::Folder;

/// Longer than anything here takes, however busy the machine is.
const LONG: Duration = Duration::from_secs(30);

/// A service that panics on one shard once it is told to.
struct Fails {
    told: Arc<AtomicBool>,
    here: bool,
}

impl<I: Io> Service<I> for Fails {
    fn start(&mut self, _: &mut Shard<I>) {}

    fn on_completion(&mut self, _: &mut Shard<I>, _: Completion) {}

    fn on_reply(&mut self, _: &mut Shard<I>, _: u64, _: Reply) {}

    fn on_turn(&mut self, _: &mut Shard<I>) {
        assert!(!self.has_failed(), "meant to");
    }

    fn next_deadline(&self) -> Option<Nanos> {
        None
    }

    fn has_mail(&self) -> bool {
        self.has_failed()
    }

    fn on_stop(&mut self, _: &mut Shard<I>) -> bool {
        true
    }
}

impl Fails {
    fn has_failed(&self) -> bool {
        self.here && self.told.load(Ordering::Acquire)
    }
}

/// An engine, and what makes a shard of it fail.
fn open(folder: &Folder, shards: u16, failing: ShardId) -> (Engine, impl Fn(&Engine)) {
    let told = Arc::new(AtomicBool::new(false));
    let config = folder.config(shards);
    let engine =
        Engine::open_with(config, |id| Fails { told: Arc::clone(&told), here: id == failing }).unwrap();
    let fail = move |engine: &Engine| {
        told.store(true, Ordering::Release);
        engine.peers().wake(failing);
    };
    (engine, fail)
}

#[test]
fn everybody_who_watches_a_shared_engine_learns_of_a_failure() {
    let folder = Folder::new();
    let shard = ShardId::new(0);
    let (engine, fail) = open(&folder, 1, shard);
    let engine = Arc::new(engine);
    assert!(!engine.wait_for_failure(Duration::from_millis(10)));
    let watchers = [(); 3].map(|()| {
        let engine = Arc::clone(&engine);
        thread::spawn(move || engine.wait_for_failure(LONG))
    });
    fail(&engine);
    assert_eq!(watchers.map(|watcher| watcher.join().unwrap()), [true; 3]);
    assert!(engine.wait_for_failure(Duration::ZERO), "it stays so");
}
