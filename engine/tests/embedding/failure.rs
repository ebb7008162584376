//! A shard that fails: its host is told, and nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tora_engine::handle::{Pending, RecordRef, TailFrom};
use tora_engine::io::{Completion, Io};
use tora_engine::placement::owner;
use tora_engine::request::Reply;
use tora_engine::service::Service;
use tora_engine::shard::Shard;
use tora_engine::types::{Nanos, Offset, PartitionId, ShardId};
use tora_engine::{Engine, Error};

use crate::support::{Folder, append, create, numbers, values};

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

/// Does something on a thread of its own, for no longer than [`LONG`].
fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, answer) = channel();
    thread::spawn(move || done.send(work()));
    answer.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what} takes for ever"))
}

#[test]
fn when_one_shard_fails_everything_is_answered_and_the_folder_opens_again() {
    for failing in [0, 1].map(ShardId::new) {
        let folder = Folder::new();
        let (engine, fail) = open(&folder, 2, failing);
        let handle = engine.handle();
        let topic = create(&handle, "clicks", 4);
        let partitions = [0, 1, 2, 3].map(|index| PartitionId::new(topic, index));
        for partition in partitions {
            append(&handle, partition, b"0");
        }
        let there = partitions.into_iter().find(|partition| owner(*partition, 2) != failing).unwrap();
        let appender = handle.appender(there).unwrap().wait().unwrap();
        let waiting =
            partitions.map(|partition| handle.wait_for(partition, Offset::new(1), LONG * 10).unwrap());
        let mut tail = handle.tail(there, TailFrom::Latest);
        let followed = thread::spawn(move || while tail.next_blocking().is_some() {});

        fail(&engine);
        assert!(engine.wait_for_failure(LONG));
        let made = handle.clone();
        let made = in_time("a topic", move || made.create_topic("more", 1, &[]).and_then(Pending::wait));
        assert_eq!(made, Err(Error::Stopped));
        // The other shard ends what it has begun, then it says the same.
        in_time("the end of the others", move || {
            for (partition, pending) in partitions.into_iter().zip(waiting) {
                let _ = pending.wait();
                let record = || [RecordRef::of_value(b"late")];
                while handle.append_records(partition, record()).and_then(Pending::wait)
                    != Err(Error::Stopped)
                {}
            }
            let late =
                || appender.append_blocking(RecordRef::of_value(b"late")).and_then(|pending| pending.wait());
            while late() != Err(Error::Stopped) {}
            followed.join().unwrap();
            assert_eq!(handle.new_producer_id().and_then(Pending::wait), Err(Error::Stopped));
        });
        in_time("closing", move || engine.close());

        let engine = folder.open(2);
        for partition in partitions {
            assert_eq!(values(&engine.handle(), partition, 0)[..1], numbers(0..1));
        }
    }
}

/// A task whose waker panics, on the shard's thread.
struct Hostile;

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        panic!("meant to");
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_from_an_answer() {
    let folder = Folder::new();
    let engine = folder.open(1);
    let handle = engine.handle();
    let partition = PartitionId::new(create(&handle, "clicks", 1), 0);
    let appender = handle.appender(partition).unwrap().wait().unwrap();
    let watch = || handle.wait_for(partition, Offset::ZERO, LONG * 10).unwrap();
    let waker = Waker::from(Arc::new(Hostile));
    let mut context = Context::from_waker(&waker);
    let (mut first, second, mut third) = (watch(), watch(), watch());
    for pending in [&mut first, &mut third] {
        assert!(matches!(std::pin::pin!(pending).poll(&mut context), Poll::Pending));
    }
    // Two records of one batch, or of two: the first one's task is hostile.
    let mut records = [(); 2].map(|()| appender.append(RecordRef::of_value(b"0")).unwrap());
    let _ = std::pin::pin!(&mut records[0]).poll(&mut context);
    let [_, record] = records;
    in_time("the answers", move || {
        assert_eq!((second.wait(), record.wait()), (Ok(true), Ok(Offset::new(1))));
    });
    assert_eq!((first.wait(), third.wait()), (Ok(true), Ok(true)), "the answers are there, unheard");
    assert!(!engine.wait_for_failure(Duration::from_millis(10)));
    assert_eq!(append(&handle, partition, b"2"), Offset::new(2));
    engine.close();
}

#[test]
fn a_folder_is_free_again_when_making_a_service_panics() {
    let folder = Folder::new();
    for failing in [0, 1] {
        let opened = std::panic::catch_unwind(|| {
            Engine::open_with(folder.config(2), |id| {
                assert!(id.value() != failing, "meant to");
                Fails { told: Arc::default(), here: false }
            })
        });
        assert!(opened.is_err());
        folder.open(2).close();
    }
}
